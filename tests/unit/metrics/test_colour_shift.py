"""CIEDE2000 against scikit-image, and the mean over cells in full precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000

from gfpbench import images
from gfpbench.metrics.colour_shift import cell_colours, ciede2000, colour_shift
from gfpbench.types import ImageBatch


def test_ciede2000_is_scikit_images() -> None:
    """Twenty thousand pairs: every quadrant of both hues, where the mean hue takes another turn, and greys."""
    rng = np.random.default_rng(0)
    pairs = rng.uniform([[[0]], [[-110]], [[-110]]], [[[100]], [[110]], [[110]]], (2, 3, 1, 20_000))
    pairs[0, 1:, 0, :50] = 0  # no hue
    pairs[1, 1:, 0, 25:75] = 0
    ours = ciede2000(*torch.from_numpy(pairs))[0].numpy()
    theirs = deltaE_ciede2000(*np.moveaxis(pairs[:, :, 0], 1, -1))
    assert np.abs(ours - theirs).max() < 2e-5  # theirs turns the mean hue once more in places


def test_the_mean_over_cells_keeps_every_digit() -> None:
    rng = np.random.default_rng(1)
    one, other = (torch.from_numpy(rng.integers(0, 256, (1, 3, 40, 48))).float() / 255 for _ in range(2))
    batches = [ImageBatch(pixels, ("a",)) for pixels in (one, other)]
    score = colour_shift(*batches)
    cells = [images.to_lab(cell_colours(images.to_255(batch)[0])) for batch in batches]
    assert score.dtype == torch.float64
    assert float(score) == pytest.approx(float(ciede2000(*cells).mean()), rel=1e-12)
