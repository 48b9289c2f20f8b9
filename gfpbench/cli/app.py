"""The Typer application, and the options and output functions that its subcommands share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from gfpbench import __version__
from gfpbench.cli.subcommand import Verbs

AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")]
MaxUnreadable = Annotated[
    float,
    typer.Option(
        "--max-unreadable", min=0, max=1, metavar="SHARE", help="Fraction of faces that may be unreadable, 0 to 1."
    ),
]

Isolate = Annotated[
    bool,
    typer.Option(
        "--isolate",
        help="Run each restorer in its own process: if it hangs or exits, its images fail and the run continues.",
    ),
]
SecondsPerImage = Annotated[
    float,
    typer.Option(
        "--seconds-per-image",
        min=0.001,
        metavar="SECONDS",
        help="Time limit of a restorer per image.",
    ),
]

WorkerCount = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Measure in N processes, one per GPU; any N gives the same results. Each has one CPU thread, or"
        " OMP_NUM_THREADS. [default: this process, all cores]",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="processes|ray",
        help="Where --workers run: in processes of this machine, or on a Ray cluster of machines that are like this"
        " one. ray needs gfpbench[ray].",
    ),
]
Address = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Ray cluster: HOST:PORT, or auto on one of its nodes; ray://HOST:10001 from elsewhere."
        " [default: RAY_ADDRESS, else this machine alone]",
    ),
]
GpusPerWorker = Annotated[
    float | None,
    typer.Option(min=0, help="GPUs that Ray reserves for each worker. [default: 1 with --device cuda, else 0]"),
]


@contextmanager
def models_talk_to_stderr(as_json: bool) -> Iterator[None]:
    """Where standard output is for a machine, what a model prints while it loads and works goes beside it.

    Also what a process prints that the model has started: it writes to the file descriptor.
    """
    if not as_json:
        yield
        return
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # closed already
        with redirect_stdout(sys.stderr):
            yield
        return
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def say(*lines: str) -> None:
    """Print lines for a person. Nothing that came from a file, a model or a name can drive the terminal."""
    from gfpbench.report.formatting import printable  # loads torch, and `gfpbench --version` needs none

    print("\n".join(map(printable, lines)))


def complain(line: str) -> None:
    """Print one line on standard error, in the form of every error of ours."""
    # Names come from files: none of them may drive the terminal, or break the one line in two.
    print(f"gfpbench: {''.join(c if c.isprintable() else ' ' for c in line)}", file=sys.stderr)


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]], width_of_a_file: int) -> None:
    """Print a table as wide as the terminal; into a file or a pipe, ``width_of_a_file`` characters wide."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from gfpbench.report.formatting import printable

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in head:
        table.add_column(escape(printable(column)), no_wrap=True)
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    Console(highlight=False, width=None if sys.stdout.isatty() else width_of_a_file).print(table)


def result_file(path: Path) -> Path:
    """The results.json that a path names: itself, or the one in a folder.

    Raises:
        BadInput: where the run that writes into that folder has not come to its end.
    """
    if not path.is_dir():
        return path
    from gfpbench.completion import refuse_unfinished

    refuse_unfinished(path)
    return path / "results.json"


def _version(asked: bool) -> None:
    if asked:
        print(f"gfpbench {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Benchmark and regression tests for blind face restoration."""


def without_verbs() -> typer.Typer:
    """The command, to which the verbs are still to be added."""
    made = typer.Typer(
        name="gfpbench",
        cls=Verbs,
        help="Benchmark and regression tests for blind face restoration.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_root)
    return made
