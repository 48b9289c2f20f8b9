"""MS-SSIM against pyiqa and torchmetrics at a size where all padding rules agree, and at its limits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from gfpbench import images
from gfpbench.metrics.ms_ssim import ms_ssim
from gfpbench.types import BadInput, ImageBatch
from tests.unit.metrics import per_image_laws


def cropped(images: ImageBatch, side: int) -> ImageBatch:
    return ImageBatch(images.pixels[..., :side, :side], images.ids)


def test_pyiqa(pyiqa_metric: Any) -> None:
    """pyiqa's default is the same luma; it keeps its weights in single precision."""
    pair = [images.quantized(cropped(per_image_laws.noisy(std), 192)) for std in (9, 0)]
    expected = pyiqa_metric("ms_ssim")(*(one.pixels for one in pair)).flatten().tolist()
    assert ms_ssim(*pair).tolist() == pytest.approx(expected, abs=1e-4)


def test_torchmetrics() -> None:
    """torchmetrics counts a mirrored border at the coarsest scale, where 192 px have become 12."""
    pair = [cropped(per_image_laws.noisy(std), 192) for std in (9, 0)]
    restored, truth = (images.to_gray_255(one) for one in pair)
    expected = multiscale_structural_similarity_index_measure(
        restored, truth, data_range=255.0, reduction="none", normalize="relu"
    )
    assert ms_ssim(*pair).tolist() == pytest.approx(expected.tolist(), abs=2e-3)


def test_opposed_patterns_count_as_nothing() -> None:
    """A negative mean has no real power: 0, not NaN."""
    pattern = torch.rand(1, 3, 161, 161, generator=torch.Generator().manual_seed(0))
    assert ms_ssim(ImageBatch(pattern, ("one",)), ImageBatch(1 - pattern, ("one",))).item() == 0.0


def test_161_px_is_the_least() -> None:
    assert 0 < ms_ssim(cropped(per_image_laws.noisy(9), 161), cropped(per_image_laws.truth(), 161)).min() < 1
    with pytest.raises(BadInput, match=r"below 161 px .* 160 x 160 px"):
        ms_ssim(cropped(per_image_laws.noisy(9), 160), cropped(per_image_laws.truth(), 160))
