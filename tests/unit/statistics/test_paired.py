"""Paired differences, one alone and many in columns, against scipy's permutation test and bootstrap; Holm's rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from gfpbench.statistics import holm, paired_columns, paired_difference
from gfpbench.types import BadInput
from tests.unit.statistics import interval_laws as laws

INF = math.inf


def _scores(n: int, m: int, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    b = rng.normal(25, 3, (n, m))
    return b + rng.normal(shift, 0.3, (n, m)), b


@pytest.mark.parametrize(("n", "shift"), [(2, 0.2), (9, 0.1), (16, 0.15), (17, 0.1), (40, 0.05), (300, 0.02)])
def test_columns_are_judged_as_each_alone(n: int, shift: float) -> None:
    """The same differences have the same mean, interval and p-value, whichever table they are printed in."""
    a, b = _scores(n, 3, shift)
    found = paired_columns(a, b)
    for column in range(3):
        alone = paired_difference(a[:, column], b[:, column])
        assert found.mean[column] == alone.mean
        assert (found.low[column], found.high[column]) == pytest.approx((alone.interval.low, alone.interval.high))
        assert found.p_value[column] == alone.p_value


def test_many_images_are_judged_as_scipy_does() -> None:
    a, b = _scores(60, 1, 0.05)
    difference = a[:, 0] - b[:, 0]
    theirs = stats.permutation_test(
        (difference,), np.mean, permutation_type="samples", vectorized=True, n_resamples=20_000, rng=1
    )
    interval = stats.bootstrap((difference,), np.mean, method="percentile", n_resamples=20_000, rng=2)
    found, (low, high) = paired_columns(a, b), interval.confidence_interval
    assert found.p_value[0] == pytest.approx(theirs.pvalue, abs=0.01)
    assert (found.low[0], found.high[0]) == pytest.approx((low, high), abs=0.1 * (high - low))


@pytest.mark.parametrize("n", [6, 13, 16])
def test_few_images_are_judged_exactly_as_scipy_does(n: int) -> None:
    a, b = _scores(n, 1, 0.1)
    theirs = stats.permutation_test(
        (a[:, 0], b[:, 0]), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert paired_columns(a, b).p_value[0] == pytest.approx(theirs.pvalue, abs=1e-12)


def test_a_blank_leaves_an_image_out_of_its_column_only() -> None:
    a, b = _scores(20, 2, 0.1)
    kept = np.arange(20) != 3
    whole = paired_columns(a, b)
    a[3, 0] = np.nan
    found, without = paired_columns(a, b), paired_columns(a[kept], b[kept])
    for name in ("mean", "low", "high", "p_value"):
        assert getattr(found, name)[0] == pytest.approx(getattr(without, name)[0], rel=1e-12)
        assert getattr(found, name)[1] == pytest.approx(getattr(whole, name)[1], rel=1e-12)


def test_the_order_of_the_images_changes_nothing() -> None:
    a, b = _scores(50, 2, 0.05)
    order = np.random.default_rng(1).permutation(50)
    one, other = paired_columns(a, b), paired_columns(a[order], b[order])
    for name in ("low", "high", "p_value"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_infinite_scores() -> None:
    b = np.full((8, 1), np.inf)
    assert paired_columns(b, b).mean[0] == 0
    a = b.copy()
    a[2] = 30.0
    assert paired_columns(a, b).mean[0] == -np.inf
    a[:, 0], b[:, 0] = 25.0, 26.0
    a[0], b[1] = np.inf, np.inf
    assert paired_columns(a, b).p_value[0] == 1.0


@pytest.mark.parametrize("n", [16, 60])
def test_false_alarms_are_as_rare_as_the_level_says(n: int) -> None:
    a, b = _scores(n, 300, 0.0, seed=3)
    found = paired_columns(a, b)
    assert 0.01 < (found.p_value < 0.05).mean() < 0.09
    assert 0.01 < ((found.low > 0) | (found.high < 0)).mean() < 0.10


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("n", [2, 8, 12, 14, 40])
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
    ours = paired_difference(a, b, alternative=alternative, flips=1 << 15)  # type: ignore[arg-type]
    assert ours.exact == (n <= 16)
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
