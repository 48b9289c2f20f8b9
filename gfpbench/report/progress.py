"""Progress on a terminal or in a log. Reports of stored results show none, and do without what draws it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from gfpbench.report.formatting import printable
from gfpbench.types import Progress

LOG_SECONDS = 60.0


class _Rate(ProgressColumn):
    """How many images a second, where some time has been measured."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(f"{rate:.3g}/s" if rate else "", style="progress.data.speed")


@contextmanager
def progress_bar(console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """Gives a callable (done, total, what) that draws one bar for each distinct ``what``, with its rate and time left.

    A log, which is no terminal, gets a line when a piece of work is done, and one a minute before that, so that a job
    that hangs is told from one that is slow.

    Args:
        console: where to draw; standard error unless told.
        clock: seconds, from any beginning.
    """
    console = console or Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    if not console.is_terminal:
        said = clock()

        def log(done: int, total: int, what: str) -> None:
            nonlocal said
            if done == total or clock() - said >= LOG_SECONDS:
                said = clock()
                line = f"{printable(what, 80)}: {done}/{total}"
                console.print(line, highlight=False, markup=False, soft_wrap=True)

        yield log
        return
    with Bars(*columns, console=console) as bars:

        def draw(done: int, total: int, what: str) -> None:
            what = printable(what, 80)
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield draw
