"""Exposure, gamma and colour cast: what a camera or a screen does to the light of a whole image.

Faults of the image, so the truth is the clean face; see ``axis.py``. Exposure and cast multiply linear light and
clip, so that highlights are lost as on a sensor; gamma bends the encoded values, as a wrong display curve does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gfpbench.degrade.axes.axis import Axis
from gfpbench.degrade.axes.linear_light import exposed
from gfpbench.images import Floats
from gfpbench.types import Parameters

_SOURCE = "GFP-GAN's paper names colour jitter in training and gives no range for it"


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


OVEREXPOSURE = Axis("overexposure", "too much light, clipped", "stops", 0.0, 5.0, None, Exposure(), source=_SOURCE)
UNDEREXPOSURE = Axis("underexposure", "too little light", "stops", 0.0, -6.0, None, Exposure(), source=_SOURCE)
GAMMA_DARK = Axis(
    "gamma-dark", "mid tones too dark", "gamma", 1.0, 4.0, None, Gamma(), spacing="geometric", source=_SOURCE
)
GAMMA_BRIGHT = Axis(
    "gamma-bright", "mid tones too bright", "gamma", 1.0, 0.2, None, Gamma(), spacing="geometric", source=_SOURCE
)
COLOUR_WARM = Axis(
    "colour-warm", "light too red", "stops of red over blue", 0.0, 4.0, None, ColourCast(), source=_SOURCE
)
COLOUR_COOL = Axis(
    "colour-cool", "light too blue", "stops of red over blue", 0.0, -4.0, None, ColourCast(), source=_SOURCE
)
