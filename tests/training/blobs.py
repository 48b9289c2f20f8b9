"""Stand-ins for faces: seeded images of two eyes and a mouth on a skin, small and made in no time."""

from __future__ import annotations

import cv2
import numpy as np

from training.data import Faces


def blobs(count: int, side: int = 32, seed: int = 0) -> Faces:
    """(count, side, side, 3) uint8 RGB images, no two alike."""
    images = np.stack([_blob(np.random.default_rng([seed, number]), side) for number in range(count)])
    return Faces(images, tuple(str(number) for number in range(count)), {"name": "blobs", "count": count})


def _blob(source: np.random.Generator, side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    scale = side / 128
    image = np.full((128, 128, 3), source.integers(40, 216, 3), np.uint8)
    skin = source.integers((150, 110, 90), (250, 200, 180))
    x, y = source.integers(-4, 5, 2)
    width, height = source.integers((34, 44), (44, 56))
    cv2.ellipse(image, (int(64 + x), int(70 + y)), (int(width), int(height)), 0, 0, 360, skin.tolist(), -1)
    dark = source.integers(0, 90, 3).tolist()
    for eye in (44, 84):
        cv2.ellipse(image, (int(eye + x), int(58 + y)), (7, int(source.integers(3, 6))), 0, 0, 360, dark, -1)
    red = source.integers((120, 20, 20), (220, 90, 90)).tolist()
    cv2.ellipse(image, (int(64 + x), int(92 + y)), (int(source.integers(10, 18)), 5), 0, 0, 360, red, -1)
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
