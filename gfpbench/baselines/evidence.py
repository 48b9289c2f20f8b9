"""Evidence for a mean difference: intervals and p-values, corrected for testing several metrics on the same images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gfpbench.metrics.intervals import Floats, expanded_percentiles, paired_difference

RESAMPLES = 2000
FLIPS = 9999  # a smallest p of 1e-4 leaves room for the correction over some hundred questions
_EXACT_UP_TO = 16
_CELLS = 1 << 22  # weights held at once: 32 MiB


@dataclass(frozen=True, slots=True)
class Evidence:
    """For each of m columns: the mean, its 95 % interval over images, and a two-sided p-value. Each (m,)."""

    mean: Floats
    low: Floats
    high: Floats
    p_value: Floats


def paired_evidence(a: Floats, b: Floats, *, seed: int = 0, level: float = 0.95) -> Evidence:
    """Evidence about the mean of a - b, column by column.

    The same statistics as ``metrics.intervals.paired_difference`` (bootstrap over images with widened tails, sign-flip
    permutation), with one set of resampled images for all columns: the draws become one matrix product, and metrics of
    the same images keep their correlation. Blanks (NaN) leave an image out of that column only.

    Args:
        a, b: (n, m) scores; NaN is a blank, infinity is allowed.
    """
    n_columns = a.shape[1]
    with np.errstate(invalid="ignore"):  # inf - inf, which the next line replaces
        difference: Floats = np.asarray(np.where(a == b, 0.0, a - b))
    found = Evidence(*(np.full(n_columns, np.nan) for _ in range(4)))
    there: NDArray[np.bool_] = np.logical_not(np.isnan(difference))
    infinite: NDArray[np.bool_] = np.asarray(np.isinf(difference).any(axis=0))
    groups: dict[bytes, list[int]] = {}
    for column in range(n_columns):
        if not there[:, column].any():
            continue
        if infinite[column]:
            kept = there[:, column]
            _put(found, [column], *_of_infinite(a[kept, column], b[kept, column], seed, level))
        else:
            groups.setdefault(there[:, column].tobytes(), []).append(column)
    for columns in groups.values():
        rows = there[:, columns[0]]
        # In order of value, so that the order of the images cannot move the result.
        sample = difference[rows][:, columns]
        sample = sample[np.lexsort(sample.T)]
        _put(found, columns, sample.mean(axis=0), *_interval(sample, seed, level), _p_values(sample, seed))
    return found


def _put(found: Evidence, columns: list[int], mean: Floats, low: Floats, high: Floats, p_value: Floats) -> None:
    found.mean[columns], found.low[columns], found.high[columns], found.p_value[columns] = mean, low, high, p_value


def _of_infinite(a: Floats, b: Floats, seed: int, level: float) -> tuple[Floats, Floats, Floats, Floats]:
    with np.errstate(invalid="ignore"):
        difference = np.where(a == b, 0.0, a - b)
    if difference.min() == -np.inf and difference.max() == np.inf:  # no mean; the images speak for themselves
        return np.array([0.0]), np.array([-np.inf]), np.array([np.inf]), np.array([1.0])
    paired = paired_difference(a, b, seed=seed, level=level)
    interval = paired.interval
    return (
        np.array([interval.mean]),
        np.array([interval.low]),
        np.array([interval.high]),
        np.array([paired.p_value]),
    )


def _chunks(total: int, n: int) -> Iterator[int]:
    rows = max(1, _CELLS // n)
    for start in range(0, total, rows):
        yield min(rows, total - start)


def _interval(sample: Floats, seed: int, level: float) -> tuple[Floats, Floats]:
    n = len(sample)
    if n == 1:
        return sample[0], sample[0]
    rng = np.random.default_rng(seed)
    means = []
    for rows in _chunks(RESAMPLES, n):
        drawn = rng.integers(0, n, (rows, n), dtype=np.int64)
        drawn += np.arange(rows, dtype=np.int64)[:, None] * n
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)  # how often each image was drawn
        means.append(times.astype(np.float64) @ sample / n)
    draws = np.concatenate(means)
    bounds = [expanded_percentiles(draws[:, column], n, level) for column in range(sample.shape[1])]
    low, high = (np.array(side) for side in zip(*bounds, strict=True))
    # Equal differences leave their range by round-off; nothing else can.
    return np.maximum(low, sample.min(axis=0)), np.minimum(high, sample.max(axis=0))


def _p_values(sample: Floats, seed: int) -> Floats:
    n = len(sample)
    total = sample.sum(axis=0)
    threshold = np.abs(total) - 1e-12 * np.abs(sample).sum(axis=0)  # sums in another order are ties all the same
    if n <= _EXACT_UP_TO:
        patterns = np.arange(1 << n, dtype=np.int64)[:, None] >> np.arange(n, dtype=np.int64) & 1
        exact: Floats = (np.abs(total - 2 * (patterns.astype(np.float64) @ sample)) >= threshold).mean(axis=0)
        return exact
    rng = np.random.default_rng((seed, 1))  # not the stream of the interval
    as_extreme = np.zeros(sample.shape[1])
    for rows in _chunks(FLIPS, n):
        bits: NDArray[np.uint8] = np.unpackbits(np.frombuffer(rng.bytes(rows * ((n + 7) // 8)), np.uint8))
        flips = bits.reshape(rows, -1)[:, :n].astype(np.float64)
        as_extreme += (np.abs(total - 2 * (flips @ sample)) >= threshold).sum(axis=0)
    p_values: Floats = (as_extreme + 1) / (FLIPS + 1)
    return p_values
