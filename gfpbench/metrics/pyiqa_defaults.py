"""PSNR and SSIM as pyiqa computes them unless told otherwise: YIQ luma, PSNR with a cap, no negative SSIM."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gfpbench.images import to_full_range_luma_255, to_gray_255
from gfpbench.lazy import LazyModule
from gfpbench.metrics.per_image import image_by_image, mean_of
from gfpbench.metrics.psnr import decibels, psnr_rgb, psnr_y
from gfpbench.metrics.ssim import similarity_maps, ssim_y
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

_EPSILON = 1e-8
_CAP_DB = 80.0


def capped(decibel: torch.Tensor) -> torch.Tensor:
    """PSNR where 1e-8 was added to the mean squared error of images in [0, 1]: at most 80 dB, 3e-5 lower at 28 dB."""
    return -10 * torch.log10(10 ** (-decibel / 10) + _EPSILON)


def _psnr_rgb_cap80(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    return capped(psnr_rgb.score(restored, truth))


def _psnr_of_planes(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    error = restored - truth
    return capped(decibels(mean_of(error.mul_(error))))


def _psnr_yiq_cap80(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    return image_by_image(_psnr_of_planes, to_full_range_luma_255(restored), to_full_range_luma_255(truth))


def _ssim_of_planes(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    luminance, contrast_structure = similarity_maps(restored[0], truth[0])
    return mean_of(luminance * contrast_structure.clamp_min(0))


def _ssim_yiq(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """On luma in whole numbers. Ours is rounded half up, pyiqa's in float32 to even: ties may fall the other way."""
    return image_by_image(_ssim_of_planes, to_gray_255(restored), to_gray_255(truth))


_PYIQA = "chaofengc/IQA-PyTorch v0.1.16"

psnr_rgb_cap80 = replace(
    psnr_rgb,
    name="psnr_rgb_cap80",
    best=_CAP_DB,
    source=f"{_PYIQA} psnr; basicsr calculate_psnr_pt, which PMRF uses (evaluation/compute_metrics_blind.py)",
    score=_psnr_rgb_cap80,
)
"""``psnr_rgb`` as implementations in torch write it: equal images reach 80 dB and not infinity."""

psnr_yiq_cap80 = replace(
    psnr_y, name="psnr_yiq_cap80", best=_CAP_DB, source=f"{_PYIQA} psnry, color_space yiq", score=_psnr_yiq_cap80
)
"""PSNR on full-range luma: 1.3 dB below ``psnr_y``, whose luma is squeezed into 16..235 while the peak stays 255."""

ssim_yiq = replace(ssim_y, name="ssim_yiq", source=f"{_PYIQA} ssim, color_space yiq", score=_ssim_yiq)
"""SSIM on rounded full-range luma, negative contrast-structure terms cut to 0."""
