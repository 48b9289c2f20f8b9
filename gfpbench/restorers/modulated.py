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
MERGED_FROM_PX = 16
"""The smaller side from which on doubling and the convolution behind it are computed in one: below, its dozen small
steps cost more than they save."""


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


def convolved_doubled(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """``conv2d(doubled(x), weight, bias, padding=1)`` of a 3 x 3 kernel, at a quarter of the products on a CPU.

    Doubling is zeros between the pixels and then the filter (1, 3, 3, 1) / 4 along each side. Filters commute, so the
    convolution may come first, where three of four pixels are zero: a transposed convolution of stride 2. Equal but for
    rounding, except at the border, where doubling repeats pixels and the convolution is padded with zeros; those rows
    and columns are computed as they are written.

    Args:
        x: (B, C, H, W). In bfloat16, whose sums in between would be rounded, and on a GPU one follows the other.
        weight, bias: (O, C, 3, 3) and (O,).
    """
    plainly = x.device.type != "cpu" or x.dtype == torch.bfloat16 or min(x.shape[2:]) < MERGED_FROM_PX
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call,unused-ignore]
    if plainly or tracing or torch.compiler.is_compiling():  # exported as it is written
        return F.conv2d(doubled(x), weight, bias, padding=1)
    turned = weight.flip(2, 3).transpose(0, 1)
    spread = F.conv_transpose2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), turned, stride=2, padding=1)
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25], dtype=x.dtype, device=x.device)
    kernel = (taps[:, None] * taps).expand(len(weight), 1, 4, 4)
    out = F.conv2d(spread, kernel, bias, groups=len(weight))
    rows = torch.cat([doubled(x[:, :, :2])[:, :, :2], doubled(x[:, :, -2:])[:, :, -2:]])
    columns = torch.cat([doubled(x[..., :2])[..., :2], doubled(x[..., -2:])[..., -2:]])
    above, below = F.conv2d(rows, weight, bias, padding=1).chunk(2)
    left, right = F.conv2d(columns, weight, bias, padding=1).chunk(2)
    out[:, :, 0], out[:, :, -1] = above[:, :, 0], below[:, :, 1]
    out[..., 0], out[..., -1] = left[..., 0], right[..., 1]
    return out
