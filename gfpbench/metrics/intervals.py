"""Confidence intervals and paired tests for means over images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

from gfpbench.types import BadInput

Floats: TypeAlias = NDArray[np.float64]
Alternative: TypeAlias = Literal["two-sided", "less", "greater"]

_EXACT_UP_TO = 12  # 2^12 sign patterns are fewer than a usual number of resamples, so all of them are tried
_CELLS = 1 << 22  # resampled values held at once: 32 MiB, whatever N is


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the range in which it would lie for other images drawn from the same source.

    ``mean`` is the value itself (for FID and KID: the score of the whole set), ``n`` the number of images behind it,
    ``note`` a sentence on anything that a reader must know before trusting it, or empty.
    """

    low: float
    high: float
    mean: float
    n: int
    level: float = 0.95
    note: str = ""

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


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


def bootstrap_mean(values: ArrayLike, *, level: float = 0.95, seed: int = 0, resamples: int = 2000) -> Interval:
    """Mean of per-image scores with a bootstrap interval over images.

    The percentile bootstrap, with its tails moved so that small samples keep their level: percentile
    ``Phi(-sqrt(n / (n - 1)) t)`` in place of ``Phi(-z)``, t being Student's quantile for n - 1 degrees of freedom
    (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", The American Statistician 69, section 5.3).
    Chosen over BCa because it stays inside the range of the data (an SSIM interval never passes 1), is defined for
    every sample and does not need the jackknife; BCa corrects for skew but, like the plain percentile, is too short at
    n = 20, where our per-group rows live.

    The result depends on the values and the seed, not on their order. One value, or equal values, give an interval of
    no width; for a single one the note says that nothing is known of the spread. An infinite value (PSNR of equal
    images) makes the mean infinite; resamples that miss it keep the near bound finite, and the note counts them.

    Args:
        values: (N,) scores; infinite of one sign is allowed.
        level: the share of such intervals that should hold the true mean, in (0, 1).

    Raises:
        BadInput: for no values, NaN, infinities of both signs.

    Example:
        >>> bootstrap_mean([1.0, 1.0, 1.0])
        Interval(low=1.0, high=1.0, mean=1.0, n=3, level=0.95, note='')
    """
    sample = _checked(values, "values")
    _check_settings(level, resamples)
    n = len(sample)
    infinite = int(np.isinf(sample).sum())
    note = f"{infinite} of {n} values are infinite, and so is the mean" if infinite else ""
    if n == 1:
        only = float(sample[0])
        return Interval(only, only, only, 1, level, note or "one image: the spread is unknown")
    mean = float(sample[-1] if sample[-1] == math.inf else sample[0]) if infinite else math.fsum(sample) / n
    if sample[0] == sample[-1]:
        return Interval(float(sample[0]), float(sample[0]), float(sample[0]), n, level, note)
    low, high = expanded_percentiles(_resampled_means(sample, seed, resamples), n, level)
    # Summing equal numbers may leave their range by round-off; nothing else can.
    low, high = max(low, float(sample[0])), min(high, float(sample[-1]))
    return Interval(low, high, mean, n, level, note)


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 2000,
    alternative: Alternative = "two-sided",
) -> PairedDifference:
    """Mean of a - b over the same images, with a bootstrap interval and a permutation p-value.

    Resampling pairs keeps what the two share (hard faces are hard for both), so the interval is far shorter than that
    of two separate means. The p-value flips the signs of the differences (Fisher 1935, The Design of Experiments,
    section 21): all 2^n patterns up to n = 12, else ``resamples`` draws and the observed one, so never 0.
    Equal infinities differ by 0. Where a difference is infinite, signed ranks take the place of the differences in the
    p-value (Wilcoxon 1945), because a mean of infinities cannot be ordered.

    Args:
        a, b: (N,) scores of the same images in the same order.
        alternative: "greater" asks whether a exceeds b, "less" whether it falls short.

    Raises:
        BadInput: for no pairs, lengths that differ, NaN, differences infinite in both directions.
    """
    if alternative not in ("two-sided", "less", "greater"):
        raise BadInput(f"alternative is 'two-sided', 'less' or 'greater', not {alternative!r}")
    first, second = _vector(a, "a"), _vector(b, "b")
    if first.shape != second.shape:
        raise BadInput(f"paired scores need equal lengths, not {len(first)} and {len(second)}")
    with np.errstate(invalid="ignore"):  # inf - inf, which the next line replaces
        difference = np.where(first == second, 0.0, first - second)
    interval = bootstrap_mean(difference, level=level, seed=seed, resamples=resamples)
    p_value, exact = _sign_flip_p_value(np.sort(difference), seed, resamples, alternative)
    return PairedDifference(interval, p_value, alternative, exact)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values corrected for having asked several questions at once; compare each with the level as usual.

    Step-down: the k-th smallest of m is multiplied by m - k + 1, never below the one before, at most 1
    (Holm 1979, Scandinavian Journal of Statistics 6, 65-70). The chance of any false alarm stays below the level
    however the questions depend on one another.

    Example:
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


