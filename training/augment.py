"""DiffAugment: differentiable augmentation of real and generated images before the discriminator."""

from __future__ import annotations

import torch
import torch.nn.functional as F

Tensor = torch.Tensor


def diffaugment(images: Tensor, generator: torch.Generator) -> Tensor:
    """(B, 3, S, S) in [-1, 1] with brightness, saturation, contrast, position and a hidden square drawn for each.

    Zhao et al. 2020 (arXiv:2006.10738): brightness +-0.5 on that range, saturation 0 to 2, contrast 0.5 to 1.5,
    translation up to an eighth, a square of half the side hidden. Differentiable; draws come from the CPU's generator.
    """
    batch, side = len(images), images.shape[-1]
    device, dtype = images.device, images.dtype
    numbers = torch.rand(3, batch, 1, 1, 1, generator=generator).to(device, dtype, non_blocking=True)
    reach = side // 8
    shifts = torch.randint(-reach, reach + 1, (batch, 2), generator=generator).to(device, non_blocking=True)
    corners = torch.randint(0, side, (batch, 2), generator=generator).to(device, non_blocking=True) - side // 4
    images = images + (numbers[0] - 0.5)
    grey = images.mean(1, keepdim=True)
    images = (images - grey) * (numbers[1] * 2) + grey
    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * (numbers[2] + 0.5) + mean
    return _hidden(_shifted(images, shifts, reach), corners)


def _shifted(images: Tensor, shifts: Tensor, reach: int) -> Tensor:
    batch, _, side, _ = images.shape
    padded = F.pad(images, [reach] * 4).permute(0, 2, 3, 1)
    positions = torch.arange(side, device=images.device)
    rows = (positions + reach + shifts[:, :1])[:, :, None]
    columns = (positions + reach + shifts[:, 1:])[:, None, :]
    which = torch.arange(batch, device=images.device)[:, None, None]
    return padded[which, rows, columns].permute(0, 3, 1, 2)


def _hidden(images: Tensor, corners: Tensor) -> Tensor:
    side = images.shape[-1]
    positions = torch.arange(side, device=images.device)
    inside = (positions >= corners[..., None]) & (positions < corners[..., None] + side // 2)
    return images * ~(inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]
