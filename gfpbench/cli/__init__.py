"""The `gfpbench` command: the same engine as the pytest plugin, for people and scripts."""

from __future__ import annotations

import functools
import gc
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gfpbench.cli.app import complain, without_verbs
from gfpbench.cli.streams import forgiving_streams
from gfpbench.cli.subcommand import Command

if TYPE_CHECKING:
    import typer

    app: typer.Typer

__all__ = ["VERBS", "app", "main"]

VERBS: dict[str, str] = {
    "list": "gfpbench.cli.look:list_",
    "run": "gfpbench.cli.measure:run",
    "merge": "gfpbench.cli.measure:merge",
    "degrade": "gfpbench.cli.degrade:degrade_",
    "photos": "gfpbench.cli.whole_photos:photos",
    "collapse": "gfpbench.cli.searching:collapse",
    "speed": "gfpbench.cli.speed:speed_",
    "parity": "gfpbench.cli.parity:parity_",
    "export": "gfpbench.cli.parity:export_",
    "report": "gfpbench.cli.judge:report_",
    "compare": "gfpbench.cli.judge:compare",
    "matrix": "gfpbench.cli.several_runs:matrix_",
    "history": "gfpbench.cli.several_runs:history_",
    "claims": "gfpbench.cli.published:claims_",
    "explain": "gfpbench.cli.published:explain",
    "gallery": "gfpbench.cli.look:gallery_",
    "fetch": "gfpbench.cli.look:fetch",
    "doctor": "gfpbench.cli.look:doctor",
}
"""The verbs, in the order in which help shows them, and the function of each."""

GOES_ON = ("run", "degrade", "photos", "collapse", "fetch")
"""The verbs that, after they were stopped, go on where they were."""

READ_ONLY = ("list", "report", "compare", "matrix", "history", "claims")
"""The verbs that run no model."""
OBJECTS_PER_COLLECTION = 100_000
"""In Python 700, which looks at everything twenty times while a page is written."""

BROKEN = 3
"""The exit code of an unexpected error. Python's default is 1, which means that a gate has failed."""


class Stopped(Exception):
    """The user pressed Ctrl-C."""


def _stoppable(name: str, verb: Callable[..., None], *, collect: bool = False) -> Callable[..., None]:
    """A verb whose Ctrl-C reaches ``main`` as Stopped: of KeyboardInterrupt typer ends the process without a word."""

    @functools.wraps(verb)
    def run(*arguments: object, **options: object) -> None:
        _refuse_addresses(name, options)
        if collect:
            _collect_again(name)
        try:
            verb(*arguments, **options)
        except BaseException as error:
            if isinstance(error, EOFError | BrokenPipeError):  # typer ends the process: "Aborted.", or without a word
                raise RuntimeError("a file or a pipe ended too early") from error
            if not _follows_ctrl_c(error):
                raise
            kept = "; what was measured is kept, the same command goes on from there" if name in GOES_ON else ""
            raise Stopped(f"stopped{kept}") from error

    return run


def _collect_again(name: str) -> None:
    """From here on garbage is collected, but not looked for among what was imported."""
    gc.freeze()
    if name in READ_ONLY:
        gc.set_threshold(OBJECTS_PER_COLLECTION)
    gc.enable()


def _refuse_addresses(name: str, options: Mapping[str, object]) -> None:
    """Raises BadInput where an address was given for a path: its folder would be made here, under the name ``s3:``."""
    for value in options.values():
        if isinstance(value, Path) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(value)):
            from gfpbench.types import BadInput

            raise BadInput(f"{name}: {value}: takes no address here; give a path on this machine")


def _follows_ctrl_c(error: BaseException) -> bool:
    """Also where user code turned it into another error: torch, stopped while it loads, raises a RecursionError."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__cause__ or seen.__context__
    return seen is not None


@functools.cache
def application(verb: str | None = None, *, collect: bool = False) -> typer.Typer:
    """The command with all of its verbs, or with one alone: typer makes the options of each verb that it is given,
    which for all of them takes longer than most commands need."""
    made = without_verbs()
    for name in VERBS if verb is None else (verb,):
        module, _, function = VERBS[name].partition(":")
        made.command(name, cls=Command)(_stoppable(name, getattr(import_module(module), function), collect=collect))
    return made


globals().pop("app")  # the module of that name, which its import has put here


def __getattr__(name: str) -> typer.Typer:
    """``app`` is the command with all of its verbs."""
    if name == "app":
        return application()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main(*, collect: bool = False) -> None:
    """Run the command. Our own errors are one line on standard error and exit code 2; Ctrl-C is exit code 130.

    An error that nobody foresaw leaves its traceback and exit code 3.

    Args:
        collect: garbage collection is off, and a verb switches it on before its own work.
    """
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    # Spinning waits cost more than the work itself on small shared machines; read once, when torch loads OpenMP.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with forgiving_streams():
        try:
            try:
                application(first if first in VERBS else None, collect=collect)(prog_name="gfpbench")
            finally:
                sys.stdout.flush()  # a full disk may show only now
        except Stopped as stopped:
            complain(str(stopped))
            sys.exit(130)
        except KeyboardInterrupt:  # pressed before or after the verb's own work
            complain("stopped")
            sys.exit(130)
        except Exception as error:  # noqa: BLE001 - whatever it is, the exit code must not be 1
            from gfpbench.disk import refusal
            from gfpbench.types import GfpbenchError

            line = str(error) if isinstance(error, GfpbenchError) else refusal(error)
            if line is None:
                traceback.print_exc()
                sys.exit(BROKEN)
            complain(line)
            sys.exit(2)
