"""Intervals hold the truth as often as they promise, and the tests agree with scipy's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gfpbench.metrics.intervals import Interval, bootstrap_mean, holm, paired_difference
from gfpbench.types import BadInput
from tests.unit.metrics import interval_laws as laws

INF = math.inf


@pytest.mark.parametrize("n", [5, 20, 50, 100])
def test_nominal_95_percent_is_covered(n: int) -> None:
    laws.covers_as_often_as_promised(bootstrap_mean, n)


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
    monkeypatch.setattr("gfpbench.metrics.intervals._CELLS", 50 * 64)
    parts = bootstrap_mean(sample)
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


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("n", [2, 8, 12, 40])
def test_p_values_agree_with_scipy(alternative: str, n: int) -> None:
    rng = np.random.default_rng(n)
    a = rng.normal(0, 1, n)
    b = a + rng.normal(0.3, 1, n)
    theirs = stats.permutation_test(
        (a - b,),
        lambda x, axis: x.mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=1 << 15,
        alternative=alternative,
        rng=1,
    ).pvalue
    ours = paired_difference(a, b, alternative=alternative, resamples=1 << 15)  # type: ignore[arg-type]
    assert ours.exact == (n <= 12)
    assert ours.p_value == pytest.approx(theirs, abs=1e-12 if ours.exact else 0.015)


def test_pairs_share_what_is_hard() -> None:
    laws.sees_a_small_steady_difference(paired_difference)


def test_false_alarms_are_as_rare_as_promised() -> None:
    laws.alarms_falsely_as_rarely_as_promised(paired_difference)


def test_one_pair_proves_nothing() -> None:
    assert paired_difference([2.0], [1.0]).p_value == 1.0
    assert paired_difference([2.0], [1.0], alternative="greater").p_value == 0.5


def test_swapping_the_pair_mirrors_the_answer() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.normal(size=(2, 9))
    one, other = paired_difference(a, b, alternative="less"), paired_difference(b, a, alternative="greater")
    assert one.p_value == other.p_value
    assert one.mean == pytest.approx(-other.mean, rel=1e-14)


def test_equal_scores_differ_by_nothing_even_where_infinite() -> None:
    got = paired_difference([INF, 30.0, 1.0], [INF, 30.0, 1.0])
    assert (got.interval.low, got.mean, got.interval.high, got.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_an_infinite_difference_is_ranked_highest() -> None:
    got = paired_difference([INF, 31.0, 32.5], [30.0, 30.0, 30.0])
    assert got.mean == INF
    assert got.p_value == 0.25  # all three signs equal: 2 of 8 patterns


def test_pairs_must_match() -> None:
    with pytest.raises(BadInput, match="equal lengths, not 3 and 2"):
        paired_difference([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(BadInput, match="alternative"):
        paired_difference([1.0], [1.0], alternative="worse")  # type: ignore[arg-type]


def test_holm_on_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([]) == ()


def test_holm_rejects_what_the_step_down_rule_rejects() -> None:
    laws.rejects_what_the_step_down_rule_rejects(holm)


@pytest.mark.parametrize("p_values", [[1.2], [-0.1], [math.nan]])
def test_holm_refuses_what_is_no_probability(p_values: list[float]) -> None:
    with pytest.raises(BadInput, match="p-values"):
        holm(p_values)
