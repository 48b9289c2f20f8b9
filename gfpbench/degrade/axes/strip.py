"""A row of images along an axis, for reports and for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from gfpbench.images import Bytes, to_rgb_arrays
from gfpbench.types import Face, ImageBatch

if TYPE_CHECKING:
    from gfpbench.degrade.axes.axis import Axis


def strip(
    axis: Axis,
    face: Face,
    severities: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    *,
    seed: int = 0,
    show: Literal["degraded", "truth"] = "degraded",
) -> list[Bytes]:
    """One clean face at several severities: (H, W, 3) uint8 RGB each, in their order.

    Args:
        axis: along which.
        face: the clean face.
        severities: each in [0, 1].
        seed: as of a run; the same face and seed show what that run restores.
        show: ``degraded`` for what a restorer is given, ``truth`` for what it should return.
    """
    clean = ImageBatch(face.pixels[None], (face.id,))
    make = axis.degraded if show == "degraded" else axis.truth
    return [to_rgb_arrays(make(clean, severity, seed))[0] for severity in severities]
