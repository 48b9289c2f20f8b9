"""The reference of the functions and types at the top of the package, for mkdocstrings."""

from __future__ import annotations

import ast
import inspect

import gfpbench

CALLED = {
    "degrade": "gfpbench.degrade.DegradePackage.__call__",
    "collapse": "gfpbench.collapse.CollapsePackage.__call__",
}
"""Names at the top that are packages which can be called, and the function that is."""


def origins() -> dict[str, str]:
    """Each name of ``gfpbench.__all__`` -> the dotted path of what it is."""
    found = {
        alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(inspect.getsource(gfpbench)))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return {name: CALLED.get(name) or found[name] for name in gfpbench.__all__}


def api() -> str:
    """A section for each name, filled by mkdocstrings."""
    return "\n\n".join(
        f"::: {path}\n    options:\n      heading: gfpbench.{name}\n      toc_label: gfpbench.{name}"
        for name, path in origins().items()
    )
