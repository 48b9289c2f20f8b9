"""Downsampling and upsampling, bilinear without antialiasing, as OpenCV's INTER_LINEAR does it.

The down_r of GFP-GAN's Eq. 6; GFPGAN @7552a77 resizes to (int(w // r), int(h // r)) and back to (w, h).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gfpbench.degrade.rng import uniform
from gfpbench.images import Floats
from gfpbench.lazy import LazyModule
from gfpbench.types import Parameters

if TYPE_CHECKING:
    import cv2
else:
    cv2 = LazyModule("cv2")

Indices: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Downsample:
    """How the ratio is drawn: uniform in its range. It has no unit and does not change with the crop.

    Args:
        ratio: range; below 1 the image is enlarged before noise and JPEG.
    """

    ratio: tuple[float, float]

    def draw(self, source: np.random.Generator) -> Parameters:
        return {"downsample_ratio": uniform(source, self.ratio)}


def small_size(size_px: tuple[int, int], ratio: float) -> tuple[int, int]:
    """(height, width) after division by the ratio, rounded down, at least 1 px."""
    return max(1, int(size_px[0] // ratio)), max(1, int(size_px[1] // ratio))


def resized(bgr: Floats, size_px: tuple[int, int]) -> Floats:
    """(H, W, 3) float32 to (height, width), by the same OpenCV call as upstream."""
    return np.asarray(cv2.resize(bgr, (size_px[1], size_px[0]), interpolation=cv2.INTER_LINEAR))


def downsampled(bgr: Floats, record: Parameters) -> Floats:
    """(H, W, 3) float32 made smaller by the record's ratio, on both sides."""
    return resized(bgr, small_size((bgr.shape[0], bgr.shape[1]), record["downsample_ratio"]))


@lru_cache(maxsize=1024)
def taps(source_px: int, target_px: int) -> tuple[Indices, Indices, Floats]:
    """Where INTER_LINEAR looks along one side: for each target pixel two source pixels and the weight of the second.

    Pixel centres lie at half-integers (align_corners=False); positions outside are moved to the edge.
    """
    scale = 1.0 / (target_px / source_px)  # OpenCV computes it so, and the last bit shows
    # In double precision, as there for images of two rows and more: in float32 a weight at 500 px is off by 3e-5.
    position = (np.arange(target_px) + 0.5) * scale - 0.5
    first = np.floor(position).astype(np.int64)
    weight = position - first
    outside = (first < 0) | (first >= source_px - 1)
    first = np.clip(first, 0, source_px - 1)
    weight[outside] = 0
    found = first, np.minimum(first + 1, source_px - 1), weight.astype(np.float32)
    for part in found:
        part.flags.writeable = False  # whoever asks again is given the same arrays
    return found
