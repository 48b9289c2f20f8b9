"""StyleGAN2 layers of the original GFP-GAN: equalised learning rate, scaled activations, FIR resampling.

The published code runs these in compiled CUDA operations (basicsr/ops/fused_act and upfirdn2d of XPixelGroup/BasicSR
1.4.2); here they are plain torch and run anywhere. Karras et al. 2020, arXiv:1912.04958, appendix B.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

_TAPS = (1.0, 3.0, 3.0, 1.0)


def scaled_leaky_relu(x: torch.Tensor) -> torch.Tensor:
    """sqrt(2) leaky_relu(x, 0.2): keeps the variance of what it is given. Overwrites x."""
    return F.leaky_relu_(x, 0.2).mul_(math.sqrt(2))


def filtered(x: torch.Tensor, before: int, after: int, gain: float = 1.0, stride: int = 1) -> torch.Tensor:
    """Each channel of (B, C, H, W) through the 4 x 4 binomial filter, with zeros around it.

    Args:
        before: zeros above and to the left; ``after``: below and to the right. Negative numbers crop.
        gain: of the filter, whose taps sum to one; 4 where zeros were put between the pixels.
        stride: keep every so many pixels.
    """
    taps = torch.tensor(_TAPS, dtype=torch.float32, device=x.device)
    kernel = taps[:, None] * taps[None, :]
    kernel = (kernel * (gain / kernel.sum())).to(x.dtype).expand(x.shape[1], 1, 4, 4)
    # Symmetric, so correlating with it is convolving with it.
    return F.conv2d(F.pad(x, (before, after, before, after)), kernel, stride=stride, groups=x.shape[1])


def enlarged(x: torch.Tensor) -> torch.Tensor:
    """Twice as high and wide: zeros between the pixels, then the filter."""
    batch, channels, height, width = x.shape
    spread = x.new_zeros(batch, channels, height, 2, width, 2)
    spread[:, :, :, 0, :, 0] = x
    return filtered(spread.view(batch, channels, 2 * height, 2 * width), 2, 1, gain=4.0)


class Bias(nn.Module):
    """A bias and the scaled activation behind it (FusedLeakyReLU)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return scaled_leaky_relu(x + self.bias[:, None, None].to(x.dtype))


class Equalised(nn.Module):
    """A convolution whose stored weights are divided by the root of their fan-in (EqualConv2d)."""

    def __init__(self, channels_in: int, channels_out: int, kernel_px: int, *, bias: bool, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, kernel_px, kernel_px))
        self.bias = nn.Parameter(torch.empty(channels_out)) if bias else None
        self.gain = 1 / math.sqrt(channels_in * kernel_px**2)
        self.stride = stride
        self.padding = kernel_px // 2 if stride == 1 else 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.weight * self.gain, self.bias, stride=self.stride, padding=self.padding)


class Shrinking(nn.Module):
    """The filter in front of a convolution of stride 2, which zeros of its kernel's width need (UpFirDnSmooth)."""

    def __init__(self, kernel_px: int) -> None:
        super().__init__()
        self.padding = (kernel_px + 1) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return filtered(x, self.padding, self.padding)


class EqualisedLinear(nn.Linear):
    """A linear layer whose stored weights are divided by the root of their fan-in (EqualLinear)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight * (1 / math.sqrt(self.in_features)), self.bias)
