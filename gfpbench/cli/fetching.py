"""`gfpbench fetch`: selects assets, shows a progress bar for each, and lists those that could not be fetched."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from gfpbench import assets
from gfpbench.types import BadInput


def chosen(names: Sequence[str], *, everything: bool, wanted_for: Sequence[str]) -> list[str]:
    """Asset names for what was asked: by name, all of them, or what some restorers, metrics or protocols need.

    Raises:
        BadInput: where nothing was asked for, and for a name that needs nothing.
    """
    wanted = [*names, *(assets.ASSETS if everything else ())]
    for user in wanted_for:
        found = [name for one in _parts(user) for name in assets.for_restorer(one)]
        if not found:
            raise BadInput(
                f"--for {user}: needs no asset, if that is its name: `gfpbench list assets` shows what needs which"
            )
        wanted += found
    if not wanted:
        raise BadInput(
            "nothing to fetch: name assets (`gfpbench list assets` shows them), or use --all or --for RESTORER"
        )
    return list(dict.fromkeys(wanted))


def _parts(user: str) -> list[str]:
    """A restorer or metric under the name that the table of assets has; the metrics of a protocol."""
    from gfpbench.metrics.per_image import VS_INPUT
    from gfpbench.metrics.protocols import PROTOCOLS

    names = PROTOCOLS[user].figures.values() if user in PROTOCOLS else (user,)
    return [name.removesuffix(VS_INPUT) for name in names]


def fetch_with_bars(
    names: Sequence[str],
    *,
    everything: bool,
    wanted_for: Sequence[str],
    accept_licence: bool,
    source: assets.Source = "any",
) -> list[assets.Fetched]:
    """Fetch with a bar for each asset; one that cannot be had does not stop the others."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    wanted = chosen(names, everything=everything, wanted_for=wanted_for)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def draw(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done, total=total or None)

        def say(line: str) -> None:
            console.print(line, highlight=False, markup=False, soft_wrap=True)

        return assets.fetch_many(wanted, accept_licence=accept_licence, progress=draw, say=say, source=source)
