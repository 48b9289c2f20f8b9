"""Images as networks have them: their range, number type, layout and order of colours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, ImageBatch

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

Range: TypeAlias = Literal["signed", "unit", "255"]
"""What a network's values span: [-1, 1], [0, 1], or 0..255."""


def to_signed(batch: ImageBatch) -> torch.Tensor:
    """(B, 3, H, W) float32 in [-1, 1], as GFP-GAN and most networks want."""
    return signed(batch.pixels)


def signed(pixels: torch.Tensor) -> torch.Tensor:
    """[0, 1] to [-1, 1] as the authors' normalisation computes it: (x - 0.5) / 0.5."""
    return (pixels - 0.5) / 0.5


def from_signed(pixels: torch.Tensor, ids: tuple[str, ...]) -> ImageBatch:
    """[-1, 1] to a batch, clamped, as basicsr's tensor2img does. NaN is refused, not clamped."""
    if not bool(torch.isfinite(pixels).all()):
        raise BadInput(f"the network returned values that are not finite for one of {', '.join(ids)}")
    return ImageBatch(((pixels.to(torch.float32).clamp(-1, 1) + 1) / 2).clamp(0, 1).contiguous(), ids)


def in_range(batch: ImageBatch, wanted: Range) -> torch.Tensor:
    """(B, 3, H, W) float32 in the range that a network takes; a tensor of its own."""
    if wanted == "signed":
        return to_signed(batch)
    return batch.pixels.clone() if wanted == "unit" else batch.pixels * 255


def from_range(pixels: torch.Tensor, has: Range, ids: tuple[str, ...]) -> ImageBatch:
    """What a network gives in a range to a batch, clamped. NaN is refused, not clamped."""
    if has == "signed":
        return from_signed(pixels, ids)
    return from_signed(pixels * 2 - 1 if has == "unit" else pixels / 127.5 - 1, ids)


@dataclass(frozen=True, slots=True)
class Form:
    """How a network in a file has its images, apart from their range.

    Args:
        dtype: number type of its input.
        layout: ``nchw`` for (B, 3, H, W), ``nhwc`` for (B, H, W, 3).
        order: of the colours, of its input and of its output.
    """

    dtype: torch.dtype = field(default_factory=lambda: torch.float32)
    layout: Literal["nchw", "nhwc"] = "nchw"
    order: Literal["rgb", "bgr"] = "rgb"


def to_form(pixels: torch.Tensor, form: Form) -> torch.Tensor:
    """(B, 3, H, W) float32 RGB, range kept, to the layout, colour order and number type of a network's input.

    Whole-number types are rounded to, half to even, and clamped to 0..255.
    """
    ordered = pixels.flip(1) if form.order == "bgr" else pixels
    laid = ordered.permute(0, 2, 3, 1) if form.layout == "nhwc" else ordered
    whole = laid if form.dtype.is_floating_point else laid.round().clamp(0, 255)
    return whole.to(form.dtype).contiguous()


def from_form(answer: torch.Tensor, form: Form, gives: Range) -> torch.Tensor:
    """(B, 3, H, W) or (B, H, W, 3) of any number type, as a network gave it, to (B, 3, H, W) float32 RGB in ``gives``.

    Which of the two layouts it is, its shape says: no image has three rows. uint8 is 0..255 whatever was said.
    """
    planes = answer if answer.shape[1] == 3 else answer.permute(0, 3, 1, 2)
    ordered = (planes.flip(1) if form.order == "bgr" else planes).to(torch.float32).contiguous()
    if answer.dtype != torch.uint8 or gives == "255":
        return ordered
    return ordered / 255 if gives == "unit" else ordered / 127.5 - 1
