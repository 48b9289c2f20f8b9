"""Checks that a network's outputs fit the declared range: [-1, 1] read as [0, 1] still looks plausible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gfpbench.images import Range, signed
from gfpbench.lazy import LazyModule
from gfpbench.types import ImageBatch, RestorationFailed

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

SPELLED: dict[Range, str] = {"signed": "[-1, 1]", "unit": "[0, 1]", "255": "0..255"}
"""How people write each."""


def refuse_other_range(answer: torch.Tensor, expected: Range, given: ImageBatch, name: str, remedy: str) -> None:
    """Raise where a network's answer is plainly in another range than the one it is about to be read in.

    Values a little beyond the range are ringing and are clamped, as everybody does. What is told apart by is how many
    values lie where the expected range has none, beside what the images hold that the network was given:

    - 0..255 where 1 is the highest: a tenth of the values above 2, and some above 20.
    - [-1, 1] where 0 is the lowest: a tenth of the values below -0.1, and none beyond 1.5 either way.
    - [0, 1] where -1 is the lowest: nothing below zero, and as light and dark as what was given if read as [0, 1].
    - [0, 1] or [-1, 1] where 255 is the highest: nothing above 2, though what was given has values above 16.

    Args:
        answer: (B, 3, H, W) float32, finite, as the network gave it.
        expected: the range it will be read in.
        given: the B images that the network was given, of any size.
        name: of the network, for the message.
        remedy: what a person can do, for the message.

    Raises:
        RestorationFailed: with the values and the range they look like.
    """
    for image, source in zip(answer, given.pixels, strict=True):
        looks = _looks_like(image, expected, source)
        if looks is not None:
            low, high = (value.item() for value in torch.aminmax(image))
            raise RestorationFailed(
                f"{name} returned values from {low:.4g} to {high:.4g}, which look like {SPELLED[looks]}, "
                f"and would be read as {SPELLED[expected]}: {remedy}"
            )


def _looks_like(image: torch.Tensor, expected: Range, source: torch.Tensor) -> Range | None:
    """The range that the values of one image are in; None where they may be in the expected one."""
    low, high = (float(value) for value in torch.aminmax(image))

    def share(which: torch.Tensor) -> float:
        return float(which.float().mean())

    if expected == "255":
        if high > 2 or low < -2 or float(source.max()) <= 16 / 255:
            return None
        return "signed" if share(image < -0.1) >= 0.1 else "unit"
    if high > 20 and low > -20 and share(image > 2) >= 0.1:
        return "255"
    if expected == "unit" and low >= -1.5 and high <= 1.5 and share(image < -0.1) >= 0.1:
        return "signed"
    if expected == "signed" and low >= -0.02 and high <= 1.05:
        values, darkness = _quantiles(image), _quantiles(source)
        as_unit, as_signed = (float((values - level).abs().mean()) for level in (darkness, signed(darkness)))
        return "unit" if as_unit < 0.15 and as_unit < as_signed / 2 else None
    return None


def _quantiles(values: torch.Tensor) -> torch.Tensor:
    """The values below which a twentieth, a quarter, a half ... of an image lies; of some 4,096 of its values."""
    some = values.flatten()[:: max(1, values.numel() // 4096)].float()
    return torch.quantile(some, some.new_tensor([0.05, 0.25, 0.5, 0.75, 0.95]))
