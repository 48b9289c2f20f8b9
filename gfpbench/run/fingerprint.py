"""Image fingerprints: a few statistics per image, so that two Results can be compared without the images."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from gfpbench import images
from gfpbench.types import ImageBatch, Json

THUMBNAIL_SIDE = 8
BLOCKS = 16

# Second differences: the first sums up how sharp an image is; the second is blind to straight edges, so that what it
# finds is mostly noise (Immerkær 1996, "Fast Noise Variance Estimation", Computer Vision and Image Understanding 64).
_LAPLACIAN = ((0, 1, 0), (1, -4, 1), (0, 1, 0))
_NOISE = ((1, -2, 1), (-2, 4, -2), (1, -2, 1))


def fingerprints(batch: ImageBatch) -> list[dict[str, Json]]:
    """One record for each image, about 600 characters as JSON. Works on the 8-bit values, on the CPU.

    Every sum is one of whole numbers, so equal images give equal records on every machine.

    Returns:
        B records: ``sha256`` (the first 16 digits of the hash that a Face carries), ``mean_levels``, ``std_levels``,
        ``lowest_levels`` and ``highest_levels`` of R, G, B in grey levels 0..255, ``sharpness_levels`` (mean absolute
        Laplacian of the grey image), ``noise_levels`` (Immerkær's estimate of the standard deviation of its noise)
        and ``thumbnail_rgb`` (8 x 8 area means, R, G, B, row by row, two hexadecimal digits each).
    """
    levels = images.to_255(batch).cpu()
    flat = levels.flatten(2)
    mean = flat.sum(2) / flat.shape[2]
    std = ((flat * flat).sum(2) / flat.shape[2] - mean * mean).clamp_min(0).sqrt()
    grey = images.to_gray_255(batch).cpu()
    sharpness = _mean_absolute(grey, _LAPLACIAN)
    noise = _mean_absolute(grey, _NOISE) * math.sqrt(math.pi / 2) / 6
    small = F.adaptive_avg_pool2d(levels, THUMBNAIL_SIDE).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return [
        {
            "sha256": images.pixels_sha256(rgb)[:16],
            "mean_levels": _rounded(mean[place]),
            "std_levels": _rounded(std[place]),
            "lowest_levels": [int(value) for value in flat[place].amin(1)],
            "highest_levels": [int(value) for value in flat[place].amax(1)],
            "sharpness_levels": round(float(sharpness[place]), 4),
            "noise_levels": round(float(noise[place]), 4),
            "thumbnail_rgb": small[place].numpy().tobytes().hex(),
        }
        for place, rgb in enumerate(images.to_rgb_arrays(batch))
    ]


def block_hashes(batch: ImageBatch) -> list[str]:
    """Where images differ, without the images: a hash of 4 bits for each of 16 x 16 blocks of the 8-bit values.

    Of two images that differ by a level in k values, about k blocks differ while k is small, so that rounding (a few
    values of an image) can be told from a change of the arithmetic (thousands of them).

    Returns:
        B texts of hexadecimal digits, one for each block, row by row; fewer blocks for images under 16 px a side.
    """
    height, width = batch.size
    rows, columns = (np.arange(min(BLOCKS, side)) * side // min(BLOCKS, side) for side in (height, width))
    weights = _scrambled(np.arange(1, height * width * 3 + 1, dtype=np.uint64)).reshape(height, width, 3) | np.uint64(1)
    found = []
    for rgb in images.to_rgb_arrays(batch):
        summed = np.add.reduceat(np.add.reduceat((rgb * weights).sum(2), rows, axis=0), columns, axis=1)
        found.append("".join(f"{digit:x}" for digit in (_scrambled(summed) >> np.uint64(60)).ravel().tolist()))
    return found


def _scrambled(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele et al. 2014): every bit of the answer depends on every bit of the number."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _mean_absolute(grey: torch.Tensor, kernel: tuple[tuple[int, ...], ...]) -> torch.Tensor:
    """(B,) mean absolute response of (B, 1, H, W) grey levels to a 3 x 3 kernel; the border is repeated."""
    weight = torch.tensor(kernel, dtype=grey.dtype).view(1, 1, 3, 3)
    response = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), weight)
    return response.abs().flatten(1).sum(1) / response[0].numel()


def _rounded(values: torch.Tensor) -> list[float]:
    return [round(float(value), 3) for value in values]
