"""Rank correlation of two scores, over images and over rows of a table, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from gfpbench.lazy import LazyModule
from gfpbench.statistics.bootstrap import Floats, Interval, draws, expanded_percentiles

if TYPE_CHECKING:
    import numpy as np
    from scipy import stats
else:
    np, stats = LazyModule("numpy"), LazyModule("scipy.stats")

RESAMPLES = 1000
"""Every resample is ranked anew, which takes longer than a mean."""


def over_images(first: Floats, second: Floats, people: Sequence[Hashable], *, seed: int = 0) -> Interval | None:
    """Spearman's correlation of two scores of the same images: 1 where both put them in one order, -1 in the opposite.

    Args:
        first, second: (N,) finite scores.
        people: whose image each is; images of one face are averaged first, as they are not independent.

    Returns:
        The correlation over people with its 95 % interval over people; None below three of them, and where all scores
        are equal.
    """
    places = {who: place for place, who in enumerate(dict.fromkeys(people))}
    where = np.array([places[who] for who in people])
    counts = np.bincount(where, minlength=len(places))
    values = np.stack([np.bincount(where, one, len(places)) / np.maximum(counts, 1) for one in (first, second)])
    if len(places) < 3:
        return None
    chosen = np.concatenate(list(draws(len(places), seed, RESAMPLES)))
    return _interval(_correlation(values[:, None])[0], _correlation(values[:, chosen]), len(places))


def over_rows(first: Floats, second: Floats, *, seed: int = 0) -> Interval | None:
    """Spearman's correlation of the means of rows, with an interval over the images behind the means.

    Args:
        first, second: (R, N) finite scores of the same R rows (restorers) and N images.

    Returns:
        The correlation over rows; None below three rows or two images, and where all means are equal.
    """
    rows, n = first.shape
    if rows < 3 or n < 2:
        return None
    found = []
    for chosen in draws(n, seed, RESAMPLES):
        means = np.stack([[row[chosen].mean(1) for row in one] for one in (first, second)])
        found.append(_correlation(means.transpose(0, 2, 1)))
    whole = np.stack([one.mean(1) for one in (first, second)])
    return _interval(_correlation(whole[:, None])[0], np.concatenate(found), n)


def _correlation(pairs: Floats) -> Floats:
    """(K,) correlations of ranks of (2, K, N) values; NaN where one of the two does not vary."""
    ranks = stats.rankdata(pairs, axis=-1)
    ranks -= ranks.mean(-1, keepdims=True)
    size = np.sqrt((ranks**2).sum(-1).prod(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(size > 0, ranks.prod(0).sum(-1) / size, np.nan), dtype=np.float64)


def _interval(value: float, resampled: Floats, n: int) -> Interval | None:
    known = resampled[np.isfinite(resampled)]  # a resample of one image has no order
    if not np.isfinite(value) or len(known) < RESAMPLES / 2:
        return None
    low, high = expanded_percentiles(known, n)
    return Interval(min(low, float(value)), max(high, float(value)), float(value), n)
