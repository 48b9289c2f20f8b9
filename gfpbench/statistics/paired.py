"""Is one better than another on the same images? Paired differences, their p-values, and correction for many questions.

A p-value is that of the sign-flip permutation test (Fisher 1935, The Design of Experiments, section 21): what chance
alone would give if each difference were as likely with the other sign.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from gfpbench.lazy import LazyModule
from gfpbench.statistics.bootstrap import (
    LEVEL,
    RESAMPLES,
    Floats,
    Interval,
    bootstrap_columns,
    bootstrap_mean,
    vector,
)
from gfpbench.types import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
else:
    np = LazyModule("numpy")

Alternative: TypeAlias = Literal["two-sided", "less", "greater"]

FLIPS = 9999
"""Sign patterns drawn of more images: a smallest p of 1e-4 leaves room for a correction over some hundred questions."""
_EXACT_UP_TO = 16  # all 2^16 sign patterns are a matrix of 8 MiB, and leave nothing to chance
_CELLS = 1 << 22  # signs held at once: 32 MiB, whatever n is


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The mean of a - b over the same images, its interval, and how often chance alone would give as much."""

    interval: Interval
    p_value: float
    alternative: Alternative
    exact: bool  # every sign pattern was tried; no draw was involved

    @property
    def mean(self) -> float:
        return self.interval.mean


@dataclass(frozen=True, slots=True)
class PairedColumns:
    """For each of m columns: the mean, its 95 % interval over images, and a two-sided p-value. Each (m,)."""

    mean: Floats
    low: Floats
    high: Floats
    p_value: Floats


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    people: Sequence[str] | None = None,
    level: float = LEVEL,
    seed: int = 0,
    resamples: int = RESAMPLES,
    flips: int = FLIPS,
    alternative: Alternative = "two-sided",
) -> PairedDifference:
    """Mean of a - b over the same images, with a bootstrap interval and a permutation p-value.

    Resampling pairs keeps what the two share (hard faces are hard for both), so the interval is far shorter than that
    of two separate means. The p-value is of all 2^n sign patterns up to n = 16, else of ``flips`` draws and the
    observed one, so never 0. Equal infinities differ by 0. Where a difference is infinite, signed ranks take the place
    of the differences in the p-value (Wilcoxon 1945), because a mean of infinities cannot be ordered.

    Args:
        a, b: (N,) scores of the same images in the same order.
        people: whose images they are: the interval is over people then (``bootstrap_mean``), the p-value over images.
        alternative: "greater" asks whether a exceeds b, "less" whether it falls short.

    Raises:
        BadInput: for no pairs, lengths that differ, NaN, differences infinite in both directions.
    """
    if alternative not in ("two-sided", "less", "greater"):
        raise BadInput(f"alternative is 'two-sided', 'less' or 'greater', not {alternative!r}")
    first, second = vector(a, "a"), vector(b, "b")
    if first.shape != second.shape:
        raise BadInput(f"paired scores need equal lengths, not {len(first)} and {len(second)}")
    difference = _less(first, second)
    interval = bootstrap_mean(difference, people=people, level=level, seed=seed, resamples=resamples)
    difference = np.sort(difference)
    if bool(np.isinf(difference).any()):
        from scipy.stats import rankdata  # half a second to import, and rarely needed

        difference = np.sign(difference) * rankdata(np.abs(difference))
    difference = difference[difference != 0]  # a zero keeps its value under every flip
    exact = len(difference) <= _EXACT_UP_TO
    p_value = float(_p_values(difference[:, None], seed, flips, alternative)[0])
    return PairedDifference(interval, p_value, alternative, exact)


