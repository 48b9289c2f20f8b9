"""LPIPS and identity as RestoreFormer's scripts compute them: BGR passed as RGB, angles in radians."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gfpbench import assets
from gfpbench.images import quantized, with_red_and_blue_exchanged
from gfpbench.lazy import LazyModule
from gfpbench.metrics import lpips
from gfpbench.metrics.identity import ARCFACE_ASSET, angle_degrees, deg_arcface
from gfpbench.metrics.per_image import image_by_image
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
else:
    torch, F = LazyModule("torch"), LazyModule("torch.nn.functional")

_REPOSITORY = "wzhouxiff/RestoreFormer@294cf95 scripts/metrics"
_SIDE_PX = 128


def _network(name: str) -> torch.nn.Module:
    return lpips.network("vgg", assets.path("vgg16", name))


def _score_bgr(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    swapped = with_red_and_blue_exchanged(restored), with_red_and_blue_exchanged(truth)
    return lpips.distance(_network("lpips_vgg_bgr"), *swapped)


def _score_bgr_01(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """The network is told [0, 1] where it expects [-1, 1]: every image looks pale to it, and distances shrink."""
    network = _network("lpips_vgg_bgr_01").to(restored.pixels.device)

    def one(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = network(ours[None], theirs[None])
        return value.reshape(())

    swapped = (with_red_and_blue_exchanged(quantized(batch)).pixels for batch in (restored, truth))
    return image_by_image(one, *swapped)


lpips_vgg_bgr = replace(
    lpips.lpips_vgg,
    name="lpips_vgg_bgr",
    source=f"{_REPOSITORY}/cal_psnr_ssim.py, norm_lpips",
    score=_score_bgr,
)
"""LPIPS on VGG-16 in [-1, 1] with red and blue exchanged."""

lpips_vgg_bgr_01 = replace(
    lpips.lpips_vgg,
    name="lpips_vgg_bgr_01",
    source=f"{_REPOSITORY}/cal_psnr_ssim.py, lpips",
    score=_score_bgr_01,
)
"""The same given [0, 1], the first of the two figures that the script prints."""


def grey_input(batch: ImageBatch) -> torch.Tensor:
    """(B, 1, 128, 128) float32 in [0, 1], never centred: RGB weights on BGR, float bilinear without antialiasing."""
    blue, green, red = quantized(batch).pixels.flip(1).unbind(1)  # in the order of the file
    grey = (0.2989 * blue + 0.5870 * green + 0.1140 * red)[:, None]
    return F.interpolate(grey, (_SIDE_PX, _SIDE_PX), mode="bilinear", align_corners=False)


def angles_radians(network: torch.nn.Module, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """(B,) radians between the embeddings of each pair."""
    network = network.to(restored.pixels.device)
    with torch.inference_mode():
        ours, theirs = (torch.cat([network(face[None]) for face in grey_input(batch)]) for batch in (restored, truth))
    return torch.deg2rad(angle_degrees(ours.cpu().clone(), theirs.cpu().clone()))


def _score_radians(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    from gfpbench.metrics.arcface import arcface  # a network: loads torch

    return angles_radians(arcface(assets.path(ARCFACE_ASSET, "rad_arcface_bgr")), restored, truth)


rad_arcface_bgr = replace(
    deg_arcface,
    name="rad_arcface_bgr",
    unit="radians",
    tolerance=2e-5,
    source=f"{_REPOSITORY}/cal_identity_distance.py",
    score=_score_radians,
)
"""RestoreFormer's identity distance: an angle in radians of the same network, which is shown another image."""
