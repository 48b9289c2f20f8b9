"""Luma, grey and L*a*b* of images, as the metrics measure them, and exchanged colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gfpbench.images.levels import shared_view, to_255, to_uint8
from gfpbench.lazy import LazyModule
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

BT601_LUMA = (65.481, 128.553, 24.966)
"""MATLAB's rgb2ycbcr weights for R, G, B in [0, 1]: luma = 16 + w . rgb (ITU-R BT.601)."""

_XYZ_FROM_RGB = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_D65 = (0.95047, 1.0, 1.08883)


def to_luma_255(batch: ImageBatch) -> torch.Tensor:
    """(B, 1, H, W) float64 BT.601 luma, 16..235, of the 8-bit image, not rounded (as basicsr's bgr2ycbcr). Shared."""

    def make() -> torch.Tensor:
        red, green, blue = (
            plane * (weight / 255) for plane, weight in zip(to_255(batch).unbind(1), BT601_LUMA, strict=True)
        )
        return red.add_(green).add_(blue).add_(16).unsqueeze(1)

    return shared_view(batch, "luma", make)


def to_rounded_luma_255(batch: ImageBatch) -> torch.Tensor:
    """(B, 1, H, W) float64 whole numbers 16..235: BT.601 luma rounded half up, the same on every device. Shared."""

    def make() -> torch.Tensor:
        # 255,000 times the luma is a whole number: rounding that, no last bit of a sum can decide a tie.
        red, green, blue = to_255(batch).unbind(1)
        scaled = (red * 65481).add_(green, alpha=128553).add_(blue, alpha=24966)
        return scaled.add_(127500).div_(255000).floor_().add_(16).unsqueeze(1)

    return shared_view(batch, "rounded luma", make)


def to_gray_255(batch: ImageBatch) -> torch.Tensor:
    """(B, 1, H, W) float64 whole numbers 0..255: 0.299 R + 0.587 G + 0.114 B, rounded as MATLAB's rgb2gray. Shared."""

    def make() -> torch.Tensor:
        # In thousandths every term is a whole number that float32 holds exactly, so a tie is a tie on every device.
        grey = torch.empty((len(batch), 1, *batch.size), dtype=torch.float64, device=batch.pixels.device)
        for (red, green, blue), target in zip(to_uint8(batch), grey, strict=True):  # one image stays in the cache
            thousandths = (red.to(torch.float32) * 299).add_(green, alpha=587).add_(blue, alpha=114)
            target[0] = thousandths.add_(500).div_(1000).floor_()
        return grey

    return shared_view(batch, "gray", make)


def to_full_range_luma_255(batch: ImageBatch) -> torch.Tensor:
    """(B, 1, H, W) float64 0.299 R + 0.587 G + 0.114 B of the 8-bit image, 0..255, not rounded: the Y of YIQ. Shared.

    Not the luma of BT.601 as MATLAB scales it (``to_luma_255``, 16..235), though the weights are the same.
    """

    def make() -> torch.Tensor:
        red, green, blue = to_255(batch).unbind(1)
        return (red * 299).add_(green, alpha=587).add_(blue, alpha=114).div_(1000).unsqueeze(1)

    return shared_view(batch, "full-range luma", make)


def with_red_and_blue_exchanged(batch: ImageBatch) -> ImageBatch:
    """What a script measures that reads BGR files and takes them for RGB. Made once for each batch."""
    pixels = shared_view(batch, "bgr", lambda: batch.pixels.flip(1))
    return ImageBatch(pixels, batch.ids)


def to_lab(rgb: torch.Tensor) -> torch.Tensor:
    """(..., 3, H, W) float64 sRGB in [0, 1] to CIE L*a*b* (L 0..100), white D65, 2 degree observer.

    IEC 61966-2-1 undone, the sRGB primaries with six digits, then CIE 15:2004, Eqs. 8.3 to 8.8.
    """
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    red, green, blue = linear.unbind(-3)
    ratios = [(r * red + g * green + b * blue) / w for (r, g, b), w in zip(_XYZ_FROM_RGB, _D65, strict=True)]
    fx, fy, fz = (torch.where(t > 0.008856, t.clamp_min(1e-12) ** (1 / 3), 7.787 * t + 16 / 116) for t in ratios)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], dim=-3)
