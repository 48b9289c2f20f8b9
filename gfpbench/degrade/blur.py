"""Blur, the first step of Eq. 6: a truncated Gaussian, isotropic or anisotropic, over reflected borders.

x (*) k_sigma in GFP-GAN (Wang et al., CVPR 2021), Eq. 6; kernels and draws as GFPGAN @7552a77 makes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gfpbench.degrade.kernel import Kernel, gaussian_1d, gaussian_2d
from gfpbench.degrade.rng import uniform
from gfpbench.images import Floats
from gfpbench.types import Parameters

REFERENCE_SIDE_PX = 512
"""Blur lengths are stated for a face crop of this side and shrink and grow with it."""


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
