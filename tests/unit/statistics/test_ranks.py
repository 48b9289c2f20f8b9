"""Rank correlations against SciPy's, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from gfpbench.statistics import over_images, over_rows

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("noise", [0.0, 0.5, 2.0])
def test_it_is_spearmans(noise: float) -> None:
    first = RNG.normal(size=40).round(1)  # with ties
    second = first + noise * RNG.normal(size=40)
    found = over_images(first, second, range(40))
    assert found is not None
    assert found.mean == pytest.approx(spearmanr(first, second).statistic)
    assert found.low <= found.mean <= found.high
    assert found.n == 40


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    expected = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's of a normal pair with correlation 0.6
    held = 0
    for seed in range(60):
        pair = np.random.default_rng(seed).multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 40)
        found = over_images(pair[:, 0], pair[:, 1], range(40), seed=seed)
        assert found is not None
        held += expected in found
    assert held >= 50


def test_images_of_one_person_count_once() -> None:
    first, second = RNG.normal(size=10), RNG.normal(size=10)
    often = over_images(np.repeat(first, 6), np.repeat(second, 6), np.repeat(np.arange(10), 6).tolist())
    once = over_images(first, second, range(10))
    assert often is not None
    assert once is not None
    assert (often.low, often.high, often.n) == pytest.approx((once.low, once.high, 10))


def test_rows_are_ranked_by_their_means() -> None:
    quality = np.arange(5.0)[:, None] + RNG.normal(size=(5, 30)) * 0.1
    found = over_rows(quality, -quality)
    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx((-1, -1, -1))
    vague = over_rows(quality, RNG.normal(size=(5, 30)))
    assert vague is not None
    assert vague.high - vague.low > 0.5


def test_where_there_is_no_order_there_is_no_number() -> None:
    assert over_images(np.ones(9), RNG.normal(size=9), range(9)) is None
    assert over_images(RNG.normal(size=9), RNG.normal(size=9), [0] * 9) is None
    assert over_rows(np.ones((2, 9)), np.ones((2, 9))) is None
    assert over_rows(np.ones((4, 9)), RNG.normal(size=(4, 9))) is None
