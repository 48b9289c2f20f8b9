"""Blur and downsampling in one step agree with one after the other."""

from __future__ import annotations

import threading
from unittest import mock

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench.degrade import fast, resample
from gfpbench.degrade.blur import blurred, gaussian_1d, gaussian_2d
from tests.degradation.image_cases import pattern

LEVEL = 1 / 255

COSTS = {
    "filters": (0.0, 1.0, 1.0, 1.0),
    "a transform": (1.0, 0.0, 1.0, 1.0),
    "products": (1e9, 1e9, 0.0, 1.0),
}
"""What ``fast._costs`` has to say for this way to be taken."""


@settings(derandomize=True, deadline=None, max_examples=180)
@given(
    way=st.sampled_from((None, *COSTS)),
    size=st.tuples(st.integers(2, 70), st.integers(2, 70)),
    window=st.integers(0, 20).map(lambda half: 2 * half + 1),
    sigmas=st.tuples(st.floats(0, 8), st.floats(0, 8)),
    angle=st.floats(-np.pi, np.pi),
    ratio=st.floats(0.8, 8),
    isotropic=st.booleans(),
)
def test_one_step_is_two_steps_to_a_thousandth_of_a_level(
    way: str | None,
    size: tuple[int, int],
    window: int,
    sigmas: tuple[float, float],
    angle: float,
    ratio: float,
    isotropic: bool,
) -> None:
    """By each way, and by the one that is said to cost least."""
    bgr = pattern(*size).astype(np.float32) / np.float32(255)
    record = {
        "blur_kernel_size_px": window,
        "blur_sigma_x_px": sigmas[0],
        "blur_sigma_y_px": sigmas[0] if isotropic else sigmas[1],
        "blur_angle_rad": angle,
        "downsample_ratio": ratio,
    }
    expected = resample.downsampled(blurred(bgr, record), record)
    planes = np.ascontiguousarray(bgr.transpose(2, 0, 1)[::-1])
    costs = mock.patch.object(fast, "_costs", fast._costs if way is None else lambda shape, window, record: COSTS[way])
    with costs:
        got = fast.blurred_and_downsampled(planes, record)
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-3 * LEVEL


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(1, 90), st.integers(1, 90))
def test_taps_are_where_opencv_looks(source: int, target: int) -> None:
    """On images of two rows and more; for a single row OpenCV takes another way, whose positions are float32."""
    line = np.random.default_rng(source).random((2, source)).astype(np.float32)
    first, second, weight = resample.taps(source, target)
    got = line[:, first] * (1 - weight) + line[:, second] * weight
    np.testing.assert_allclose(got, cv2.resize(line, (target, 2), interpolation=cv2.INTER_LINEAR), rtol=0, atol=2e-7)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(91, 1024), st.floats(0.8, 8))
def test_weights_of_a_long_side_are_opencvs(source: int, ratio: float) -> None:
    """In float32 a position of 500 px would be off by 3e-5, and the weight with it."""
    target = max(1, int(source // ratio))
    first, second, weight = resample.taps(source, target)
    got = np.zeros((source, target), np.float32)
    np.add.at(got, (first, np.arange(target)), 1 - weight)
    np.add.at(got, (second, np.arange(target)), weight)
    expected = cv2.resize(np.eye(source, dtype=np.float32), (target, source), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-7)


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_reflection_is_numpys(size: int) -> None:
    line = np.arange(size)
    reach = 25
    expected = np.pad(line, reach, mode="reflect")
    np.testing.assert_array_equal(line[fast.reflected(np.arange(-reach, size + reach), size)], expected)


@pytest.mark.parametrize("way", COSTS)
def test_an_image_does_not_depend_on_the_one_before(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit, though both are computed in the same memory."""
    monkeypatch.setattr(fast, "_costs", lambda shape, window, record: COSTS[way])
    record = {
        "blur_kernel_size_px": 9,
        "blur_sigma_x_px": 2.0,
        "blur_sigma_y_px": 1.0,
        "blur_angle_rad": 0.7,
        "downsample_ratio": 2.3,
    }
    planes = np.random.default_rng(0).random((3, 60, 52), np.float32)
    monkeypatch.setattr(fast, "_kept", threading.local())
    alone = fast.blurred_and_downsampled(planes, record)
    fast.blurred_and_downsampled(np.full((3, 99, 61), 1e4, np.float32), {**record, "blur_kernel_size_px": 15})
    assert np.array_equal(fast.blurred_and_downsampled(planes, record), alone)


def test_terms_sum_to_the_kernel() -> None:
    kernel = gaussian_2d(41, 9.2, 5.3, 0.7)
    columns, rows = fast._factors(kernel, 41) or pytest.fail("41 terms are enough for 41 taps")
    assert len(rows) < 12
    assert np.abs(columns.T.astype(np.float64) @ rows - kernel).sum() < 2 * fast._LEFT_OUT
    assert fast._factors(kernel, len(rows)) is not None
    assert fast._factors(kernel, len(rows) - 1) is None


@pytest.mark.parametrize("sigmas", [(0.0, 0.0), (0.2, 9.0), (9.0, 0.2), (1.5, 3.0), (2.0, 2.0)])
def test_little_of_a_kernel_lies_in_its_margins(sigmas: tuple[float, float]) -> None:
    """And one that is not separable keeps three columns, as a single one is taken for the factor of a square."""
    kernel = gaussian_2d(41, *sigmas, 0.3)
    window = fast._without_margins(kernel)
    assert window.size < kernel.size
    assert min(window.shape) >= 3
    assert np.isclose(window.max(), kernel.max(), rtol=0, atol=0)
    assert kernel.sum() - window.sum() <= fast._CUT_OFF


@pytest.mark.parametrize("sigma", [0.0, 0.7, 2.0, 3.5])
def test_little_of_a_square_lies_in_the_margins_of_its_column(sigma: float) -> None:
    column = gaussian_1d(41, sigma)[:, None]
    window = fast._without_margins(column)
    assert window.size < column.size
    assert 1 - (window @ window.T).sum() <= fast._CUT_OFF
