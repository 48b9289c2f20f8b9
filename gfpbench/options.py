"""Options of a restorer or a degradation, written behind its name: ``gfpgan-1.4?dtype=bf16&batch=4``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gfpbench.types import BadInput

_OPTIONS = re.compile(r"[A-Za-z][\w.]*=[^&?]*(&[A-Za-z][\w.]*=[^&?]*)*", re.ASCII)


def split_options(spec: str, kind: str = "restorer") -> tuple[str, dict[str, str]]:
    """What stands before the last ``?``, and the options behind it. What does not read as options is left alone.

    Args:
        spec: as a person wrote it.
        kind: what it names, for messages.

    Raises:
        BadInput: where an option is given twice.

    Examples:
        >>> split_options("codeformer?w=0.7&dtype=bf16")
        ('codeformer', {'w': '0.7', 'dtype': 'bf16'})
        >>> split_options("checkpoint:what?.pth")
        ('checkpoint:what?.pth', {})
    """
    bare, mark, tail = spec.rpartition("?")
    if not mark or not _OPTIONS.fullmatch(tail):
        return spec, {}
    pairs = [part.partition("=")[::2] for part in tail.split("&")]
    given = dict(pairs)
    if len(given) < len(pairs):
        twice = next(key for key, _ in pairs if [k for k, _ in pairs].count(key) > 1)
        raise BadInput(f"{kind} {spec!r} gives the option {twice!r} twice")
    return bare, given


def split_folder(argument: str) -> tuple[str, dict[str, str]]:
    """A folder and the options behind it; a folder that is really called ``what?a=b`` is taken by that name.

    Raises:
        BadInput: where an option is given twice.
    """
    return (argument, {}) if Path(argument).expanduser().is_dir() else split_options(argument)


class Options:
    """The options behind one name: each is asked for once, with what it may be, and whatever is left over is refused.

    Args:
        name: without options, for messages.
        given: as ``split_options`` returns them.
    """

    def __init__(self, name: str, given: Mapping[str, str]) -> None:
        self.name = name
        self.given = dict(given)
        self._known: dict[str, str] = {}

    @property
    def spelled(self) -> str:
        """The whole name, options and all: what a report calls this restorer."""
        return self.name + ("?" if self.given else "") + "&".join(f"{k}={v}" for k, v in self.given.items())

    def choice(self, key: str, allowed: tuple[str, ...], refused: Mapping[str, str] | None = None) -> str:
        """One of some words; the first is the default. ``refused`` gives the reason for words that people may try."""
        self._known[key] = "|".join(allowed)
        value = self.given.get(key, allowed[0])
        if refused and value in refused:
            raise BadInput(f"{self.spelled}: {key}={value} {refused[value]}")
        if value not in allowed:
            raise self._wrong(key)
        return value

    def text(self, key: str, meaning: str) -> str:
        """Any word; empty where it was not given. ``meaning`` is what a refusal says of it."""
        self._known[key] = meaning
        return self.given.get(key, "")

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number between two others, both included."""
        self._known[key] = f"{low}..{high}"
        text = self.given.get(key, str(default))
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise self._wrong(key)
        return int(text)

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number between two others, both included."""
        self._known[key] = f"{low:g}..{high:g}"
        try:
            value = float(self.given.get(key, default))
        except ValueError as error:
            raise self._wrong(key) from error
        if not low <= value <= high:  # NaN fails too
            raise self._wrong(key)
        return value

    def finished(self) -> None:
        """Refuse unknown options. Raises BadInput, naming the options that exist."""
        strange = [key for key in self.given if key not in self._known]
        if strange:
            known = ", ".join(f"{key}={values}" for key, values in self._known.items())
            raise BadInput(f"{self.spelled}: there is no option {strange[0]!r}; there are: {known}")

    def _wrong(self, key: str) -> BadInput:
        return BadInput(f"{self.spelled}: {key}={self.given.get(key)} cannot be used; give {key}={self._known[key]}")
