"""Differences between the outputs of two restorers on one input, in grey levels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gfpbench.lazy import LazyModule
from gfpbench.parity.bounds import quantized_slack
from gfpbench.parity.record import Bound, Difference, Group

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


def difference(name: str, group: Group, reference: torch.Tensor, candidate: torch.Tensor) -> Difference:
    """One pair of outputs, (3, H, W) float32 in [0, 1] as the restorers gave them, not rounded to 8 bits."""
    if torch.equal(reference, candidate):
        return Difference(name, group, equal=True)
    levels = 255 * (candidate - reference).abs()
    return Difference(
        id=name,
        group=group,
        max_levels=float(levels.max()),
        mean_levels=float(levels.mean(dtype=torch.float64)),
        over_1=_share(levels, 1),
        over_2=_share(levels, 2),
        over_4=_share(levels, 4),
    )


def _share(levels: torch.Tensor, over: float) -> float:
    return float((levels > over).double().mean())


def judged(found: Difference, bound: Bound, eight_bit: int, values: int) -> Difference:
    """The same with whether it is within the bound.

    Args:
        eight_bit: how many of the two restorers give 8-bit values only.
        values: of one image.
    """
    if found.failure:
        return found
    more_max, more_mean = quantized_slack(bound, eight_bit, values)
    # float32 cannot hold whole levels: k / 255 is off by up to 2^-25 of 1, twice in a difference.
    rounding = 255 * 2.0**-24 if eight_bit else 0.0
    within = (
        found.max_levels <= bound.max_levels + more_max + rounding
        and found.mean_levels <= bound.mean_levels + more_mean
    )
    return replace(found, within=found.equal or within)


def is_eight_bit(pixels: torch.Tensor) -> bool:
    """Whether every value is k / 255 of a whole k, as far as float32 can tell."""
    levels = 255 * pixels
    return bool(((levels - levels.round()).abs() <= 255 * 2.0**-23).all())
