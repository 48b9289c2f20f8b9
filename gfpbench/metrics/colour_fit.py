"""PSNR and SSIM after the output's colours were fitted to the truth's: what VQFR's script reports under those names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gfpbench.images import to_255
from gfpbench.lazy import LazyModule
from gfpbench.metrics.per_image import image_by_image, mean_of
from gfpbench.metrics.psnr import decibels, psnr_rgb
from gfpbench.metrics.ssim import ssim_of_planes, ssim_rgb
from gfpbench.types import BadInput, ImageBatch

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

_VQFR = "metric_paper/calculate_psnr_ssim.py in TencentARC/VQFR@239c77a"


def fitted(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """A (C, H, W) float64 image, each channel moved and stretched to the truth's mean and standard deviation.

    The script shifts, scales, shifts and scales again; the second round only undoes what scaling did to the mean, so
    that all four are x sd_t / sd + mean_t - mean sd_t / sd. Neither clipped nor rounded, as there.

    Raises:
        BadInput: for a channel of one value, which nothing can stretch (the script divides by 0).
    """
    mean, spread = _moments(restored)
    wanted_mean, wanted_spread = _moments(truth)
    if not bool((spread > 0).all()):
        raise BadInput("a channel of the restored image holds one value only: its spread cannot be fitted")
    scale = wanted_spread / spread
    return restored * scale[:, None, None] + (wanted_mean - mean * scale)[:, None, None]


def _moments(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation (N in the denominator) of each channel, (C,) each."""
    mean = torch.stack([mean_of(plane) for plane in image])
    squares = (image - mean[:, None, None]).square_()
    return mean, torch.stack([mean_of(plane) for plane in squares]).sqrt()


def _psnr(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    error = fitted(restored, truth) - truth
    return decibels(mean_of(error.mul_(error)))


def _ssim(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return ssim_of_planes(fitted(restored, truth), truth)


def _score_psnr(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    return image_by_image(_psnr, to_255(restored), to_255(truth))


def _score_ssim(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    return image_by_image(_ssim, to_255(restored), to_255(truth))


psnr_rgb_fitted = replace(
    psnr_rgb, name="psnr_rgb_fitted", source=f"{_VQFR}, whose correct_mean_var cannot be off", score=_score_psnr
)
"""``psnr_rgb`` after ``fitted``. A colour cast costs nothing here; for 8 degraded portraits it read 0.005 dB lower."""

ssim_rgb_fitted = replace(
    ssim_rgb, name="ssim_rgb_fitted", source=f"{_VQFR}, whose correct_mean_var cannot be off", score=_score_ssim
)
"""``ssim_rgb`` after ``fitted``."""
