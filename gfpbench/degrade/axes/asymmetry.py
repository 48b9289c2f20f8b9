"""Lack of symmetry: one half of the face blurred, or one half sagging. (One half in shadow: ``light.py``.)

StyleGAN's faces are nearly symmetric: a restorer that leans on them may mend the bad half after the good one, or make
two eyes that do not match. Blur is a fault of the image, the shape of a face belongs to the scene; see ``axis.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gfpbench.degrade.axes.axis import Axis, Points
from gfpbench.degrade.axes.geometry import Grid, fractions, sampled, smooth_step
from gfpbench.degrade.axes.light import half
from gfpbench.degrade.blur import REFERENCE_SIDE_PX
from gfpbench.images import Floats
from gfpbench.lazy import LazyModule
from gfpbench.types import Parameters

if TYPE_CHECKING:
    import cv2
else:
    cv2 = LazyModule("cv2")

_RAMP = 0.12  # of the crop: how far from the middle of the face the drop is complete


@dataclass(frozen=True, slots=True)
class HalfBlur:
    """One half blurred by a Gaussian; which half is drawn for each face."""

    keys: tuple[str, ...] = ("half_blur_sigma_px", "half_blur_side")

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        side = "right" if source.random() < 0.5 else "left"
        return {"half_blur_sigma_px": value * min(size_px) / REFERENCE_SIDE_PX, "half_blur_side": side}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """The side is the viewer's."""
        sigma = record["half_blur_sigma_px"]
        if sigma == 0:
            return bgr
        window = 2 * math.ceil(3 * sigma) + 1
        soft = cv2.GaussianBlur(bgr, (window, window), sigma, borderType=cv2.BORDER_REFLECT_101)
        share = half(bgr, record["half_blur_side"])
        return np.asarray(bgr * (1 - share) + soft * share)


@dataclass(frozen=True, slots=True)
class HalfDrop:
    """One half of the face lower than the other, most at the level of nose and mouth, as where a nerve is palsied.

    Nothing moves in the other half, nor at the upper and lower border of the crop.
    """

    keys: tuple[str, ...] = ("half_drop_fraction", "half_drop_side")

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        return {"half_drop_fraction": value / 100, "half_drop_side": "right" if source.random() < 0.5 else "left"}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """Down by the fraction of the crop; the side is the viewer's."""
        height, width = bgr.shape[:2]
        x, y = fractions((height, width))
        above = y - _drop(x, y, record)
        return sampled(bgr, np.arange(width, dtype=np.float64)[None, :], above * height - 0.5)

    def moved(self, points: Points, record: Parameters, size_px: tuple[int, int]) -> Points:
        sides = np.array([size_px[1], size_px[0]])
        x, start = (points[:, 0] + 0.5) / sides[0], (points[:, 1] + 0.5) / sides[1]
        y = start
        for _ in range(60):  # the drop changes by less than 0.32 of a step in y, so this is down to rounding
            y = start + _drop(x, y, record)
        return np.asarray(np.stack([x, y], axis=1) * sides - 0.5)


def _drop(x: Grid, y: Grid, record: Parameters) -> Grid:
    """How far above each place of the changed image the clean one is looked up, in fractions of the crop."""
    towards = x - 0.5 if record["half_drop_side"] == "right" else 0.5 - x
    level = np.sin(math.pi * np.clip(y, 0, 1)) ** 2
    return np.asarray(record["half_drop_fraction"] * smooth_step(towards / _RAMP) * level)


ASYMMETRY_DETAIL = Axis(
    name="asymmetry-detail",
    summary="one half of the face blurred",
    unit="px at 512",
    harmless=0.0,
    hardest=40.0,
    trained_range=None,
    effect=HalfBlur(),
    source="GFP-GAN blurs the whole image alike",
)
ASYMMETRY_SHAPE = Axis(
    name="asymmetry-shape",
    summary="one half of the face lower than the other",
    unit="% of the crop",
    harmless=0.0,
    hardest=10.0,
    trained_range=None,
    effect=HalfDrop(),
    acts_on="scene",
    base="middle",
    source="no shape is drawn in GFP-GAN's training: FFHQ's own faces are all there is",
)
