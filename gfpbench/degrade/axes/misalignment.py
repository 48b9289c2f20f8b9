"""Misplaced landmarks: the face beside the place in the crop where a restorer expects it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gfpbench.degrade.axes.axis import Axis, Points
from gfpbench.degrade.fast import reflected
from gfpbench.degrade.rng import uniform
from gfpbench.images import Floats
from gfpbench.types import Parameters


@dataclass(frozen=True, slots=True)
class Misalignment:
    """The image shifted by whole pixels, so that nothing is softened; the direction is drawn for each face."""

    keys: tuple[str, ...] = ("shift_x_px", "shift_y_px")

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        angle, distance = uniform(source, (-math.pi, math.pi)), value / 100 * min(size_px)
        return {
            "shift_x_px": round(distance * math.cos(angle)),
            "shift_y_px": round(distance * math.sin(angle)),
        }

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """To the right and downwards by the record's pixels; what comes into view is the image mirrored."""
        height, width = bgr.shape[:2]
        rows = reflected(np.arange(height) - record["shift_y_px"], height)
        columns = reflected(np.arange(width) - record["shift_x_px"], width)
        return bgr[rows[:, None], columns[None, :]]

    def moved(self, points: Points, record: Parameters, size_px: tuple[int, int]) -> Points:
        return np.asarray(points + np.array([record["shift_x_px"], record["shift_y_px"]]))


MISALIGNMENT = Axis(
    name="misalignment",
    summary="the face away from the middle of the crop",
    unit="% of the crop",
    harmless=0.0,
    hardest=30.0,
    trained_range=None,
    effect=Misalignment(),
    acts_on="scene",
    base="middle",
    source="FFHQ, on which GFP-GAN is trained, is aligned by landmarks",
)
