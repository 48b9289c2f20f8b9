"""A trivial restorer: downsamples the image and enlarges it bicubically."""

from __future__ import annotations

from collections.abc import Mapping

from gfpbench.images import moved, resized
from gfpbench.types import ImageBatch, Json

REDUCTION = 4
"""A ratio, so it is the same at every size.

In super-resolution tables "bicubic" enlarges the small image. Here the small image is gone: the degradation has
enlarged it bilinearly, by a factor that a restorer is not told. So this reduces by 4, near the middle of the 1..8 that
the paper's Eq. 7 draws from, and enlarges again. It is a floor, not a restoration: averaging takes noise away and
detail with it. No factor beats the degraded image on 120 aligned portraits (128 px, ranges of Eq. 7); mean PSNR
(RGB, dB) and GMSD:

    factor    none    1.5     2       3       4       6       8
    PSNR      24.58   24.48   24.54   24.17   24.05   23.18   22.65
    GMSD      .1400   .1426   .1408   .1474   .1545   .1822   .1980

A factor of 2 would cost less, but changes a strongly blurred image of 512 px by one grey level at most, which is to
return the input.
"""


class Bicubic:
    """Reduced four times by averaging, then enlarged bicubically: a floor that knows nothing of faces or noise."""

    name = "bicubic"

    def __init__(self, *, device: str = "cpu") -> None:
        self.device = device

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        height, width = degraded.size
        small = (max(1, round(height / REDUCTION)), max(1, round(width / REDUCTION)))
        enlarged = resized(resized(moved(degraded, self.device), small), degraded.size)
        return moved(enlarged, degraded.pixels.device)

    def provenance(self) -> Mapping[str, Json]:
        return {"restorer": self.name, "reduction": REDUCTION, "reduce": "area", "enlarge": "bicubic, a=-0.5"}
