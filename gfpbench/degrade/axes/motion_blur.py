"""Motion blur: everything smeared along a straight line, as when a hand shakes while the shutter is open."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from gfpbench.degrade.axes.axis import Axis
from gfpbench.degrade.blur import REFERENCE_SIDE_PX
from gfpbench.degrade.kernel import Kernel
from gfpbench.degrade.rng import uniform
from gfpbench.images import Floats
from gfpbench.types import Parameters

_POINTS_PER_PX = 16


def line_kernel(length_px: float, angle_rad: float) -> Kernel:
    """(size, size) float64 kernel, sum 1: a line through the middle, spread over the pixels it runs between.

    The angle turns it away from x, towards y (downwards). Length 0 gives a single spike.
    """
    reach = math.ceil(length_px / 2) + 1
    count = _POINTS_PER_PX * max(1, math.ceil(length_px))
    along = ((np.arange(count) + 0.5) / count - 0.5) * length_px
    x, y = along * math.cos(angle_rad) + reach, along * math.sin(angle_rad) + reach
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right_share, lower_share = x - left, y - top
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for rows, columns, share in (
        (top, left, (1 - lower_share) * (1 - right_share)),
        (top, left + 1, (1 - lower_share) * right_share),
        (top + 1, left, lower_share * (1 - right_share)),
        (top + 1, left + 1, lower_share * right_share),
    ):
        np.add.at(kernel, (rows, columns), share)
    return np.asarray(kernel / kernel.sum())


@dataclass(frozen=True, slots=True)
class MotionBlur:
    """A line of some length at an angle that is drawn for each face."""

    keys: tuple[str, ...] = ("motion_length_px", "motion_angle_rad")

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        angle = uniform(source, (0.0, math.pi))
        return {"motion_length_px": value * min(size_px) / REFERENCE_SIDE_PX, "motion_angle_rad": angle}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """Over mirrored borders, as the chain's blur."""
        kernel = line_kernel(record["motion_length_px"], record["motion_angle_rad"])
        return np.asarray(cv2.filter2D(bgr, -1, kernel))


MOTION_BLUR = Axis(
    name="motion-blur",
    summary="motion blur along a line at an angle of each face's own",
    unit="px at 512",
    harmless=0.0,
    hardest=120.0,
    trained_range=None,
    effect=MotionBlur(),
    source="GFP-GAN's blur is Gaussian; motion kernels are left out of its training",
)
