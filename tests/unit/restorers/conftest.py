"""Degraded images that every test of a restorer can use."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from gfpbench.images import batch_from_uint8
from gfpbench.types import ImageBatch

SIDE_PX = 128


def face() -> NDArray[np.uint8]:
    """The astronaut's face (NASA, public domain), (128, 128, 3) uint8 RGB."""
    crop = np.ascontiguousarray(data.astronaut()[0:200, 120:320])
    small: Any = cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return small


def noisy(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Blurred, reduced to a quarter, with noise of 12 levels, saved as JPEG 70 and enlarged again."""
    height, width = image.shape[:2]
    blurred = cv2.GaussianBlur(image, (0, 0), 1.5)
    small = cv2.resize(blurred, (width // 4, height // 4), interpolation=cv2.INTER_LINEAR)
    rough = np.clip(small + 12 * np.random.default_rng(seed).standard_normal(small.shape), 0, 255).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", rough[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])
    decoded: Any = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    rgb = np.ascontiguousarray(decoded[..., ::-1])
    enlarged: Any = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR)
    return enlarged


@pytest.fixture(scope="session")
def truth() -> ImageBatch:
    """One face under eight names: as it is, darker, mirrored, and so on."""
    base = face()
    variants = [base, base // 2, base[:, ::-1], base[..., ::-1], 255 - base, base[::-1], np.roll(base, 9, 1), base // 3]
    return batch_from_uint8([np.ascontiguousarray(v) for v in variants], tuple(f"astronaut~{i}" for i in range(8)))


@pytest.fixture(scope="session")
def degraded(truth: ImageBatch) -> ImageBatch:
    """The eight images of ``truth``, degraded."""
    images = [np.rint(p.permute(1, 2, 0).numpy() * 255).astype(np.uint8) for p in truth.pixels]
    return batch_from_uint8([noisy(image, seed) for seed, image in enumerate(images)], truth.ids)
