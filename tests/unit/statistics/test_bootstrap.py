"""Intervals hold the truth as often as they promise, and agree with scipy's and with closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gfpbench.statistics import (
    Interval,
    bootstrap,
    bootstrap_mean,
    independent_difference,
    interval_of,
    median_interval,
    predicted_mean,
    prepare_intervals,
)
from gfpbench.types import BadInput
from tests.unit.statistics import interval_laws as laws

INF = math.inf


@pytest.mark.parametrize("n", [5, 20, 50, 100])
def test_nominal_95_percent_is_covered(n: int) -> None:
    laws.covers_as_often_as_promised(bootstrap_mean, n)


@pytest.mark.parametrize("people", [5, 12])
def test_images_of_few_people_speak_of_other_people(people: int) -> None:
    laws.holds_for_other_people(bootstrap_mean, people)


def test_people_who_are_alike_by_chance_are_no_certainty() -> None:
    laws.is_no_shorter_for_people_who_are_alike(bootstrap_mean)


def test_two_people_span_what_they_are() -> None:
    """By hand: of two people drawn with all of their images there are three outcomes, and the ends are theirs alone."""
    got = bootstrap_mean([1.0, 2.0, 3.0, 11.0, 12.0], people=["a", "a", "a", "b", "b"])
    over_images = bootstrap_mean([1.0, 2.0, 3.0, 11.0, 12.0])
    assert (got.low, got.high) == (min(2.0, over_images.low), max(11.5, over_images.high))
    assert (got.mean, got.n) == (5.8, 5)
    assert got.note == "over 2 people"


def test_a_person_for_each_image_changes_nothing() -> None:
    sample = np.random.default_rng(3).normal(size=31)
    assert bootstrap_mean(sample, people=[str(number) for number in range(31)]) == bootstrap_mean(sample)


def test_neither_order_nor_names_of_people_matter() -> None:
    values, of = laws.drawn_often(6, 1)
    turned = [f"other {who}" for who in reversed(of)]
    assert bootstrap_mean(values[::-1].copy(), people=turned) == bootstrap_mean(values, people=of)


def test_one_person_speaks_of_that_one() -> None:
    one = bootstrap_mean([1.0, 2.0, 3.0], people=["a"] * 3)
    assert (one.low, one.high) == (bootstrap_mean([1.0, 2.0, 3.0]).low, bootstrap_mean([1.0, 2.0, 3.0]).high)
    assert "one person" in one.note
    with pytest.raises(BadInput, match="3 values need as many names of people, not 2"):
        bootstrap_mean([1.0, 2.0, 3.0], people=["a", "b"])


def test_an_infinite_score_of_one_person() -> None:
    got = bootstrap_mean([20.0, INF, 21.0, 22.0], people=["a", "a", "b", "b"])
    assert (got.mean, got.high) == (INF, INF)
    assert math.isfinite(got.low)


def test_the_level_is_obeyed() -> None:
    def half(values: object, **settings: Any) -> Interval:
        return bootstrap_mean(values, level=0.5, **settings)  # type: ignore[arg-type]

    assert 0.43 <= laws.coverage(half, 50) <= 0.57


@pytest.mark.parametrize("n", [30, 300])
def test_it_agrees_with_students_interval_on_normal_samples(n: int) -> None:
    sample = np.random.default_rng(1).normal(0.8, 0.05, n)
    got = bootstrap_mean(sample, resamples=20_000)
    low, high = stats.t.interval(0.95, n - 1, loc=sample.mean(), scale=stats.sem(sample))
    assert got.mean == pytest.approx(sample.mean(), rel=1e-15)
    assert (got.low, got.high) == pytest.approx((low, high), abs=0.06 * (high - low))


def test_it_agrees_with_scipys_percentile_bootstrap_on_large_skewed_samples() -> None:
    sample = np.random.default_rng(2).gamma(2.0, 3.0, 500)
    theirs = stats.bootstrap((sample,), np.mean, method="percentile", n_resamples=20_000, rng=3).confidence_interval
    ours = bootstrap_mean(sample, resamples=20_000)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.05 * (theirs.high - theirs.low))


def test_it_depends_on_values_and_seed_but_not_on_order() -> None:
    sample = np.random.default_rng(4).normal(size=37)
    assert bootstrap_mean(sample) == bootstrap_mean(sample[::-1].copy())
    assert bootstrap_mean(sample, seed=1) != bootstrap_mean(sample, seed=2)


def test_it_never_leaves_the_range_of_the_data() -> None:
    got = bootstrap_mean([0.99, 1.0, 1.0])
    assert 0.99 <= got.low <= got.mean <= got.high <= 1.0


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = np.arange(50.0)
    whole = bootstrap_mean(sample)
    monkeypatch.setattr("gfpbench.statistics.bootstrap._CELLS", 50 * 64)
    bootstrap._known.clear()  # or the same answer is given without drawing again
    parts = bootstrap_mean(sample)
    bootstrap._known.clear()
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=1.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], (3.0, 3.0, 3.0)),
        ([3.0] * 7, (3.0, 3.0, 3.0)),
        ([0.1] * 7, (0.1, 0.1, 0.1)),
        ([INF], (INF, INF, INF)),
        ([INF] * 4, (INF, INF, INF)),
        ([1.0, 3.0], (1.0, 2.0, 3.0)),
        ([20.0, INF], (20.0, INF, INF)),
        ([20.0, -INF], (-INF, -INF, 20.0)),
    ],
)
def test_small_samples_have_defined_outcomes(values: list[float], expected: tuple[float, float, float]) -> None:
    got = bootstrap_mean(values)
    assert (got.low, got.mean, got.high) == expected
    assert got.n == len(values)


def test_notes_say_what_is_unusual() -> None:
    assert bootstrap_mean([1.0, 2.0, 3.0]).note == ""
    assert "spread is unknown" in bootstrap_mean([3.0]).note
    assert "1 of 3 values are infinite" in bootstrap_mean([1.0, 2.0, INF]).note


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "non-empty"),
        ([1.0, math.nan], "1 of 2 scores are NaN"),
        ([INF, -INF], "both infinities"),
        ([[1.0]], "shape"),
    ],
)
def test_bad_values_are_refused(values: list[float], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        bootstrap_mean(values)


@pytest.mark.parametrize(("level", "resamples"), [(0, 2000), (1, 2000), (95, 2000), (0.95, 10)])
def test_bad_settings_are_refused(level: float, resamples: int) -> None:
    with pytest.raises(BadInput, match=r"level|resamples"):
        bootstrap_mean([1.0, 2.0], level=level, resamples=resamples)


def test_a_difference_of_groups_is_scipys_on_large_samples() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.gamma(2.0, 3.0, 400), rng.normal(5.0, 1.0, 300)
    theirs = stats.bootstrap(
        (a, b), lambda x, y, axis: x.mean(axis) - y.mean(axis), method="percentile", n_resamples=20_000, rng=6
    ).confidence_interval
    ours = independent_difference(a, b)
    assert ours.mean == pytest.approx(a.mean() - b.mean(), rel=1e-14)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.08 * (theirs.high - theirs.low))
    assert independent_difference(a[::-1], b) == ours


def test_a_difference_of_small_groups_is_covered() -> None:
    rng = np.random.default_rng(7)
    pairs = [(rng.normal(27, 3, 8), rng.normal(25, 3, 12)) for _ in range(300)]
    inside = sum(2.0 in independent_difference(a, b, seed=trial) for trial, (a, b) in enumerate(pairs))
    assert 0.92 <= inside / 300 <= 0.995


def test_groups_of_equal_size_are_not_drawn_alike() -> None:
    laws.draws_groups_apart(independent_difference)


@pytest.mark.parametrize("bad", [[1.0], [1.0, INF], [1.0, math.nan]])
def test_a_group_without_a_spread_is_refused(bad: list[float]) -> None:
    with pytest.raises(BadInput):
        independent_difference([1.0, 2.0], bad)


def test_the_mean_of_other_images_is_predicted_as_student_does() -> None:
    sample = np.random.default_rng(9).normal(25, 3, 12)
    found = predicted_mean(sample.tolist(), 100)
    scale = sample.std(ddof=1) * math.sqrt(1 / 12 + 1 / 100)
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 11, loc=sample.mean(), scale=scale))
    assert predicted_mean([INF, 1.0], 100) == Interval(INF, INF, INF, 2)


@pytest.mark.parametrize("n", [5, 30])
def test_the_mean_of_other_images_is_inside_as_often_as_promised(n: int) -> None:
    laws.predicts_as_often_as_promised(predicted_mean, n)


@pytest.mark.parametrize("n", range(6, 40))
def test_the_interval_of_the_median_holds_it_as_often_as_it_says(n: int) -> None:
    """Against the binomial distribution: the shortest symmetric pair of sorted values with 95 % or more."""
    low, high = median_interval(list(np.random.default_rng(n).permutation(n).astype(float)))
    assert low == n - 1 - high
    assert 1 - 2 * stats.binom.cdf(low, n, 0.5) >= 0.95
    assert 1 - 2 * stats.binom.cdf(low + 1, n, 0.5) < 0.95


def test_intervals_found_together_are_those_found_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit, for samples of several sizes, equal scores and identical pairs; and they are found only once."""
    rng = np.random.default_rng(0)
    columns: list[tuple[list[float], float | None]] = [
        (rng.normal(25, 3, size).tolist(), None) for size in (30, 30, 30, 31, 5)
    ]
    columns += [([1.0] * 30, None), ([math.inf, *rng.normal(0, 1, 30).tolist()], math.inf), ([], None)]
    bootstrap._known.clear()
    alone = [interval_of(values, best) for values, best in columns]
    bootstrap._known.clear()
    monkeypatch.setattr(bootstrap, "LARGE", 10)
    prepare_intervals(columns)
    assert len(bootstrap._known) == 5
    drawn: list[int] = []
    real = bootstrap.draws

    def draws(n: int, *rest: Any) -> Any:
        drawn.append(n)
        return real(n, *rest)

    monkeypatch.setattr(bootstrap, "draws", draws)
    assert [interval_of(values, best) for values, best in columns] == alone
    assert drawn == [5]  # too small to be worth it: found when it was asked for
