"""The mean over images shown in every table: identical pairs (infinite PSNR) are counted, not averaged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gfpbench.statistics.bootstrap import bootstrap_mean, prepare
from gfpbench.types import Json, Result


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over images, and how many are not in it because they equal their truth.

    Args:
        value: the mean of the ``n - identical`` images that have a number; infinite where all are identical, None of
            no image and where both infinities meet.
        n: images with a score.
        identical: of the n, those whose score is the metric's own infinite best (PSNR of equal images).
    """

    value: float | None
    n: int
    identical: int = 0

    @property
    def note(self) -> str:
        """``2 identical``, where a finite mean leaves so many out; else empty."""
        return f"{self.identical} identical" if self.identical and self.identical < self.n else ""


def best_of(definition: Mapping[str, Json]) -> float | None:
    """The score of equal images as a metric's record states it; None where it states none."""
    best = definition.get("best")
    return best if isinstance(best, int | float) and not isinstance(best, bool) else None


def is_identical(value: float, best: float | None) -> bool:
    """Whether a score is the infinite best of its metric: the two images are equal."""
    return best is not None and math.isinf(best) and value == best


def mean_of(values: Sequence[float], best: float | None = None) -> Mean:
    """The mean of per-image scores, without those of identical images.

    One equal pair has an infinite PSNR, and an arithmetic mean with it says nothing of the other images. So identical
    images leave the mean and are counted beside it. An infinity that is not the metric's best (a failure without
    bound) stays, and makes the mean infinite: leaving it out would flatter.

    Args:
        values: scores, none of them NaN.
        best: the score of equal images, None where a metric has none.

    Examples:
        >>> mean_of([30.0, 32.0, math.inf], best=math.inf)
        Mean(value=31.0, n=3, identical=1)
        >>> mean_of([math.inf, math.inf], best=math.inf).value
        inf
    """
    counted = [value for value in values if not is_identical(value, best)]
    identical = len(values) - len(counted)
    if not counted:
        return Mean(best if identical else None, len(values), identical)
    if math.inf in counted and -math.inf in counted:
        return Mean(None, len(values), identical)
    infinite = [value for value in counted if math.isinf(value)]
    return Mean(infinite[0] if infinite else math.fsum(counted) / len(counted), len(values), identical)


def interval_of(
    values: Sequence[float], best: float | None = None, people: Sequence[str] | None = None
) -> tuple[float, float] | None:
    """Bootstrap 95 % interval of ``mean_of``; None below two images in the mean, or where one of them is infinite.

    Args:
        people: whose image each value is of (``people_of``): the interval is over people then (``bootstrap_mean``).
    """
    kept = [number for number, value in enumerate(values) if not is_identical(value, best)]
    counted = [values[number] for number in kept]
    if len(counted) < 2 or not all(map(math.isfinite, counted)):
        return None
    interval = bootstrap_mean(counted, people=None if people is None else [people[number] for number in kept])
    return interval.low, interval.high


def prepare_intervals(columns: Iterable[tuple[Sequence[float], float | None]]) -> None:
    """Find the intervals of many large columns together, before ``interval_of`` asks for each (``bootstrap.prepare``).

    Args:
        columns: values and the score of equal images, as ``interval_of`` takes them.
    """
    counted = ([value for value in values if not is_identical(value, best)] for values, best in columns)
    prepare(values for values in counted if all(map(math.isfinite, values)))


def people_of(result: Result) -> dict[str, str]:
    """Image id -> whose face it is: the ``subject`` that the face set states, else the face that was drawn often
    (``name`` of ``name~3``), else the image itself, so that copies of one file are one."""
    drawn = (result.faces.get("draws") or 1) > 1
    found = {}
    for row in result.rows:
        subject = row.attributes.get("subject")
        base = row.id.rpartition("~")[0] if drawn else ""
        found[row.id] = f"subject {subject}" if isinstance(subject, str) else base or row.face_sha256
    return found
