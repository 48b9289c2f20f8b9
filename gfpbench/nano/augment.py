"""DiffAugment: what a discriminator sees is jittered, true and made pictures alike, so that few faces last longer."""

from __future__ import annotations

import torch
import torch.nn.functional as F

Tensor = torch.Tensor


def diffaugment(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """(B, 3, S, S) in [-1, 1] with brightness, saturation, contrast, position and a hidden square drawn for each.

    Zhao et al. 2020 (arXiv:2006.10738): brightness +-0.5 on that range, saturation 0 to 2, contrast 0.5 to 1.5,
    translation up to an eighth, a square of half the side hidden. Differentiable; draws come from the CPU's generator.
    """
    batch, side = len(pictures), pictures.shape[-1]
    device, dtype = pictures.device, pictures.dtype
    numbers = torch.rand(3, batch, 1, 1, 1, generator=generator).to(device, dtype, non_blocking=True)
    reach = side // 8
    shifts = torch.randint(-reach, reach + 1, (batch, 2), generator=generator).to(device, non_blocking=True)
    corners = torch.randint(0, side, (batch, 2), generator=generator).to(device, non_blocking=True) - side // 4
    pictures = pictures + (numbers[0] - 0.5)
    grey = pictures.mean(1, keepdim=True)
    pictures = (pictures - grey) * (numbers[1] * 2) + grey
    mean = pictures.mean((1, 2, 3), keepdim=True)
    pictures = (pictures - mean) * (numbers[2] + 0.5) + mean
    return _hidden(_shifted(pictures, shifts, reach), corners)


def _shifted(pictures: Tensor, shifts: Tensor, reach: int) -> Tensor:
    batch, _, side, _ = pictures.shape
    padded = F.pad(pictures, [reach] * 4).permute(0, 2, 3, 1)
    positions = torch.arange(side, device=pictures.device)
    rows = (positions + reach + shifts[:, :1])[:, :, None]
    columns = (positions + reach + shifts[:, 1:])[:, None, :]
    which = torch.arange(batch, device=pictures.device)[:, None, None]
    return padded[which, rows, columns].permute(0, 3, 1, 2)


def _hidden(pictures: Tensor, corners: Tensor) -> Tensor:
    side = pictures.shape[-1]
    positions = torch.arange(side, device=pictures.device)
    inside = (positions >= corners[..., None]) & (positions < corners[..., None] + side // 2)
    return pictures * ~(inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]
