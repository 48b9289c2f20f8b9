"""Marked blocks of the documents: what a command printed, between `<!-- figures: NAME: COMMAND -->` and `<!-- end -->`.

NAME is one of ``tests.figures.made.FIGURES``, which makes the block again, or one of these, for what cannot be:

- ``history``: measured once, on code or weights that are gone; the words after it say which.
- ``by hand``: the command after it prints the figures, and a person copies them.
- ``none``: a table that holds no measured figure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")))
UNMADE = ("history", "by hand", "none")
_OPEN = re.compile(r"^<!-- figures: ([a-z0-9 -]+?)(?:: (.*?))? -->$")
_CLOSE = "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Block:
    """One marked block: the document, the line of its mark (from 1), name, command or reason, and the text between."""

    document: str
    line: int
    name: str
    said: str
    text: str


class Unmarked(ValueError):
    """A mark that is not closed, or closed without being open."""


def blocks(document: str, text: str) -> list[Block]:
    """The marked blocks of a document, in order."""
    found: list[Block] = []
    opened: tuple[int, str, str] | None = None
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if match := _OPEN.match(line):
            if opened:
                raise Unmarked(f"{document}:{number}: a block begins within that of line {opened[0]}")
            opened = number, match[1], match[2] or ""
        elif line == _CLOSE:
            if not opened:
                raise Unmarked(f"{document}:{number}: a block ends that did not begin")
            found.append(Block(document, *opened, "\n".join(lines[opened[0] : number - 1])))
            opened = None
    if opened:
        raise Unmarked(f"{document}:{opened[0]}: a block does not end")
    return found


def replaced(text: str, document: str, by: Mapping[str, str]) -> str:
    """The document with other text in the blocks of these names."""
    lines = text.splitlines()
    for block in reversed(blocks(document, text)):
        if block.name in by:
            lines[block.line : block.line + len(block.text.splitlines())] = by[block.name].splitlines()
    return "\n".join(lines) + "\n"


def unmarked_tables(document: str, text: str) -> list[int]:
    """Lines (from 1) of table heads that lie in no marked block."""
    inside = {
        number
        for block in blocks(document, text)
        for number in range(block.line, block.line + len(block.text.splitlines()) + 1)
    }
    heads = (number for number, line in enumerate(text.splitlines(), 1) if re.fullmatch(r"\|[-:| ]+\|", line))
    return [head for head in heads if head - 1 not in inside]
