"""sRGB values to linear light and back, where exposure is a product."""

from __future__ import annotations

import numpy as np

from gfpbench.images import Floats


def to_linear(encoded: Floats) -> Floats:
    """[0, 1] sRGB to [0, 1] light (IEC 61966-2-1)."""
    low = encoded / np.float32(12.92)
    return np.where(encoded <= 0.04045, low, ((encoded + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4))


def to_encoded(linear: Floats) -> Floats:
    """Light to [0, 1] sRGB; light above 1 is clipped, as a sensor that is full (IEC 61966-2-1)."""
    linear = np.clip(linear, 0, 1)
    high = np.float32(1.055) * linear ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(linear <= 0.0031308, linear * np.float32(12.92), high)


def exposed(bgr: Floats, stops: Floats | float) -> Floats:
    """(H, W, 3) float32 sRGB with its light multiplied by 2 to the stops, which broadcast against the image."""
    return to_encoded(to_linear(bgr) * np.exp2(np.asarray(stops, dtype=np.float32)))
