"""Names differences that lie at few places of the images: single pixels, a patch, straight lines (seams of tiles)."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from gfpbench.parity.record import Finding

Floats = NDArray[np.float64]

LEFT = 0.35
"""Share of the squared difference that an explanation may leave: it accounts for two thirds of the difference."""
SEAM = 3.0
"""A line where the difference jumps so many times as far as at the median line, and ten deviations (MAD) beyond it."""
SINGLE_SHARE = 0.01
"""Share of the pixels that single wrong values may be, at most."""
SINGLE_TIMES = 8.0
"""How many times the median difference of its eight neighbours a single wrong value differs by, and two levels more."""
PATCH_SHARE = 0.1
"""Share of the image's area that a patch may be, at most."""


def single_values(one: Floats, other: Floats) -> tuple[NDArray[np.bool_], str]:
    """Pixels (N, H, W) that differ far more than those around them, and a line about them; none where they are many.

    Lines through the image are no single values: they are seams.
    """
    apart = np.abs(other - one).max(axis=1)
    edged = np.pad(apart, ((0, 0), (1, 1), (1, 1)), mode="reflect")
    height, width = apart.shape[1:]
    around = [
        edged[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
        for down, right in itertools.product((-1, 0, 1), repeat=2)
        if (down, right) != (0, 0)
    ]
    single = apart > SINGLE_TIMES * np.median(around, axis=0) + 2
    lines = max(float(single.mean(axis=axis).max(initial=0)) for axis in (1, 2))
    if not single.any() or single.mean() > SINGLE_SHARE or lines > 0.5:
        return np.zeros_like(single), ""
    _, row, column = np.unravel_index(int(np.where(single, apart, 0).argmax()), apart.shape)
    most, images = int(single.sum(axis=(1, 2)).max()), int(single.any(axis=(1, 2)).sum())
    return single, (
        f"single wrong values: {'one pixel' if most == 1 else f'up to {most} pixels'} in "
        f"{'one face' if images == 1 else f'each of {images} faces'}, off by up to {apart[single].max():.0f} levels "
        f"(column {column}, row {row})"
    )


def patch(one: Floats, other: Floats) -> list[tuple[float, str]]:
    """A small rectangle in which nearly all of the difference lies, at the same place in all faces."""
    energy = ((other - one) ** 2).mean(axis=(0, 1))
    spans = []
    for axis in (0, 1):
        share = np.cumsum(energy.sum(axis=1 - axis)) / energy.sum()
        spans.append((int(np.searchsorted(share, LEFT / 10)), int(np.searchsorted(share, 1 - LEFT / 10))))
    (top, bottom), (left, right) = spans
    box = energy[top : bottom + 1, left : right + 1]
    if box.size > PATCH_SHARE * energy.size or min(box.shape) < 2 or bottom - top + 1 == len(energy):
        return []
    reason = f"the difference lies in a patch: columns {left} to {right}, rows {top} to {bottom}"
    return [(1 - float(box.sum() / energy.sum()), reason)]


def seams(one: Floats, other: Floats, image: str) -> list[Finding]:
    """Straight lines through the whole image, at the same place in all, where the difference jumps."""
    apart = (other - one).mean(axis=1)
    told = []
    for axis, name in ((2, "columns"), (1, "rows")):
        jump = np.abs(np.diff(apart, axis=axis)).mean(axis=(0, 3 - axis))[2:-2]
        if len(jump) < 8:
            continue
        middle = float(np.median(jump))
        deviation = float(np.median(np.abs(jump - middle)))
        lines = np.flatnonzero(jump > max(SEAM * middle, middle + 10 * deviation, 0.05)) + 3
        if 0 < len(lines) <= len(jump) // 8:
            told.append(f"{name} {', '.join(str(line) for line in lines[:6])}")
    if not told:
        return []
    return [Finding("seams", f"seams of tiles: the difference jumps at {' and '.join(told)} px", image)]
