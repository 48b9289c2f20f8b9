"""Detects degenerate outputs: black, constant, saturated or nearly empty images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gfpbench.lazy import LazyModule

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
else:
    torch, F = LazyModule("torch"), LazyModule("torch.nn.functional")


BLOCKS = (4, 8)
"""Blocks along each side, over which values are averaged: noise and grain average out, a face does not.

The degraded image has to vary over both: over the larger ones, because the noise of an image that was reduced eight
times is as coarse as the smaller; over the smaller, because a small face on a flat background fills few of them.
"""

LEAST_STRUCTURE_LEVELS = 16.0
"""What the blocks of a degraded image have to span, of 255, before an empty restoration of it is called empty.

Noise alone stays below it: Eq. 7's strongest, sigma 15 in an image of 128 px that was reduced eight times, spans at
most 14. The least span of a degraded face of 128 px under the presets paper, upstream and report: 25 among 59 official
portraits, 50 among 40 generated faces, 20 among 100 faces of LFW (grey, 25 px, enlarged). Below 16 nothing is called
empty, so a collection of flatter faces loses the check and gains no false alarm.
"""

LEAST_SHARE_KEPT = 0.1
"""Of that span. What nano, classical and bicubic return spans, over the larger blocks, 1.02 to 1.67 times of it on the
59 portraits, 1.05 to 1.75 on the generated faces and 1.01 to 2.33 on those of LFW (three presets, 1,791 restorations,
none called degenerate), since light and dark over large areas is what no degradation takes."""

CLIPPED_SHARE = 0.5
"""A restoration is saturated where so many of its values are 0 or 255 which were far from it in the degraded image."""

FAR_LEVELS = 32.0
"""How far that is."""

_LEVEL = 1 / 255
_MAYBE_EMPTY_LEVELS = LEAST_SHARE_KEPT * 260
"""No image spans more than 255 levels, so from here on nothing is empty; rounding is far below the other five."""


def why_degenerate(restored: torch.Tensor, given: torch.Tensor) -> list[str | None]:
    """For each image the reason in one line why it is no restoration of what was given; None where it may be one.

    Both are compared over blocks: what the degraded image holds on a large scale, its restoration holds as well. So a
    dark or flat image may be restored to one like it, and a noisy flat one to a smooth one.

    Maths: let s(x, n) be the span from the 10th to the 90th percentile of the means of n x n blocks, in the colour
    where it is largest, and g = min(s(given, 4), s(given, 8)). ``restored`` is empty where g >= 16 levels and
    s(restored, 8) < g / 10;
    percentiles, so that a patch or a logo in an empty image does not save it. It is saturated where half of its values
    are at 0 or 255 (within a level), and both the given value and the mean of the given block (16 x 16) lie over 32
    levels away.

    Args:
        restored: (B, 3, H, W) float32 in [0, 1], finite.
        given: the degraded images, the same shape and range.
    """
    reasons = []
    for image, was, after in zip(restored, given, _span_levels(restored, max(BLOCKS)).tolist(), strict=True):
        # Most restorations are far from empty and from saturated, and need no look at what they were given.
        reason = _empty(image, was, after) if after < _MAYBE_EMPTY_LEVELS else None
        near_ends = _at_an_end(image) >= CLIPPED_SHARE * image.numel()
        reasons.append(_saturated(image, was) if reason is None and near_ends else reason)
    return reasons


def _empty(restored: torch.Tensor, given: torch.Tensor, after: float) -> str | None:
    before = min(float(_span_levels(given[None], blocks)) for blocks in BLOCKS)
    if before < LEAST_STRUCTURE_LEVELS or after >= LEAST_SHARE_KEPT * before:
        return None
    planes = restored.flatten(1)
    one_colour = float((planes.amax(1) - planes.amin(1)).max()) * 255 <= 1
    what = "an image of one colour" if one_colour else "a nearly empty image"
    colour = ", ".join(f"{255 * float(value):.0f}" for value in planes.median(1).values)
    return (
        f"returned {what} (mostly {colour} of 255): over large areas it varies by {after:.1f} levels, "
        f"what it was given by {before:.0f}"
    )


def _at_an_end(image: torch.Tensor) -> int:
    """How many values are 0 or 255, within a level. Numpy counts in a fifth of torch's time."""
    if not image.is_cpu:
        return int((image <= _LEVEL).count_nonzero() + (image >= 1 - _LEVEL).count_nonzero())
    values = image.detach().numpy()
    return int(np.count_nonzero(values <= _LEVEL) + np.count_nonzero(values >= 1 - _LEVEL))


def _saturated(restored: torch.Tensor, given: torch.Tensor) -> str | None:
    clipped = _clipped_share(restored, given)
    if clipped < CLIPPED_SHARE:
        return None
    return (
        f"returned a saturated image: {100 * clipped:.0f} % of its values are 0 or 255 and were over "
        f"{FAR_LEVELS:.0f} levels away from that in what it was given"
    )


def _span_levels(images: torch.Tensor, blocks: int) -> torch.Tensor:
    means = F.adaptive_avg_pool2d(images.float(), blocks).flatten(2).sort(2).values
    # The percentiles that torch.quantile interpolates, in a fifth of its time.
    places = [share * (means.shape[2] - 1) for share in (0.1, 0.9)]
    low, high = (torch.lerp(means[..., int(at)], means[..., int(at) + 1], at % 1) for at in places)
    return (high - low).amax(1).double() * 255


def _clipped_share(restored: torch.Tensor, given: torch.Tensor) -> float:
    far = FAR_LEVELS / 255
    size = (int(given.shape[1]), int(given.shape[2]))
    around = F.interpolate(F.adaptive_avg_pool2d(given, 16)[None], size=size, mode="nearest")[0]
    dark = (restored <= _LEVEL) & (given > far) & (around > far)
    light = (restored >= 1 - _LEVEL) & (given < 1 - far) & (around < 1 - far)
    return float((dark | light).float().mean())
