"""Converts samples of any bit depth, with or without alpha, to upright 8-bit RGB, recording each conversion."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gfpbench.decode import treatment
from gfpbench.decode.decoded import Samples, UndecodableError, describe
from gfpbench.images import Bytes

_ROWS_AT_ONCE = 256  # a photo of 100 million pixels in float64 would take 2.4 GB, and several copies


def oriented(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn an (H, W, ...) array upright by its EXIF orientation, 1 to 8; any other number leaves it as it is."""
    match orientation:
        case 2:
            return values[:, ::-1]
        case 3:
            return values[::-1, ::-1]
        case 4:
            return values[::-1]
        case 5:
            return values.swapaxes(0, 1)
        case 6:
            return np.rot90(values, -1)
        case 7:
            return values[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return np.rot90(values)
    return values


def to_rgb(samples: Samples) -> tuple[Bytes, NDArray[Any], tuple[str, ...]]:
    """(H, W, 3) uint8 RGB; the samples upright as (H, W, C), alpha and depth kept; and what was done, a phrase each.

    Raises:
        UndecodableError: NaN, floats outside [0, 1], entirely transparent.
    """
    done = [] if samples.converted is None else [samples.converted]
    if samples.frames > 1:
        done.append(treatment.first_of(samples.frames))
    if samples.icc_profile is not None and not (profile := describe(samples.icc_profile)).is_srgb:
        done.append(treatment.not_applied(profile))
    if samples.stated_orientation > 1:
        done.append(treatment.TURNED)
    values = oriented(samples.values, samples.orientation)
    values = values[..., None] if values.ndim == 2 else values
    full = {"u1": 255, "u2": 65535}.get(values.dtype.str[1:], 1)
    if full == 1:
        if not np.isfinite(values).all():
            raise UndecodableError("holds NaN or infinity")
        if values.min() < 0 or values.max() > 1:
            raise UndecodableError(
                f"holds floats from {values.min():.4g} to {values.max():.4g}, only [0, 1] is understood"
            )
    transparent = False
    if values.shape[2] in (2, 4):
        alpha = values[..., -1]
        if not alpha.any():
            raise UndecodableError("is entirely transparent")
        transparent = bool((alpha != full).any())
    if transparent:
        done.append(treatment.COMPOSITED)
    if full == 1 or samples.bits > 8:
        done.append(treatment.reduced(samples.bits, floating=full == 1))
    if values.shape[2] == 3 and values.dtype == np.uint8:
        return np.ascontiguousarray(values), values, tuple(done)
    rgb = np.empty((*values.shape[:2], 3), np.uint8)
    for top in range(0, len(values), _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        rgb[rows] = _shown(values[rows], full, transparent, samples.premultiplied)
    return rgb, values, tuple(done)


def _shown(values: NDArray[Any], full: int, transparent: bool, premultiplied: bool) -> Bytes:
    """Some rows of (H, W, C) samples on white, with 8 bits; of one channel where they are grey."""
    colour = values[..., :3] if values.shape[2] >= 3 else values[..., :1]
    if transparent:
        alpha = values[..., -1:].astype(np.float64)
        own = colour.astype(np.float64) * (1 if premultiplied else alpha / full)
        colour = np.clip(own + (full - alpha), 0, full)
    if colour.dtype == np.uint8:
        return colour
    return np.rint(colour.astype(np.float64) * (255 / full)).astype(np.uint8)
