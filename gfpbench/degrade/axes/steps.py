"""The effect of the axes that vary steps of Eq. 6: a record for the chain, and nothing done before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gfpbench.degrade.blur import REFERENCE_SIDE_PX
from gfpbench.images import Floats
from gfpbench.types import Parameters


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
