"""In-plane pose: the head tilted towards a shoulder, which alignment would have undone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gfpbench.degrade.axes.axis import Axis, Points
from gfpbench.degrade.axes.geometry import sampled
from gfpbench.images import Floats
from gfpbench.types import Parameters


@dataclass(frozen=True, slots=True)
class Roll:
    """The image turned about its middle, clockwise or not as drawn for each face; mirrored beyond its border."""

    keys: tuple[str, ...] = ("roll_deg",)

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        return {"roll_deg": value if source.random() < 0.5 else -value}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """Positive degrees turn the image clockwise, as seen."""
        height, width = bgr.shape[:2]
        cos, sin = _turn(record)
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        x, y = np.arange(width)[None, :] - middle_x, np.arange(height)[:, None] - middle_y
        return sampled(bgr, cos * x + sin * y + middle_x, -sin * x + cos * y + middle_y)

    def moved(self, points: Points, record: Parameters, size_px: tuple[int, int]) -> Points:
        middle = np.array([size_px[1] - 1, size_px[0] - 1]) / 2
        cos, sin = _turn(record)
        return np.asarray((points - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle)


def _turn(record: Parameters) -> tuple[float, float]:
    angle = np.deg2rad(record["roll_deg"])
    # The cosine of a right angle is not quite 0 in floating point, and a pixel on an edge would notice.
    return float(np.round(np.cos(angle), 14)), float(np.round(np.sin(angle), 14))


ROLL = Axis(
    name="roll",
    summary="the head tilted in the plane of the image",
    unit="degrees",
    harmless=0.0,
    hardest=90.0,
    trained_range=None,
    effect=Roll(),
    acts_on="scene",
    base="middle",
    source="FFHQ, on which GFP-GAN is trained, is aligned: no roll is left",
)
