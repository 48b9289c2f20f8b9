"""The `degrade` subcommand: writes degraded images to be restored by another tool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gfpbench.cli.app import AsJson, complain, say

LISTED_AT_MOST = 20


def degrade_(
    to: Annotated[Path, typer.Option("--to", help="Empty folder for the degraded images and degraded.json.")],
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
    truth_to: Annotated[
        Path | None, typer.Option("--truth-to", help="Also write the clean faces, into another empty folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write every degraded image as PNG with a manifest, for another tool to restore; measure with `outputs:DIR`.

    The images are those of `gfpbench run` with the same options. Goes on where it was stopped. Exit code 1 where a face
    could not be read or degraded.
    """
    from gfpbench import run as engine
    from gfpbench.assets.datasets import has_truth
    from gfpbench.report.formatting import plural
    from gfpbench.report.progress import progress_bar
    from gfpbench.types import NO_TRUTH, BadInput, Case

    if degradation == NO_TRUTH or not has_truth(faces):
        raise BadInput(f"faces {faces!r}, {degradation!r}: there are no clean images to degrade without a ground truth")
    case = Case(faces, degradation, engine.TRUTH, seed=seed, size_px=size, limit=limit, draws=draws)
    parts = engine.load(case, device="cpu", metrics=())
    with progress_bar() as progress:
        manifest = engine.write_degraded(case, parts, to, truth_to=truth_to, progress=progress)
    for problem in manifest.problems[:LISTED_AT_MOST]:
        complain(f"failed ({problem.stage}): {problem.subject}: {problem.reason}")
    if len(manifest.problems) > LISTED_AT_MOST:
        more = plural(len(manifest.problems) - LISTED_AT_MOST, "more problem")
        complain(f"and {more}, listed in {manifest.path}")
    if as_json:
        print(
            json.dumps(
                {"manifest": str(manifest.path), "images": len(manifest.images)} | {"problems": len(manifest.problems)}
            )
        )
    else:
        failed = f", {len(manifest.problems):,} failed" if manifest.problems else ""
        say(f"{to}: {plural(len(manifest.images), 'image')}{failed}; manifest: {manifest.path}")
    if manifest.problems:
        raise typer.Exit(1)
