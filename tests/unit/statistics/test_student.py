"""Quantiles of Student's t against SciPy's, and that an interval is read off a bootstrap as with SciPy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from gfpbench.statistics import LEVEL, RESAMPLES, student

DEGREES = (*range(1, 300), *np.geomspace(300, 1e7, 40).astype(int).tolist())


@pytest.mark.parametrize("level", [0.68, 0.9, LEVEL, 0.99])
def test_quantiles_are_scipys(level: float) -> None:
    """As far as SciPy's inverse goes, which gives a billionth away for many degrees of freedom."""
    tail = (1 - level) / 2
    ours = [student.student_quantile(tail, degrees) for degrees in DEGREES]
    np.testing.assert_allclose(ours, special.stdtrit(np.array(DEGREES), tail), rtol=1e-9)
    assert student.student_quantile(1 - tail, 7) == pytest.approx(-student.student_quantile(tail, 7), rel=1e-12)


def test_probabilities_are_scipys() -> None:
    for degrees in (1, 2, 3, 30, 199, 201, 5000):
        for t in (-40.0, -2.5, -1.0, -1e-3, 0.0, 0.4, 3.0):
            assert student.student_below(t, degrees) == pytest.approx(float(special.stdtr(degrees, t)), rel=1e-11)
    for z in (-38.0, -1.96, 0.0, 1.0, 9.0):
        assert student.normal_below(z) == pytest.approx(float(special.ndtr(z)), rel=1e-13)


def test_the_same_draws_bound_every_interval() -> None:
    check_the_same_draws_bound_every_interval(range(2, 4000))


def check_the_same_draws_bound_every_interval(counts: range) -> None:
    """Which of the sorted draws: a whole number, so that not a bit of an interval depends on whose function it is."""
    n = np.array(counts)
    tail = (1 - LEVEL) / 2
    places = special.ndtr(np.sqrt(n / (n - 1)) * special.stdtrit(n - 1, tail)) * RESAMPLES
    assert [math.floor(place) for place in places] == [place_of(int(count)) for count in n]


def place_of(n: int) -> int:
    below = student.student_quantile((1 - LEVEL) / 2, n - 1)
    return math.floor(student.normal_below(math.sqrt(n / (n - 1)) * below) * RESAMPLES)
