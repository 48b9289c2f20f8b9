"""The restorers without learning: input, bicubic, classical."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from gfpbench.images import resized, select, to_rgb_arrays, to_uint8
from gfpbench.restorers import load, plain
from gfpbench.types import ImageBatch, Restorer


def mean_psnr_db(batch: ImageBatch, truth: ImageBatch) -> float:
    return float(-10 * (batch.pixels - truth.pixels).square().mean((1, 2, 3)).log10().mean())


def test_input_is_a_copy_and_says_so(degraded: ImageBatch) -> None:
    restored = load("input")(degraded)
    assert torch.equal(restored.pixels, degraded.pixels)
    assert restored.pixels.data_ptr() != degraded.pixels.data_ptr()
    assert load("input").provenance()["identity"] is True


@pytest.mark.parametrize("name", ["bicubic", "classical"])
@pytest.mark.parametrize("size", [(128, 128), (97, 61), (16, 16), (1, 1)])
def test_every_size_comes_back(name: str, size: tuple[int, int], degraded: ImageBatch) -> None:
    other = resized(degraded, size)
    restored = load(name)(other)
    assert restored.size == size
    assert restored.ids == other.ids


@pytest.mark.parametrize("name", ["bicubic", "classical"])
def test_it_changes_its_input_the_same_way_each_time(name: str, degraded: ImageBatch) -> None:
    restorer: Restorer = load(name)
    restored = restorer(degraded)
    assert ((to_uint8(restored).int() - to_uint8(degraded).int()).abs().amax((1, 2, 3)) > 2).all()
    backwards = restorer(select(degraded, [7, 6, 5, 4, 3, 2, 1, 0]))
    assert torch.equal(backwards.pixels.flip(0), restored.pixels)
    assert torch.equal(load(name)(degraded).pixels, restored.pixels)
    assert "identity" not in restorer.provenance()


def test_bicubic_is_torchvisions(degraded: ImageBatch) -> None:
    """Against Pillow-like resizing from torchvision: mean over 4 x 4, then bicubic with a = -0.5."""
    from torchvision.transforms.v2.functional import resize

    small = degraded.pixels.unflatten(3, (32, 4)).unflatten(2, (32, 4)).mean((3, 5))
    expected = resize(small, [128, 128], interpolation=3, antialias=True).clamp(0, 1)
    assert (load("bicubic")(degraded).pixels - expected).abs().max() < 1e-6


def test_classical_gains_over_its_input(truth: ImageBatch, degraded: ImageBatch) -> None:
    assert mean_psnr_db(load("classical")(degraded), truth) > mean_psnr_db(degraded, truth) + 0.3


def test_classical_is_opencvs_filters_at_the_scale_of_the_crop(degraded: ImageBatch) -> None:
    rgb = to_rgb_arrays(degraded)[0]
    smooth = cv2.bilateralFilter(rgb.astype(np.float32) / 255, 9, 0.15, 3.0)  # 12 px at 512 are 3 px at 128
    sharp = smooth + 0.5 * (smooth - cv2.GaussianBlur(smooth, (0, 0), 3.0))
    expected = np.clip(sharp * 255, 0, 255).round().astype(int)
    assert np.abs(plain.restore(rgb).astype(int) - expected).max() <= 1  # rounding edges only


def agreement_over_sizes_db(degraded: ImageBatch) -> float:
    """How near an image of twice the size, restored and shrunk, comes to the small one restored."""
    once = load("classical")(degraded)
    return mean_psnr_db(resized(load("classical")(resized(degraded, (256, 256))), (128, 128)), once)


def test_classical_does_the_same_at_twice_the_size(degraded: ImageBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    scaled = agreement_over_sizes_db(degraded)
    assert scaled > 45
    once = load("classical")(degraded)
    monkeypatch.setattr(plain, "CROP_PX", 1024)  # as if the lengths had stayed those of the small image
    fixed = resized(load("classical")(resized(degraded, (256, 256))), (128, 128))
    assert mean_psnr_db(fixed, once) < scaled - 5


def test_classical_without_sharpening_is_worse(truth: ImageBatch, degraded: ImageBatch) -> None:
    """The claim beside its settings: sharpening earns its place."""
    images = to_rgb_arrays(degraded)
    truths = [t.astype(float) for t in to_rgb_arrays(truth)]

    def error(amount: float) -> float:
        restored = [plain.restore(p, sharpen_amount=amount) for p in images]
        return float(np.mean([np.square(r - t).mean() for r, t in zip(restored, truths, strict=True)]))

    assert error(plain.SHARPEN_AMOUNT) < error(0.0)
