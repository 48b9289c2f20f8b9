"""Makes the figures of the documents again: from stored baselines at once, or by measuring."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import gfpbench
from gfpbench import results
from gfpbench.statistics.means import people_of
from gfpbench.statistics.paired import paired_difference
from gfpbench.types import GfpbenchError, Result
from tests.figures import explained
from tests.figures.blocks import ROOT

DIGITS = {
    "psnr_rgb": 2,
    "ssim_rgb": 3,
    "gmsd": 3,
    "deg_dlib": 2,
    "lmd_dlib": 2,
    "piqe": 0,
    "lpips_alex": 3,
    "dists": 3,
    "eye_mismatch": 2,
    "deg_faceres": 1,
}
_PLAIN = {"piqe": 1}
"""Digits of a figure without an interval, where they are more."""
EMBEDDED = "embedded"
SOURCES = ("psnr_rgb", "lpips_alex", "dists", "lmd_dlib", "deg_dlib", "eye_mismatch", "piqe")


@dataclass(frozen=True, slots=True)
class Figure:
    """One marked block that can be made again.

    Args:
        make: the block as it stands, and where portraits are -> the block as it should be. What cannot be measured
            here stays as it is.
        stored: whether it needs nothing but the checkout, in a second.
    """

    make: Callable[[str, Path | None], str]
    stored: bool = False


def difference(restored: Result, given: Result, metric: str) -> tuple[float, float, float]:
    """Mean over images of what a metric changes by, with the interval over images and over people."""
    before = {row.id: row.scores[metric] for row in given.rows}
    rows = [row for row in restored.rows if row.scores[metric] is not None and before[row.id] is not None]
    people = people_of(restored)
    found = paired_difference(
        [row.scores[metric] or 0.0 for row in rows],
        [before[row.id] or 0.0 for row in rows],
        people=[people[row.id] for row in rows],
    ).interval
    return found.mean, found.low, found.high


def mean(result: Result, metric: str) -> float:
    """Over the images that have a score."""
    return float(np.mean([score for score in result.scores(metric) if score is not None]))


def _cell(restored: Result, given: Result, metric: str, *, brackets: bool = True, digits: int | None = None) -> str:
    """`+0.45 [0.26, 0.61]`, or `+0.45`, with as many digits as the documents have of that metric unless told."""
    middle, low, high = difference(restored, given, metric)
    if not brackets:
        return f"{middle:+.{_PLAIN.get(metric, DIGITS[metric])}f}"
    digits = DIGITS[metric] if digits is None else digits
    return f"{middle:+.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


@cache
def _stored(restorer: str) -> Result:
    return results.read(ROOT / "baselines" / "quality" / f"{restorer}-embedded-paper-s0.json")[0]


def embedded(block: str, portraits: Path | None) -> str:
    """The sentence on the two embedded people, of the stored baselines."""
    metrics = ("psnr_rgb", "ssim_rgb", "gmsd", "deg_dlib", "lmd_dlib", "piqe")
    given = _stored("input")
    nano = [f"{metric.removesuffix('_rgb')} {_cell(_stored('nano'), given, metric)}" for metric in metrics]
    plain = [_cell(_stored("classical"), given, metric, brackets=False) for metric in metrics]
    plain[0], plain[3] = f"{plain[0]} dB", f"{plain[3]} degrees"
    return (
        "On the embedded pair of faces, from elsewhere (8 draws of each of two people: the intervals speak of these "
        "two):\n"
        f"{', '.join(nano[:3])},\n{', '.join(nano[3:])};\n`classical` there: {', '.join(plain)}."
    )


@cache
def _measured(restorer: str, faces: str, seed: int = 0) -> Result | str:
    """`gfpbench run --restorer RESTORER --faces FACES --size 128` with the metrics of the tables; or why it cannot."""
    folder = Path(faces).is_dir()
    known = (*SOURCES, "deg_faceres")
    wanted = [metric for metric in (*known, "ssim_rgb", "gmsd") if folder or metric in known]
    try:
        return gfpbench.measure(restorer, faces, "paper", metrics=wanted, size_px=128, seed=seed, device="cpu")
    except GfpbenchError as error:  # faces that are not here
        return str(error)


def _fill(line: str, column: int, faces: str | None, metric: str) -> str:
    """The line of a table with its cell made again, or as it is where that cannot be done here."""
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    found = [_measured(one, faces) if faces else "give --portraits" for one in ("nano", "input")]
    if isinstance(found[0], str) or isinstance(found[1], str):
        print(f"not made again, {cells[0]} of {faces}: {found[0]}")
        return line
    if metric in found[0].not_measured:
        print(f"not made again, {cells[0]} of {faces}: {found[0].not_measured[metric]}")
        return line
    got = _cell(found[0], found[1], metric)
    cells[column] = f"**{got}**" if cells[column].startswith("**") else got
    return f"| {' | '.join(cells)} |"


def sources(block: str, portraits: Path | None) -> str:
    """Of the table over three sources, the columns whose faces are here."""
    lines = block.splitlines()
    for column, faces in ((1, str(portraits) if portraits else None), (2, EMBEDDED), (3, explained.RANDOM_FACE)):
        for number, line in enumerate(lines):
            metric = line.strip("| ").partition(" ")[0].rstrip(",")
            if metric in SOURCES:
                lines[number] = _fill(lines[number], column, faces, metric)
    return "\n".join(lines)


def faceres(block: str, portraits: Path | None) -> str:
    """The angles by FaceRes over three sources: of the input, and what two restorers change."""
    lines, metric = block.splitlines(), "deg_faceres"
    for column, faces in ((1, str(portraits) if portraits else None), (2, EMBEDDED), (3, explained.RANDOM_FACE)):
        for number, line in enumerate(lines):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            name = cells[0].strip("`")
            if name not in ("input", "classical", "nano"):
                continue
            found = [_measured(one, faces) if faces else "give --portraits" for one in (name, "input")]
            if isinstance(found[0], str) or isinstance(found[1], str) or metric in found[0].not_measured:
                print(f"not made again, {name} of {faces}: it is not here, or `gfpbench fetch faceres` is needed")
                continue
            cells[column] = f"{mean(found[0], metric):.1f}" if name == "input" else _cell(found[0], found[1], metric)
            lines[number] = f"| {' | '.join(cells)} |"
    return "\n".join(lines)


def _of_portraits(portraits: Path | None, restorer: str, seed: int = 0) -> Result | None:
    found = _measured(restorer, str(portraits), seed) if portraits else "give --portraits"
    if isinstance(found, str):
        print(f"not made again, {restorer} on portraits: {found}")
        return None
    return found


def portraits_of_training(block: str, portraits: Path | None) -> str:
    """What the table on portraits of the training's collection says of the input, `classical` and today's weights."""
    given, plain, nano = (_of_portraits(portraits, one) for one in ("input", "classical", "nano"))
    if given is None or plain is None or nano is None:
        return block
    metrics = ("psnr_rgb", "ssim_rgb", "gmsd", "deg_dlib", "lmd_dlib", "piqe")
    made = {
        "input": [f"{mean(given, metric):.{_PLAIN.get(metric, DIGITS[metric])}f}" for metric in metrics],
        "`classical`": [_cell(plain, given, metric, brackets=False) for metric in metrics],
        "version 3": [_cell(nano, given, metric) for metric in metrics],
    }
    return "\n".join(
        f"| {name} | {' | '.join(made[name])} |" if (name := line.split("|")[1].strip()) in made else line
        for line in block.splitlines()
    )


def version_3(block: str, portraits: Path | None) -> str:
    """The sentences below that table."""
    given, nano, truth, other, other_input = (
        _of_portraits(portraits, *one) for one in (("input",), ("nano",), ("truth",), ("nano", 1), ("input", 1))
    )
    if given is None or nano is None or truth is None or other is None or other_input is None:
        return block
    moved = {metric: difference(other, other_input, metric)[0] for metric in ("psnr_rgb", "gmsd", "deg_dlib", "piqe")}
    return (
        f"Version 3 gives {mean(nano, 'psnr_rgb'):.2f} dB, gmsd {mean(nano, 'gmsd'):.3f}, {mean(nano, 'deg_dlib'):.1f} "
        f"degrees and a PIQE of {mean(nano, 'piqe'):.1f}, where the truth has {mean(truth, 'piqe'):.1f}. "
        "With seed 1 its differences\n"
        f"are {moved['psnr_rgb']:+.2f} dB, {moved['gmsd']:+.3f}, {moved['deg_dlib']:+.2f} degrees, "
        f"{moved['piqe']:+.0f}."
    )


def thirds(block: str, portraits: Path | None) -> str:
    """The gain by thirds of how hard the input is, hardest first."""
    given, nano = (_of_portraits(portraits, one) for one in ("input", "nano"))
    if given is None or nano is None:
        return block
    hardest = sorted(given.rows, key=lambda row: row.scores["psnr_rgb"] or 0.0)
    parts = [{hardest[number].id for number in part} for part in np.array_split(np.arange(len(hardest)), 3)]
    lines = block.splitlines()
    for number, line in enumerate(lines):
        name = line.split("|")[1].strip()
        metric = name.partition(",")[0]
        if metric in ("psnr_rgb", "gmsd", "deg_dlib", "piqe"):
            digits = 1 if metric == "deg_dlib" else DIGITS[metric]
            rows = (tuple(row for row in nano.rows if row.id in part) for part in parts)
            cells = [_cell(replace(nano, rows=own), given, metric, digits=digits) for own in rows]
            lines[number] = f"| {name} | {' | '.join(cells)} |"
    return "\n".join(lines)


def _rows(test: Any) -> int:
    """How many a test is parametrized to."""
    return math.prod(len(list(mark.args[1])) for mark in test.pytestmark if mark.name == "parametrize")


def sabotage(block: str, portraits: Path | None) -> str:
    """How many rows the table of saboteurs has."""
    from tests.sabotage import innocent, table  # imports every restorer

    runs = (
        _rows(table.test_innocent)
        + _rows(table.test_innocent_at_full_size)
        + _rows(table.test_innocent_in_another_process) * len(innocent.IN_A_PROCESS)
        + _rows(table.test_innocent_on_a_gpu_that_rounds_as_tf32_does)
    )
    return (
        f"`tox run -e sabotage` puts {_rows(table.test_saboteur)} small bugs into restorers, weights, degradations, "
        "metrics, faces and the engine,\n"
        f"and {_rows(table.test_bug_in_the_source)} more into copies of the source, and makes {runs} runs "
        "in which nothing but the circumstances changed."
    )


def _explained(name: str) -> Figure:
    row, size_px = explained.NAMES[name]
    return Figure(lambda block, portraits: explained.table(block, row, size_px, portraits))


FIGURES: Mapping[str, Figure] = {
    **{f"explain-{name}": _explained(name) for name in explained.NAMES},
    "nano-embedded": Figure(embedded, stored=True),
    "nano-faceres": Figure(faceres),
    "nano-portraits": Figure(portraits_of_training),
    "sabotage-rows": Figure(sabotage, stored=True),
    "nano-sources": Figure(sources),
    "nano-thirds": Figure(thirds),
    "nano-version-3": Figure(version_3),
}
