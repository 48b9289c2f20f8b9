"""Light: its amount, its colour and its encoding in the whole image, or one side of the scene darker than the other.

Exposure, gamma and colour cast are faults of the image (camera or screen), so the truth is the clean face; exposure and
cast multiply linear light and clip, so that highlights are lost as on a sensor; gamma bends the encoded values, as a
wrong display curve does. Unbalanced light belongs to the scene, so the truth is lit alike (see ``axis.py``): light is
only taken away, in linear light; nothing is clipped, and the lit side stays as it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gfpbench.degrade.axes.axis import Axis
from gfpbench.degrade.axes.geometry import fractions, smooth_step
from gfpbench.degrade.rng import uniform
from gfpbench.images import Floats
from gfpbench.types import Parameters

_SEAM = 0.04  # of the crop: half the width of the edge of the shadow


def to_linear(encoded: Floats) -> Floats:
    """[0, 1] sRGB to [0, 1] light (IEC 61966-2-1)."""
    low = encoded / np.float32(12.92)
    return np.where(encoded <= 0.04045, low, ((encoded + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4))


def to_encoded(linear: Floats) -> Floats:
    """Light to [0, 1] sRGB; light above 1 is clipped, as a sensor that is full (IEC 61966-2-1)."""
    linear = np.clip(linear, 0, 1)
    high = np.float32(1.055) * linear ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(linear <= 0.0031308, linear * np.float32(12.92), high)


def exposed(bgr: Floats, stops: Floats | float) -> Floats:
    """(H, W, 3) float32 sRGB with its light multiplied by 2 to the stops, which broadcast against the image."""
    return to_encoded(to_linear(bgr) * np.exp2(np.asarray(stops, dtype=np.float32)))


@dataclass(frozen=True, slots=True)
class Exposure:
    """All light times 2 to the stops."""

    keys: tuple[str, ...] = ("exposure_stops",)

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        return {"exposure_stops": value}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        return exposed(bgr, record["exposure_stops"])


@dataclass(frozen=True, slots=True)
class Gamma:
    """Encoded values to the power of gamma: above 1 darkens, below 1 brightens; black and white stay."""

    keys: tuple[str, ...] = ("gamma",)

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        return {"gamma": value}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        return np.asarray(bgr ** np.float32(record["gamma"]))


@dataclass(frozen=True, slots=True)
class ColourCast:
    """Red light up and blue light down by half of the stops each, or the other way for negative stops."""

    keys: tuple[str, ...] = ("red_stops", "blue_stops")

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        return {"red_stops": value / 2, "blue_stops": -value / 2}

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        stops = np.array([record["blue_stops"], 0.0, record["red_stops"]], dtype=np.float32)
        return exposed(bgr, stops)


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


_CAMERA_SOURCE = "GFP-GAN's paper names colour jitter in training and gives no range for it"
_SCENE_SOURCE = "no light is drawn in GFP-GAN's training: FFHQ's own is all there is"

OVEREXPOSURE = Axis(
    "overexposure", "too much light, clipped", "stops", 0.0, 5.0, None, Exposure(), source=_CAMERA_SOURCE
)
UNDEREXPOSURE = Axis("underexposure", "too little light", "stops", 0.0, -6.0, None, Exposure(), source=_CAMERA_SOURCE)
GAMMA_DARK = Axis(
    "gamma-dark", "mid tones too dark", "gamma", 1.0, 4.0, None, Gamma(), spacing="geometric", source=_CAMERA_SOURCE
)
GAMMA_BRIGHT = Axis(
    "gamma-bright", "mid tones too bright", "gamma", 1.0, 0.2, None, Gamma(), spacing="geometric", source=_CAMERA_SOURCE
)
COLOUR_WARM = Axis(
    "colour-warm", "light too red", "stops of red over blue", 0.0, 4.0, None, ColourCast(), source=_CAMERA_SOURCE
)
COLOUR_COOL = Axis(
    "colour-cool", "light too blue", "stops of red over blue", 0.0, -4.0, None, ColourCast(), source=_CAMERA_SOURCE
)
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
    source=_SCENE_SOURCE,
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
    source=_SCENE_SOURCE,
)
