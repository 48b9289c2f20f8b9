"""Images of another size: against Pillow on the way up, against plain means on the way down."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest

from gfpbench import images


def _image(height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8: a gradient with an edge that is not in the middle, so that no flip or shift goes unseen."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([255 * x / width, 255 * y / height, 40 + 150 * (x > width // 3)], axis=-1)
    return np.round(image).astype(np.uint8)


@pytest.mark.parametrize("size", [(96, 96), (128, 64), (50, 81)])
def test_enlarging_is_pillows_bicubic(size: tuple[int, int]) -> None:
    rgb = _image(32, 40)
    ours = images.to_rgb_arrays(images.resized(images.batch_from_uint8([rgb], ("a",)), size))[0].astype(int)
    theirs = np.asarray(PIL.Image.fromarray(rgb).resize(size[::-1], PIL.Image.Resampling.BICUBIC)).astype(int)
    assert ours.shape == theirs.shape == (*size, 3)
    assert np.abs(ours - theirs).max() <= 1  # Pillow rounds between its two passes


@pytest.mark.parametrize("factor", [2, 4])
def test_shrinking_takes_means_of_areas(factor: int) -> None:
    rgb = _image(32, 40)
    ours = images.resized(images.batch_from_uint8([rgb], ("a",)), (32 // factor, 40 // factor)).pixels[0].numpy()
    blocks = rgb.reshape(32 // factor, factor, 40 // factor, factor, 3).mean((1, 3)).transpose(2, 0, 1) / 255
    assert np.abs(ours - blocks).max() < 1e-6


def test_the_same_size_is_the_same_batch() -> None:
    batch = images.batch_from_uint8([_image(32, 40)], ("a",))
    assert images.resized(batch, (32, 40)) is batch
