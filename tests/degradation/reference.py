"""Eq. 6 once more, written from the formulas with numpy, scipy and Pillow: no code shared with gfpbench or OpenCV."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.ndimage
import skimage.color
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]


def kernel(size: int, sigma_x: float, sigma_y: float, angle: float) -> Floats:
    """Gaussian along turned axes, cut off by the window, normalised."""
    half = size // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    weight = np.exp(-((along / sigma_x) ** 2 + (across / sigma_y) ** 2) / 2)
    return np.asarray(weight / weight.sum())


def blurred(rgb: Floats, record: Mapping[str, Any]) -> Floats:
    """Border pixels are mirrored without being repeated."""
    if record["blur_kernel_size_px"] == 1 or record["blur_sigma_x_px"] == 0:
        return rgb
    names = ("blur_kernel_size_px", "blur_sigma_x_px", "blur_sigma_y_px", "blur_angle_rad")
    weights = kernel(*(record[name] for name in names))
    return np.stack([scipy.ndimage.convolve(rgb[..., c], weights, mode="mirror") for c in range(3)], -1)


def _interpolated(line: Floats, position: Floats) -> Floats:
    return np.interp(position, np.arange(len(line)), line)


def resized(rgb: Floats, height: int, width: int) -> Floats:
    """Linear interpolation between pixel centres, held constant beyond the outermost ones."""
    for axis, target in ((0, height), (1, width)):
        source = rgb.shape[axis]
        position = (np.arange(target) + 0.5) * source / target - 0.5
        rgb = np.apply_along_axis(_interpolated, axis, rgb, position)
    return rgb


def compressed(levels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Pillow's JPEG, RGB in and out, 4:2:0."""
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(stream).convert("RGB"))


def coloured(rgb: Floats, record: Mapping[str, Any]) -> Floats:
    """Shifts, grey, then the four adjustments in the order written down."""
    shift = np.array([record[f"shift_{name}_grey_levels"] for name in ("red", "green", "blue")])
    rgb = np.clip(rgb + shift / 255, 0, 1)
    luma = np.array([0.299, 0.587, 0.114])
    if record["is_grey"]:
        rgb = np.repeat((rgb @ luma)[..., None], 3, -1)
    for name in filter(None, record["jitter_order"].split(",")):
        if name == "hue":
            hsv = skimage.color.rgb2hsv(rgb)
            hsv[..., 0] = (hsv[..., 0] + record["hue_shift_turns"]) % 1
            rgb = skimage.color.hsv2rgb(hsv)
            continue
        grey = rgb @ np.array([0.2989, 0.587, 0.114])  # torchvision's rounding of the weights
        towards = {"brightness": 0.0, "contrast": grey.mean(), "saturation": grey[..., None]}[name]
        factor = record[f"{name}_factor"]
        rgb = np.clip(factor * rgb + (1 - factor) * towards, 0, 1)
    return rgb


def degraded(rgb: NDArray[np.uint8], record: Mapping[str, Any], field: Floats | None = None) -> Floats:
    """(H, W, 3) uint8 RGB to float levels 0..255 before the last rounding. ``field`` is standard normal noise, RGB."""
    height, width = rgb.shape[:2]
    ratio = record["downsample_ratio"]
    small = resized(blurred(rgb / 255.0, record), int(height // ratio), int(width // ratio))
    if field is not None:
        small = small + field * record["noise_std_grey_levels"] / 255
    small = np.clip(small, 0, 1)
    if record["jpeg_quality"] is not None:
        small = compressed(np.rint(small * 255).astype(np.uint8), record["jpeg_quality"]) / 255.0
    large = resized(small, height, width)
    return 255 * (coloured(large, record) if "is_grey" in record else large)
