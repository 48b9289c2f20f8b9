"""The margin curve over severity, measured on the same images at each severity: its zero crossing with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gfpbench.statistics import RESAMPLES, Floats, expanded_percentiles
from gfpbench.types import BadInput

BEYOND = math.inf
"""The collapse point of a curve that does not collapse up to severity 1."""


@dataclass(frozen=True)
class Curve:
    """Margins of C criteria, for n images, at S severities.

    Args:
        severities: (S,) strictly increasing, in [0, 1].
        margins: (C, n, S); infinite values are allowed, NaN is not.
        seed: of the resampling.
        level: of the intervals.
    """

    severities: Floats
    margins: Floats
    seed: int = 0
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.margins.ndim != 3 or self.margins.shape[2] != len(self.severities) or 0 in self.margins.shape:
            raise BadInput(f"margins are (criteria, images, severities), not {self.margins.shape}")
        if bool(np.isnan(self.margins).any()):
            raise BadInput("a margin is NaN: leave the image out, or say that it failed")
        if bool((np.diff(self.severities) <= 0).any()):
            raise BadInput("the severities of a curve increase")

    @property
    def images(self) -> int:
        return int(self.margins.shape[1])

    @cached_property
    def finite(self) -> Floats:
        """The margins with infinite ones at ten times the largest finite one: their sign counts, not their size."""
        sizes = np.abs(self.margins[np.isfinite(self.margins)])
        top = 10 * float(sizes.max()) if sizes.size and sizes.max() > 0 else 1.0
        return np.clip(self.margins, -top, top)

    @cached_property
    def means(self) -> Floats:
        """(C, S) means over images. Exact sums: a mean of 0 is 0, in whatever order the images come."""
        criteria, images, severities = self.finite.shape
        rows = [[math.fsum(self.finite[c, :, s].tolist()) / images for s in range(severities)] for c in range(criteria)]
        return np.array(rows)

    @property
    def useful(self) -> NDArray[np.bool_]:
        """(S,) whether every criterion's mean is above 0."""
        return np.asarray((self.means > 0).all(axis=0))

    @cached_property
    def resampled(self) -> Floats:
        """(R, C, S) means over images drawn with replacement; one draw serves every severity and criterion."""
        shares = np.full(self.images, 1 / self.images)
        weights = np.random.default_rng(self.seed).multinomial(self.images, shares, size=RESAMPLES) / self.images
        return np.asarray(np.einsum("rn,cns->rcs", weights, self.finite))

    def onset(self) -> float | None:
        """The severity from which on the restorer is useful; None where it never is."""
        useful = self.useful
        if not useful.any():
            return None
        first = int(np.argmax(useful))
        if first == 0:
            return 0.0
        high, low = self.means[:, first], self.means[:, first - 1]
        share = min(float(h / (h - m)) for h, m in zip(high, low, strict=True) if m <= 0)
        return float(self.severities[first] - share * (self.severities[first] - self.severities[first - 1]))

    def point(self) -> float | None:
        """Where it collapses: ``BEYOND`` where it does not, None where it never was useful."""
        return float(self._points(self.means[None])[0]) if self.useful.any() else None

    def interval(self) -> tuple[float, float]:
        """Where the point would lie for other images of the same kind; ``BEYOND`` for an open end.

        The percentile bootstrap with tails widened for few images (``statistics.bootstrap``). One image has no spread
        to tell, and gives (0, ``BEYOND``).
        """
        if self.images < 2:
            return 0.0, BEYOND
        return expanded_percentiles(self._points(self.resampled), self.images, self.level)

    def surely_useful(self) -> NDArray[np.bool_]:
        """(S,) whether it is useful in all but the unlikeliest resamples."""
        if self.images < 2:
            return self.useful
        share = (self.resampled > 0).all(axis=1).mean(axis=0)
        return np.asarray(self.useful & (share >= 1 - (1 - self.level) / 2))

    def mean_interval(self, criterion: int, place: int) -> tuple[float, float]:
        """The interval of one mean margin."""
        if self.images < 2:
            return -math.inf, math.inf
        return expanded_percentiles(self.resampled[:, criterion, place], self.images, self.level)

    def collapse_bracket(self) -> tuple[int, int] | None:
        """The places between which it collapses; None where it does not, or never was useful."""
        return _bracket(self.useful)

    def failing(self) -> tuple[int, ...]:
        """Which criteria fail where it collapses, or at severity 0 where it never was useful."""
        bracket = self.collapse_bracket()
        if bracket is None and self.useful.any():
            return ()
        place = bracket[1] if bracket is not None else 0
        return tuple(int(c) for c in np.flatnonzero(self.means[:, place] <= 0))

    def recovers(self) -> float | None:
        """The first severity after the collapse at which it is surely useful again; None where there is none."""
        bracket = self.collapse_bracket()
        if bracket is None:
            return None
        later = np.flatnonzero(self.surely_useful()[bracket[1] :])
        return float(self.severities[bracket[1] + later[0]]) if later.size else None

    def _points(self, means: Floats) -> Floats:
        """(R,) collapse points of (R, C, S) means: 0 where never useful, ``BEYOND`` where it does not collapse.

        Between neighbouring severities means go in straight lines; the first to meet 0 makes the point.
        """
        useful = np.asarray((means > 0).all(axis=1), dtype=np.bool_)
        rows, places = np.arange(len(means)), np.arange(means.shape[2])
        lost = ~useful & (places > np.argmax(useful, axis=1)[:, None])
        after = np.argmax(lost, axis=1)
        before = np.maximum(after - 1, 0)
        high, low = means[rows, :, before], means[rows, :, after]
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = high / (high - low)
        share = np.where((low <= 0) & np.isfinite(shares), shares, 1.0).min(axis=1)
        points = self.severities[before] + (self.severities[after] - self.severities[before]) * share
        points = np.where(np.any(lost, axis=1), points, BEYOND)
        return np.asarray(np.where(np.any(useful, axis=1), points, 0.0))


def _bracket(useful: NDArray[np.bool_]) -> tuple[int, int] | None:
    if not useful.any():
        return None
    first = int(np.argmax(useful))
    lost = np.flatnonzero(~useful[first:])
    return None if not lost.size else (first + int(lost[0]) - 1, first + int(lost[0]))
