"""Registries: tables from names to rows or to "module:attribute" strings, which are imported only when asked for."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from gfpbench.types import BadInput

Value = TypeVar("Value")


def unknown(kind: str, name: str, known: Iterable[str], also: str = "") -> BadInput:
    """The error for a name that no table holds: it shows the nearest ones, or all of them.

    Args:
        kind: what was asked for, in the singular (``restorer``).
        name: what the person wrote.
        known: the names there are.
        also: other forms that are accepted, in words.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) if isinstance(name, str) else []
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {', '.join(names)}"
    return BadInput(f"no {kind} named {name!r}: {hint}{f' ({also})' if also else ''}")


def listed(kind: str, names: Iterable[str]) -> tuple[str, ...]:
    """Names that somebody gave as a sequence.

    Args:
        kind: of what, in the singular (``metric``).

    Raises:
        BadInput: for a single name, which would be taken for its letters, and for what is no sequence of names.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise BadInput(f"{kind}: names are given as a list, ['NAME', ...], not {names!r}")
    found = tuple(names)
    for name in found:
        if not isinstance(name, str):
            raise BadInput(f"no {kind} named {name!r}: a name is a text")
    return found


def whole(what: str, number: int) -> int:
    """A count, size or seed that somebody gave. Raises BadInput for what is no int: a number of NumPy is no JSON."""
    if type(number) is not int:
        raise BadInput(f"{what} has to be an int, not {number!r}")
    return number


def resolve(kind: str, table: Mapping[str, str], name: str, also: str = "") -> Any:
    """The object a table names.

    Raises:
        BadInput: with near names for one that the table does not hold; for a row whose file or attribute is missing,
            saying which.
    """
    if not isinstance(name, str) or name not in table:
        raise unknown(kind, name, table, also)
    return attribute_of(kind, name, table[name])


def attribute_of(kind: str, name: str, target: str) -> Any:
    """The object that a row names as "module:attribute". Raises BadInput saying which file lacks it."""
    module, _, attribute = target.partition(":")
    file = f"{module.replace('.', '/')}.py"
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the file is there, and something that it imports is not
        raise BadInput(f"the row of {kind} {name!r} names {target}, and there is no {file}") from error
    if not hasattr(found, attribute):
        raise BadInput(f"the row of {kind} {name!r} names {target}, and {file} lacks {attribute!r}")
    return getattr(found, attribute)


def first_line(kind: str, name: str, target: str) -> str:
    """The first line of the docstring of the class or function that a row names, read from its source.

    Nothing is imported: a list of names must not load torch, nor the code of every network.

    Raises:
        BadInput: as ``attribute_of``, and where there is no docstring.
    """
    module, _, attribute = target.partition(":")
    file = f"{module.replace('.', '/')}.py"
    spec = importlib.util.find_spec(module)
    read = getattr(spec.loader, "get_data", None) if spec is not None else None
    if spec is None or spec.origin is None or read is None:
        raise BadInput(f"the row of {kind} {name!r} names {target}, and there is no {file}")
    for node in _definitions(read(spec.origin), attribute):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
            line = (ast.get_docstring(node) or "").partition("\n")[0]
            if not line:
                raise BadInput(f"{kind} {name!r}: {target} lacks a docstring, whose first line `gfpbench list` shows")
            return line
    raise BadInput(f"the row of {kind} {name!r} names {target}, and {file} lacks {attribute!r}")


def _definitions(source: bytes, name: str) -> list[ast.stmt]:
    """The definition of that name up to its docstring's end, which is soon parsed; else all that the source holds."""
    text = source.decode("utf-8")
    beginning = re.search(rf'^(?:class|def) {re.escape(name)}\b.*?\n    """.*?"""', text, re.DOTALL | re.MULTILINE)
    if beginning:
        with suppress(SyntaxError):
            return ast.parse(beginning[0]).body
    return ast.parse(source).body


def companion(rows: Mapping[str, Value], key: str, needed_by: str, table: str) -> Value:
    """The row of another table that an entry needs.

    Args:
        rows: the other table.
        key: the row's name.
        needed_by: the entry, in words: ``set metric 'fid_clean_vs_truth'``.
        table: where the other table stands: ``REFERENCES in gfpbench/metrics/set_measures.py``.

    Raises:
        BadInput: where there is no such row, saying which file lacks it.
    """
    if key not in rows:
        raise BadInput(f"{needed_by} needs a row {key!r}, which {table} lacks")
    return rows[key]


def named_alike(kind: str, name: str, own: str, table: str) -> None:
    """Refuse a row that holds an object with another name than its own. Raises BadInput naming both."""
    if own != name:
        raise BadInput(f"the row {name!r} of {table} holds the {kind} {own!r}: the two names must be equal")
