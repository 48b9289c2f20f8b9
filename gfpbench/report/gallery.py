"""The page of the gallery: every case with its images, and the metrics that see it and that do not."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from gfpbench.degrade.axes import load_axis
from gfpbench.gallery import Gallery, Score, Shown
from gfpbench.images import Bytes, encode_png
from gfpbench.report.formatting import BLANK, decimals_for, pages, shown, write_page

PAGE = "gallery.html"
TITLE = "What goes wrong in face restoration, and which metric sees it"


@dataclass(frozen=True, slots=True)
class Line:
    """One metric of one case as it is printed; ``role`` is ``sees`` or ``blind``, as the case says."""

    role: str
    metric: str
    arrow: str
    unit: str
    untouched: str
    defect: str
    change: str
    noise: str
    moved: bool
    times_noise: str


@dataclass(frozen=True, slots=True)
class Section:
    """One case: its images as text, and its two metrics."""

    shown: Shown
    images: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One case by one metric in the table of all: the change in units of the noise; ``why`` where there is none."""

    text: str
    moved: bool
    why: str


def write_gallery(gallery: Gallery, folder: Path) -> Path:
    """Write ``gallery.html``, whole or not at all; it asks for nothing outside itself. Returns its path.

    Raises:
        BadInput: where another page is in its place.
        DiskRefused: where the disk refuses.
    """
    return write_page(render(gallery), folder / PAGE)


def render(gallery: Gallery) -> str:
    """The page as text; equal measurements give equal pages."""
    columns = list(gallery.shown[0].scores.values())
    axis, _, severity = gallery.degradation.partition("@")
    return (
        pages()
        .get_template("gallery.html")
        .render(
            title=TITLE,
            gallery=gallery,
            sections=[_section(one) for one in gallery.shown],
            columns=[(score.metric, _arrow(score)) for score in columns],
            table=[(one.case, [_cell(score) for score in one.scores.values()]) for one in gallery.shown],
            range=f"{load_axis(axis).value_at(float(severity)):.2g}",
        )
    )


def _section(one: Shown) -> Section:
    images = ("ground truth", one.truth), ("restored", one.untouched), ("restored, with the defect", one.defect)
    lines = [_line(role, one.scores[name]) for role, name in (("sees", one.case.sees), ("blind", one.case.blind))]
    return Section(one, tuple((label, _uri(rgb)) for label, rgb in images), tuple(lines))


def _line(role: str, score: Score) -> Line:
    numbers = [number for number in (score.untouched, score.defect, score.noise) if number is not None]
    decimals = decimals_for(numbers)
    change = score.change
    return Line(
        role=role,
        metric=score.metric,
        arrow=_arrow(score),
        unit=score.unit,
        untouched=shown(score.untouched, decimals),
        defect=shown(score.defect, decimals),
        change=("+" if change is not None and change > 0 else "") + shown(change, decimals),
        noise=shown(score.noise, decimals),
        moved=score.moved,
        times_noise=_times(score),
    )


def _cell(score: Score) -> Cell:
    return Cell(_times(score), score.moved, score.why)


def _times(score: Score) -> str:
    """``16``, ``0.6``: digits that matter to the eye."""
    times = score.times_noise
    return BLANK if times is None else shown(times, 0 if times >= 10 else 1)


def _arrow(score: Score) -> str:
    return "↑" if score.better == "higher" else "↓"


def _uri(rgb: Bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(encode_png(rgb)).decode('ascii')}"
