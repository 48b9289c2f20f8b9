"""Blur and downsampling in one step agree with one after the other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench.degrade import fast, resample
from gfpbench.degrade.blur import blurred
from tests.degradation.image_cases import pattern

LEVEL = 1 / 255


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    size=st.tuples(st.integers(2, 70), st.integers(2, 70)),
    window=st.integers(0, 20).map(lambda half: 2 * half + 1),
    sigmas=st.tuples(st.floats(0, 8), st.floats(0, 8)),
    angle=st.floats(-np.pi, np.pi),
    ratio=st.floats(0.8, 8),
    isotropic=st.booleans(),
)
def test_one_step_is_two_steps_to_a_thousandth_of_a_level(
    size: tuple[int, int], window: int, sigmas: tuple[float, float], angle: float, ratio: float, isotropic: bool
) -> None:
    bgr = pattern(*size).astype(np.float32) / np.float32(255)
    record = {
        "blur_kernel_size_px": window,
        "blur_sigma_x_px": sigmas[0],
        "blur_sigma_y_px": sigmas[0] if isotropic else sigmas[1],
        "blur_angle_rad": angle,
        "downsample_ratio": ratio,
    }
    expected = resample.downsampled(blurred(bgr, record), record)
    got = fast.blurred_and_downsampled(bgr, record)
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-3 * LEVEL


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(1, 90), st.integers(1, 90))
def test_taps_are_where_opencv_looks(source: int, target: int) -> None:
    line = np.random.default_rng(source).random((1, source)).astype(np.float32)
    first, second, weight = resample.taps(source, target)
    got = line[0, first] * (1 - weight) + line[0, second] * weight
    np.testing.assert_allclose(got, cv2.resize(line, (target, 1), interpolation=cv2.INTER_LINEAR)[0], atol=2e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_reflection_is_numpys(size: int) -> None:
    line = np.arange(size)
    reach = 25
    expected = np.pad(line, reach, mode="reflect")
    np.testing.assert_array_equal(line[fast.reflected(np.arange(-reach, size + reach), size)], expected)
