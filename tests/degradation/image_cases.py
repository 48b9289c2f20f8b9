"""Small images that every law of the degradation is tried on: a face, and patterns that show what a face hides."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from gfpbench.images import batch_from_uint8
from gfpbench.types import ImageBatch

Bytes = NDArray[np.uint8]


@cache
def face(height: int, width: int) -> Bytes:
    """The astronaut's face, (height, width, 3) uint8 RGB."""
    crop = skimage.data.astronaut()[20:220, 125:325]
    mode = cv2.INTER_AREA if max(height, width) < 200 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(crop, (width, height), interpolation=mode))


@cache
def pattern(height: int, width: int) -> Bytes:
    """Saturated colour blobs, edges and fine texture, different on every side: nothing about it is symmetric."""
    random = np.random.default_rng(2)
    blobs = cv2.GaussianBlur(random.random((height, width, 3)).astype(np.float32), (0, 0), 3)
    blobs = (blobs - blobs.min()) / (blobs.max() - blobs.min())
    blobs[: height // 3, width // 2 :] = random.random((height // 3, width - width // 2, 3))
    blobs[height // 2 :, : width // 4] = (1.0, 0.1, 0.2)
    return np.asarray(np.rint(blobs * 255), dtype=np.uint8)


def batch(*images: Bytes) -> ImageBatch:
    return batch_from_uint8(list(images), tuple(f"image {number}" for number in range(len(images))))


def flat(level: int, height: int, width: int, count: int = 1) -> ImageBatch:
    return batch(*[np.full((height, width, 3), level, np.uint8)] * count)
