"""Makes the tables of docs/why-the-report-missed.md again, on the collections of faces that are here."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

import cv2
import skimage.data

from gfpbench import claims, faces
from gfpbench.explain import HYPOTHESES, Explanation, explain_over
from gfpbench.explain.ranking import Finding
from gfpbench.types import GfpbenchError

LIMIT = 24
RANDOM_FACE = "random-face?count=40"
SETS = ("portraits", "random-face", "lfw")


@cache
def lfw() -> Path:
    """The folder that the document's own command writes, under a temporary one."""
    folder = Path(tempfile.mkdtemp(prefix="gfpbench-lfw-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for number, face in enumerate(skimage.data.lfw_subset()[:100]):
        grey = (face * 255).round().astype("uint8")
        cv2.imwrite(str(folder / f"{number:03d}.png"), cv2.resize(grey, (100, 100), interpolation=cv2.INTER_CUBIC))
    return folder


@cache
def explained(row: str, size_px: int, wanted: tuple[str, ...], name: str) -> dict[tuple[str, ...], Finding] | str:
    """What each hypothesis gives on one set of faces (``()``: the row as described), or why that cannot be measured."""
    table, found = claims.row(row)
    try:
        told: Explanation = explain_over(
            dict(found.figures),
            table.protocol.figures,
            [faces.load(name, size_px=size_px)],
            hypotheses=[one for one in HYPOTHESES if one.name in wanted],
            images=table.images,
            limit=LIMIT,
            together=False,
        ).explanations[0]
    except GfpbenchError as error:  # faces that are not here
        return str(error)
    return {(): told.described, **{one.names: one for one in told.findings}}


def table(block: str, row: str, size_px: int, portraits: Path | None) -> str:
    """A table with its rows of single hypotheses made again, where the faces of a column are here.

    The columns over all collections are made where all are here. Rows of two hypotheses stay: they take hours.
    """
    lines = block.splitlines()
    named = [line.split("|")[1].strip() for line in lines]
    wanted = tuple(name for name in named if name in {one.name for one in HYPOTHESES})
    places = {"portraits": str(portraits) if portraits else None, "random-face": RANDOM_FACE, "lfw": str(lfw())}
    measured: dict[str, dict[tuple[str, ...], Finding]] = {}
    for name, place in places.items():
        found = explained(row, size_px, wanted, place) if place else "give --portraits"
        if isinstance(found, str):
            print(f"not made again, the column {name} of {row} at {size_px} px: {found}")
        else:
            measured[name] = found
    for number, name in enumerate(named):
        key = () if name == "as described" else (name,)
        if key and name not in wanted:
            continue
        cells = [cell.strip() for cell in lines[number].strip("|").split("|")]
        rows = {one: found[key] for one, found in measured.items()}
        for one, finding in rows.items():
            cells[2 + SETS.index(one)] = _cell(finding)
        if len(rows) == len(SETS):
            cells[1] = f"{max(finding.distance for finding in rows.values()):.2f}"
            for column, (figure, digits) in enumerate((("PSNR", 2), ("SSIM", 3)), 2 + len(SETS)):
                means = [finding.figures[figure].mean for finding in rows.values()]
                cells[column] = f"{min(means):.{digits}f} to {max(means):.{digits}f}"
        lines[number] = f"| {' | '.join(cells)} |"
    return "\n".join(lines)


def _cell(finding: Finding) -> str:
    said = f"{finding.distance:.2f} [{finding.distance_low:.2f}, {finding.distance_high:.2f}]"
    return f"**{said}**" if finding.reaches else said


NAMES = {
    re.sub(r"/.*", "", row) + f"-{size}": (f"report-2021/{row}", size)
    for row, sizes in (("celeba/Input", (256, 128, 512)), ("utkface/Input", (256, 512)), ("wider/Input", (256, 512)))
    for size in sizes
}
"""Table -> row of the report and side of the faces."""
