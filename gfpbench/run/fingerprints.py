"""Fingerprints: hashes and statistics of images, by which two Results are compared without their images."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gfpbench import images
from gfpbench.lazy import LazyModule
from gfpbench.types import ImageBatch, Json

if TYPE_CHECKING:
    import cv2
    import torch
else:
    cv2, torch = LazyModule("cv2"), LazyModule("torch")

THUMBNAIL_SIDE = 8
BLOCKS = 16
COUNTED_AT_ONCE = 2**24


def fingerprints(batch: ImageBatch) -> list[dict[str, Json]]:
    """One record for each image, about 600 characters as JSON. Works on the 8-bit values, on the CPU.

    Every sum is one of whole numbers, so equal images give equal records on every machine.

    Returns:
        B records: ``sha256`` (the first 16 digits of the hash that a Face carries), ``mean_levels``, ``std_levels``,
        ``lowest_levels`` and ``highest_levels`` of R, G, B in grey levels 0..255, ``sharpness_levels`` (mean absolute
        Laplacian of the grey image), ``noise_levels`` (Immerkær's estimate of the standard deviation of its noise)
        and ``thumbnail_rgb`` (8 x 8 area means, R, G, B, row by row, two hexadecimal digits each).
    """
    greys = images.to_gray_255(batch)[:, 0].to("cpu", torch.uint8).numpy()
    stack = images.to_rgb_stack(batch)
    # What takes a call of numpy for a few numbers is done for all images together; filters and sums go through one at a
    # time, whose whole numbers stay in the cache.
    counts = np.stack([_histograms(rgb) for rgb in stack])
    levels = np.arange(256, dtype=np.float64)
    mean = (counts * levels).sum(2) / greys[0].size
    std = np.sqrt(np.maximum((counts * (levels * levels)).sum(2) / greys[0].size - mean * mean, 0))
    lowest, highest = (counts > 0).argmax(2), 255 - (counts[..., ::-1] > 0).argmax(2)
    looks = zip(mean.tolist(), std.tolist(), lowest.tolist(), highest.tolist(), _thumbnails(stack), strict=True)
    return [
        {
            "sha256": sha256[:16],
            "mean_levels": [round(value, 3) for value in means],
            "std_levels": [round(value, 3) for value in stds],
            "lowest_levels": low,
            "highest_levels": high,
            **_second_differences(grey),
            "thumbnail_rgb": thumbnail.tobytes().hex(),
        }
        for sha256, grey, (means, stds, low, high, thumbnail) in zip(
            images.images_sha256(batch), greys, looks, strict=True
        )
    ]


def _histograms(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(3, 256) how many pixels have each level. Not more of them at once than OpenCV's float32 can count."""
    rows = max(1, COUNTED_AT_ONCE // rgb.shape[1])
    counts = np.zeros((3, 256))
    for start in range(0, rgb.shape[0], rows):
        for channel, counted in enumerate(counts):
            counted += cv2.calcHist([rgb[start : start + rows]], [channel], None, [256], [0, 256]).reshape(256)
    return counts


def _second_differences(grey: NDArray[np.uint8]) -> dict[str, float]:
    """Mean absolute response of (H, W) grey levels to the Laplacian and to Immerkær's kernel; the border is repeated.

    The first sums up how sharp an image is. The second is blind to straight edges, so that what it finds is mostly
    noise (Immerkær 1996, "Fast Noise Variance Estimation", Computer Vision and Image Understanding 64).
    """
    laplacian = cv2.Laplacian(grey, cv2.CV_16S, ksize=1, borderType=cv2.BORDER_REPLICATE)
    noise = cv2.filter2D(grey, cv2.CV_16S, _immerkaer(), borderType=cv2.BORDER_REPLICATE)
    sharpness, strength = (cv2.norm(one, cv2.NORM_L1) / grey.size for one in (laplacian, noise))
    return {
        "sharpness_levels": round(sharpness, 4),
        "noise_levels": round(strength * math.sqrt(math.pi / 2) / 6, 4),
    }


@lru_cache(maxsize=1)
def _immerkaer() -> NDArray[np.float32]:
    return np.outer([1, -2, 1], [1, -2, 1]).astype(np.float32)


def _thumbnails(stack: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(B, 8, 8, 3) means over areas, which overlap where a side is no multiple of 8 (torch's adaptive pooling)."""
    count, height, width = stack.shape[:3]
    tops, bottoms = _areas(height)
    lefts, rights = _areas(width)
    reduce, total, kind = cv2.reduce, cv2.REDUCE_SUM, cv2.CV_32S
    places = list(zip(tops.tolist(), bottoms.tolist(), strict=True))
    tables = stack.reshape(count, height, width * 3)
    bands = [reduce(table[top:bottom], 0, total, dtype=kind) for table in tables for top, bottom in places]
    wide = np.reshape(bands, (count, THUMBNAIL_SIDE, width, 3))
    if width % THUMBNAIL_SIDE == 0:  # four times as fast as differences of running sums
        sums = np.einsum("btlwc->btlc", wide.reshape(count, THUMBNAIL_SIDE, THUMBNAIL_SIDE, -1, 3))
    else:
        running = np.zeros((count, THUMBNAIL_SIDE, width + 1, 3), dtype=np.int64)
        np.cumsum(wide, axis=2, out=running[:, :, 1:])
        sums = running[:, :, rights] - running[:, :, lefts]
    means = sums / (bottoms - tops)[:, None, None] / (rights - lefts)[:, None]
    return np.asarray(np.rint(means), dtype=np.uint8)


def _areas(side: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(8,) where each eighth of a side begins and ends, rounded outwards to whole pixels."""
    edges = np.arange(THUMBNAIL_SIDE + 1) * side
    return edges[:-1] // THUMBNAIL_SIDE, -(-edges[1:] // THUMBNAIL_SIDE)


def described(batch: ImageBatch | None, *, blocks: bool = False) -> dict[str, Json]:
    """The fingerprint of each image by name, with hashes of its blocks where asked; of none where there are none."""
    if batch is None:
        return {}
    found = fingerprints(batch)
    if blocks:
        found = [{**one, "blocks": hashes} for one, hashes in zip(found, block_hashes(batch), strict=True)]
    return dict(zip(batch.ids, found, strict=True))


def block_hashes(batch: ImageBatch) -> list[str]:
    """Where images differ, without the images: a hash of 4 bits for each of 16 x 16 blocks of the 8-bit values.

    Of two images that differ by a level in k values, about k blocks differ while k is small, so that rounding (a few
    values of an image) can be told from a change of the arithmetic (thousands of them).

    Returns:
        B texts of hexadecimal digits, one for each block, row by row; fewer blocks for images under 16 px a side.
    """
    height, width = batch.size
    tops, lefts = (np.arange(min(BLOCKS, side)) * side // min(BLOCKS, side) for side in (height, width))
    weights = _weights(height, width)
    found = []
    for rgb in images.to_rgb_stack(batch):
        table = rgb.reshape(height, width * 3)
        # A band of rows at a time: the products of a whole image would not stay in the cache. Of one type, because
        # numpy multiplies two types in small pieces.
        bands = [
            (table[top:bottom].astype(np.uint64) * weights[top:bottom]).sum(0)
            for top, bottom in pairwise([*tops.tolist(), height])
        ]
        summed = np.add.reduceat(np.stack(bands), lefts * 3, axis=1)
        digits = (_scrambled(summed) >> np.uint64(60)).astype(np.uint8)
        found.append(digits.tobytes().hex()[1::2])
    return found


@lru_cache(maxsize=2)
def _weights(height: int, width: int) -> NDArray[np.uint64]:
    """(H, 3 W) odd numbers, another one for every value of an (H, W, 3) image."""
    values = _scrambled(np.arange(1, height * width * 3 + 1, dtype=np.uint64))
    return (values | np.uint64(1)).reshape(height, width * 3)


def _scrambled(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele et al. 2014): every bit of the answer depends on every bit of the number."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
