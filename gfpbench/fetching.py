"""`gfpbench fetch`, seen by a person: which assets, one bar for each, and a last line that says what is here now."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from gfpbench import assets
from gfpbench.tables import unknown
from gfpbench.types import BadInput


def chosen(names: Sequence[str], *, everything: bool, wanted_for: Sequence[str]) -> list[str]:
    """Asset names for what was asked: by name, all of them, or what some restorers or metrics need.

    Raises:
        BadInput: for a name no table holds, or where nothing was asked for.
    """
    for name in names:
        if name not in assets.ASSETS:
            raise unknown("asset", name, assets.ASSETS)
    wanted = [*names, *(assets.ASSETS if everything else ())]
    for user in wanted_for:
        wanted += assets.for_restorer(user)
    if not wanted:
        raise BadInput("nothing to fetch: name assets (`gfpbench list assets` shows them), or use --all or --for RESTORER")
    return list(dict.fromkeys(wanted))


def fetch_with_bars(names: Sequence[str], *, everything: bool, wanted_for: Sequence[str], accept_licence: bool) -> None:
    """Fetch with a progress bar for each asset. Stops at the first that cannot be had; what came before stays."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def draw(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done, total=total or None)

        for name in chosen(names, everything=everything, wanted_for=wanted_for):
            path = assets.fetch(name, accept_licence=accept_licence, progress=draw)
            console.print(f"{name}: {path}", highlight=False, markup=False, soft_wrap=True)
