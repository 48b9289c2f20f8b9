"""The `gfpbench` command: the same engine as the pytest plugin, for people and scripts."""

from __future__ import annotations

import functools
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from gfpbench.cli import degrade, judge, look, measure, published, searching, several_runs, whole_photos
from gfpbench.cli import parity as alike
from gfpbench.cli import speed as timed
from gfpbench.cli.app import Command, app, complain
from gfpbench.cli.streams import forgiving_streams

__all__ = ["VERBS", "app", "main"]

VERBS: dict[str, Callable[..., None]] = {
    "list": look.list_,
    "run": measure.run,
    "merge": measure.merge,
    "degrade": degrade.degrade_,
    "photos": whole_photos.photos,
    "collapse": searching.collapse,
    "speed": timed.speed_,
    "parity": alike.parity_,
    "export": alike.export_,
    "report": judge.report_,
    "compare": judge.compare,
    "matrix": several_runs.matrix_,
    "history": several_runs.history_,
    "claims": published.claims_,
    "explain": published.explain,
    "gallery": look.gallery_,
    "fetch": look.fetch,
    "doctor": look.doctor,
}
"""The verbs, in the order in which help shows them."""

GOES_ON = ("run", "degrade", "photos", "collapse", "fetch")
"""The verbs that, after they were stopped, go on where they were."""

BROKEN = 3
"""The exit code of an unexpected error. Python's default is 1, which means that a gate has failed."""


class Stopped(Exception):
    """The user pressed Ctrl-C."""


def _stoppable(name: str, verb: Callable[..., None]) -> Callable[..., None]:
    """A verb whose Ctrl-C reaches ``main`` as Stopped: of KeyboardInterrupt typer ends the process without a word."""

    @functools.wraps(verb)
    def run(*arguments: object, **options: object) -> None:
        _refuse_addresses(name, options)
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


for _name, _verb in VERBS.items():
    app.command(_name, cls=Command)(_stoppable(_name, _verb))


def main() -> None:
    """Run the command. Our own errors are one line on standard error and exit code 2; Ctrl-C is exit code 130.

    An error that nobody foresaw leaves its traceback and exit code 3.
    """
    # Spinning waits cost more than the work itself on small shared machines; read once, when torch loads OpenMP.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with forgiving_streams():
        try:
            try:
                app(prog_name="gfpbench")
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
