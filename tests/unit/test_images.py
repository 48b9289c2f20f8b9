"""Images of another size: against Pillow on the way up, against plain means on the way down; equal images, hashes."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
import torch

from gfpbench import images
from gfpbench.types import ImageBatch


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


@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 3, 8, 8), (1,), (3, 0)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_equal_tensors_are_those_of_torch(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Whichever value differs, the last ones too, which fill no eight bytes; of -0 and 0 the bits differ only."""
    one = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 200).to(dtype)
    assert images.are_equal(one, one.clone())
    assert images.are_equal(one * 0, one * -0.0)
    assert not images.are_equal(one, one[None])
    assert images.are_equal(one.mT.contiguous().mT if one.ndim > 1 else one, one)
    for place in range(one.numel()):
        other = one.clone()
        other.view(-1)[place] += 1
        assert not images.are_equal(one, other)


def test_images_that_hold_8_bit_values_are_told_from_others() -> None:
    levels = torch.arange(256, dtype=torch.uint8)[:255].reshape(1, 3, 5, 17)
    whole = images.from_levels(levels, ("a",))
    assert images.is_quantized(whole)
    assert images.is_quantized(images.quantized(ImageBatch(whole.pixels * 0.7, ("a",))))
    pixels = whole.pixels.clone()
    pixels[0, 2, 4, 16] += 1e-6
    assert not images.is_quantized(ImageBatch(pixels, ("a",)))


def test_a_hash_goes_along_to_the_8_bit_images_and_no_further() -> None:
    batch = ImageBatch(torch.rand(2, 3, 6, 5, generator=torch.Generator().manual_seed(0)), ("a", "b"))
    expected = tuple(map(images.pixels_sha256, images.to_rgb_arrays(batch)))
    assert images.images_sha256(batch) == expected
    assert images.images_sha256(images.quantized(batch)) == expected
    assert images.images_sha256(images.select(batch, [1])) == expected[1:]
