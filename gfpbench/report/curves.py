"""Curves of quality over severity as SVG geometry, one per restorer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gfpbench.collapse import Collapse, axis_of
from gfpbench.report.charts import ticks
from gfpbench.report.formatting import decimals_for, shown

WIDTH, HEIGHT = 900, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 14, 44


@dataclass(frozen=True, slots=True)
class Line:
    """One restorer's curve; ``points`` as SVG path, dots with their words, and where it collapses."""

    label: str
    place: int
    path: str
    dots: tuple[tuple[float, float, str], ...]
    collapse: tuple[float, float] | None  # x, y
    interval: tuple[float, float] | None  # x, x


@dataclass(frozen=True, slots=True)
class CurveChart:
    """All restorers of one axis and metric."""

    axis: str
    summary: str
    unit: str
    metric: str
    better: str
    trained: tuple[float, float] | None  # x, width
    given: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def x_of(severity: float) -> float:
    return round(LEFT + severity * (WIDTH - LEFT - RIGHT), 1)


def curve_chart(found: Sequence[Collapse]) -> CurveChart | None:
    """The chart of searches that share axis, metric and faces; None where nothing finite was measured."""
    first = found[0]
    axis = axis_of(first.question.axis)
    given = {step.severity: step.given for one in found for step in one.steps}
    values = [step.restored for one in found for step in one.steps] + list(given.values())
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    margin = (high - low) * 0.06 or abs(high) * 0.02 or 0.5
    low, high = low - margin, high + margin

    def y_of(value: float) -> float:
        return round(TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    decimals = decimals_for(finite)
    lines = tuple(_line(one, place, y_of, decimals) for place, one in enumerate(found, 1))
    trained = first.trained
    marks = ticks(low, high)
    digits = max(0, -math.floor(math.log10(marks[1] - marks[0]) + 1e-9)) if len(marks) > 1 else decimals
    return CurveChart(
        axis=first.question.axis,
        summary=axis.summary,
        unit=first.unit,
        metric=first.question.metric,
        better=first.better,
        trained=None if trained is None else (x_of(trained[0]), round(x_of(trained[1]) - x_of(trained[0]), 1)),
        given=_path([(x_of(s), y_of(v)) for s, v in sorted(given.items()) if v is not None]),
        lines=lines,
        x_ticks=tuple((x_of(step / 4), f"{axis.value_at(step / 4):.3g}") for step in range(5)),
        y_ticks=tuple((y_of(mark), shown(mark, digits)) for mark in marks),
    )


def _line(one: Collapse, place: int, y_of: Callable[[float], float], decimals: int) -> Line:
    measured = [(step, step.restored) for step in one.steps if step.restored is not None]
    dots = tuple(
        (x_of(step.severity), y_of(value), f"{step.value:.4g} {one.unit}: {shown(value, decimals)}")
        for step, value in measured
    )
    mark = None
    if one.severity is not None and dots:
        x = x_of(one.severity)
        mark = x, _between([(dot[0], dot[1]) for dot in dots], x)
    low, high = one.interval
    ends = (x_of(low), x_of(1.0 if high is None else high)) if one.severity is not None else None
    return Line(one.question.restorer, place, _path([(x, y) for x, y, _ in dots]), dots, mark, ends)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if number else 'M'}{x:g} {y:g}" for number, (x, y) in enumerate(points))


def _between(points: Sequence[tuple[float, float]], x: float) -> float:
    """The height of a line through points at x; that of the nearest end beyond them."""
    for (left, y_left), (right, y_right) in pairwise(points):
        if left <= x <= right and right > left:
            return round(y_left + (y_right - y_left) * (x - left) / (right - left), 1)
    return points[0][1] if x < points[0][0] else points[-1][1]
