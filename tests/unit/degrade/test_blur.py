"""Kernels are what a truncated Gaussian is, whatever the sigmas, angle and window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench.degrade.blur import Blur, gaussian_1d, gaussian_2d, scaled_kernel_size
from gfpbench.degrade.rng import step_generator

fixed = settings(derandomize=True, deadline=None, max_examples=60)
sigmas = st.floats(0.1, 10)
angles = st.floats(-np.pi, np.pi)
sizes = st.integers(0, 20).map(lambda half: 2 * half + 1)


@fixed
@given(sizes, sigmas, sigmas, angles)
def test_kernels_sum_to_one_and_nothing_is_negative(size: int, x: float, y: float, angle: float) -> None:
    kernel = gaussian_2d(size, x, y, angle)
    assert kernel.shape == (size, size)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert kernel.min() >= 0
    assert kernel.max() == kernel[size // 2, size // 2]


@fixed
@given(sizes, sigmas, sigmas, angles)
def test_half_a_turn_and_exchanged_axes_give_the_same_kernel(size: int, x: float, y: float, angle: float) -> None:
    kernel = gaussian_2d(size, x, y, angle)
    close: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-12}
    np.testing.assert_allclose(gaussian_2d(size, x, y, angle + np.pi), kernel, **close)
    np.testing.assert_allclose(gaussian_2d(size, y, x, angle + np.pi / 2), kernel, **close)
    np.testing.assert_allclose(kernel[::-1, ::-1], kernel, **close)
    np.testing.assert_allclose(gaussian_2d(size, x, y, -angle), kernel[::-1], **close)
    np.testing.assert_allclose(gaussian_2d(size, x, y, np.pi / 2 - angle), kernel.T, **close)


@fixed
@given(sizes, sigmas, angles)
def test_equal_sigmas_make_a_round_separable_kernel(size: int, sigma: float, angle: float) -> None:
    line = gaussian_1d(size, sigma)
    np.testing.assert_allclose(gaussian_2d(size, sigma, sigma, angle), np.outer(line, line), atol=1e-15)


@pytest.mark.parametrize(("x", "y", "angle"), [(2.0, 2.0, 0.0), (1.5, 4.0, 0.0), (5.0, 1.0, 0.6), (1.0, 3.0, -2.0)])
def test_the_spread_is_sigma_along_the_turned_axes(x: float, y: float, angle: float) -> None:
    """Up to 5 px the 41-px window cuts off next to nothing; at 10 px the effective deviation is 8.90."""
    kernel = gaussian_2d(41, x, y, angle)
    rows, columns = np.mgrid[-20:21, -20:21]
    along = columns * np.cos(angle) + rows * np.sin(angle)
    across = -columns * np.sin(angle) + rows * np.cos(angle)
    assert np.sqrt((kernel * along**2).sum()) == pytest.approx(x, rel=2e-3)
    assert np.sqrt((kernel * across**2).sum()) == pytest.approx(y, rel=2e-3)
    assert (kernel * along * across).sum() == pytest.approx(0, abs=1e-2)


def test_truncation_is_the_windows() -> None:
    kernel = gaussian_2d(41, 10.0, 10.0, 0.0)
    spread = np.sqrt((kernel.sum(0) * np.arange(-20, 21) ** 2).sum())
    assert spread == pytest.approx(8.90, abs=0.01)


def test_the_chance_of_an_elongated_blur_is_the_one_stated() -> None:
    for chance in (0.0, 0.2, 1.0):
        blur = Blur(sigma_px_at_512=(1.0, 5.0), anisotropic_probability=chance)
        drawn = [blur.draw(step_generator(seed, "face", "blur"), (512, 512))["blur_shape"] for seed in range(400)]
        assert abs(drawn.count("anisotropic") / 400 - chance) <= 0.07  # 3.5 standard deviations at 0.2


def test_sigma_zero_is_a_spike() -> None:
    spike = np.zeros((7, 7))
    spike[3, 3] = 1
    np.testing.assert_array_equal(gaussian_2d(7, 0.0, 0.0, 0.3), spike)
    np.testing.assert_array_equal(gaussian_1d(7, 0.0), spike[3])
    line = gaussian_2d(7, 0.0, 2.0, 0.0)
    np.testing.assert_allclose(line[:, 3], gaussian_1d(7, 2.0))
    assert line.sum() == pytest.approx(line[:, 3].sum())


@pytest.mark.parametrize(("side", "size"), [(512, 41), (256, 21), (128, 11), (64, 5), (1024, 81), (8, 1)])
def test_windows_shrink_with_the_crop_to_an_odd_size(side: int, size: int) -> None:
    assert scaled_kernel_size(41, side / 512) == size
