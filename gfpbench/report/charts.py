"""Score distributions as SVG geometry: one dot per face on a shared axis."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from gfpbench.report.formatting import shown
from gfpbench.report.model import Cell, Column, Group, Role
from gfpbench.report.summary import measured

WIDTH, HEIGHT = 1000, 44  # units of a band's coordinate system; the page stretches it
DOTS_AT_MOST = 400
NAMED_DOTS_AT_MOST = 60


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Band:
    """One restorer's dots; positions in units of 1000 x 44. ``path`` draws them all at once where they are many."""

    label: str
    role: Role
    cell: Cell
    dots: tuple[Dot, ...]
    path: str
    mean_x: float | None
    interval_x: tuple[float, float] | None
    note: str


@dataclass(frozen=True, slots=True)
class Chart:
    column: Column
    bands: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]  # position in per cent, text
    truth: str


def spread(values: Sequence[tuple[str, float]], limit: int = DOTS_AT_MOST) -> list[tuple[str, float]]:
    """At most ``limit`` of the values, evenly by rank with both extremes kept; the same ones each time."""
    ordered = sorted(values, key=lambda item: (item[1], item[0]))
    if len(ordered) <= limit:
        return ordered
    return [ordered[round(step * (len(ordered) - 1) / (limit - 1))] for step in range(limit)]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from low to high: steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def chart_of(group: Group, column: Column) -> Chart | None:
    """The distribution of one metric over faces, a band for each row; None where no value is finite.

    The ground truth has a band only where a metric needs no truth; elsewhere it is the same perfect number each time.
    """
    scored = {line.label: measured(line.result, column.metric) for line in group.lines}
    lines = [line for line in group.lines if line.role != "truth" or column.best is None]
    lines = [line for line in lines if scored[line.label]]
    finite = [value for line in lines for value in scored[line.label].values() if math.isfinite(value)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    margin = (high - low) * 0.04 or abs(high) * 0.02 or 0.5
    low, high = low - margin, high + margin

    def at(value: float) -> float:
        return round((value - low) / (high - low) * WIDTH, 1)

    bands = []
    for line in lines:
        cell = line.cell(column.metric)
        values = scored[line.label]
        picked = spread([(name, value) for name, value in values.items() if math.isfinite(value)])
        dots = tuple(Dot(at(value), _height(name), name, shown(value, column.decimals)) for name, value in picked)
        few = len(dots) <= NAMED_DOTS_AT_MOST
        infinite = sum(map(math.isinf, values.values()))
        kind = "identical" if infinite == cell.identical else "infinite"
        notes = [f"{infinite} of {cell.n} are {kind}"] if infinite else []
        notes += [f"{len(dots)} of {cell.n:,} dots drawn"] if len(dots) < cell.n - infinite else []
        bands.append(
            Band(
                label=line.label,
                role=line.role,
                cell=cell,
                dots=dots if few else (),
                path="" if few else "".join(f"M{dot.x:g} {dot.y:g}h0" for dot in dots),
                mean_x=at(cell.mean) if cell.mean is not None and math.isfinite(cell.mean) else None,
                interval_x=(at(cell.interval[0]), at(cell.interval[1])) if cell.interval is not None else None,
                note="; ".join(notes),
            )
        )
    marks = ticks(low, high)
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    truth = next((line for line in group.lines if line.role == "truth"), None)
    mean = truth.cell(column.metric).mean if truth is not None and column.best is not None else None
    return Chart(
        column=column,
        bands=tuple(bands),
        ticks=tuple((at(mark) / WIDTH * 100, shown(mark, digits)) for mark in marks),
        truth=shown(mean, column.decimals) if mean is not None else "",
    )


def _height(name: str) -> float:
    """Where in its band a dot sits: spread by the hash of its name, so that it does not move between reports."""
    unit = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:4]) / 2**32
    return round(8 + unit * (HEIGHT - 16), 1)
