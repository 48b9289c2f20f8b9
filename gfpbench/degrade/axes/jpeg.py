"""JPEG compression: libjpeg's quality from 100 down to 1, where 100 stands for no compression at all."""

from __future__ import annotations

from gfpbench.degrade.axes.axis import Axis
from gfpbench.degrade.axes.steps import Steps


def whole_quality(value: float) -> int | None:
    """The nearest whole quality; None, for no JPEG, at 100.

    A JPEG of quality 100 still halves the chroma and rounds, so it cannot be the harmless end; the first step away
    from it is a JPEG of quality 99.
    """
    quality = max(1, round(value))
    return quality if quality < 100 else None


JPEG = Axis(
    name="jpeg",
    summary="JPEG compression, 4:2:0",
    unit="quality",
    harmless=100.0,
    hardest=1.0,
    trained_range=(60.0, 100.0),
    effect=Steps(("jpeg_quality",), lambda value, scale: {"jpeg_quality": whole_quality(value)}),
    source="trained range: GFP-GAN, CVPR 2021, Eq. 7",
)
