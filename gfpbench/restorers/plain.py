"""Restorers without weights: the degraded image itself, bicubic resampling, OpenCV filters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gfpbench.images import batch_from_uint8, moved, resized, to_rgb_arrays
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

CROP_PX = 512
"""Lengths below belong to a face crop of this side and scale with it."""

DENOISE_SIGMA_PX = 12.0
DENOISE_SIGMA_COLOUR = 0.15
SHARPEN_SIGMA_PX = 12.0
SHARPEN_AMOUNT = 0.5
"""Tuned on aligned portraits of 128 px, degraded with the ranges of the paper's Eq. 7; none is in a face set that is
reported. Mean PSNR (RGB, dB) and GMSD of 120 portraits:

    degraded                                       24.58   .1400
    12 px, .15, then sharpened 12 px, .50          25.01   .1348     these values
    12 px, .20, then sharpened 12 px, .75          25.01   .1341
    15 px, .15, then sharpened 18 px, .35          25.05   .1396     the best PSNR, at the price of edges
     9 px, .15, then sharpened 12 px, .50          24.97   .1351

of 9..15 px x .10...30 x 12..26 px x .35...75. Before that, on 60 portraits: denoising 6..20 px x .03...2 and
non-local means (h 2..9; best 24.87 dB, .1354) x sharpening 6..12 px x 0..1. On other photographs (cup, cat, rocket,
256 px) values like these gain 0.5 dB of PSNR and lose GMSD: .160 before, .165 to .170 after.
"""


class Identity:
    """The degraded image as it is: what a restorer has to beat.

    It is the one restorer that may return its input, and says so in its provenance (``"identity": True``).
    """

    name = "input"

    def __init__(self, *, device: str = "cpu") -> None:
        del device  # nothing is computed

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        return ImageBatch(degraded.pixels.clone(), degraded.ids)

    def provenance(self) -> Mapping[str, Json]:
        return {"restorer": self.name, "identity": True}


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


class Classical:
    """OpenCV's bilateral denoising and unsharp sharpening, tuned: the floor that knows nothing of faces.

    Lengths scale with the shorter side of the image. Deterministic; runs on the CPU whatever the device.
    """

    name = "classical"

    def __init__(self, *, device: str = "cpu") -> None:
        del device  # OpenCV's functions run on the CPU

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        restored = [restore(image) for image in to_rgb_arrays(degraded)]
        return moved(batch_from_uint8(restored, degraded.ids), degraded.pixels.device)

    def provenance(self) -> Mapping[str, Json]:
        return {
            "restorer": self.name,
            "denoise": "cv2.bilateralFilter",
            "denoise_sigma_px_at_512": DENOISE_SIGMA_PX,
            "denoise_sigma_colour": DENOISE_SIGMA_COLOUR,
            "sharpen": "unsharp mask, Gaussian",
            "sharpen_sigma_px_at_512": SHARPEN_SIGMA_PX,
            "sharpen_amount": SHARPEN_AMOUNT,
        }


def restore(
    rgb: NDArray[np.uint8],
    denoise_sigma_px: float = DENOISE_SIGMA_PX,
    denoise_sigma_colour: float = DENOISE_SIGMA_COLOUR,
    sharpen_sigma_px: float = SHARPEN_SIGMA_PX,
    sharpen_amount: float = SHARPEN_AMOUNT,
) -> NDArray[np.uint8]:
    """Denoise and sharpen one (H, W, 3) uint8 image. Lengths in pixels of a 512-px crop; colour in parts of 1."""
    import cv2

    scale = min(rgb.shape[:2]) / CROP_PX
    sigma_px = denoise_sigma_px * scale
    diameter_px = 2 * max(1, round(1.5 * sigma_px)) + 1
    image = rgb.astype(np.float32) / 255
    smooth = cv2.bilateralFilter(image, diameter_px, denoise_sigma_colour, sigma_px)
    # At least a tenth of a pixel: OpenCV takes a sigma of 0 as "choose one", which would not scale.
    blurred = cv2.GaussianBlur(smooth, (0, 0), max(0.1, sharpen_sigma_px * scale))
    sharp = smooth + np.float32(sharpen_amount) * (smooth - blurred)
    restored: NDArray[np.uint8] = np.rint(np.clip(sharp, 0, 1) * 255).astype(np.uint8)
    return restored
