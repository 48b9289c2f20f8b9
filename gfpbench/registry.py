"""The registry: tables that map a name to a "module:attribute" string, imported when it is used."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from gfpbench.types import BadInput


def unknown(kind: str, name: str, known: Iterable[str], also: str = "") -> BadInput:
    """The error for a name that no table holds: it shows the nearest ones, or all of them.

    Args:
        kind: what was asked for, in the singular (``restorer``).
        name: what the person wrote.
        known: the names there are.
        also: other forms that are accepted, in words.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {', '.join(names)}"
    return BadInput(f"no {kind} named {name!r}: {hint}{f' ({also})' if also else ''}")


def resolve(kind: str, table: Mapping[str, str], name: str, also: str = "") -> Any:
    """The object a table names. Raises BadInput with near names for one it does not hold."""
    if name not in table:
        raise unknown(kind, name, table, also)
    module, _, attribute = table[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
