"""JPEG for a batch of tensors on any device, in libjpeg's integer arithmetic, with libjpeg's pixel values.

Everything between pixels and quantised coefficients is done, both ways; entropy coding loses nothing and is left out.
Sources: ITU-T T.81 annex K (tables); Loeffler, Ligtenberg and Moschytz, ICASSP 1989 (the transform); libjpeg-turbo 3.1
(13-bit constants, rounding, 2 x 2 chroma averages with alternating bias, triangle upsampling, repeated edges).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from gfpbench.degrade.dct import forward_dct, inverse_dct
from gfpbench.lazy import LazyModule

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

Tensor: TypeAlias = "torch.Tensor"

# fmt: off
LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)
CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    *(99,) * 32,
)
# fmt: on
"""Annex K quantisation tables at quality 50, row by row."""


@lru_cache(maxsize=256)
def quantisation_table(base: tuple[int, ...], quality: int) -> tuple[int, ...]:
    """64 divisors, row by row, for libjpeg's quality 1..100."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(max((entry * percent + 50) // 100, 1), 255) for entry in base)


def round_trip(levels: Tensor, sizes_px: list[tuple[int, int]], qualities: list[int]) -> Tensor:
    """Send images of several sizes through JPEG at once.

    Args:
        levels: (B, 3, H, W) int32 RGB in 0..255; image b fills the top left corner of its canvas.
        sizes_px: (height, width) of each image.
        qualities: 1..100 for each image.

    Returns:
        (B, 3, H, W) int32 RGB; outside an image's own corner the values mean nothing.
    """
    height, width = levels.shape[2:]
    device = levels.device
    heights, widths = torch.tensor(sizes_px, device=device).T[..., None]
    canvas = -(-height // 16) * 16, -(-width // 16) * 16
    columns = torch.arange(canvas[1], device=device).minimum(widths - 1)
    luma, chroma = _to_ycc(levels)
    luma = _taken(luma, torch.arange(canvas[0], device=device).minimum(heights - 1), columns)
    # libjpeg fills up the height after averaging (last chroma row repeated) but the width before it.
    chroma_rows = torch.arange(canvas[0] // 2, device=device).minimum((heights - 1) // 2)
    upper, lower = 2 * chroma_rows, (2 * chroma_rows + 1).minimum(heights - 1)
    bias = 1 + torch.arange(canvas[1] // 2, device=device, dtype=torch.int32) % 2
    pairs = _taken(chroma, upper, columns) + _taken(chroma, lower, columns)
    halved = (pairs[..., 0::2] + pairs[..., 1::2] + bias) >> 2
    tables = [[quantisation_table(base, quality) for quality in qualities] for base in (LUMINANCE, CHROMINANCE)]
    divisors = torch.tensor(tables, dtype=torch.float64).view(2, len(levels), 1, 1, 1, 8, 8)
    luma = _through_blocks(luma, divisors[0])[..., :height, :width]
    wide = _upsampled(_through_blocks(halved, divisors[1]), heights, widths)[..., :height, :width]
    return _to_rgb(luma, wide)


def _taken(planes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(B, C, H, W) at (B, h) rows and (B, w) columns of its own for each image."""
    _, channels, _, width = planes.shape
    planes = planes.gather(2, rows[:, None, :, None].expand(-1, channels, -1, width))
    return planes.gather(3, columns[:, None, None, :].expand(-1, channels, planes.shape[2], -1))


def _to_ycc(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 3, H, W) to Y, (B, 1, H, W), and Cb and Cr, (B, 2, H, W), in 16-bit fixed point (jccolor.c)."""
    red, green, blue = rgb.unbind(1)
    luma = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
    offset = (128 << 16) + 32767
    cb = -11059 * red - 21709 * green + 32768 * blue
    cr = 32768 * red - 27439 * green - 5329 * blue
    return luma[:, None], (torch.stack((cb, cr), 1) + offset) >> 16


def _to_rgb(luma: Tensor, chroma: Tensor) -> Tensor:
    """Y, (B, 1, H, W), and Cb and Cr, (B, 2, H, W), to (B, 3, H, W) in 16-bit fixed point (jdcolor.c)."""
    luma, (cb, cr) = luma[:, 0], (chroma - 128).unbind(1)
    red = luma + ((91881 * cr + 32768) >> 16)
    green = luma + ((-22554 * cb - 46802 * cr + 32768) >> 16)
    blue = luma + ((116130 * cb + 32768) >> 16)
    return torch.stack((red, green, blue), 1).clamp_(0, 255)


_HAS_FLOAT64 = ("cpu", "cuda")
"""Types of devices that are known to compute in it; some others cannot, and their blocks are transformed on the CPU."""


def _through_blocks(planes: Tensor, table: Tensor) -> Tensor:
    """(B, C, H, W) int32, sides divisible by 8: transform, quantise by the (B, 1, 1, 1, 8, 8) table, and back."""
    there = planes.device if planes.device.type in _HAS_FLOAT64 else torch.device("cpu")
    batch, channels, height, width = planes.shape
    tiles = planes.to(there).view(batch, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    table = table.to(there)
    divisor = 8 * table  # the coefficients are eight times the true ones, as libjpeg leaves them
    coefficients = forward_dct(tiles - 128.0)
    steps = ((coefficients.abs() + (divisor / 2).floor()) / divisor).floor().copysign(coefficients)
    samples = inverse_dct(steps * table).add_(128).clamp_(0, 255)
    return samples.transpose(3, 4).reshape(planes.shape).to(planes.device, torch.int32)


def _upsampled(planes: Tensor, heights: Tensor, widths: Tensor) -> Tensor:
    """(B, C, h, w) chroma doubled with weights 9 3 3 1 (jdsample.c, h2v2 fancy); plain doubling up to 4 px wide."""
    rows, columns = (torch.arange(side, device=planes.device) for side in planes.shape[2:])
    last_row, last_column = (heights - 1) // 2, (widths - 1) // 2
    here, left, right = rows.minimum(last_row), (columns - 1).clamp(min=0), (columns + 1).minimum(last_column)
    everywhere = columns.expand(len(planes), -1)
    middle = 3 * _taken(planes, here, everywhere)
    doubled = []
    for neighbour in ((here - 1).clamp(min=0), (here + 1).minimum(last_row)):
        sums = middle + _taken(planes, neighbour, everywhere)
        before = sums.index_select(3, left)
        after = sums.gather(3, right[:, None, None, :].expand_as(sums))
        sums = 3 * sums
        doubled.append(torch.stack(((sums + before + 8) >> 4, (sums + after + 7) >> 4), -1).flatten(3))
    smooth = torch.stack(doubled, 3).flatten(2, 3)
    plain = planes.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return torch.where((last_column > 1)[:, None, None], smooth, plain)
