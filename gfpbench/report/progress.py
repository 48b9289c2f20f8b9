"""A progress bar for long work: on a terminal it moves, in a log it leaves one line for each piece of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from gfpbench.report.formatting import printable
from gfpbench.types import Progress


@contextmanager
def progress_bar(console: Console | None = None) -> Iterator[Progress]:
    """Gives a callable (done, total, what) that draws one bar for each distinct ``what``.

    Args:
        console: where to draw; standard error unless told.
    """
    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    if not console.is_terminal:
        tenths: dict[str, int] = {}

        def log(done: int, total: int, what: str) -> None:
            what = printable(what, 80)
            # A log gets a line at about every tenth, so that a stuck job is seen without flooding the file.
            tenth = done * 10 // total
            if done == total or (total >= 10 and tenth > tenths.get(what, 0)):
                tenths[what] = tenth
                console.print(f"{what}: {done}/{total}", highlight=False, markup=False, soft_wrap=True)

        yield log
        return
    with Bars(*columns, console=console) as bars:

        def draw(done: int, total: int, what: str) -> None:
            what = printable(what, 80)
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield draw
