"""The `speed` subcommand: measures time and memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gfpbench.cli.app import AsJson, models_talk_to_stderr, say


def speed_(
    restorer: Annotated[list[str] | None, typer.Argument(help="Restorers to measure. [default: nano]")] = None,
    faces: Annotated[
        str, typer.Option(help="Clean faces: a name of `gfpbench list faces`, a folder or archives.")
    ] = "embedded",
    degradation: Annotated[str, typer.Option(help="Degradation of the faces, `gfpbench list degradations`.")] = "paper",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use the first N images only; each draw of a face counts as one.")
    ] = None,
    draws: Annotated[int | None, typer.Option(min=1, help="Degrade each face N times with independent draws.")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Side of the face crops in pixels.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random draws.")] = 0,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Faces per batch. [default: the baseline's, else 8 of 128 px]")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, mps, xpu or directml.")] = "auto",
    baselines: Annotated[Path, typer.Option(help="Folder of the speed baselines.")] = Path("baselines/speed"),
    update: Annotated[
        bool, typer.Option("--baseline-update", help="Rewrite the speed baselines of this device.")
    ] = False,
    update_new: Annotated[
        bool, typer.Option("--baseline-update-new", help="Create the speed baselines that this device lacks.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict-speed", help="A missing baseline fails.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure time and memory of restorers against a reference workload, and compare with this device's baseline.

    Nothing is scored. Exit code 1 where one is slower or larger by more than tolerance in each of three measurements.
    """
    from gfpbench import baselines as stored
    from gfpbench import devices, speed
    from gfpbench import report as reports
    from gfpbench.baselines.speed import speed_of
    from gfpbench.types import Case

    where = devices.resolve(device)
    cases = [
        Case(faces, degradation, name, seed=seed, size_px=size, limit=limit, draws=draws)
        for name in dict.fromkeys(restorer or ["nano"])
    ]
    asked: stored.Update = "always" if update else "new" if update_new else "never"
    records, passed = [], True
    for case in cases:
        with models_talk_to_stderr(as_json):
            found = speed_of(case, baselines, device=where, batch_size=batch_size, update=asked)
            alone = None if found.comparison else speed.measure_speed(case, device=where, batch_size=batch_size)
        if found.comparison is not None:
            passed &= found.comparison.passed
            records.append(found.comparison.to_json())
            lines = reports.speed_lines(found.comparison)
        else:
            assert alone is not None
            passed &= not strict
            records.append({"speed": speed.to_json(alone), "missing": found.missing})
            lines = [f"{case.id}: {reports.shown_speed(alone)}", f"  {found.missing}"]
        if found.written is not None:
            lines.append(f"  baseline written: {found.written}")
        if not as_json:
            say(*lines)
    if as_json:
        print(json.dumps(records, indent=2, allow_nan=False))
    if not passed:
        raise typer.Exit(1)
