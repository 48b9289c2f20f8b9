"""Unbalanced light: one side of the scene darker than the other, gradually or along the middle of the face.

Light belongs to the scene, so the truth is lit alike; see ``axis.py``. Light is only taken away, in linear light:
nothing is clipped, and the lit side stays as it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gfpbench.degrade.axes.axis import Axis
from gfpbench.degrade.axes.geometry import fractions, smooth_step
from gfpbench.degrade.axes.linear_light import exposed
from gfpbench.degrade.rng import uniform
from gfpbench.images import Floats
from gfpbench.types import Parameters

_SEAM = 0.04  # of the crop: half the width of the edge of the shadow


@dataclass(frozen=True, slots=True)
class SideLight:
    """A ramp of stops across the crop, from 0 in one corner to the full number in the opposite one.

    The light comes from the left or the right, up to 30 degrees from above or below, as drawn for each face.
    """

    keys: tuple[str, ...] = ("side_light_stops", "side_light_angle_rad")

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        side, tilt = source.random() < 0.5, uniform(source, (-math.pi / 6, math.pi / 6))
        return {"side_light_stops": value, "side_light_angle_rad": tilt if side else math.pi - tilt}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """The angle points to the dark side, from x towards y (downwards)."""
        x, y = fractions((bgr.shape[0], bgr.shape[1]))
        right, down = math.cos(record["side_light_angle_rad"]), math.sin(record["side_light_angle_rad"])
        ramp = ((x - 0.5) * right + (y - 0.5) * down) / (abs(right) + abs(down)) + 0.5
        return exposed(bgr, (-record["side_light_stops"] * ramp).astype(np.float32)[..., None])


@dataclass(frozen=True, slots=True)
class HalfShadow:
    """One half of the face in shadow with an edge down its middle; which half is drawn for each face."""

    keys: tuple[str, ...] = ("half_shadow_stops", "half_shadow_side")

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        return {"half_shadow_stops": value, "half_shadow_side": "right" if source.random() < 0.5 else "left"}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """The side is the viewer's."""
        share = half(bgr, record["half_shadow_side"])
        return exposed(bgr, -np.float32(record["half_shadow_stops"]) * share)


def half(bgr: Floats, side: str) -> Floats:
    """(1, W, 1) float32: 1 on one half of an image, ``left`` or ``right``, 0 on the other, with a soft seam."""
    x, _ = fractions((bgr.shape[0], bgr.shape[1]))
    towards = x - 0.5 if side == "right" else 0.5 - x
    return smooth_step(towards / (2 * _SEAM) + 0.5).astype(np.float32)[..., None]


SIDE_LIGHT = Axis(
    name="side-light",
    summary="light from one side",
    unit="stops across the crop",
    harmless=0.0,
    hardest=8.0,
    trained_range=None,
    effect=SideLight(),
    acts_on="scene",
    base="middle",
    source="no light is drawn in GFP-GAN's training: FFHQ's own is all there is",
)
ASYMMETRY_LIGHT = Axis(
    name="asymmetry-light",
    summary="one half of the face in shadow",
    unit="stops between the halves",
    harmless=0.0,
    hardest=6.0,
    trained_range=None,
    effect=HalfShadow(),
    acts_on="scene",
    base="middle",
    source="no light is drawn in GFP-GAN's training: FFHQ's own is all there is",
)
