"""JPEG for a batch of tensors on any device, in libjpeg's integer arithmetic, with libjpeg's pixel values.

Everything between pixels and quantised coefficients is done, both ways; entropy coding loses nothing and is left out.
Sources: ITU-T T.81 annex K (tables); Loeffler, Ligtenberg and Moschytz, ICASSP 1989 (the transform); libjpeg-turbo 3.1
(13-bit constants, rounding, 2 x 2 chroma averages with alternating bias, triangle upsampling, repeated edges).
"""

from __future__ import annotations

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
    batch, _, height, width = levels.shape
    device = levels.device
    heights, widths = (torch.tensor(side, device=device)[:, None] for side in zip(*sizes_px, strict=True))
    canvas = -(-height // 16) * 16, -(-width // 16) * 16
    columns = torch.arange(canvas[1], device=device).minimum(widths - 1)
    luma, *chroma = _to_ycc(levels)
    luma = _taken(luma, torch.arange(canvas[0], device=device).minimum(heights - 1), columns)
    # libjpeg fills up the height after averaging (last chroma row repeated) but the width before it.
    chroma_rows = torch.arange(canvas[0] // 2, device=device).minimum((heights - 1) // 2)
    upper, lower = 2 * chroma_rows, (2 * chroma_rows + 1).minimum(heights - 1)
    bias = 1 + torch.arange(canvas[1] // 2, device=device, dtype=torch.int32) % 2
    halved = []
    for plane in chroma:
        pairs = _taken(plane, upper, columns) + _taken(plane, lower, columns)
        halved.append((pairs[..., 0::2] + pairs[..., 1::2] + bias) >> 2)
    tables = [
        torch.tensor([quantisation_table(base, q) for q in qualities], dtype=torch.int32, device=device).view(
            batch, 1, 1, 8, 8
        )
        for base in (LUMINANCE, CHROMINANCE)
    ]
    luma = _through_blocks(luma, tables[0])[:, :height, :width]
    wide = [_upsampled(_through_blocks(plane, tables[1]), heights, widths)[:, :height, :width] for plane in halved]
    return _to_rgb(luma, *wide)


def _taken(plane: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(B, H, W) at (B, h) rows and (B, w) columns of its own for each image."""
    plane = plane.gather(1, rows[:, :, None].expand(-1, -1, plane.shape[2]))
    return plane.gather(2, columns[:, None, :].expand(-1, plane.shape[1], -1))


def _to_ycc(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, 3, H, W) to Y, Cb, Cr in 16-bit fixed point (jccolor.c)."""
    red, green, blue = rgb.unbind(1)
    luma = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
    offset = (128 << 16) + 32767
    cb = (-11059 * red - 21709 * green + 32768 * blue + offset) >> 16
    cr = (32768 * red - 27439 * green - 5329 * blue + offset) >> 16
    return luma, cb, cr


def _to_rgb(luma: Tensor, cb: Tensor, cr: Tensor) -> Tensor:
    """Y, Cb, Cr to (B, 3, H, W) in 16-bit fixed point (jdcolor.c)."""
    cb, cr = cb - 128, cr - 128
    red = luma + ((91881 * cr + 32768) >> 16)
    green = luma + ((-22554 * cb - 46802 * cr + 32768) >> 16)
    blue = luma + ((116130 * cb + 32768) >> 16)
    return torch.stack((red, green, blue), 1).clamp(0, 255)


def _through_blocks(plane: Tensor, table: Tensor) -> Tensor:
    """(B, H, W), sides divisible by 8: transform, quantise, and back."""
    batch, height, width = plane.shape
    blocks = (plane - 128).view(batch, height // 8, 8, width // 8, 8).transpose(2, 3)
    coefficients = forward_dct(blocks)  # eight times the true ones, as libjpeg leaves them
    divisor = table * 8
    steps = (coefficients.abs() + (divisor >> 1)).div(divisor, rounding_mode="floor") * coefficients.sign()
    samples = (inverse_dct(steps * table) + 128).clamp(0, 255)
    return samples.transpose(2, 3).reshape(batch, height, width)


def _upsampled(plane: Tensor, heights: Tensor, widths: Tensor) -> Tensor:
    """(B, h, w) chroma doubled with weights 9 3 3 1 (jdsample.c, h2v2 fancy); plain doubling up to 4 px wide."""
    rows, columns = (torch.arange(side, device=plane.device) for side in plane.shape[1:])
    last_row, last_column = (heights - 1) // 2, (widths - 1) // 2
    here = rows.minimum(last_row)
    everywhere = columns.expand(len(plane), -1)
    doubled = []
    for neighbour in ((here - 1).clamp(min=0), (here + 1).minimum(last_row)):
        sums = 3 * _taken(plane, here, everywhere) + _taken(plane, neighbour, everywhere)
        left = sums.gather(2, (columns - 1).clamp(min=0).expand_as(sums))
        right = sums.gather(2, (columns + 1).minimum(last_column)[:, None, :].expand_as(sums))
        pair = (3 * sums + left + 8) >> 4, (3 * sums + right + 7) >> 4
        doubled.append(torch.stack(pair, -1).flatten(2))
    smooth = torch.stack(doubled, 2).flatten(1, 2)
    plain = plane.repeat_interleave(2, 1).repeat_interleave(2, 2)
    return torch.where((last_column + 1 > 2)[:, :, None], smooth, plain)
