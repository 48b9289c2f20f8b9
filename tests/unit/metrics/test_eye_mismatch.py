"""The colours of eyes are compared in CIE Lab of 8-bit RGB."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2lab

from gfpbench.metrics.eye_mismatch import LEFT, RIGHT, _lab, flat_eye, mismatch, regions


def test_lab_is_scikit_images() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    rgb[0, 0], rgb[0, 1] = 255, 0
    assert np.abs(_lab(rgb) - rgb2lab(rgb)).max() < 1e-3
    assert np.abs(_lab(rgb)[0, 0] - [100, 0, 0]).max() < 1e-2


def test_an_eye_without_an_iris_is_taken_whole() -> None:
    """Lids that both lie above the eye leave no pixel where an iris would be."""
    rgb = np.zeros((120, 200, 3), np.uint8)
    rgb[:, :100], rgb[:, 100:] = (200, 60, 40), (30, 90, 180)
    points = np.zeros((68, 2))
    for eye, x in ((LEFT, 30.0), (RIGHT, 130.0)):
        points[eye] = [(x, 60), (x + 10, 30), (x + 30, 30), (x + 40, 60), (x + 30, 31), (x + 10, 31)]
    iris, _ = regions(flat_eye(rgb, points[LEFT], False)[1])
    assert not iris.any()
    apart = np.linalg.norm(rgb2lab(rgb[:1, :1]) - rgb2lab(rgb[:1, -1:]))
    assert mismatch(rgb, points) == pytest.approx([apart] * 3, abs=0.01)
