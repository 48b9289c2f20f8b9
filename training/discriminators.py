"""Discriminators: of the whole image, and of eyes and mouth separately."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

Tensor = torch.Tensor

COMPONENTS: Mapping[str, tuple[float, float, float]] = {
    "left_eye": (44 / 128, 58 / 128, 28 / 128),
    "right_eye": (84 / 128, 58 / 128, 28 / 128),
    "mouth": (64 / 128, 90 / 128, 36 / 128),
}
"""Where they lie in a face aligned the FFHQ way, left and right as one looks at it: centre x, y and side, over the
image's side. GFP-GAN crops by landmarks; aligned faces differ by a few pixels only."""


def component(images: Tensor, name: str) -> Tensor:
    """(B, C, S, S) to the square around one facial component, as it is."""
    side = images.shape[-1]
    x, y, length = (round(part * side) for part in COMPONENTS[name])
    half = max(1, length // 2)
    return images[:, :, y - half : y + half, x - half : x + half]


class Equalised(nn.Module):
    """A convolution whose weights are stored at unit variance and scaled at use (Karras et al. 2018), bias and all."""

    def __init__(self, channels_in: int, channels_out: int, kernel_px: int, stride: int = 1) -> None:
        super().__init__()
        weight = torch.randn(channels_out, channels_in, kernel_px, kernel_px)
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.gain, self.stride, self.padding = 1 / math.sqrt(channels_in * kernel_px**2), stride, kernel_px // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.gain, self.bias, self.stride, self.padding)


class Shrinking(nn.Module):
    """StyleGAN2's residual block: two convolutions and a shortcut, to half the side."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.first = Equalised(channels_in, channels_in, 3)
        self.second = Equalised(channels_in, channels_out, 3)
        self.shortcut = Equalised(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = _activated(self.second(_activated(self.first(x))))
        shortcut: Tensor = self.shortcut(F.avg_pool2d(x, 2))
        return (F.avg_pool2d(inner, 2) + shortcut) / math.sqrt(2)


class Discriminator(nn.Module):
    """StyleGAN2's residual discriminator for (B, 3, S, S) in [-1, 1], S a power of two from 8.

    Args:
        side_px: S.
        width: channels at full size; doubled at each halving up to ``widest``.
    """

    def __init__(self, side_px: int, width: int, widest: int) -> None:
        super().__init__()
        halvings = int(math.log2(side_px)) - 2
        widths = [min(width * 2**step, widest) for step in range(halvings + 1)]
        self.first = Equalised(3, widths[0], 1)
        self.blocks = nn.ModuleList(Shrinking(a, b) for a, b in pairwise(widths))
        self.last = Equalised(widths[-1] + 1, widths[-1], 3)
        self.hidden = Equalised(widths[-1], widths[-1], 4)
        self.logit = Equalised(widths[-1], 1, 1)

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps after every block: what perceptual terms compare where no other network is at hand."""
        x = _activated(self.first(images.contiguous(memory_format=torch.channels_last)))
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps

    def judged(self, maps: list[Tensor]) -> Tensor:
        """(B,) logits, high for true images, from ``features``."""
        x = _activated(self.last(torch.cat([maps[-1], _spread(maps[-1])], dim=1)))
        # A 4 x 4 window over a 4 x 4 map: the dense layer of StyleGAN2.
        weight = self.hidden.weight * self.hidden.gain
        x = _activated(F.conv2d(x, weight, self.hidden.bias))
        logits: Tensor = self.logit(x).flatten().float()
        return logits

    def forward(self, images: Tensor) -> Tensor:
        return self.judged(self.features(images))


class LocalDiscriminator(nn.Module):
    """A small patch discriminator for one facial component; its two inner maps are psi of the style term."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                Equalised(3, width, 3),
                Equalised(width, 2 * width, 3, stride=2),
                Equalised(2 * width, 4 * width, 3, stride=2),
            ]
        )
        self.logit = Equalised(4 * width, 1, 3)

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, 1, h, w), high for true images, and the feature maps."""
        x, maps = images.contiguous(memory_format=torch.channels_last), []
        for layer in self.layers:
            x = _activated(layer(x))
            maps.append(x)
        return self.logit(x).float(), maps


def _activated(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def _spread(x: Tensor) -> Tensor:
    """(B, C, h, w) to (B, 1, h, w): how much the images of a batch differ, so that equal fakes are seen.

    The root of the mean variance over groups of up to four, as in StyleGAN2. Zero for one image.
    """
    group = next(size for size in (4, 3, 2, 1) if len(x) % size == 0)
    grouped = x.float().reshape(group, -1, *x.shape[1:])
    spread: Tensor = (grouped.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    return spread.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:]).to(x.dtype)
