"""Invented detail: how much texture the restored image has where the truth has none. Blur scores 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gfpbench.images import to_full_range_luma_255
from gfpbench.lazy import LazyModule
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import cv2
    import numpy as np
    import torch
    from numpy.typing import NDArray
else:
    np, torch, cv2 = LazyModule("numpy"), LazyModule("torch"), LazyModule("cv2")

TOLERANCE_LEVELS = 1.0
"""Grey levels of local detail that may be there in excess without counting: what 8-bit rounding and noise come to."""

_DETAIL_PX = 2.0  # at 512 px: coarser structure is face, not texture
_NEAR_PX = 6.0


def _scaled(length_px: float, side_px: int, least: float) -> float:
    """A length that belongs to a 512-px crop, in pixels of this one."""
    return max(least, length_px * side_px / 512)


def detail(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Local strength of fine detail of an (H, W) luma in grey levels: the RMS of what a Gaussian takes away.

    Args:
        luma: 0..255.

    Returns:
        (H, W): the Gaussian-weighted RMS, within about 3 px of a 512-px crop, of luma less its Gaussian mean (2 px).
    """
    sigma = _scaled(_DETAIL_PX, min(luma.shape), 0.8)
    fine = luma - _smooth(luma, sigma)
    return np.asarray(np.sqrt(_smooth(fine * fine, 1.5 * sigma).clip(0)))


def _smooth(plane: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    reach = math.ceil(4 * sigma)
    taps = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    return np.asarray(cv2.sepFilter2D(plane, -1, taps, taps, borderType=cv2.BORDER_REPLICATE))


def hallucination_maps(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """(B, H, W) float64 grey levels: detail of the restored image beyond the strongest that the truth has nearby.

    Per pixel max(0, d(restored) - max of d(truth) within about 6 px of a 512-px crop - 1 grey level). The
    neighbourhood forgives detail that is there but a little displaced, and what blur spreads around an edge.
    """
    maps = []
    for ours, theirs in zip(_planes(restored), _planes(truth), strict=True):
        radius = math.ceil(_scaled(_NEAR_PX, min(theirs.shape), 3.0))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        allowed = cv2.dilate(detail(theirs), disc, borderType=cv2.BORDER_REPLICATE)
        maps.append(np.maximum(detail(ours) - allowed - TOLERANCE_LEVELS, 0))
    return torch.from_numpy(np.stack(maps))


def _planes(batch: ImageBatch) -> list[NDArray[np.float64]]:
    return [np.ascontiguousarray(plane[0]) for plane in to_full_range_luma_255(batch).cpu().numpy()]


def _score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    maps = hallucination_maps(restored, truth).flatten(1).numpy()
    return torch.tensor([math.fsum(row) / len(row) for row in maps.tolist()], dtype=torch.float64)


hallucination = PerImageMetric(
    name="hallucination",
    unit="levels",
    better="lower",
    best=0.0,
    tolerance=1e-3,
    tolerance_reason="a restoration that tips single bytes moves the mean excess by less than 0.001 grey levels",
    minimum_side_px=32,
    needs_truth=True,
    source="this package: excess of local high-pass RMS over its maximum in the truth's neighbourhood",
    score=_score,
)
"""Mean of ``hallucination_maps``. Noise left in or put in counts: it is detail that the truth does not have.

What it does not see: detail as strong as the truth's but of another shape (identity and LPIPS do).
"""
