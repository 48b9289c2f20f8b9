"""Markdown out of what the registries hold: tables, definitions and escaped text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_CODE = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
_HTML = str.maketrans({"<": "&lt;", ">": "&gt;", "*": "\\*"})


def text(plain: str) -> str:
    """Plain text as Markdown: what would be HTML or emphasis is escaped, code in backticks stays."""
    parts = _CODE.split(plain)
    return "".join(part if _CODE.fullmatch(part) else part.translate(_HTML) for part in parts)


def code(plain: str) -> str:
    """A name or value as code; nothing for an empty one."""
    return f"`{plain}`" if plain else ""


def cell(plain: str) -> str:
    """Text in a cell of a table: one line, and no bar that would end the cell."""
    parts = _CODE.split(" ".join(text(plain).split()))  # a bar in code ends no cell
    return "".join(part if _CODE.fullmatch(part) else part.replace("|", "&#124;") for part in parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of what is known of one thing, without what is not known."""
    return "\n".join(f"- **{name}:** {value}" for name, value in pairs if value)


def docstring(words: str) -> str:
    """A docstring of ours as Markdown: paragraphs stay, and a table of reStructuredText is shown as it is typed."""
    kept: list[str] = []
    for paragraph in re.split(r"\n\s*\n", words.strip()):
        ruled = paragraph.lstrip().startswith("===")
        kept.append(f"```text\n{paragraph}\n```" if ruled else text(paragraph))
    return "\n\n".join(kept)
