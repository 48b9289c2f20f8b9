"""The search for a collapse point on synthetic restorers whose point is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench.collapse.search import find, most_evaluations, scan_steps
from gfpbench.types import BadInput
from tests.unit.collapse import laws

steady = settings(derandomize=True, deadline=None, max_examples=40)


@steady
@given(st.floats(0.01, 0.99))
def test_a_line_is_found_exactly(point: float) -> None:
    laws.line_is_found(find, point)


@steady
@given(st.floats(0.05, 0.95), st.floats(0.5, 6.0))
def test_a_bent_curve_is_found_within_the_resolution(point: float, rate: float) -> None:
    laws.bend_is_found(find, point, rate)


@steady
@given(st.floats(0.001, 1.0))
def test_a_cliff_is_found_within_the_resolution(point: float) -> None:
    laws.cliff_is_found(find, point)


@pytest.mark.parametrize(
    "law",
    [
        laws.earliest_criterion_counts,
        laws.shapes_are_told_apart,
        laws.flicker_is_no_recovery,
        laws.few_restorations,
        laws.interval_covers,
        laws.interval_shrinks,
        laws.same_again,
    ],
    ids=lambda law: str(law.__name__),
)
def test_the_search(law: laws.Callable[[laws.Find], object]) -> None:
    law(find)


@pytest.mark.parametrize("resolution", [4, 8, 16, 32, 64, 128, 256, 1024])
def test_what_a_search_costs(resolution: int) -> None:
    for point in (0.1, 0.5, 0.77):
        found = find(laws.below(point, images=2), resolution=resolution)
        assert found.evaluations <= most_evaluations(resolution)
        assert found.bracket is not None
        assert found.bracket[1] - found.bracket[0] == 1 / resolution
    assert scan_steps(resolution) >= 4
    if resolution >= 64:
        assert 5 * most_evaluations(resolution) <= resolution + 1


@pytest.mark.parametrize("resolution", [0, 3, 63, 100, -64])
def test_a_resolution_is_a_power_of_two(resolution: int) -> None:
    with pytest.raises(BadInput, match="power of two"):
        find(lambda s: np.ones((1, 2)), resolution=resolution)


def test_other_images_at_another_severity_are_refused() -> None:
    with pytest.raises(BadInput, match="other images"):
        find(lambda s: np.ones((1, 2 if s < 0.5 else 3)))


def test_nan_is_refused() -> None:
    with pytest.raises(BadInput, match="NaN"):
        find(lambda s: np.full((1, 2), np.nan))


def test_one_image_has_no_interval() -> None:
    found = find(lambda s: np.array([[0.5 - s]]))
    assert found.point == pytest.approx(0.5)
    assert found.interval == (0.0, None)


def test_infinite_margins_count_by_their_sign() -> None:
    """A perfect input (PSNR infinite) cannot be beaten: useless there, whatever the sizes elsewhere."""
    found = find(lambda s: np.full((1, 4), -np.inf) if s == 0 else np.array([[1.2, 0.8, 1.1, 0.9]]) - 1.25 * s)
    assert found.kind == "collapses"
    assert found.point == pytest.approx(0.8, abs=1e-9)
    assert found.onset is not None
    assert 0 < found.onset <= 1 / 8
