"""The steps of Eq. 6 in an axis's records: what the axis varies, and what is the same at every severity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gfpbench.degrade import rng
from gfpbench.degrade.blur import REFERENCE_SIDE_PX, scaled_kernel_size
from gfpbench.degrade.chain import Chain, Path
from gfpbench.degrade.record import OFF
from gfpbench.images import Floats
from gfpbench.types import BadInput, Json, Parameters

BASES: Mapping[str, Mapping[str, Json]] = {
    "none": {},
    "middle": {
        "blur_sigma_px_at_512": 5.1,
        "blur_kernel_size_px_at_512": 41,
        "downsample_ratio": 4.5,
        "noise_std_grey_levels": 7.5,
        "jpeg_quality": 80,
    },
}
"""``none``, and ``middle``: sigma, ratio, delta and q halfway through the ranges of Eq. 7, with an isotropic blur.

In the middle of what GFP-GAN and the like are trained on, so that any loss along an axis is the axis's doing. Fixed
rather than drawn, so that a curve over severity is smooth and a few faces are enough.
"""

_CHAIN = Chain(name="axis", summary="the steps of Eq. 6 as an axis's records say", source="GFP-GAN, CVPR 2021, Eq. 6")


def base_record(base: str, face_id: str, seed: int, size_px: tuple[int, int]) -> dict[str, Json]:
    """The four steps of Eq. 6 for one image of (height, width) px; the noise field has a key of its own."""
    if min(size_px) < 1:
        raise BadInput(f"cannot draw a degradation for an image of {size_px[0]} x {size_px[1]} px")
    record = {
        "height_px": int(size_px[0]),
        "width_px": int(size_px[1]),
        **OFF,
        "noise_key": rng.key(seed, face_id, "noise field"),
    }
    steps = BASES[base]
    if not steps:
        return record
    scale = min(size_px) / REFERENCE_SIDE_PX
    sigma = steps["blur_sigma_px_at_512"] * scale
    return record | {
        "blur_kernel_size_px": scaled_kernel_size(steps["blur_kernel_size_px_at_512"], scale),
        "blur_sigma_x_px": sigma,
        "blur_sigma_y_px": sigma,
        **{name: steps[name] for name in ("downsample_ratio", "noise_std_grey_levels", "jpeg_quality")},
    }


def channel(path: Path = "auto") -> Chain:
    """Blur, downsampling, noise and JPEG as a record says, ending in 8-bit values."""
    return _CHAIN.using(path)


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of Eq. 6 at a value of the axis.

    Args:
        keys: the chain's keys that vary.
        record: (value, crop's side over 512) to those keys.
    """

    keys: tuple[str, ...]
    record: Callable[[float, float], Parameters]

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        """Nothing is random but the noise field, whose key the base's record holds."""
        return self.record(value, min(size_px) / REFERENCE_SIDE_PX)

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """The image as it is: the chain does the work."""
        return bgr
