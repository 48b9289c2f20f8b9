"""Sensor noise: white Gaussian noise, one field per face, louder and louder."""

from __future__ import annotations

from gfpbench.degrade.axes.axis import Axis
from gfpbench.degrade.axes.steps import Steps

NOISE = Axis(
    name="noise",
    summary="Gaussian noise of one standard deviation",
    unit="grey levels",
    harmless=0.0,
    hardest=120.0,
    trained_range=(0.0, 15.0),
    effect=Steps(("noise_std_grey_levels",), lambda value, scale: {"noise_std_grey_levels": value}),
    source="trained range: GFP-GAN, CVPR 2021, Eq. 7",
)
