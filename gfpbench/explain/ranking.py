"""Ranks hypotheses by their distance to the published row, with intervals over faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gfpbench.statistics import draws, expanded_percentiles, predicted_mean

Scores: TypeAlias = Mapping[str, list[float]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured mean and where the published number would lie if this were how it came about.

    The interval is for a mean of ``images`` images drawn from the same source as the faces at hand
    (``statistics.predicted_mean``). It does not cover that the faces are of another source.
    """

    mean: float
    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Finding:
    """What one hypothesis, or two together, give.

    Args:
        names, words: of the hypotheses.
        figures: figure -> measured.
        distance: root mean square over figures of what is left of the gap; 1 as described, 0 at the published row.
        distance_low, distance_high: 95 % interval over faces.
        reaches: every published figure lies inside its interval.
        image: degraded and truth as compared, for the first face.
    """

    names: tuple[str, ...]
    words: str
    figures: Mapping[str, Figure]
    distance: float
    distance_low: float
    distance_high: float
    reaches: bool
    image: Path | None = field(default=None, compare=False)


def figure_of(scores: list[float], images: int) -> Figure:
    """The mean with its interval for a row of so many images."""
    interval = predicted_mean(scores, images)
    return Figure(interval.mean, interval.low, interval.high)


def scales_of(published: Mapping[str, float], described: Mapping[str, Figure]) -> dict[str, float]:
    """Figure -> the gap that has to be explained: published from described, or the interval where that is wider."""
    return {
        name: max(abs(described[name].mean - value), described[name].high - described[name].mean, 1e-9)
        for name, value in published.items()
    }


def finding(
    names: tuple[str, ...],
    words: str,
    scores: Scores,
    published: Mapping[str, float],
    scales: Mapping[str, float],
    images: int,
) -> Finding:
    """Rank one hypothesis: how much of the gap is left, and how sure that is."""
    figures = {name: figure_of(scores[name], images) for name in published}
    table = np.array([scores[name] for name in published], dtype=np.float64)  # (figures, faces)
    goal = np.array(list(published.values()))[:, None]
    scale = np.array([scales[name] for name in published])[:, None]
    # The same resamples for every hypothesis: they are compared on the same faces.
    resampled = [_distance(table[:, drawn].mean(axis=2), goal, scale) for drawn in draws(table.shape[1], 0)]
    low, high = expanded_percentiles(np.concatenate(resampled), table.shape[1])
    return Finding(
        names,
        words,
        figures,
        float(_distance(table.mean(axis=1, keepdims=True), goal, scale)[0]),
        low,
        high,
        all(value in figures[name] for name, value in published.items()),
    )


def _distance(means: NDArray[np.float64], goal: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    distance: NDArray[np.float64] = np.sqrt((((means - goal) / scale) ** 2).mean(axis=0))
    return distance
