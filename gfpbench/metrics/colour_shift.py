"""Colour shift: how visibly the large colours of the restored image differ from the truth's, texture left aside."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gfpbench.images import to_255, to_lab
from gfpbench.lazy import LazyModule
from gfpbench.metrics.per_image import PerImageMetric, image_by_image
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
else:
    torch, F = LazyModule("torch"), LazyModule("torch.nn.functional")

CELLS = 8
"""Colours are averaged over 8 x 8 cells of the crop, whatever its size: 64 px of 512, about an eye with its lids."""


def ciede2000(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Colour difference of L*a*b* colours (..., 3, H, W) float64 to (..., H, W); 1 is about what one just sees.

    CIEDE2000 with k_L = k_C = k_H = 1, as Sharma, Wu and Dalal 2005 (Color Research & Application 30, 21-30) write it,
    Eqs. 2 to 22.
    """
    l1, a1, b1 = first.unbind(-3)
    l2, a2, b2 = second.unbind(-3)
    chroma7 = ((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * torch.sqrt(chroma7 / (chroma7 + 25.0**7))
    c1, c2 = torch.hypot(stretch * a1, b1), torch.hypot(stretch * a2, b2)
    h1, h2 = (torch.atan2(b, stretch * a) % (2 * math.pi) for a, b in ((a1, b1), (a2, b2)))
    grey = c1 * c2 == 0  # no hue: the sum of the two hues is that of the other, their difference 0
    turn = h2 - h1
    turn = turn - 2 * math.pi * (turn > math.pi) + 2 * math.pi * (turn < -math.pi)
    turn = torch.where(grey, torch.zeros_like(turn), turn)
    hue = (h1 + h2) / 2
    hue = torch.where((h1 - h2).abs() > math.pi, hue + math.pi * torch.where(h1 + h2 < 2 * math.pi, 1.0, -1.0), hue)
    hue = torch.where(grey, h1 + h2, hue)
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2

    def cosine(times: int, offset_degrees: float) -> torch.Tensor:
        return torch.cos(times * hue + math.radians(offset_degrees))

    t = 1 - 0.17 * cosine(1, -30) + 0.24 * cosine(2, 0) + 0.32 * cosine(3, 6) - 0.20 * cosine(4, -63)
    rotation = math.radians(30) * torch.exp(-(((torch.rad2deg(hue) - 275) / 25) ** 2))
    away = (lightness - 50) ** 2
    weight_l = 1 + 0.015 * away / torch.sqrt(20 + away)
    weight_c, weight_h = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    mean7 = chroma**7
    coupling = -2 * torch.sqrt(mean7 / (mean7 + 25.0**7)) * torch.sin(2 * rotation)
    dl = (l2 - l1) / weight_l
    dc = (c2 - c1) / weight_c
    dh = 2 * torch.sqrt(c1 * c2) * torch.sin(turn / 2) / weight_h
    return torch.sqrt((dl**2 + dc**2 + dh**2 + coupling * dc * dh).clamp_min(0))


def cell_colours(image: torch.Tensor) -> torch.Tensor:
    """(3, H, W) float64 whole numbers 0..255 to the mean colours of 8 x 8 cells, (3, 8, 8) in [0, 1]."""
    return F.adaptive_avg_pool2d(image, CELLS) / 255


def _shift(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    difference = ciede2000(to_lab(cell_colours(restored)), to_lab(cell_colours(truth)))
    return torch.tensor(math.fsum(difference.flatten().tolist()) / CELLS**2, dtype=torch.float64)


def _score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    return image_by_image(_shift, to_255(restored), to_255(truth))


colour_shift = PerImageMetric(
    name="colour_shift",
    unit="CIEDE2000",
    better="lower",
    best=0.0,
    tolerance=0.01,
    tolerance_reason="a restoration that tips single bytes moves the mean colour of a cell by less than 0.01",
    minimum_side_px=CELLS,
    needs_truth=True,
    source="Sharma, Wu and Dalal 2005 (CIEDE2000) on mean colours of 8 x 8 cells",
    score=_score,
)
"""Mean CIEDE2000 difference of the 8 x 8 cell colours."""
