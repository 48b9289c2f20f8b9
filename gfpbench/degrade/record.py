"""Validates a record of drawn degradation parameters before it is applied."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from gfpbench.types import BadInput, Parameters

OFF: Parameters = {
    "blur_shape": "isotropic",
    "blur_kernel_size_px": 1,
    "blur_sigma_x_px": 0.0,
    "blur_sigma_y_px": 0.0,
    "blur_angle_rad": 0.0,
    "downsample_ratio": 1.0,
    "noise_std_grey_levels": 0.0,
    "noise_key": "0" * 32,
    "jpeg_quality": None,
}
"""The four steps of Eq. 6 doing nothing. A record holds these, an image's size, none or all of ``colour.OFF``."""


def _number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and low <= value <= high
    )


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "blur_shape": (lambda value: value in ("isotropic", "anisotropic"), "isotropic or anisotropic"),
    "blur_kernel_size_px": (lambda value: _whole(1, 9999)(value) and value % 2 == 1, "an odd whole number"),
    "blur_sigma_x_px": (_number(0, math.inf), "a finite number, 0 or more"),
    "blur_sigma_y_px": (_number(0, math.inf), "a finite number, 0 or more"),
    "blur_angle_rad": (_number(-math.inf, math.inf), "a finite number"),
    "downsample_ratio": (lambda value: _number(0, math.inf)(value) and value > 0, "a finite number above 0"),
    "noise_std_grey_levels": (_number(0, math.inf), "a finite number, 0 or more"),
    "noise_key": (lambda v: isinstance(v, str) and bool(re.fullmatch("[0-9a-f]{32}", v)), "32 hexadecimal digits"),
    "jpeg_quality": (
        lambda value: value is None or _whole(1, 100)(value),
        "a whole number from 1 to 100, or null for off",
    ),
}


def checked(record: Parameters, face_id: str, size_px: tuple[int, int]) -> Parameters:
    """The record itself, if it can be applied to an image of that (height, width); else BadInput names the key."""
    for name, (holds, wanted) in _RULES.items():
        if name not in record:
            raise BadInput(f"the degradation record of {face_id!r} lacks {name!r}: draw it again with draw()")
        if not holds(record[name]):
            raise BadInput(f"the degradation record of {face_id!r} has {name} = {record[name]!r}; it must be {wanted}")
    drawn_for = (record.get("height_px"), record.get("width_px"))
    if drawn_for != size_px:
        raise BadInput(
            f"the degradation record of {face_id!r} was drawn for {drawn_for[0]} x {drawn_for[1]} px and the "
            f"image has {size_px[0]} x {size_px[1]}: pixel lengths scale with the crop, so draw again for this size"
        )
    if record["blur_shape"] == "isotropic" and record["blur_sigma_x_px"] != record["blur_sigma_y_px"]:
        raise BadInput(f"the degradation record of {face_id!r} says isotropic, but its two sigmas differ")
    return record
