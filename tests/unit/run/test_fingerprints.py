"""Fingerprints: sums of whole numbers, the same as torch's filters and pooling give."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gfpbench import images
from gfpbench.run import fingerprints as module
from gfpbench.run.fingerprints import block_hashes, fingerprints
from gfpbench.types import ImageBatch

SIZES = ((128, 128), (131, 77), (7, 9), (1, 1), (3, 200), (9, 1), (64, 100))


def noise(height: int, width: int) -> ImageBatch:
    made = torch.randint(0, 256, (3, 3, height, width), generator=torch.Generator().manual_seed(height)) / 255
    made[1] = (made[1] > 0.5).float()  # every value at one end
    made[2] = 0.2  # nothing in it
    return images.quantized(ImageBatch(made, ("noise", "ends", "flat")))


def by_torch(batch: ImageBatch) -> list[dict[str, Any]]:
    """The same records from float64 convolutions and pooling."""
    levels, grey = images.to_255(batch), images.to_gray_255(batch)
    mean = levels.flatten(2).sum(2) / levels[0, 0].numel()
    square = (levels * levels).flatten(2).sum(2) / levels[0, 0].numel()
    std = (square - mean * mean).clamp_min(0).sqrt()
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    found = {}
    for name, kernel in (
        ("sharpness", ((0, 1, 0), (1, -4, 1), (0, 1, 0))),
        ("noise", ((1, -2, 1), (-2, 4, -2), (1, -2, 1))),
    ):
        response = F.conv2d(padded, torch.tensor(kernel, dtype=torch.float64).view(1, 1, 3, 3))
        found[name] = response.abs().flatten(1).sum(1) / grey[0].numel()
    small = F.adaptive_avg_pool2d(levels, 8).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return [
        {
            "sha256": images.pixels_sha256(rgb)[:16],
            "mean_levels": [round(float(value), 3) for value in mean[place]],
            "std_levels": [round(float(value), 3) for value in std[place]],
            "lowest_levels": rgb.min((0, 1)).tolist(),
            "highest_levels": rgb.max((0, 1)).tolist(),
            "sharpness_levels": round(float(found["sharpness"][place]), 4),
            "noise_levels": round(float(found["noise"][place]) * math.sqrt(math.pi / 2) / 6, 4),
            "thumbnail_rgb": small[place].numpy().tobytes().hex(),
        }
        for place, rgb in enumerate(images.to_rgb_arrays(batch))
    ]


@pytest.mark.parametrize("size", SIZES)
def test_records_are_those_of_torch(size: tuple[int, int]) -> None:
    batch = noise(*size)
    assert fingerprints(batch) == by_torch(batch)


def test_more_pixels_than_a_histogram_counts_are_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = noise(64, 100)
    expected = fingerprints(batch)
    monkeypatch.setattr(module, "COUNTED_AT_ONCE", 700)
    assert fingerprints(batch) == expected


@pytest.mark.parametrize("size", SIZES)
def test_hashes_of_blocks_are_those_of_whole_images(size: tuple[int, int]) -> None:
    """Summed over the whole image at once, in whole numbers of 64 bits that wrap around."""
    height, width = size
    batch = noise(*size)
    rows, columns = (np.arange(min(16, side)) * side // min(16, side) for side in size)
    weights = module._scrambled(np.arange(1, height * width * 3 + 1, dtype=np.uint64)) | np.uint64(1)
    for rgb, found in zip(images.to_rgb_arrays(batch), block_hashes(batch), strict=True):
        products = (rgb * weights.reshape(height, width, 3)).sum(2)
        summed = np.add.reduceat(np.add.reduceat(products, rows, axis=0), columns, axis=1)
        expected = "".join(f"{digit:x}" for digit in (module._scrambled(summed) >> np.uint64(60)).ravel().tolist())
        assert found == expected