def paired_columns(a: Floats, b: Floats, *, seed: int = 0, level: float = LEVEL) -> PairedColumns:
    """``paired_difference`` column by column, with one draw of images for all columns of as many images.

    Blanks (NaN) leave an image out of that column only. A column with differences infinite in both directions has no
    mean: it is given as 0 within [-inf, inf], with p = 1.

    Args:
        a, b: (n, m) scores; NaN is a blank, infinity is allowed.
    """
    difference = np.sort(_less(a, b), axis=0)  # blanks last
    found = PairedColumns(*(np.full(a.shape[1], np.nan) for _ in range(4)))
    alike: dict[int, list[int]] = {}
    for column, count in enumerate((~np.isnan(difference)).sum(axis=0).tolist()):
        least, most = (difference[0, column], difference[count - 1, column]) if count else (np.nan, np.nan)
        if math.isinf(least) and math.isinf(most) and least != most:  # the images speak for themselves
            _put(found, [column], 0.0, least, most, 1.0)
        elif math.isinf(least) or math.isinf(most):
            kept = difference[:count, column]
            alone = paired_difference(kept, np.zeros(count), seed=seed, level=level)
            _put(found, [column], alone.mean, alone.interval.low, alone.interval.high, alone.p_value)
        elif count:
            alike.setdefault(count, []).append(column)
    for count, columns in alike.items():
        sample = difference[:count, columns]
        bounds = bootstrap_columns(sample, level=level, seed=seed)
        means = np.array([math.fsum(column) / count for column in sample.T.tolist()])
        _put(found, columns, means, *bounds, _p_values(sample, seed, FLIPS, "two-sided"))
    return found


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values corrected for having asked several questions at once; compare each with the level as usual.

    Step-down: the k-th smallest of m is multiplied by m - k + 1, never below the one before, at most 1
    (Holm 1979, Scandinavian Journal of Statistics 6, 65-70). The chance of any false alarm stays below the level
    however the questions depend on one another.

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        (0.03, 0.06, 0.06)
    """
    given = np.asarray(p_values, dtype=np.float64)
    if given.ndim != 1 or not bool(((given >= 0) & (given <= 1)).all()):
        raise BadInput(f"p-values lie in [0, 1], not {p_values!r}")
    order = np.argsort(given, kind="stable")
    stepped = np.minimum(np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1)), 1.0)
    adjusted = np.empty_like(given)
    adjusted[order] = stepped
    return tuple(float(p) for p in adjusted)


def _less(a: Floats, b: Floats) -> Floats:
    with np.errstate(invalid="ignore"):  # inf - inf, which is no difference
        return np.asarray(np.where(a == b, 0.0, a - b))


def _put(found: PairedColumns, columns: list[int], *numbers: Floats | float) -> None:
    for field, number in zip((found.mean, found.low, found.high, found.p_value), numbers, strict=True):
        field[columns] = number


def _p_values(sample: Floats, seed: int, flips: int, alternative: Alternative) -> Floats:
    """(m,) p-values of (n, m) finite differences."""
    n, total = len(sample), sample.sum(axis=0)
    slack = 1e-12 * np.abs(sample).sum(axis=0)  # sums in another order may differ by round-off and still be ties

    def as_extreme(minus: NDArray[np.uint8]) -> Floats:
        flipped = total - 2 * (minus.astype(np.float64) @ sample)
        if alternative == "greater":
            return np.asarray(flipped >= total - slack)
        if alternative == "less":
            return np.asarray(flipped <= total + slack)
        return np.asarray(np.abs(flipped) >= np.abs(total) - slack)

    if n <= _EXACT_UP_TO:
        patterns = (np.arange(1 << n, dtype=np.int64)[:, None] >> np.arange(n, dtype=np.int64) & 1).astype(np.uint8)
        return np.asarray(as_extreme(patterns).mean(axis=0))
    rng = np.random.default_rng((seed, 1))  # not the stream of the interval
    rows, found = max(1, _CELLS // n), np.zeros(sample.shape[1])
    for size in (min(rows, flips - start) for start in range(0, flips, rows)):
        bits = np.unpackbits(np.frombuffer(rng.bytes(size * ((n + 7) // 8)), np.uint8))
        found += as_extreme(bits.reshape(size, -1)[:, :n]).sum(axis=0)
    return np.asarray((found + 1) / (flips + 1))
