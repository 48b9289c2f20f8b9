"""How numbers, names and pages are shown: means, infinities, file names with control characters, templates."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from gfpbench.disk import sweep, write_whole
from gfpbench.types import BadInput, Json

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Environment

BLANK = "–"


def decimals_for(values: Iterable[float]) -> int:
    """Digits after the point for one column, so that its rows align: 4 up to 1, then 3, 2, 1 as values grow."""
    top = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return 4 if top <= 1 else 3 if top < 10 else 2 if top < 1000 else 1


def shown(value: float | None, decimals: int) -> str:
    """A number as text: infinities as a sign, a missing value (or a NaN, which is not a value) as a dash."""
    if value is None or math.isnan(value):
        return BLANK
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{decimals}f}".replace("-", "−")


def with_note(value: float | None, decimals: int, note: str) -> str:
    """A number as text, what is to be said of it in brackets behind it."""
    return f"{shown(value, decimals)} ({note})" if note else shown(value, decimals)


def printable(text: object, limit: int | None = None) -> str:
    """Text on one line without what drives a terminal, breaks XML or reverses reading; its middle cut to fit."""
    safe = str(text)
    if not safe.isprintable():  # nothing is that turns the direction of reading
        safe = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in safe)
    if limit is not None and len(safe) > limit:
        head = (limit - 1) // 2
        return f"{safe[:head]}…{safe[len(safe) - (limit - 1 - head) :]}"
    return safe


def brief(value: Json) -> str:
    """A drawn value for a caption: four digits are enough to recognise it; results.json has all of them."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return printable(", ".join(map(brief, value)), 80)
    if isinstance(value, Mapping):
        return printable(", ".join(f"{key} {brief(item)}" for key, item in sorted(value.items())), 80)
    if re.fullmatch("[0-9a-f]{32,64}", str(value)):
        return f"{str(value)[:12]}…"
    return printable(value, 80)


BREAK = "&#8203;"
"""A space of no width: GitHub looks for mentions, references and emoji in the text as it is shown, where no escape is
left, and this is what keeps such a thing from being one there."""

_MARKDOWN = (
    (re.compile("&"), "&amp;"),
    (re.compile("<"), "&lt;"),
    (re.compile(">"), "&gt;"),
    (re.compile(r"([\\`*\[\]|~])"), r"\\\1"),
    (re.compile(r"(?<![^\W_])_|_(?![^\W_])"), r"\_"),  # within a word it emphasises nothing
    (re.compile("@"), f"@{BREAK}"),  # @user, @team, user@host, owner/repo@commit
    (re.compile(r"(?<!&)#(?=\w)"), f"#{BREAK}"),  # #1, owner/repo#1
    (re.compile(r"\b(GH)-(?=\d)", re.IGNORECASE), rf"\1-{BREAK}"),
    (re.compile("://"), f":{BREAK}//"),
    (re.compile(r"\b(www)\.", re.IGNORECASE), rf"\1{BREAK}."),
    (re.compile(r":(?=[\w+-]+:)"), f":{BREAK}"),  # :tada:
    (re.compile(r"\$"), "<span>&#36;</span>"),  # $x$ is a formula, and a backslash before it no way out
)


def markdown_text(text: object, limit: int | None = None) -> str:
    """Text that stays text in a Markdown table cell on GitHub: no cell break, tag, link, mention, reference or formula.

    What is shown is the text of ``printable``, with spaces of no width in what GitHub would turn into something.
    """
    escaped = printable(text, limit)
    for what, instead in _MARKDOWN:
        escaped = what.sub(instead, escaped)
    return escaped


def plural(count: int, noun: str) -> str:
    """``1 face``, ``1,200 faces``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def pages(**filters: Callable[..., Any]) -> Environment:
    """The templates, with the filters that every page has and those given; a name that is not passed is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("gfpbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_one_line,
        bytecode_cache=_compiled(),
        optimized=False,  # what it looks for ahead of time takes longer than one page takes without
    )
    environment.filters.update(shown=shown, plural=plural, **filters)
    environment.globals["style"] = own("style.css")
    return environment


@cache
def _compiled() -> BytecodeCache:
    """The code of the templates that this process has compiled, which takes longer than to fill one in."""
    from jinja2 import BytecodeCache

    held: dict[tuple[str, str, object], Any] = {}

    class InMemory(BytecodeCache):
        def load_bytecode(self, bucket: Any) -> None:
            bucket.code = held.get(_key(bucket))

        def dump_bytecode(self, bucket: Any) -> None:
            held[_key(bucket)] = bucket.code

    def _key(bucket: Any) -> tuple[str, str, object]:
        """A template's name and text, and what may differ between two environments and goes into the code."""
        return bucket.key, bucket.checksum, bucket.environment.autoescape

    return InMemory()


def own(name: str) -> Markup:
    """A file of ours that goes into a page as it is: no name from outside is in it."""
    return Markup(resources.files("gfpbench.report").joinpath("templates", name).read_text(encoding="utf-8"))


def refuse_foreign(path: Path) -> None:
    """Raises BadInput where a page that gfpbench did not write is in the place of one that it would write."""
    try:
        with path.open("rb") as file:
            beginning = file.read(4096)
    except OSError:  # there is none; a folder or a page that cannot be read is told when it is replaced
        return
    if b'content="gfpbench"' not in beginning:
        raise BadInput(f"{path}: was not written by gfpbench and would be replaced: give another folder, or remove it")


def write_page(html: str, path: Path) -> Path:
    """Write a page into a folder, which is made where it is missing. Returns the path.

    Names of files may hold what UTF-8 cannot (lone surrogates); they are written as escapes. Raises DiskRefused where
    the disk refuses, BadInput where another page is in its place (``refuse_foreign``).
    """
    refuse_foreign(path)
    write_whole(path, html)
    sweep(path.parent)
    return path


def _one_line(value: Any) -> Any:
    """Applied to everything a template prints: text from outside cannot break a line or reverse its reading."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
