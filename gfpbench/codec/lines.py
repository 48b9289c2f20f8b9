"""Reads large JSON files in which a list has one item a line: each item is decoded before the next one is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TypeVar

from gfpbench.codec.text import MAX_BYTES, parse
from gfpbench.types import BadInput, Json

T = TypeVar("T")

LINE_BYTES = 1 << 22
"""Of one line; an item of ours takes a few thousand."""
TOTAL_BYTES = 1 << 33
_MARK = "lines read apart: {}"


class NotInLines(Exception):  # the file may be fine all the same: it is read as a whole then
    """The file is not written as told, or something in it is wrong."""


def read_apart(path: Path, name: str, take: Callable[[Json], None], done: Callable[[], T]) -> tuple[Json, list[T]]:
    """The JSON of a file without the lists of this name, and those lists.

    A list begins with the line ``,"NAME": [`` and ends with the line ``]``; each line between them is one item.

    Args:
        name: of the lists; each is the field of an object in the list ``results`` of the file.
        take: called with each item of a list, in order.
        done: called at the end of each list; what it returns stands for the list.

    Raises:
        NotInLines: for anything unexpected. Read the file as a whole: it says what is wrong, if anything is.
    """
    rest: list[bytes] = []
    lists: list[T] = []
    left, begins = TOTAL_BYTES, f',"{name}": [\n'.encode()
    try:
        with path.open("rb") as file:
            while line := _line(file):
                left -= len(line)
                if left < 0:
                    raise NotInLines
                if line != begins:
                    rest.append(line)
                    continue
                left -= _items(file, take)
                rest.append(f',"{name}": ["{_MARK.format(len(lists))}"]\n'.encode())
                lists.append(done())
        if sum(map(len, rest)) > MAX_BYTES:
            raise NotInLines
        data = parse(b"".join(rest))
    except (OSError, ValueError, BadInput) as error:
        raise NotInLines from error
    _put_back(data, name, lists)
    return data, lists


def _items(file: IO[bytes], take: Callable[[Json], None]) -> int:
    """Takes the items up to the end of a list. Returns how many bytes they took."""
    size, more = 0, True
    while (line := _line(file)) != b"]\n":
        size += len(line)
        if not more:
            raise NotInLines  # no comma before this item
        more = line.endswith(b"},\n")
        if not more and not line.endswith(b"}\n"):
            raise NotInLines
        take(parse(line[: -2 if more else -1]))
    if more and size:
        raise NotInLines  # a comma after the last
    return size


def _line(file: IO[bytes]) -> bytes:
    line = file.readline(LINE_BYTES)
    if line and not line.endswith(b"\n"):
        raise NotInLines
    return line


def _put_back(data: Json, name: str, lists: Sequence[object]) -> None:
    """Each list must have stood where it is looked for, and nowhere else."""
    found = data.get("results") if isinstance(data, dict) else None
    if not isinstance(found, list) or len(found) != len(lists):
        raise NotInLines
    for number, one in enumerate(found):
        if not isinstance(one, dict) or one.get(name) != [_MARK.format(number)]:
            raise NotInLines
        one[name] = []
