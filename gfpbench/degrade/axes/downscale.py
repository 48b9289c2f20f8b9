"""Poor resolution: the image made smaller and enlarged again, bilinear without antialiasing as in Eq. 6."""

from __future__ import annotations

from gfpbench.degrade.axes.axis import Axis
from gfpbench.degrade.axes.steps import Steps

DOWNSCALE = Axis(
    name="downscale",
    summary="downsampling and back to size",
    unit="times smaller",
    harmless=1.0,
    hardest=32.0,
    trained_range=(1.0, 8.0),
    effect=Steps(("downsample_ratio",), lambda value, scale: {"downsample_ratio": value}),
    spacing="geometric",
    source="trained range: GFP-GAN, CVPR 2021, Eq. 7",
)
