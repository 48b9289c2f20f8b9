"""What an interval, a paired test and a correction for many questions have to obey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def coverage(interval: Callable[..., Any], n: int, trials: int = 400) -> float:
    """Share of intervals that hold the true mean 25 of normal samples of n, from fixed seeds."""
    rng = np.random.default_rng(n)
    return sum(25.0 in interval(rng.normal(25, 3, n), seed=trial, resamples=800) for trial in range(trials)) / trials


def covers_as_often_as_promised(interval: Callable[..., Any], n: int) -> None:
    assert 0.90 <= coverage(interval, n) <= 0.98


def drawn_often(people: int, seed: int, images: int = 8) -> tuple[Any, list[str]]:
    """Normal scores of images of people around 25, who differ by more than the images of one of them."""
    rng = np.random.default_rng(seed)
    own = rng.normal(25, 3, people)
    scores = own[:, None] + rng.normal(0, 1, (people, images))
    return scores.ravel(), [f"p{who}" for who in range(people) for _ in range(images)]


def holds_for_other_people(interval: Callable[..., Any], people: int, trials: int = 300) -> None:
    """Over images of few people, each drawn often: it is other people's mean that the interval promises to hold."""
    inside = 0
    for trial in range(trials):
        values, of = drawn_often(people, 1000 * people + trial)
        inside += 25.0 in interval(values, people=of, seed=trial, resamples=400)
    assert 0.90 <= inside / trials <= 0.985


def is_no_shorter_for_people_who_are_alike(interval: Callable[..., Any]) -> None:
    """Two people of one mean are no proof that a third has it."""
    values = [20.0, 30.0, 21.0, 29.0, 24.0, 26.0, 20.5, 29.5]
    alike = interval(values, people=["a", "a", "b", "b"] * 2)
    alone = interval(values)
    assert alike.low <= alone.low < alone.high <= alike.high


def draws_groups_apart(difference: Callable[..., Any]) -> None:
    """Drawn alike, the difference of a group from itself would have no width."""
    sample = np.random.default_rng(8).normal(size=30)
    interval = difference(sample, sample)
    assert interval.mean == 0
    assert interval.high - interval.low > 0.5


def predicts_as_often_as_promised(predict: Callable[..., Any], n: int) -> None:
    """Of means of 100 other images, about 95 in 100 lie inside the interval made from n."""
    rng = np.random.default_rng(n)
    inside = sum(
        float(rng.normal(20, 3, 100).mean()) in predict(rng.normal(20, 3, n).tolist(), 100) for _ in range(400)
    )
    assert 0.92 <= inside / 400 <= 0.98


def alarms_falsely_as_rarely_as_promised(paired: Callable[..., Any]) -> None:
    rng = np.random.default_rng(7)
    p_values = [
        paired(rng.normal(size=25), rng.normal(size=25), seed=trial, resamples=400, flips=400).p_value
        for trial in range(400)
    ]
    assert 0.02 <= np.mean([p <= 0.05 for p in p_values]) <= 0.085


def sees_a_small_steady_difference(paired: Callable[..., Any]) -> None:
    """Half a dB on faces that differ by 5 dB among themselves: only pairs can show it."""
    rng = np.random.default_rng(6)
    hardness = rng.normal(25, 5, 40)
    got = paired(hardness + rng.normal(0.5, 0.1, 40), hardness)
    assert 0.4 < got.interval.low < got.mean < got.interval.high < 0.6
    assert got.p_value < 0.001


def rejects_what_the_step_down_rule_rejects(correct: Callable[[Sequence[float]], Sequence[float]]) -> None:
    """Holm's rule as he states it: smallest first, each against level / (number left), stop at the first failure."""
    rng = np.random.default_rng(9)
    for level in (0.01, 0.05, 0.2):
        for _ in range(50):
            p_values = rng.uniform(0, 0.3, 6) ** 2
            rejected = set()
            for k, index in enumerate(np.argsort(p_values)):
                if p_values[index] > level / (6 - k):
                    break
                rejected.add(int(index))
            assert {index for index, p in enumerate(correct(list(p_values))) if p <= level} == rejected
