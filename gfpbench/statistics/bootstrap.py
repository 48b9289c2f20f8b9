"""Confidence intervals over images: the bootstrap of a mean and of whatever is made of means, the sign test's median.

There is one way of drawing images, one number of draws and one way of reading an interval off them, so that the same
scores have the same interval wherever it is printed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from gfpbench.lazy import LazyModule
from gfpbench.statistics.student import normal_below, student_quantile
from gfpbench.types import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
else:
    np = LazyModule("numpy")

Floats: TypeAlias = "NDArray[np.float64]"

LEVEL = 0.95
RESAMPLES = 2000
FEW_PEOPLE = 5
"""Below this many, an interval over people is hardly wider than what was seen, whatever its level."""
LARGE = 2000
"""Scores of a sample, from which its draws take longer than they are worth for one sample alone."""
KEPT_AT_MOST = 4096
"""Intervals that are kept, to be asked for again."""
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
    level: float = LEVEL
    note: str = ""

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def bootstrap_mean(
    values: ArrayLike,
    *,
    people: Sequence[Hashable] | None = None,
    level: float = LEVEL,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval:
    """Mean of per-image scores with a bootstrap interval over images, or over the people whose images they are.

    The percentile bootstrap, with its tails moved so that small samples keep their level: percentile
    ``Phi(-sqrt(n / (n - 1)) t)`` in place of ``Phi(-z)``, t being Student's quantile for n - 1 degrees of freedom
    (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", The American Statistician 69, section 5.3).
    Chosen over BCa because it stays inside the range of the data (an SSIM interval never passes 1), is defined for
    every sample and does not need the jackknife; BCa corrects for skew but, like the plain percentile, is too short at
    n = 20, where our per-group rows live.

    The result depends on the values and the seed, not on their order. One value, or equal values, give an interval of
    no width; for a single one the note says that nothing is known of the spread. An infinite value (PSNR of equal
    images) makes the mean infinite; resamples that miss it keep the near bound finite, and the note counts them.

    Images of one person are not independent. Where ``people`` has fewer names than there are values, people are drawn
    with all of their images (the cluster bootstrap: Davison and Hinkley 1997, Bootstrap Methods and Their Application,
    section 3.8), with the tails of as many values as there are people; and the interval is nowhere shorter than that
    over the images, which people who happen to be alike would make it. Of fewer than five people (``FEW_PEOPLE``) it
    is little more than their range, which holds the mean less often than ``level`` says (of two: in one case of two).
    Of one person it is over the images, and the note says so.

    Args:
        values: (N,) scores; infinite of one sign is allowed.
        people: whose image each value is of; None where each is of another person.
        level: the share of such intervals that should hold the true mean, in (0, 1).

    Raises:
        BadInput: for no values, NaN, infinities of both signs, and other than one name for each value.

    Examples:
        >>> bootstrap_mean([1.0, 1.0, 1.0])
        Interval(low=1.0, high=1.0, mean=1.0, n=3, level=0.95, note='')
        >>> bootstrap_mean([1.0, 1.1, 3.0, 3.1], people=["a", "a", "b", "b"]).note
        'over 2 people'
    """
    if people is not None:
        return _over_people(values, people, level, seed, resamples)
    sample = np.sort(vector(values, "values"))  # so that neither the order of the images nor of a sum moves the result
    if sample[0] == -math.inf and sample[-1] == math.inf:
        raise BadInput("values: both infinities among the scores; their mean is undefined")
    if not 0 < level < 1:
        raise BadInput(f"level is a share in (0, 1), not {level}")
    if resamples < 100:
        raise BadInput(f"an interval needs at least 100 resamples, not {resamples}")
    n = len(sample)
    infinite = int(np.isinf(sample).sum())
    note = f"{infinite} of {n} values are infinite, and so is the mean" if infinite else ""
    if n == 1:
        only = float(sample[0])
        return Interval(only, only, only, 1, level, note or "one image: the spread is unknown")
    mean = float(sample[-1] if sample[-1] == math.inf else sample[0]) if infinite else math.fsum(sample) / n
    if sample[0] == sample[-1]:
        return Interval(float(sample[0]), float(sample[0]), float(sample[0]), n, level, note)
    low, high = _bounds(sample, level, seed, resamples)
    # Summing equal numbers may leave their range by round-off; nothing else can.
    low, high = max(low, float(sample[0])), min(high, float(sample[-1]))
    return Interval(low, high, mean, n, level, note)


_known: dict[tuple[bytes, float, int, int], tuple[float, float]] = {}


def _bounds(scores: Floats, level: float, seed: int, resamples: int) -> tuple[float, float]:
    """Of scores in order of size. Kept, since a page, its summary and its text ask for the same ones."""
    key = hashlib.sha256(scores.tobytes()).digest(), level, seed, resamples
    if key not in _known:
        _find_bounds({key: scores}, level, seed, resamples)
    return _known[key]


def _find_bounds(
    samples: Mapping[tuple[bytes, float, int, int], Floats], level: float, seed: int, resamples: int
) -> None:
    """Of samples of one size, from the same draws: these take longer than the means of a sample."""
    if len(_known) + len(samples) > KEPT_AT_MOST:
        _known.clear()
    n = len(next(iter(samples.values())))
    means: dict[tuple[bytes, float, int, int], list[Floats]] = {key: [] for key in samples}
    for drawn in draws(n, seed, resamples):
        for key, scores in samples.items():
            means[key].append(scores[drawn].mean(axis=1))
    for key, own in means.items():
        _known[key] = expanded_percentiles(np.concatenate(own), n, level)


def prepare(samples: Iterable[Sequence[float]]) -> None:
    """Find the intervals of ``bootstrap_mean`` for many large samples at once, which then has them at hand.

    The intervals are the same to the last bit; those of one size are found together in a fraction of the time.

    Args:
        samples: finite scores; small samples are left to ``bootstrap_mean``.
    """
    sizes: dict[int, dict[tuple[bytes, float, int, int], Floats]] = {}
    for values in samples:
        if len(values) < LARGE:
            continue
        scores = np.sort(vector(values, "values"))
        key = hashlib.sha256(scores.tobytes()).digest(), LEVEL, 0, RESAMPLES
        if key not in _known and scores[0] != scores[-1]:
            sizes.setdefault(len(scores), {})[key] = scores
    for of_one_size in sizes.values():
        _find_bounds(of_one_size, LEVEL, 0, RESAMPLES)


def _over_people(values: ArrayLike, people: Sequence[Hashable], level: float, seed: int, resamples: int) -> Interval:
    over_images = bootstrap_mean(values, level=level, seed=seed, resamples=resamples)
    scores, of = vector(values, "values"), dict[Hashable, list[float]]()
    if len(people) != len(scores):
        raise BadInput(f"{len(scores)} values need as many names of people, not {len(people)}")
    if len(set(people)) == len(scores):
        return over_images
    for person, score in zip(people, scores.tolist(), strict=True):
        of.setdefault(person, []).append(score)
    said = f"over {len(of)} people" if len(of) > 1 else "over the images of one person"
    note = "; ".join(filter(None, (over_images.note, said)))
    if len(of) == 1:
        return replace(over_images, note=note)
    # Sorted, so that neither the order of people nor of their images moves the result.
    sums, counts = np.array(sorted((math.fsum(own), len(own)) for own in of.values())).T
    means = np.concatenate([sums[who].sum(axis=1) / counts[who].sum(axis=1) for who in draws(len(of), seed, resamples)])
    low, high = expanded_percentiles(means, len(of), level)
    return replace(over_images, low=min(low, over_images.low), high=max(high, over_images.high), note=note)


def bootstrap_columns(sample: Floats, *, level: float = LEVEL, seed: int = 0) -> tuple[Floats, Floats]:
    """The bounds that ``bootstrap_mean`` gives for each column of finite scores, all of them from one matrix product.

    Args:
        sample: (n, m), each column in order of size.

    Returns:
        Two arrays (m,).
    """
    n = len(sample)
    if n == 1:
        return sample[0], sample[0]
    means = []
    for drawn in draws(n, seed):
        cells = drawn + np.arange(len(drawn), dtype=np.int32)[:, None] * n
        times = np.bincount(cells.ravel(), minlength=drawn.size).reshape(drawn.shape)  # how often each image was drawn
        means.append(times.astype(np.float64) @ sample / n)
    bounds = [expanded_percentiles(column, n, level) for column in np.concatenate(means).T]
    low, high = (np.array(side) for side in zip(*bounds, strict=True))
    # Equal scores leave their range by round-off; nothing else can.
    return np.maximum(low, sample[0]), np.minimum(high, sample[-1])


def independent_difference(a: ArrayLike, b: ArrayLike, *, level: float = LEVEL, seed: int = 0) -> Interval:
    """Mean of a less mean of b, of different images: each is resampled by itself, the tails are the smaller sample's.

    Args:
        a, b: (N,) and (M,) finite scores, two or more of each.

    Raises:
        BadInput: for fewer than two, NaN, an infinity.
    """
    samples = [np.sort(vector(values, name)) for values, name in ((a, "a"), (b, "b"))]
    if any(len(sample) < 2 or not np.isfinite(sample).all() for sample in samples):
        raise BadInput("a difference of two groups needs two finite scores in each")
    rng = np.random.default_rng(seed)  # one for both, or groups of one size would be drawn alike
    means = [np.concatenate([sample[drawn].mean(axis=1) for drawn in draws(len(sample), rng)]) for sample in samples]
    n = min(map(len, samples))
    difference = math.fsum(samples[0]) / len(samples[0]) - math.fsum(samples[1]) / len(samples[1])
    return Interval(*expanded_percentiles(means[0] - means[1], n, level), difference, n, level)


def predicted_mean(values: Sequence[float], images: int, *, level: float = LEVEL) -> Interval:
    """The mean of scores, with the interval in which the mean of so many other images of the same source would lie.

    mean +- t s sqrt(1/n + 1/images), t being Student's quantile for n - 1 degrees of freedom: exact for normal scores
    (Hahn 1969, Journal of the American Statistical Association 64, 878-888). Of a mean that is infinite: no width.

    Args:
        values: (N,) scores, two or more.
        images: behind the other mean.
    """
    sample = np.asarray(values, dtype=np.float64)
    n, mean = len(sample), float(sample.mean())
    if not math.isfinite(mean):
        return Interval(mean, mean, mean, n, level)
    half = float(student_quantile((1 + level) / 2, n - 1) * sample.std(ddof=1)) * math.sqrt(1 / n + 1 / images)
    return Interval(mean - half, mean + half, mean, n, level)


def draws(n: int, seed: int | np.random.Generator, resamples: int = RESAMPLES) -> Iterator[NDArray[np.int32]]:
    """Which of n images each resample holds: ``resamples`` rows of n places, as many rows at once as memory allows."""
    rng = np.random.default_rng(seed)
    rows = max(1, _CELLS // n)
    for start in range(0, resamples, rows):
        yield rng.integers(0, n, (min(rows, resamples - start), n), dtype=np.int32)


def expanded_percentiles(draws: Floats, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Bounds from bootstrap draws of a statistic of n images, the tails widened for small n (see bootstrap_mean).

    Order statistics are taken as they are, not interpolated, so infinite draws have a meaning.
    """
    tail = (1 - level) / 2
    expanded = normal_below(math.sqrt(n / (n - 1)) * student_quantile(tail, n - 1))
    ordered = np.sort(draws)
    position = max(0, min(math.floor(expanded * len(ordered)), (len(ordered) - 1) // 2))
    return float(ordered[position]), float(ordered[len(ordered) - 1 - position])


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The interval of the median that holds it with 95 % or more, whatever the distribution: two of the sorted values.

    Exact, where a bootstrap of few values is not: the number of values below the median is binomial(n, 1/2)
    (Thompson 1936, Annals of Mathematical Statistics 7, 122-128). Below six values it is their whole range.

    Examples:
        >>> median_interval([4.0, 1.0, 3.0, 2.0, 6.0, 5.0, 8.0, 7.0, 9.0])
        (2.0, 8.0)
    """
    ordered, n = sorted(values), len(values)
    outside, left_out = 2 / 2**n, 0
    while (outside := outside + 2 * math.comb(n, left_out + 1) / 2**n) <= 1 - LEVEL:
        left_out += 1
    return ordered[left_out], ordered[n - 1 - left_out]


def vector(values: ArrayLike, name: str) -> Floats:
    """(N,) float64 scores. Raises BadInput, with ``name``, for none at all, another shape or type, and NaN."""
    given: NDArray[Any] = np.asarray(values)
    if given.ndim != 1 or given.size == 0 or given.dtype.kind not in "fiu":
        raise BadInput(f"{name}: expected a non-empty list of numbers, not shape {given.shape} of {given.dtype}")
    found = given.astype(np.float64)
    if bool(np.isnan(found).any()):
        raise BadInput(f"{name}: {int(np.isnan(found).sum())} of {len(found)} scores are NaN; leave blank images out")
    return found
