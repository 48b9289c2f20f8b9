"""Gaussian noise, the third step of Eq. 6: independent in every pixel and channel, added to the small image.

n_delta of GFP-GAN's Eq. 6; upstream adds float32(randn) * delta / 255 and clips to [0, 1] (basicsr @8d56e3a).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gfpbench.degrade.rng import generator, key, uniform
from gfpbench.images import Floats
from gfpbench.types import Parameters


@dataclass(frozen=True, slots=True)
class Noise:
    """How noise is drawn: its strength uniform in the range, its field from a key of its own.

    Args:
        std_grey_levels: range of the standard deviation, in levels of 0..255.
    """

    std_grey_levels: tuple[float, float]

    def draw(self, source: np.random.Generator, seed: int, face_id: str) -> Parameters:
        return {
            "noise_std_grey_levels": uniform(source, self.std_grey_levels),
            "noise_key": key(seed, face_id, "noise field"),
        }


_PART = 16384


def field(noise_key: str, size_px: tuple[int, int], out: Floats | None = None) -> Floats:
    """(height, width, 3) float32 BGR standard normal noise; the same for the same key and size, whatever the device.

    Into ``out``, contiguous and of that shape, where it is given.
    """
    source, values = generator(noise_key), np.empty((*size_px, 3), np.float32) if out is None else out
    flat, numbers = values.reshape(-1), np.empty(min(values.size, _PART))
    # A part at a time, whose float64 numbers stay in the processor's cache; they are the same ones.
    for start in range(0, flat.size, _PART):
        part = flat[start : start + _PART]
        part[:] = source.standard_normal(out=numbers[: part.size])
    return values


def noisy(bgr: Floats, record: Parameters) -> Floats:
    """(h, w, 3) float32 with the record's noise added, then clipped to [0, 1] (with or without noise), not rounded."""
    std = record["noise_std_grey_levels"]
    if std > 0:
        added = field(record["noise_key"], (bgr.shape[0], bgr.shape[1]))
        added *= std
        added /= 255.0
        added += bgr
        return np.asarray(np.clip(added, 0, 1, out=added), dtype=np.float32)
    return np.clip(bgr, 0, 1)
