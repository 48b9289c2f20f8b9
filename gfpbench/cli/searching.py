"""Subcommand that finds where restorers collapse: collapse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gfpbench.cli.app import Address, AsJson, Engine, GpusPerWorker, Isolate, SecondsPerImage, WorkerCount, say


def collapse(
    restorer: Annotated[
        list[str] | None, typer.Option(help="Restorer to test, `gfpbench list restorers`; repeatable. [default: nano]")
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(help="Degradation axis; repeatable. `default`: a set of twelve; noise+none: without the base."),
    ] = None,
    metric: Annotated[str, typer.Option(help="Metric of quality.")] = "ssim_rgb",
    criterion: Annotated[
        list[str] | None, typer.Option(help="input, face or identity; repeatable. [default: input and face]")
    ] = None,
    faces: Annotated[
        str, typer.Option(help="Clean faces: a name of `gfpbench list faces`, a folder or archives.")
    ] = "embedded",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use the first N images only; each draw of a face counts as one.")
    ] = None,
    draws: Annotated[int | None, typer.Option(min=1, help="Degrade each face N times. [default: embedded 4]")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Side of the face crops in pixels.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random draws.")] = 0,
    resolution: Annotated[int, typer.Option(help="Resolution of the search: 1/N of the axis; a power of two.")] = 64,
    at: Annotated[float | None, typer.Option(help="Measure only this value of the axis, and show its faces.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, mps, xpu or directml.")] = "auto",
    workers: WorkerCount = None,
    on: Engine = "processes",
    address: Address = "",
    gpus_per_worker: GpusPerWorker = None,
    isolate: Isolate = False,
    seconds_per_image: SecondsPerImage = 120.0,
    report: Annotated[Path, typer.Option(help="Folder for the report and the measurements.")] = Path("report"),
    as_json: AsJson = False,
) -> None:
    """Find the severity at which restorers collapse along degradation axes. Resumes an interrupted run.

    Exit code 1 where restorations failed.
    """
    import gfpbench.collapse as search
    from gfpbench import devices
    from gfpbench import report as reports
    from gfpbench import run as engine
    from gfpbench.report.progress import progress_bar
    from gfpbench.types import BadInput

    if report.exists() and not report.is_dir():
        raise BadInput(f"--report {report}: is a file; give a folder")
    names = dict.fromkeys(axis or ["noise"])
    axes = [name for given in names for name in (search.default_axes() if given == "default" else (given,))]
    copies = search.DEFAULT_DRAWS if draws is None and faces == "embedded" else draws
    asked = [
        search.Question(
            one, name, metric, tuple(criterion) if criterion else None, faces, size, limit, copies, seed, resolution
        )
        for name in dict.fromkeys(axes)
        for one in dict.fromkeys(restorer or ["nano"])
    ]
    where, store = devices.resolve(device), report / "cases"
    measured_by = engine.spread(workers, on, address, gpus_per_worker, where)
    measured_by.pin_threads()
    limits: dict[str, Any] = {"isolate": isolate, "seconds_per_image": seconds_per_image}
    if at is not None:
        report, store = report / "at", report / "at" / "cases"  # the search's own cases hold other scores
        loaded = {one.restorer: engine.guarded(one.restorer, where, **limits) for one in asked}
        with measured_by.pool(limits) as pool:
            at_one = [
                search.at_value(one, at, store=store, device=where, restorer=loaded[one.restorer], workers=pool)
                for one in asked
            ]
        measured = [result for results in at_one for result in results]
        results = tuple({result.case.id: result for result in measured}.values())
        written = reports.write_run(results, report, store=store)
        *lines, last = reports.terminal_lines(results, written.page)
        say(*lines, *written.lines(), last)
        failed = any(row.failure for result in results for row in result.rows)
    else:
        # A misspelt name, or a file that cannot be read, is told now, not after an hour.
        reports.earlier_searches(report)
        loaded = search.loaded(asked, load=lambda name: engine.guarded(name, where, **limits))
        with measured_by.pool(limits) as pool, progress_bar() as progress:
            how: dict[str, Any] = {"store": store, "device": where, "workers": pool, "progress": progress}
            found = list(search.collapse_points(asked, restorers=loaded, **how))
        searched = reports.write_searches(found, report, store=store)
        if as_json:
            print(search.text_of(found), end="")
        else:
            for one in found:
                say(*search.collapse_lines(one, report=str(report)))
            say(*searched.lines(), f"report: {searched.page}")
        failed = any(step.failed for one in found for step in one.steps)
    if failed:
        raise typer.Exit(1)
