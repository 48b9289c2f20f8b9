"""Whether a restorer gives the same image again, alone: asked of every restorer that works offline."""

from __future__ import annotations

import torch

from gfpbench.images import select
from gfpbench.restorers.checked import attempted
from gfpbench.types import ImageBatch, Restorer


def is_repeatable(
    restorer: Restorer, degraded: ImageBatch, restored: ImageBatch, *, levels: int = 1, share: float = 0.01
) -> bool:
    """Whether the last restored image comes out the same again, alone: no randomness, no memory, no neighbours.

    Costs one restoration. Arithmetic differs a little with the batch size (1e-5 of the range in float32, which moves
    0.3 % of the values across a rounding edge), so up to ``levels`` of 255 are allowed, in a ``share`` of the values.
    A model that runs in TF32 or half precision needs more.
    """
    name = restored.ids[-1]
    alone, _ = attempted(restorer, select(degraded, [degraded.ids.index(name)]))
    if name not in alone or not bool(torch.isfinite(alone[name]).all()):
        return False
    one, other = ((255 * pixels).round().to(torch.int16) for pixels in (alone[name], restored.pixels[-1]))
    apart = (one - other).abs()
    return int(apart.max()) <= levels and float((apart > 0).float().mean()) <= share
