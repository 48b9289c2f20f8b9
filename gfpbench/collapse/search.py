"""The search for the collapse point: a coarse scan of the whole axis, then bisection where the curve comes down."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from gfpbench.collapse.curve import BEYOND, Curve
from gfpbench.statistics import Floats
from gfpbench.types import BadInput

Evaluate: TypeAlias = Callable[[float], Floats]
"""A severity to (criteria, images) margins, of the same images each time."""

Kind: TypeAlias = Literal["collapses", "never", "at once", "not monotone"]

RESOLUTION = 64
"""Steps into which the axis is cut: the point is found to 1/64 of it unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, in severities.

    Args:
        kind: ``collapses``; ``never`` up to severity 1; ``at once``: useful nowhere; ``not monotone``: it collapses
            and is useful again further on (``recovers``), so that one point does not describe it.
        point: where it collapses; None for ``never`` and ``at once``.
        interval: for other images of the same kind; an end of None lies beyond severity 1.
        onset: from where on it is useful (0 for most); None where it never is.
        bracket: the neighbouring severities measured on either side of the point.
        curve: everything measured.
        grid: how many severities a grid of the same resolution has.
    """

    kind: Kind
    point: float | None
    interval: tuple[float, float | None]
    onset: float | None
    recovers: float | None
    bracket: tuple[float, float] | None
    curve: Curve
    grid: int

    @property
    def evaluations(self) -> int:
        return len(self.curve.severities)


def scan_steps(resolution: int) -> int:
    """Into how many steps the scan cuts the axis: as many as a fifth of a grid can pay for, bisection included.

    At least 4, so that a dip of a quarter of the axis is seen: below 64 steps of resolution a grid is not five times as
    dear.
    """
    if resolution < 4 or resolution & (resolution - 1):
        raise BadInput(f"the resolution is a power of two from 4 on (64 for 1/64 of the axis), not {resolution}")
    steps = 4
    while steps < resolution and 2 * steps + 1 + _halvings(resolution, 2 * steps) <= (resolution + 1) // 5:
        steps *= 2
    return steps


def scanned(resolution: int) -> list[float]:
    """The severities that every search measures, in order, whatever it finds."""
    step = resolution // scan_steps(resolution)
    return [place / resolution for place in range(0, resolution + 1, step)]


def most_evaluations(resolution: int) -> int:
    """How many severities a search measures at most."""
    steps = scan_steps(resolution)
    return steps + 1 + _halvings(resolution, steps)


def find(evaluate: Evaluate, *, resolution: int = RESOLUTION, seed: int = 0, level: float = 0.95) -> Found:
    """Find where a restorer collapses on an axis.

    Severities are multiples of 1/resolution. Nothing is random but the resampling of the interval, which depends on
    the margins and the seed: the same margins give the same answer to the last bit.

    Args:
        evaluate: called once for each severity measured, in an order that depends on its answers only.
        resolution: a power of two; the width of the final bracket is 1/resolution.
        seed: of the interval.
        level: of the interval.

    Raises:
        BadInput: for another resolution, and where ``evaluate`` answers for other images than before.
    """
    known: dict[int, Floats] = {}

    def curve() -> Curve:
        places = sorted(known)
        margins = np.stack([known[place] for place in places], axis=2)
        return Curve(np.array(places) / resolution, margins, seed, level)

    def measure(severity: float) -> None:
        margins = np.asarray(evaluate(severity), dtype=np.float64)
        if any(margins.shape != other.shape for other in known.values()):
            raise BadInput(f"severity {severity:g} was measured on other images than the rest")
        known[round(severity * resolution)] = margins

    for severity in scanned(resolution):
        measure(severity)
    while True:
        now = curve()
        bracket = now.collapse_bracket()
        if bracket is None:
            break
        low, high = (round(float(now.severities[place]) * resolution) for place in bracket)
        if high - low == 1:
            break
        measure((low + high) // 2 / resolution)
    return _found(curve(), resolution)


def _found(curve: Curve, resolution: int) -> Found:
    point, onset, bracket, recovers = curve.point(), curve.onset(), curve.collapse_bracket(), curve.recovers()
    low, high = curve.interval()
    kind: Kind = "not monotone" if recovers is not None else "collapses"
    if point is None:
        kind = "at once"
    elif point == BEYOND:
        kind = "never"
    ends = None
    if bracket is not None:
        ends = float(curve.severities[bracket[0]]), float(curve.severities[bracket[1]])
        low, high = min(low, ends[0]), max(high, ends[1])  # no surer than the resolution
    return Found(
        kind=kind,
        point=None if point is None or math.isinf(point) else point,
        interval=(min(low, 1.0), None if math.isinf(high) else high),
        onset=onset,
        recovers=recovers,
        bracket=ends,
        curve=curve,
        grid=resolution + 1,
    )


def _halvings(resolution: int, steps: int) -> int:
    return (resolution // steps).bit_length() - 1
