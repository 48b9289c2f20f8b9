"""What steers a frozen prior to restore: a U-Net, an MLP to one w for each size, and a scale and shift for half of
the channels of each size (channel-split SFT, as in GFP-GAN), with a readout of the size that is restored."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from gfpbench.nano import networks
from gfpbench.restorers.gfpgan_sizes import Sizes
from training.mobile_prior import SLOPE, MobilePrior, from_haar

Tensor = torch.Tensor
UNET = ("conv_body_first", "conv_body_down", "final_conv", "conv_body_up", "toRGB")
"""The parts of the authors' network that are its U-Net."""


class Steering(nn.Module):
    """Everything that is learnt, and nothing of the prior. At first it asks for the prior's mean face, unchanged.

    Args:
        sizes: of the U-Net, and of the images.
        prior: what it will steer, read for its sizes and its mean.
        hidden: width of the MLP.
        seed: of the initial weights.
        readout: (12, C + 1), see ``ReadoutFit``.
    """

    def __init__(self, sizes: Sizes, prior: MobilePrior, hidden: int, seed: int, readout: Tensor) -> None:
        super().__init__()
        self.count = doublings(sizes)
        whole = networks.restorer(sizes, seed)
        # Sizes up to that of the prior's last features: the readout doubles them once more.
        for name in UNET:
            part = getattr(whole, name)
            self.add_module(name, part[: self.count] if name in ("conv_body_up", "toRGB") else part)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 2)
            inside = sizes.unet[4] * 16
            last = nn.Linear(hidden, prior.style * (self.count + 1))
            self.latents = nn.Sequential(nn.Linear(inside, hidden), nn.LeakyReLU(SLOPE), last)
            widths = [(sizes.unet[8 << level], prior.channels[level + 1]) for level in range(self.count)]
            self.conditions = nn.ModuleList(_condition(ours, theirs) for ours, theirs in widths)
            self.readout = nn.Conv2d(prior.channels[self.count], 12, 1)
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias.copy_(prior.mean.cpu().repeat(self.count + 1))
            self.readout.weight.copy_(readout[:, :-1, None, None])
            self.readout.bias.copy_(readout[:, -1])  # type: ignore[union-attr]

    def encoded(self, degraded: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]], list[Tensor]]:
        """(B, 3, S, S) in [-1, 1] to w (B, L, style), a scale and shift for each size from 8 px, the U-Net's images."""
        part: Any = self
        feature = F.leaky_relu(part.conv_body_first(degraded.contiguous(memory_format=torch.channels_last)), SLOPE)
        skips = []
        for down in part.conv_body_down:
            feature = down(feature)
            skips.append(feature)
        feature = F.leaky_relu(part.final_conv(feature), SLOPE)
        w = self.latents(feature.flatten(1)).float().unflatten(1, (self.count + 1, -1))
        conditions, images = [], []
        for level, up in enumerate(part.conv_body_up):
            feature = up(feature + skips[-1 - level])
            scale, shift = self.conditions[level](feature).chunk(2, dim=1)
            conditions.append((scale + 1, shift))
            images.append(part.toRGB[level](feature).float())
        return w, conditions, images

    def decoded(self, prior: MobilePrior, w: Tensor, conditions: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Latents and conditions to an image, (B, 3, S, S) float32, about [-1, 1]."""
        *_, features = prior.features(w, self.count, lambda level, x: split_sft(x, *conditions[level]))
        return from_haar(self.readout(features).float())

    def forward(self, prior: MobilePrior, degraded: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The restored image, the latents it was made of, and the U-Net's own images."""
        w, conditions, images = self.encoded(degraded)
        return self.decoded(prior, w, conditions), w, images


def doublings(sizes: Sizes) -> int:
    """How often the prior doubles 4 px before the readout doubles once more."""
    return len(sizes.sides) - 1


def split_sft(features: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The first half of the channels as it is; the second half times ``scale`` plus ``shift``."""
    same, steered = features.chunk(2, dim=1)
    return torch.cat([same, steered * scale + shift], dim=1)


def _condition(ours: int, theirs: int) -> nn.Sequential:
    """Scale less 1 and shift, both 0 at first."""
    last = nn.Conv2d(ours, theirs, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    return nn.Sequential(nn.Conv2d(ours, ours, 3, padding=1), nn.LeakyReLU(SLOPE), last)
