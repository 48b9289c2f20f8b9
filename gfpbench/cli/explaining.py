"""`gfpbench explain`: from command-line arguments to an explanation on disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gfpbench import claims, faces
from gfpbench.assets.datasets import refuse_without_truth
from gfpbench.explain import OverSets, chosen, explain_over
from gfpbench.metrics import protocols
from gfpbench.report.explanation_sets import write_explanation
from gfpbench.report.progress import progress_bar
from gfpbench.types import BadInput

_FIGURES = re.compile(r"[^=,\s]+=[^=,\s]+(,[^=,\s]+=[^=,\s]+)*")


def explained(
    row: str,
    face_sets: Sequence[str],
    directory: Path,
    *,
    size_px: int | None,
    limit: int | None,
    seed: int,
    wanted: Sequence[str] | None,
) -> tuple[OverSets, Path]:
    """Explain a published row (``report-2021/celeba/Input``) or figures of your own (``PSNR=14.4,SSIM=0.53``).

    Every hypothesis is measured on each of the face sets.

    Returns:
        What was found, and the path of ``explain.md`` in ``directory``.

    Raises:
        BadInput: for a row nobody published, figures that are no numbers, a row that is not of degraded input, or a set
            of faces that is given twice.
    """
    if directory.exists() and not directory.is_dir():
        raise BadInput(f"--report {directory}: is a file; give a folder")
    for name in face_sets:
        if face_sets.count(name) > 1:
            raise BadInput(f"--faces {name}: is given twice; a second set must hold other faces")
        refuse_without_truth(name, "explain degrades clean faces")
    if _FIGURES.fullmatch(row):
        published, measures, images = _figures(row), protocols.find("gfpgan-paper").figures, 3000
    else:
        table, found = claims.row(row)
        if found.restorer != "input":
            raise BadInput(f"{row}: is a row of {found.method!r}; what can be explained is a row of degraded input")
        published, measures, images = dict(found.figures), table.protocol.figures, table.images
    with progress_bar() as progress:
        told = explain_over(
            published,
            measures,
            [faces.load(name, size_px=size_px) for name in face_sets],
            hypotheses=chosen(wanted),
            images=images,
            limit=limit,
            seed=seed,
            sheets=directory / "images",
            progress=progress,
        )
    return told, write_explanation(told, directory, f"What gives {row}?")


def _figures(text: str) -> dict[str, float]:
    pairs = [pair.split("=") for pair in text.split(",")]
    try:
        return {name: float(value) for name, value in pairs}
    except ValueError as error:
        raise BadInput(f"{text!r}: write figures as PSNR=14.4,SSIM=0.53") from error
