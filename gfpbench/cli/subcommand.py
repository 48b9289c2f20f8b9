"""What typer makes the command and its subcommands of: help as it is written, values converted where they have to be.

Newer releases of typer convert every value, also None and a text that stays a text, by pydantic, whose import takes
longer than most commands that touch no image.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

from typer.core import TyperCommand, TyperGroup

PLAIN = (str, int, float)
UNKNOWN = object()


class Command(TyperCommand):
    """A subcommand that converts only what has to be, and whose help is shown as it is written: typer takes
    ``[default: nano]`` for markup and drops it."""

    def get_params(self, ctx: Any) -> Any:
        return _converted_where_needed(TyperCommand.get_params(self, ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:  # click's, of which newer releases of typer have their own
        shown = copy.copy(self)
        if self.rich_markup_mode is not None:
            from rich.markup import escape

            shown.help = self.help and escape(self.help)
            shown.params = [copy.copy(one) for one in self.params]
            for one in shown.params:
                vars(one)["help"] = escape(getattr(one, "help", None) or "")
        TyperCommand.format_help(shown, ctx, formatter)


class Verbs(TyperGroup):
    """The command, whose own parameters are converted as those of its subcommands."""

    def get_params(self, ctx: Any) -> Any:
        return _converted_where_needed(TyperGroup.get_params(self, ctx))


def _converted_where_needed(parameters: list[Any]) -> list[Any]:
    """Parameters of typer's, which from now on take what needs no conversion as it is, and convert what does.

    Nothing changes for releases of typer that do not tell of which type a value is (before 0.29, without pydantic).
    """
    for one in parameters:
        described = getattr(one, "type_descriptor", None)
        kind = getattr(described, "annotation", None)
        if kind is not None and "process_value" not in vars(one):
            parser = getattr(getattr(described, "parameter_info", None), "parser", None)
            one.process_value = partial(_processed, one, one.process_value, kind, parser)
    return parameters


def _processed(parameter: Any, converted: Callable[..., Any], kind: Any, parser: Any, ctx: Any, value: Any) -> Any:
    several = parameter.multiple or parameter.nargs != 1
    taken = _as_it_is(value, kind, parser) if value is not None else () if several else None
    missing = taken is None or (several and not taken)
    if taken is UNKNOWN or (missing and parameter.required):
        return converted(ctx, value)
    return taken if parameter.callback is None else parameter.callback(ctx, parameter, taken)


def _as_it_is(value: Any, kind: Any, parser: Callable[[Any], Any] | None) -> Any:
    """The value that typer would make of a text or a default; UNKNOWN where that is typer's to say."""
    if get_origin(kind) is list and isinstance(value, list | tuple):
        made = [_as_it_is(one, get_args(kind)[0], parser) for one in value]
        return UNKNOWN if UNKNOWN in made else made
    if parser is None:
        return value if kind in PLAIN and type(value) is kind else UNKNOWN
    # A parser of ours makes a path of a text; only an address is more, and what is wrong with one is typer's to say.
    return parser(value) if kind is Path and isinstance(value, str | Path) and ":" not in str(value) else UNKNOWN