def expanded_percentiles(draws: Floats, n: int, level: float) -> tuple[float, float]:
    """Bounds from bootstrap draws of a statistic of n images, the tails widened for small n (see bootstrap_mean).

    Order statistics are taken as they are, not interpolated, so infinite draws have a meaning.
    """
    tail = (1 - level) / 2
    expanded = float(ndtr(math.sqrt(n / (n - 1)) * stdtrit(n - 1, tail)))
    ordered = np.sort(draws)
    position = max(0, min(math.floor(expanded * len(ordered)), (len(ordered) - 1) // 2))
    return float(ordered[position]), float(ordered[len(ordered) - 1 - position])


def _vector(values: ArrayLike, name: str) -> Floats:
    given: NDArray[Any] = np.asarray(values)
    if given.ndim != 1 or given.size == 0 or given.dtype.kind not in "fiu":
        raise BadInput(f"{name}: expected a non-empty list of numbers, not shape {given.shape} of {given.dtype}")
    vector = given.astype(np.float64)
    if bool(np.isnan(vector).any()):
        raise BadInput(f"{name}: {int(np.isnan(vector).sum())} of {len(vector)} scores are NaN; leave blank images out")
    return vector


def _checked(values: ArrayLike, name: str) -> Floats:
    """Sorted, so that neither the order of the images nor that of a sum can move the result."""
    vector = np.sort(_vector(values, name))
    if vector[0] == -math.inf and vector[-1] == math.inf:
        raise BadInput(f"{name}: both infinities among the scores; their mean is undefined")
    return vector


def _check_settings(level: float, resamples: int) -> None:
    if not 0 < level < 1:
        raise BadInput(f"level is a share in (0, 1), not {level}")
    if resamples < 100:
        raise BadInput(f"an interval needs at least 100 resamples, not {resamples}")


def _resampled_means(sample: Floats, seed: int, resamples: int) -> Floats:
    n = len(sample)
    rng = np.random.default_rng(seed)
    rows = max(1, _CELLS // n)
    means = [
        sample[rng.integers(0, n, (min(rows, resamples - start), n), dtype=np.int32)].mean(axis=1)
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(means)


def _sign_flip_p_value(difference: Floats, seed: int, resamples: int, alternative: Alternative) -> tuple[float, bool]:
    if bool(np.isinf(difference).any()):
        from scipy.stats import rankdata  # half a second to import, and rarely needed

        difference = np.sign(difference) * rankdata(np.abs(difference))
    difference = difference[difference != 0]  # a zero keeps its value under every flip
    n = len(difference)
    if n == 0:
        return 1.0, True
    observed = float(difference.sum())
    exact = n <= _EXACT_UP_TO
    if exact:
        patterns = np.arange(1 << n, dtype=np.int64)[:, None] >> np.arange(n, dtype=np.int64) & 1
        flipped = (1.0 - 2.0 * patterns) @ difference
    else:
        rng = np.random.default_rng((seed, 1))  # not the stream of the interval
        rows = max(1, _CELLS // n)
        sizes = (min(rows, resamples - start) for start in range(0, resamples, rows))
        flipped = np.concatenate(
            [(1.0 - 2.0 * rng.integers(0, 2, (size, n), dtype=np.int8)) @ difference for size in sizes]
        )
    slack = 1e-12 * float(np.abs(difference).sum())  # sums in another order may differ by round-off and still be ties
    if alternative == "greater":
        as_extreme = flipped >= observed - slack
    elif alternative == "less":
        as_extreme = flipped <= observed + slack
    else:
        as_extreme = np.abs(flipped) >= abs(observed) - slack
    extra = 0 if exact else 1
    return (int(as_extreme.sum()) + extra) / (len(flipped) + extra), exact
