"""Collapse by group of faces: whether a restorer collapses earlier for one group, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

from gfpbench.statistics import best_of, independent_difference, mean_of
from gfpbench.types import BadInput, Result

FEWEST = 2
"""Faces a group needs before it has a spread."""


@dataclass(frozen=True, slots=True)
class GroupDifference:
    """Mean of one group less mean of another, in the metric's own direction, with a bootstrap interval.

    ``counts`` are the faces in each mean, ``identical`` those whose restorations all equal their truth: they have no
    finite score, and are counted instead of averaged (``statistics.means``).
    """

    attribute: str
    groups: tuple[str, str]
    means: tuple[float, float]
    counts: tuple[int, int]
    difference: float
    low: float
    high: float
    identical: tuple[int, int] = (0, 0)

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def group_difference(
    result: Result, metric: str, attribute: str, *, level: float = 0.95, seed: int = 0
) -> tuple[GroupDifference, ...]:
    """Every pair of groups of faces compared by the mean of a metric.

    Copies of one face (draws) count as one face with their mean: only different faces tell of a group. Groups are
    independent samples, so each is resampled by itself (``statistics.independent_difference``).

    Args:
        result: rows with the attribute; a row without it or without a score is left out.
        metric: a name in the Result.
        attribute: such as ``age``, ``gender``, ``group``; its values name the groups.

    Returns:
        One difference for each pair of groups of two faces or more, in order of their names; empty for fewer than two
        such groups.

    Raises:
        BadInput: where the Result has no such metric, or a score is infinite that is not the metric's best.
    """
    if metric not in result.metrics:
        raise BadInput(f"{result.case.id}: {metric!r} was not measured")
    best = best_of(result.metrics[metric])
    faces: dict[tuple[str, str], list[float]] = {}
    for row in result.rows:
        value, score = row.attributes.get(attribute), row.scores.get(metric)
        if isinstance(value, str | int | float) and score is not None:
            faces.setdefault((str(value), row.face_sha256), []).append(score)
    groups: dict[str, list[float]] = {}
    identical: dict[str, int] = {}
    for (name, _), scores in sorted(faces.items()):
        mean = mean_of(scores, best)
        if mean.identical == mean.n:
            identical[name] = identical.get(name, 0) + 1
        elif mean.value is None or math.isinf(mean.value):
            raise BadInput(f"{result.case.id}: {metric} is infinite for a face of {name!r}: take another metric")
        else:
            groups.setdefault(name, []).append(mean.value)
    large = {name: values for name, values in sorted(groups.items()) if len(values) >= FEWEST}
    found = []
    for one, other in combinations(large, 2):
        interval = independent_difference(large[one], large[other], level=level, seed=seed)
        means = [math.fsum(large[name]) / len(large[name]) for name in (one, other)]
        equal = identical.get(one, 0), identical.get(other, 0)
        found.append(
            GroupDifference(
                attribute=attribute,
                groups=(one, other),
                means=(means[0], means[1]),
                counts=(len(large[one]), len(large[other])),
                difference=interval.mean,
                low=interval.low,
                high=interval.high,
                identical=equal,
            )
        )
    return tuple(found)
