"""What any search for a collapse point must do, as functions of the search, so that broken ones can be put in."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gfpbench.collapse.search import Found

Find = Callable[..., Found]
Floats = NDArray[np.float64]
STEP = 1 / 64


class Counted:
    """Margins of a synthetic restorer, in closed form, counting how often they are asked for."""

    def __init__(self, margin: Callable[[float], Floats]) -> None:
        self.margin = margin
        self.asked: list[float] = []

    def __call__(self, severity: float) -> Floats:
        self.asked.append(severity)
        return np.atleast_2d(self.margin(severity))


def below(point: float, images: int) -> Callable[[float], Floats]:
    """Margins, the same for each image, that are used up at a point."""
    return lambda severity: np.full((1, images), point - severity)


def balanced(spread: float, images: int = 16, seed: int = 0) -> Floats:
    """Differences between images that add up to nothing, so that the mean curve is the closed form."""
    half = np.random.default_rng(seed).normal(0, spread, images // 2)
    return np.concatenate([half, -half])


def line_is_found(find: Find, point: float) -> None:
    """g_i(s) = 3 (point - s) + noise_i crosses 0 at ``point``; a straight line is even interpolated without error."""
    noise = balanced(0.2)
    found = find(lambda s: (3 * (point - s) + noise)[None])
    assert found.kind == "collapses"
    assert found.point is not None
    assert abs(found.point - point) < 1e-9
    assert found.interval[0] <= point <= (found.interval[1] or math.inf)


def bend_is_found(find: Find, point: float, rate: float) -> None:
    """exp(-rate s) crosses exp(-rate point) at ``point``: found within the resolution though it is no line."""
    noise = balanced(0.02)
    found = find(lambda s: (math.exp(-rate * s) - math.exp(-rate * point) + noise)[None])
    assert found.point is not None
    assert abs(found.point - point) <= STEP


def cliff_is_found(find: Find, point: float) -> None:
    """Useful up to ``point`` and useless from it on, without warning."""
    found = find(lambda s: np.full((1, 4), 1.0 if s < point else -1.0))
    assert found.bracket is not None
    low, high = found.bracket
    assert high - low == STEP
    assert low < point <= high
    assert found.point is not None
    assert low <= found.point <= high


def earliest_criterion_counts(find: Find) -> None:
    """Two criteria that fail at 0.6 and 0.3: the restorer has collapsed at 0.3, and it says which one failed."""
    noise = balanced(0.05)
    found = find(lambda s: np.stack([0.6 - s + noise, 5 * (0.3 - s) + noise]))
    assert found.point is not None
    assert abs(found.point - 0.3) < STEP
    assert found.curve.failing() == (1,)


def shapes_are_told_apart(find: Find) -> None:
    noise = balanced(0.05)

    def kind(margin: Callable[[float], float]) -> Found:
        return find(lambda s: (margin(s) + noise)[None])

    never = kind(lambda s: 1.5 - s)
    assert (never.kind, never.point, never.interval) == ("never", None, (1.0, None))
    at_once = kind(lambda s: -0.5 - s)
    assert (at_once.kind, at_once.point, at_once.onset) == ("at once", None, None)
    assert at_once.interval == (0.0, 0.0)
    tie = find(lambda s: np.zeros((1, 8)))  # its own input, returned: no better than it
    assert tie.kind == "at once"
    wave = kind(lambda s: math.cos(2 * math.pi * s))  # falls at 1/4, rises again at 3/4
    assert wave.kind == "not monotone"
    assert wave.point is not None
    assert abs(wave.point - 0.25) < STEP
    assert wave.recovers is not None
    assert 0.75 <= wave.recovers <= 0.875
    waves = kind(lambda s: math.cos(3 * math.pi * s))  # falls at 1/6 and again at 5/6: the first one counts
    assert waves.kind == "not monotone"
    assert waves.point is not None
    assert abs(waves.point - 1 / 6) < STEP
    late = kind(lambda s: 0.3 - abs(s - 0.5))  # useful from 0.2 to 0.8
    assert late.kind == "collapses"
    assert late.point is not None
    assert abs(late.point - 0.8) < STEP
    assert late.onset is not None
    assert abs(late.onset - 0.2) < 1e-9


def flicker_is_no_recovery(find: Find) -> None:
    """After the collapse the mean wobbles about 0 by far less than the images differ: that is no recovery."""
    noise = balanced(1.0)

    def margin(s: float) -> Floats:
        return (2.0 * max(0.3 - s, 0.0) - 0.001 + (0.002 if round(s * 64) % 16 == 8 and s > 0.5 else 0.0) + noise)[None]

    assert find(margin).kind == "collapses"


def few_restorations(find: Find) -> None:
    """At most a fifth of a grid, wherever the point lies, and never the same severity twice."""
    for number in range(0, 65):
        counted = Counted(below(number / 64 + 0.003, images=3))
        found = find(counted)
        assert len(counted.asked) == len(set(counted.asked)) == found.evaluations
        assert 5 * len(counted.asked) <= found.grid == 65


def interval_covers(find: Find, runs: int = 200, images: int = 16) -> float:
    """How often the interval holds the true point 0.45: image i collapses at 0.45 + e_i, with e_i normal."""
    rng = np.random.default_rng(7)
    held = 0
    for number in range(runs):
        points = 0.45 + rng.normal(0, 0.12, images)
        low, high = find(lambda s, points=points: (points - s)[None], seed=number).interval
        held += low <= 0.45 <= (math.inf if high is None else high)
    share = held / runs
    assert 0.90 <= share <= 0.99, f"a 95 % interval holds the point in {share:.0%} of {runs} samples"
    return share


def interval_shrinks(find: Find) -> None:
    """Four times the images, about half the interval; never narrower than the resolution."""
    rng = np.random.default_rng(3)
    widths = []
    for images in (16, 64, 2048):
        points = 0.5 + rng.normal(0, 0.15, images)
        low, high = find(lambda s, points=points: (points - s)[None]).interval
        assert high is not None
        widths.append(high - low)
    assert 1.5 < widths[0] / widths[1] < 3.2
    assert widths[2] >= STEP


def same_again(find: Find) -> None:
    noise = balanced(0.3)

    def margin(s: float) -> Floats:
        return (0.4 - s + noise)[None]

    one, other = find(margin, seed=5), find(margin, seed=5)
    assert (one.point, one.interval, one.bracket) == (other.point, other.interval, other.bracket)
    shuffled = find(lambda s: margin(s)[:, ::-1], seed=5)
    assert shuffled.point == one.point  # the order of the images is nothing
