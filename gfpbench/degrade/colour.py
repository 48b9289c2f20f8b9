"""Colour changes that upstream's training adds after Eq. 6: channel shifts, grey images, brightness to hue jitter.

GFPGAN @7552a77, gfpgan/data/ffhq_degradation_dataset.py with options/train_gfpgan_v1.yml. Not in the paper's equation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gfpbench.degrade.rng import uniform
from gfpbench.images import Floats
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, Parameters

if TYPE_CHECKING:
    import cv2
    import torch
else:
    torch, cv2 = LazyModule("torch"), LazyModule("cv2")

OFF: Parameters = {
    "shift_red_grey_levels": 0.0,
    "shift_green_grey_levels": 0.0,
    "shift_blue_grey_levels": 0.0,
    "is_grey": False,
    "jitter_order": "",
    "brightness_factor": 1.0,
    "contrast_factor": 1.0,
    "saturation_factor": 1.0,
    "hue_shift_turns": 0.0,
}
"""Colour left alone."""

_SHIFTS = ("shift_blue_grey_levels", "shift_green_grey_levels", "shift_red_grey_levels")
_JITTER = {
    "brightness": "brightness_factor",
    "contrast": "contrast_factor",
    "saturation": "saturation_factor",
    "hue": "hue_shift_turns",
}


@dataclass(frozen=True, slots=True)
class Colour:
    """How colour changes are drawn; each of the three happens or not on its own.

    Args:
        shift_probability: chance of adding a constant to each channel.
        shift_grey_levels: range of each constant, in levels of 0..255.
        grey_probability: chance of an image without colour.
        jitter_probability: chance of all four adjustments, in random order.
        brightness, contrast, saturation: ranges of factors (1 changes nothing).
        hue_turns: range of the hue's rotation, in turns.
    """

    shift_probability: float
    shift_grey_levels: tuple[float, float]
    grey_probability: float
    jitter_probability: float
    brightness: tuple[float, float]
    contrast: tuple[float, float]
    saturation: tuple[float, float]
    hue_turns: tuple[float, float]

    def draw(self, source: np.random.Generator) -> Parameters:
        """Draw the three changes; what does not happen is recorded as doing nothing."""
        shifted, grey, jittered = source.random(3) < (
            self.shift_probability,
            self.grey_probability,
            self.jitter_probability,
        )
        shifts = {name: uniform(source, self.shift_grey_levels) for name in _SHIFTS}
        ranges = (self.brightness, self.contrast, self.saturation, self.hue_turns)
        factors = {name: uniform(source, bounds) for name, bounds in zip(_JITTER.values(), ranges, strict=True)}
        order = ",".join(np.array(list(_JITTER))[source.permutation(4)].tolist())
        drawn = (shifts if shifted else {}) | ({"jitter_order": order, **factors} if jittered else {})
        return {**OFF, **drawn, "is_grey": bool(grey)}


def shifted_and_greyed(bgr: Floats, record: Parameters) -> Floats:
    """(H, W, 3) float32 BGR with the record's channel shifts (clipped to [0, 1]), then without colour if it says so."""
    shift = np.array([record[name] for name in _SHIFTS])
    if shift.any():
        bgr = np.clip(bgr + (shift / 255.0).astype(np.float32), 0, 1)
    if record["is_grey"]:
        bgr = np.repeat(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    return bgr


def jittered(rgb: torch.Tensor, record: Parameters) -> torch.Tensor:
    """(3, H, W) float32 RGB in [0, 1] on any device, adjusted in the record's order by torchvision's functions."""
    if not record["jitter_order"]:
        return rgb
    from torchvision.transforms import functional

    adjust: Mapping[str, Callable[[torch.Tensor, float], torch.Tensor]] = {
        "brightness": functional.adjust_brightness,
        "contrast": functional.adjust_contrast,
        "saturation": functional.adjust_saturation,
        "hue": functional.adjust_hue,
    }
    order = record["jitter_order"].split(",")
    if sorted(order) != sorted(_JITTER):
        raise BadInput(f"jitter_order is {record['jitter_order']!r}; it must name each of {', '.join(_JITTER)} once")
    for name in order:
        rgb = adjust[name](rgb, record[_JITTER[name]])
    return rgb
