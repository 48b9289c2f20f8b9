"""Blur, the first step of Eq. 6: a truncated Gaussian, isotropic or anisotropic, over reflected borders.

x (*) k_sigma in GFP-GAN (Wang et al., CVPR 2021), Eq. 6; kernels and draws as GFPGAN @7552a77 makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gfpbench.degrade.rng import uniform
from gfpbench.images import Floats
from gfpbench.lazy import LazyModule
from gfpbench.types import Parameters

if TYPE_CHECKING:
    import cv2
else:
    cv2 = LazyModule("cv2")

Kernel: TypeAlias = NDArray[np.float64]

REFERENCE_SIDE_PX = 512
"""Blur lengths are stated for a face crop of this side and shrink and grow with it."""


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
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)  # one matrix, so that BLAS multiplies it
    exponent = np.dot(points, np.linalg.inv(variance)) * points
    weight = np.exp(-0.5 * (exponent[:, 0] + exponent[:, 1])).reshape(size_px, size_px)
    return np.asarray(weight / np.sum(weight))


@dataclass(frozen=True, slots=True)
class Blur:
    """How blur is drawn: sigma uniform in its range, kernel size one of those given, shape by the toss of a coin.

    Args:
        sigma_px_at_512: range of each standard deviation, in pixels of a 512-px crop.
        kernel_sizes_px_at_512: odd window sides to choose from with equal chance, in pixels of a 512-px crop.
        anisotropic_probability: chance of two independent sigmas and an angle in [-pi, pi) instead of one sigma.
    """

    sigma_px_at_512: tuple[float, float]
    kernel_sizes_px_at_512: tuple[int, ...] = (41,)
    anisotropic_probability: float = 0.5

    def draw(self, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        """Draw one blur for an image of (height, width) pixels; lengths in the record are pixels of that image."""
        scale = min(size_px) / REFERENCE_SIDE_PX
        # Everything is drawn whatever is used of it, so that one draw never shifts the next.
        anisotropic = bool(source.random() < self.anisotropic_probability)
        sigma_x, sigma_y = (uniform(source, self.sigma_px_at_512) * scale for _ in range(2))
        angle = uniform(source, (-np.pi, np.pi))
        size = self.kernel_sizes_px_at_512[int(source.integers(len(self.kernel_sizes_px_at_512)))]
        return {
            "blur_shape": "anisotropic" if anisotropic else "isotropic",
            "blur_kernel_size_px": scaled_kernel_size(size, scale),
            "blur_sigma_x_px": sigma_x,
            "blur_sigma_y_px": sigma_y if anisotropic else sigma_x,
            "blur_angle_rad": angle if anisotropic else 0.0,
        }


def scaled_kernel_size(size_px: int, scale: float) -> int:
    """The odd number nearest to size x scale, at least 1: the window keeps its width in sigmas, so what it cuts off."""
    return 2 * max(0, round((size_px * scale - 1) / 2)) + 1


def kernel_of(record: Parameters) -> Kernel:
    """The (size, size) float64 kernel of a record."""
    return gaussian_2d(
        record["blur_kernel_size_px"], record["blur_sigma_x_px"], record["blur_sigma_y_px"], record["blur_angle_rad"]
    )


def is_off(record: Parameters) -> bool:
    """Whether the record's blur leaves an image as it is."""
    return bool(record["blur_kernel_size_px"] == 1 or record["blur_sigma_x_px"] == record["blur_sigma_y_px"] == 0)


def is_separable(record: Parameters) -> bool:
    """Whether the record's kernel is a column times a row."""
    return bool(record["blur_sigma_x_px"] == record["blur_sigma_y_px"])


def blurred(bgr: Floats, record: Parameters) -> Floats:
    """(H, W, 3) float32, blurred by the same OpenCV call as upstream, so with the same bits."""
    return bgr if is_off(record) else np.asarray(cv2.filter2D(bgr, -1, kernel_of(record)))


def column_kernel(record: Parameters) -> Kernel:
    """The (size,) float64 factor of a separable kernel."""
    return gaussian_1d(record["blur_kernel_size_px"], record["blur_sigma_x_px"])
