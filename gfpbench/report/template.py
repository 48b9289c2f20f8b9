"""Renders pages from Jinja templates with escaping, and writes them atomically."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gfpbench.disk import sweep, write_whole
from gfpbench.report.formatting import plural, printable, shown


def pages(**filters: Callable[..., Any]) -> Environment:
    """The templates, with the filters that every page has and those given; a name that is not passed is an error."""
    environment = Environment(
        loader=PackageLoader("gfpbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_one_line,
    )
    environment.filters.update(shown=shown, plural=plural, **filters)
    environment.globals["style"] = own("style.css")
    return environment


def own(name: str) -> Markup:
    """A file of ours that goes into a page as it is: no name from outside is in it."""
    return Markup(resources.files("gfpbench.report").joinpath("templates", name).read_text(encoding="utf-8"))


def write_page(html: str, path: Path) -> Path:
    """Write a page into a folder, which is made where it is missing. Returns the path.

    Names of files may hold what UTF-8 cannot (lone surrogates); they are written as escapes. Raises DiskRefused where
    the disk refuses.
    """
    write_whole(path, html)
    sweep(path.parent)
    return path


def _one_line(value: Any) -> Any:
    """Applied to everything a template prints: text from outside cannot break a line or reverse its reading."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
