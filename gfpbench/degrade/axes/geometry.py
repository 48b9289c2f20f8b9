"""Where things lie in a face crop aligned the FFHQ way, and how an image is sampled at places between its pixels.

Fractions of the crop: (0, 0) is the upper left corner, (1, 1) the lower right; pixel i of n lies at (i + 1/2) / n.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gfpbench.degrade.fast import reflected
from gfpbench.images import Floats

Grid: TypeAlias = NDArray[np.float64]

EYE_LEFT, EYE_RIGHT = (0.377, 0.469), (0.623, 0.469)
NOSE_TIP, MOUTH = (0.501, 0.613), (0.501, 0.725)
"""Mean places in FFHQ crops, rounded: facexlib 0.3.0's five-point template for 512 px (face_restoration_helper.py)."""

FACE_CENTRE, FACE_RADII = (0.5, 0.55), (0.27, 0.36)
"""The face, hairline to chin, as an upright ellipse: what a share of the face is counted in."""


def fractions(size_px: tuple[int, int]) -> tuple[Grid, Grid]:
    """x as (1, W) and y as (H, 1): where the pixel centres of a (height, width) image lie, as fractions."""
    height, width = size_px
    return ((np.arange(width) + 0.5) / width)[None, :], ((np.arange(height) + 0.5) / height)[:, None]


def smooth_step(position: Grid) -> Grid:
    """0 below 0, 1 above 1, and 3 t^2 - 2 t^3 between."""
    t = np.clip(position, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def _weights(offset: Floats) -> tuple[Floats, ...]:
    t: NDArray[Any] = offset  # whole-number factors keep float32; numpy's annotations do not know
    t2, t3 = t * t, t * t * t
    return (-t3 + 2 * t2 - t) / 2, (3 * t3 - 5 * t2 + 2) / 2, (-3 * t3 + 4 * t2 + t) / 2, (t3 - t2) / 2


def sampled(bgr: Floats, x: Grid, y: Grid) -> Floats:
    """The image at places x, y (pixels; whole numbers are pixel centres): cubic convolution over mirrored borders.

    Keys 1981 with a = -0.5, clipped to [0, 1]. Written out, because OpenCV's warps round places to 1/32 px and what a
    warp makes here is a truth, which has to be the same on every machine. Whole places give the pixels themselves.

    Args:
        bgr: (H, W, 3) float32.
        x, y: places that broadcast to (h, w).
    """
    height, width = bgr.shape[:2]
    x, y = np.broadcast_arrays(x, y)
    left, top = np.floor(x), np.floor(y)
    columns = [reflected(left.astype(np.int64) + step, width) for step in (-1, 0, 1, 2)]
    rows = [reflected(top.astype(np.int64) + step, height) * width for step in (-1, 0, 1, 2)]
    across, down = _weights((x - left).astype(np.float32)), _weights((y - top).astype(np.float32))
    flat = np.ascontiguousarray(bgr).reshape(-1, 3)
    total = np.zeros((*x.shape, 3), np.float32)
    # Whole places leave one of four weights: a map along one axis alone costs a quarter.
    used_columns = [(column, weight) for column, weight in zip(columns, across, strict=True) if weight.any()]
    for row, weight_y in zip(rows, down, strict=True):
        if not weight_y.any():
            continue
        line = np.zeros_like(total)
        for column, weight_x in used_columns:
            line += weight_x[..., None] * flat[row + column]
        total += weight_y[..., None] * line
    return np.clip(total, 0, 1)
