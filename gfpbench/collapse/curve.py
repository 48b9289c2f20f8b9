"""Margins over severity, measured on the same images at every severity: where they fall below 0, and how surely."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gfpbench.metrics.intervals import expanded_percentiles
from gfpbench.types import BadInput

Floats: TypeAlias = NDArray[np.float64]

RESAMPLES = 2000
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
        rng = np.random.default_rng(self.seed)
        drawn = rng.integers(0, self.images, (RESAMPLES, self.images))
        weights = np.stack([np.bincount(row, minlength=self.images) for row in drawn]) / self.images
        return np.asarray(np.einsum("rn,cns->rcs", weights, self.finite))

    def onset(self) -> float | None:
        """The severity from which on the restorer is useful; None where it never is."""
        useful = self.useful
        if not useful.any():
            return None
        first = int(np.argmax(useful))
        return 0.0 if first == 0 else self._crossing(self.means, first - 1, first)

    def point(self) -> float | None:
        """Where it collapses: ``BEYOND`` where it does not, None where it never was useful."""
        return self._point(self.means)

    def interval(self) -> tuple[float, float]:
        """Where the point would lie for other images of the same kind; ``BEYOND`` for an open end.

        The percentile bootstrap with tails widened for few images (``metrics.intervals``). One image has no spread
        to tell, and gives (0, ``BEYOND``).
        """
        if self.images < 2:
            return 0.0, BEYOND
        draws = np.array([self._point(means) or 0.0 for means in self.resampled])
        return expanded_percentiles(draws, self.images, self.level)

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

    def _point(self, means: Floats) -> float | None:
        useful = np.asarray((means > 0).all(axis=0))
        if not useful.any():
            return None
        bracket = _bracket(useful)
        return BEYOND if bracket is None else self._crossing(means, *reversed(bracket))

    def _crossing(self, means: Floats, failing: int, useful: int) -> float:
        """Where the straight lines between two neighbouring places first meet 0, seen from the useful one."""
        here, there = self.severities[useful], self.severities[failing]
        shares = [
            means[c, useful] / (means[c, useful] - means[c, failing])
            for c in range(len(means))
            if means[c, failing] <= 0
        ]
        return float(here + (there - here) * min(shares))


def _bracket(useful: NDArray[np.bool_]) -> tuple[int, int] | None:
    if not useful.any():
        return None
    first = int(np.argmax(useful))
    lost = np.flatnonzero(~useful[first:])
    return None if not lost.size else (first + int(lost[0]) - 1, first + int(lost[0]))
