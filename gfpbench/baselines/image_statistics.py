"""Image statistics (fingerprints) of many images as arrays, and distances between two sets of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gfpbench.statistics import Floats
from gfpbench.types import Row

FEATURES: Mapping[str, float] = {
    "mean_levels": 0.02,
    "std_levels": 0.02,
    "lowest_levels": 1.0,
    "highest_levels": 1.0,
    "sharpness_levels": 0.01,
    "noise_levels": 0.01,
    "thumbnail_rgb": 1.0,
}
"""What is compared, in grey levels, with the difference that is the same in any case: rounding of the stored numbers,
and one level where a number is a single pixel's or a rounded mean."""


@dataclass(frozen=True, slots=True)
class ImageStatistics:
    """The fingerprints of n images of one kind.

    Args:
        sha256: of each image.
        values: for each feature (n, its length); ``thumbnail_rgb`` is (n, 192).
        blocks: of each image the hashes of its blocks, a digit each; empty where none were recorded.
    """

    sha256: tuple[str, ...]
    values: Mapping[str, Floats]
    blocks: tuple[str, ...] = ()

    def only(self, chosen: NDArray[np.bool_]) -> ImageStatistics:
        """The fingerprints of some images."""
        sha256 = tuple(hashed for hashed, wanted in zip(self.sha256, chosen, strict=True) if wanted)
        blocks = tuple(hashed for hashed, wanted in zip(self.blocks, chosen, strict=bool(self.blocks)) if wanted)
        return ImageStatistics(sha256, {name: value[chosen] for name, value in self.values.items()}, blocks)

    def thumbnails(self) -> Floats:
        """(n, 8, 8, 3) grey levels."""
        return self.values["thumbnail_rgb"].reshape(len(self.sha256), 8, 8, 3)


def image_statistics(rows: Sequence[Row], kind: str) -> ImageStatistics | None:
    """The ``degraded`` or ``restored`` images of some rows; None where one of the rows has no such fingerprint."""
    records = [row.fingerprint.get(kind) for row in rows]
    if not records or any(record is None for record in records):
        return None
    there = [record for record in records if record is not None]
    values: dict[str, Floats] = {
        name: np.array([record[name] for record in there], dtype=np.float64).reshape(len(there), -1)
        for name in FEATURES
        if name != "thumbnail_rgb"
    }
    pixels = np.frombuffer(bytes.fromhex("".join(record["thumbnail_rgb"] for record in there)), np.uint8)
    values["thumbnail_rgb"] = pixels.astype(np.float64).reshape(len(there), -1)
    blocks = tuple(str(record.get("blocks", "")) for record in there)
    return ImageStatistics(tuple(record["sha256"] for record in there), values, blocks)


def apart(one: ImageStatistics, other: ImageStatistics) -> dict[str, Floats]:
    """For each feature, how far each image is from its counterpart: (n,) grey levels, the largest of its numbers."""
    return {name: np.abs(one.values[name] - other.values[name]).max(axis=1) for name in FEATURES}


def places_moved(one: ImageStatistics, other: ImageStatistics) -> Floats | None:
    """(n,) the share of each image's blocks that differ; None where an image has no hashes of blocks."""
    if not one.blocks or not other.blocks:
        return None
    pairs = list(zip(one.blocks, other.blocks, strict=True))
    if any(not a or len(a) != len(b) for a, b in pairs):
        return None
    return np.array([sum(x != y for x, y in zip(a, b, strict=True)) / len(a) for a, b in pairs], dtype=np.float64)


def same_bytes(one: ImageStatistics, other: ImageStatistics) -> NDArray[np.bool_]:
    """(n,) whether each image is its counterpart, byte for byte."""
    return np.array([a == b for a, b in zip(one.sha256, other.sha256, strict=True)], dtype=np.bool_)
