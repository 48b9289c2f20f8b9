"""Double compression: an image saved twice as JPEG, the second time cropped so that the 8 x 8 blocks lie elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gfpbench.degrade import jpeg
from gfpbench.degrade.axes.axis import Axis
from gfpbench.degrade.axes.jpeg import whole_quality
from gfpbench.images import Floats
from gfpbench.types import Parameters


@dataclass(frozen=True, slots=True)
class DoubleJpeg:
    """Two round trips at one quality; the second grid is shifted by 1 to 7 px along each side, drawn for each face.

    The shift is counted in pixels of the image whatever its size, because the grid of JPEG is.
    """

    keys: tuple[str, ...] = ("double_jpeg_quality", "double_jpeg_grid_shift_x", "double_jpeg_grid_shift_y")

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        shift_x, shift_y = (int(shift) for shift in source.integers(1, 8, 2))
        return {
            "double_jpeg_quality": whole_quality(value),
            "double_jpeg_grid_shift_x": shift_x,
            "double_jpeg_grid_shift_y": shift_y,
        }

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """Unchanged where the quality is null; beyond the border the second JPEG sees the image mirrored."""
        quality = record["double_jpeg_quality"]
        if quality is None:
            return bgr
        across, down = record["double_jpeg_grid_shift_x"], record["double_jpeg_grid_shift_y"]
        first = jpeg.round_trip(jpeg.to_bytes(bgr), quality)
        shifted = cv2.copyMakeBorder(first, down, 0, across, 0, cv2.BORDER_REFLECT_101)
        second = jpeg.round_trip(np.asarray(shifted, dtype=np.uint8), quality)[down:, across:]
        return second.astype(np.float32) / np.float32(255)


DOUBLE_JPEG = Axis(
    name="double-jpeg",
    summary="JPEG twice at one quality, on shifted grids",
    unit="quality",
    harmless=100.0,
    hardest=1.0,
    trained_range=None,
    effect=DoubleJpeg(),
    source="GFP-GAN compresses once, on an unshifted grid",
)
