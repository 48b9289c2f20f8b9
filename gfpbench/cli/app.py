"""The command itself, and what its verbs share."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from typing import Annotated

import typer
from rich.console import Console

from gfpbench import __version__

app = typer.Typer(
    name="gfpbench",
    help="Benchmark and regression tests for blind face restoration.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out = Console(soft_wrap=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a machine to read.")]


def models_talk_to_stderr(as_json: bool) -> AbstractContextManager[object]:
    """Where standard output is for a machine, what a model prints while it loads and works goes beside it."""
    return redirect_stdout(sys.stderr) if as_json else nullcontext()


def _version(asked: bool) -> None:
    if asked:
        print(f"gfpbench {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Benchmark and regression tests for blind face restoration."""
