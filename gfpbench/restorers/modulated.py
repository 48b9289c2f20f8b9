"""StyleGAN2's modulated convolution with one set of weights for the whole batch.

Karras et al. 2020 (arXiv:1912.04958, Eq. 1 and 3) scale the weights by a style per image: w'_ijk = s_i w_ijk, then
divide by sqrt(sum w'^2 + 1e-8). Written so, every image has its own weights, and a batch becomes a convolution with
as many groups as images. Convolution is linear, so the style may scale the input channels and the divisor the output
channels instead: the weights stay shared, and a batch is one ordinary convolution. Equal but for rounding.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

EPSILON = 1e-8
"""Of the demodulation, as in basicsr and gfpgan. Zero in fp16, so divisors are computed in float32."""


class Modulated(nn.Module):
    """A modulated convolution's weights under the authors' names (``weight``, ``modulation.*``), ready to be shared.

    Args:
        channels_in, channels_out, kernel_px: of the convolution.
        style: numbers in a style vector.
        equalised: whether weights are stored unscaled, to be divided by the root of their fan-in at every use, as
            StyleGAN2 does. The clean networks store them scaled.
    """

    squares: torch.Tensor
    shared: torch.Tensor

    def __init__(
        self, channels_in: int, channels_out: int, kernel_px: int, style: int, *, equalised: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, channels_out, channels_in, kernel_px, kernel_px))
        self.modulation = nn.Linear(style, channels_in)
        self.gain = 1 / math.sqrt(channels_in * kernel_px**2) if equalised else 1.0
        self.style_gain = 1 / math.sqrt(style) if equalised else 1.0
        self.register_buffer("squares", torch.empty(0), persistent=False)
        self.register_buffer("shared", torch.empty(0), persistent=False)

    def prepare(self, dtype: torch.dtype, channels_last: bool) -> None:
        """Work out what does not depend on the image, and drop the rest. Call it once, when the weights are in."""
        weight = (self.weight[0] * self.gain).detach()
        self.register_parameter("weight", None)
        self.squares = weight.square().sum((2, 3)).t().contiguous()
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.shared = weight.to(dtype).contiguous(memory_format=layout)

    def style(self, latent: torch.Tensor) -> torch.Tensor:
        """(B, S) to the factors on the input channels, (B, I) float32."""
        with torch.autocast(latent.device.type, enabled=False):
            return F.linear(latent.float(), self.modulation.weight * self.style_gain, self.modulation.bias)

    def divided(self, style: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
        """Factors on the output channels, (B, O, 1, 1) float32: gain over the norm of each modulated filter."""
        with torch.autocast(style.device.type, enabled=False):
            norms = torch.rsqrt(style.square() @ self.squares + EPSILON)
        return (norms * gain)[:, :, None, None]

    def scaled(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """The input with its channels scaled, in the type and layout it came in."""
        return x * style[:, :, None, None].to(x.dtype)

    def to_rgb(self, x: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """A 1 x 1 convolution without demodulation: (B, I, H, W) to (B, O, H, W) float32. Scales the few weights."""
        per_image = self.shared.flatten(1) * self.style(latent)[:, None, :].to(x.dtype)
        return torch.matmul(per_image, x.flatten(2)).view(x.shape[0], -1, *x.shape[2:]).float()


def is_channels_last(x: torch.Tensor) -> bool:
    """Whether (B, C, H, W) lies in memory with its channels innermost, and not also in the usual order."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def doubled(x: torch.Tensor) -> torch.Tensor:
    """Twice as high and wide, bilinear, corners not aligned."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def halved(x: torch.Tensor) -> torch.Tensor:
    """Half as high and wide, bilinear, corners not aligned: the mean of four."""
    return F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
