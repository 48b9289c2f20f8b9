"""Parses JSON text, marking values that JSON does not allow so that an error can name their field."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

from gfpbench.types import BadInput, Json

MAX_BYTES = 1 << 28
"""256 MiB: some 100,000 rows of a Result. A longer file is none of ours, and would be many times as large in memory."""
MAX_DEPTH = 64
"""Nothing that gfpbench writes is nested a tenth as deeply."""
MAX_WHOLE = 1 << 64
"""A whole number beyond is no count, no seed and no size."""
SHOWN = 60


class Wrong(Exception):  # becomes a BadInput with the whole path where decoding began
    """What is wrong with a value; the containers around it put their names before it on its way up."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str | int] = []


class Twice(dict[str, Any]):
    """An object in which a name stands twice, kept until its place is known."""

    name: str


class NoNumber(float):
    """NaN or Infinity as a bare word, or a number of too many digits, kept until its place is known."""

    reason: str


def parse(text: str | bytes) -> Json:
    """JSON text as Python values; ``decode`` and ``plain`` find what JSON does not allow and name its place.

    Raises:
        BadInput: in one line, for text that is no JSON or no UTF-8.
    """
    try:
        return json.loads(
            text if isinstance(text, str) else text.decode("utf-8"),
            parse_int=_whole_number,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise BadInput(f"is nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:  # broken UTF-8 is one too
        raise BadInput(f"is not the JSON that gfpbench writes: {_why_no_json(text, error)}") from error


def _why_no_json(text: str | bytes, error: ValueError) -> str:
    """What is wrong with a text that cannot be parsed, the number of its line first."""
    words = text if isinstance(text, str) else text.decode("utf-8", "replace")
    marks = re.search("^<{7} ", words, re.MULTILINE)
    if marks is not None:
        line = words.count("\n", 0, marks.start()) + 1
        return f"line {line} is the mark of a merge conflict: take one of the two sides, or make the file again"
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {cut(error.msg)}"
    return cut(str(error))


def refuse_irregular(path: Path) -> None:
    """Raise BadInput for a pipe, a socket or a device, which whoever opens it may wait for without an end.

    A folder, and what is not there, is told by whoever opens it.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # not there, or a name that nothing can have
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        named = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        kind = named.get(stat.S_IFMT(mode), "a device")
        raise BadInput(f"{path}: is {kind}, not a regular file: write what it gives into a file, and name that")


def read(path: Path) -> Json:
    """The JSON of a file, not yet checked. Raises BadInput naming the file: missing, no regular one, too large, or no
    JSON."""
    refuse_irregular(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
        raise BadInput(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_BYTES:
        raise BadInput(f"{path}: is longer than {MAX_BYTES >> 20} MiB, so no file of gfpbench")
    try:
        return parse(data)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def joined(where: str, path: list[str | int]) -> str:
    """``results[0].case.seed``: the path of a field, innermost step first, behind where it begins."""
    said = ""
    for step in reversed(path):
        if isinstance(step, int):
            said += f"[{step}]"
        else:
            said += f".{name_in_path(step)}" if said or where else name_in_path(step)
    if len(said) > 4 * SHOWN:
        said = f"{said[: 2 * SHOWN]}...{said[-SHOWN:]}"
    return (where + said) or "file"


def name_in_path(name: str) -> str:
    """A field's name as it stands in a path; quoted and cut where it could break a line or a terminal."""
    return name if re.fullmatch(r"[\w@:+ -]{1,60}", name, re.ASCII) else shown(name)


def shown(value: object) -> str:
    """A value in a message: on one line, in ASCII, and no longer than is read."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return cut(json.dumps(value) if value is None or isinstance(value, bool) else ascii(value))


def cut(text: str) -> str:
    """Text on one line, its end left out where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _constant(word: str) -> float:
    found = NoNumber(word.replace("Infinity", "inf"))
    found.reason = f'{word} is not JSON: a score that is undefined is null, and infinity is the text "inf"'
    return found


def _whole_number(digits: str) -> float:
    if len(digits) < 22:  # an integer of 64 bits has 20 digits
        return int(digits)
    found = NoNumber("inf")
    found.reason = "the number is too large"
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    twice = Twice(made)
    for name, _ in pairs:
        if name in seen:
            twice.name = name
        seen.add(name)
    return twice


def check_schema(data: Json, schema: int) -> None:
    """Whether a file is of the schema that is read here. Raises BadInput saying which it is and what to do."""
    found = data.get("schema") if isinstance(data, dict) else None
    if type(found) is not int or found != schema:
        raise BadInput(
            f"schema: this gfpbench reads schema {schema}, not {found if found in (None, True) else shown(found)}; "
            "measure again or update gfpbench"
        )
