"""Restored faces paired with those of other people, and how near they come."""

from __future__ import annotations

import pytest
import torch

from gfpbench import faces, images, metrics
from gfpbench.collapse.other_face import AgainstOther, pair_with_others
from gfpbench.types import BadInput, ImageBatch


def test_an_answer_without_its_input_tells_no_face_from_another() -> None:
    """Over a permutation of the faces the mean of own - other is 0 for any constant answer and any metric."""
    clean = faces.load("embedded", size_px=64, draws=3)
    ids = clean.ids()
    others = pair_with_others(clean, ids)
    assert sorted(others.values()) == sorted(ids)
    assert all(name.split("~")[0] != other.split("~")[0] for name, other in others.items())
    truth = ImageBatch(torch.stack([clean.load(name).pixels for name in ids]), ids)
    answer = images.quantized(ImageBatch(truth.pixels.mean(0, keepdim=True).expand_as(truth.pixels).clone(), ids))
    for metric in metrics.load(["psnr_rgb", "ssim_rgb", "gmsd"]):
        apart = metric(answer, truth) - AgainstOther(metric, clean, others)(answer, truth)
        assert abs(float(apart.mean())) < 1e-9
        assert float(apart.abs().max()) > 1e-4  # face by face it does differ


def test_another_face_is_measured_as_by_hand() -> None:
    clean = faces.load("embedded", size_px=64)
    ids = clean.ids()
    (ssim,) = metrics.load(["ssim_rgb"])
    truth = ImageBatch(torch.stack([clean.load(name).pixels for name in ids]), ids)
    swapped = ImageBatch(truth.pixels.flip(0), ids)
    noisy = images.quantized(ImageBatch((truth.pixels * 0.8 + 0.1), ids))
    others = pair_with_others(clean, ids)
    restored = AgainstOther(ssim, clean, others)
    perfect = AgainstOther(ssim, clean, others, of_truth=True)
    assert torch.equal(restored(noisy, truth), ssim(noisy, swapped))
    assert torch.equal(perfect(noisy, truth), ssim(truth, swapped))
    assert restored.name == "ssim_rgb_other"
    assert perfect.name == "ssim_rgb_truth_other"


def test_one_face_is_not_enough() -> None:
    clean = faces.load("embedded", size_px=64, draws=3)
    with pytest.raises(BadInput, match="--criterion input"):
        pair_with_others(clean, ["astronaut~0", "astronaut~1"])
