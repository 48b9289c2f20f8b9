"""All four steps of Eq. 6 together, along the diagonal of the paper's ranges and past its far corner."""

from __future__ import annotations

from gfpbench.degrade.axes.axis import Axis
from gfpbench.degrade.axes.blur import KEYS, blur_steps
from gfpbench.degrade.axes.jpeg import whole_quality
from gfpbench.degrade.axes.steps import Steps
from gfpbench.types import Parameters


def diagonal(extent: float, scale: float) -> Parameters:
    """Extent 1 is the corner of Eq. 7 (sigma 10, r 8, delta 15, q 60), 0 the clean image, and between them a line.

    Downsampling changes the size of the noise field, so at each ratio it is another field of the same key.
    """
    return {
        **blur_steps(10 * extent, scale),
        "downsample_ratio": 1 + 7 * extent,
        "noise_std_grey_levels": 15 * extent,
        "jpeg_quality": whole_quality(100 - 40 * extent),
    }


ALL = Axis(
    name="all",
    summary="blur, downsampling, noise and JPEG together",
    unit="times the paper's range",
    harmless=0.0,
    hardest=2.4,  # sigma 24, r 17.8, delta 36, q 4: further on no JPEG quality is left
    trained_range=(0.0, 1.0),
    effect=Steps((*KEYS, "downsample_ratio", "noise_std_grey_levels", "jpeg_quality"), diagonal),
    source="trained range: GFP-GAN, CVPR 2021, Eq. 7",
)
