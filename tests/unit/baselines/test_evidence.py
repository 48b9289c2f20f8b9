"""The batched bootstrap and permutation are those of the intervals module, and of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gfpbench.baselines.evidence import paired_evidence
from gfpbench.metrics.intervals import paired_difference


def _scores(n: int, m: int, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    b = rng.normal(25, 3, (n, m))
    return b + rng.normal(shift, 0.3, (n, m)), b


@pytest.mark.parametrize(("n", "shift"), [(2, 0.2), (9, 0.1), (16, 0.15), (40, 0.05), (300, 0.02)])
def test_columns_are_judged_as_each_alone(n: int, shift: float) -> None:
    a, b = _scores(n, 3, shift)
    found = paired_evidence(a, b)
    for column in range(3):
        alone = paired_difference(a[:, column], b[:, column], resamples=20_000)
        width = alone.interval.high - alone.interval.low
        assert found.mean[column] == pytest.approx(alone.mean, abs=1e-12)
        assert found.low[column] == pytest.approx(alone.interval.low, abs=0.08 * width)
        assert found.high[column] == pytest.approx(alone.interval.high, abs=0.08 * width)
        assert found.p_value[column] == pytest.approx(alone.p_value, abs=0.025)


@pytest.mark.parametrize("n", [6, 13, 16])
def test_few_images_are_judged_exactly_as_scipy_does(n: int) -> None:
    a, b = _scores(n, 1, 0.1)
    theirs = stats.permutation_test(
        (a[:, 0], b[:, 0]), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert paired_evidence(a, b).p_value[0] == pytest.approx(theirs.pvalue, abs=1e-12)


def test_a_blank_leaves_an_image_out_of_its_column_only() -> None:
    a, b = _scores(20, 2, 0.1)
    a[3, 0] = np.nan
    kept = np.arange(20) != 3
    found, without, whole = paired_evidence(a, b), paired_evidence(a[kept], b[kept]), paired_evidence(a, b)
    assert found.mean[0] == pytest.approx(without.mean[0], abs=1e-12)
    assert found.p_value[0] == pytest.approx(without.p_value[0], abs=0.01)
    assert found.mean[1] == whole.mean[1]


def test_the_order_of_the_images_changes_nothing() -> None:
    a, b = _scores(50, 2, 0.05)
    order = np.random.default_rng(1).permutation(50)
    one, other = paired_evidence(a, b), paired_evidence(a[order], b[order])
    for name in ("low", "high", "p_value"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_infinite_scores() -> None:
    b = np.full((8, 1), np.inf)
    assert paired_evidence(b, b).mean[0] == 0
    a = b.copy()
    a[2] = 30.0
    assert paired_evidence(a, b).mean[0] == -np.inf
    a[:, 0], b[:, 0] = 25.0, 26.0
    a[0], b[1] = np.inf, np.inf
    assert paired_evidence(a, b).p_value[0] == 1.0


@pytest.mark.parametrize("n", [16, 60])
def test_false_alarms_are_as_rare_as_the_level_says(n: int) -> None:
    a, b = _scores(n, 300, 0.0, seed=3)
    found = paired_evidence(a, b)
    assert 0.01 < (found.p_value < 0.05).mean() < 0.09
    assert 0.01 < ((found.low > 0) | (found.high < 0)).mean() < 0.10
