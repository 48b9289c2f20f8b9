"""Gaussian blur kernels, round or elongated, exactly as basicsr makes them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Kernel: TypeAlias = NDArray[np.float64]


def gaussian_1d(size_px: int, sigma_px: float) -> Kernel:
    """(size,) float64 samples of a Gaussian around the middle tap, summing to 1; a single spike for sigma 0."""
    distance = np.arange(size_px, dtype=np.float64) - size_px // 2
    weight = np.exp(-0.5 * (distance / max(sigma_px, 1e-3)) ** 2)
    return np.asarray(weight / weight.sum())


def gaussian_2d(size_px: int, sigma_x_px: float, sigma_y_px: float, angle_rad: float) -> Kernel:
    """(size, size) float64 kernel that sums to 1: exp(-d' S^-1 d / 2), S = R(angle) diag(sigma_x^2, sigma_y^2) R'.

    Equal to the last bit to basicsr's ``bivariate_Gaussian`` (basicsr/data/degradations.py @8d56e3a): it multiplies in
    the same order, because OpenCV rounds the kernel to float32 and a single bit can move a pixel by a level.
    Sigma 0, which basicsr cannot invert, gives a spike along that axis.

    Args:
        size_px: odd number of taps along each side.
        sigma_x_px: standard deviation along the first axis, before truncation to the window.
        sigma_y_px: the same along the second axis.
        angle_rad: turns the first axis away from x, towards y (downwards in an image).
    """
    # On the pixel grid a sigma of a thousandth of a pixel is the limit of a vanishing one, and its inverse is finite.
    sigma_x_px, sigma_y_px = max(sigma_x_px, 1e-3), max(sigma_y_px, 1e-3)
    variance = np.array([[sigma_x_px**2, 0], [0, sigma_y_px**2]])
    if sigma_x_px != sigma_y_px:  # basicsr's isotropic branch does not rotate at all
        turn = np.array([[np.cos(angle_rad), -np.sin(angle_rad)], [np.sin(angle_rad), np.cos(angle_rad)]])
        variance = np.dot(turn, np.dot(variance, turn.T))
    axis = np.arange(size_px, dtype=np.float64) - size_px // 2
    points = np.stack(np.meshgrid(axis, axis), axis=-1)
    exponent = np.dot(points, np.linalg.inv(variance)) * points
    weight = np.exp(-0.5 * (exponent[..., 0] + exponent[..., 1]))
    return np.asarray(weight / np.sum(weight))
