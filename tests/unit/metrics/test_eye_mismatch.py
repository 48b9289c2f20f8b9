"""The colours of eyes are compared in CIE Lab of 8-bit RGB."""

from __future__ import annotations

import numpy as np
from skimage.color import rgb2lab

from gfpbench.metrics.eye_mismatch import _lab


def test_lab_is_scikit_images() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    rgb[0, 0], rgb[0, 1] = 255, 0
    assert np.abs(_lab(rgb) - rgb2lab(rgb)).max() < 1e-3
    assert np.abs(_lab(rgb)[0, 0] - [100, 0, 0]).max() < 1e-2
