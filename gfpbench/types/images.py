"""Images under their names, and records of them in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from gfpbench.types.errors import BadInput

if TYPE_CHECKING:
    import torch

Json: TypeAlias = Any
"""A value that ``json.dumps(..., allow_nan=False)`` accepts."""

Parameters: TypeAlias = Mapping[str, Json]
"""Everything drawn to degrade one image: a flat JSON record with units in its names (``blur_sigma_x_px``)."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ImageBatch:
    """Images of one size, with the names under which every report lists them.

    Args:
        pixels: (B, 3, H, W) float32 RGB in [0, 1], on any device.
        ids: B distinct names.

    Raises:
        BadInput: for any other shape, type or range, for NaN, and where names and images do not match.
    """

    pixels: torch.Tensor
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        import torch  # takes seconds to load; whoever has pixels has loaded it

        pixels, ids = self.pixels, self.ids
        if not isinstance(pixels, torch.Tensor) or pixels.dtype != torch.float32:
            raise BadInput(f"an ImageBatch holds float32 tensors, not {getattr(pixels, 'dtype', type(pixels))}")
        if pixels.ndim != 4 or pixels.shape[1] != 3 or 0 in pixels.shape:
            raise BadInput(f"an ImageBatch is (B, 3, H, W) with nothing empty, not {tuple(pixels.shape)}")
        if not isinstance(ids, tuple) or len(ids) != pixels.shape[0] or len(set(ids)) != len(ids):
            raise BadInput(f"{pixels.shape[0]} images need as many distinct names in a tuple, not {ids!r}")
        low, high = (value.item() for value in torch.aminmax(pixels.detach()))
        if not (low >= 0 and high <= 1):  # NaN fails both comparisons
            raise BadInput(f"pixels must lie in [0, 1] and be finite, not {low:.4g} to {high:.4g}")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.pixels.shape[2]), int(self.pixels.shape[3])


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One clean image with what is known of it.

    Args:
        id: the name in every report; unique in its set.
        pixels: (3, H, W) float32 RGB in [0, 1], 8-bit values.
        attributes: facts such as ``age``, ``group``, ``pose``, ``occlusion``; JSON values.
        sha256: of the decoded pixels (uint8 RGB, HWC, with the shape), so that a changed image is seen.
        read: how its file was read (``gfpbench.decode.Decoded.record``); empty where it comes from no file.
    """

    id: str
    pixels: torch.Tensor
    attributes: Mapping[str, Json]
    sha256: str
    read: Mapping[str, Json] = field(default_factory=dict)
