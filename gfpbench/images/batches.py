"""A batch out of another one: some of its images, of another size, on another device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gfpbench.lazy import LazyModule
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
else:
    torch, F = LazyModule("torch"), LazyModule("torch.nn.functional")


def select(batch: ImageBatch, indices: list[int]) -> ImageBatch:
    """Some images of a batch, in the order given."""
    return ImageBatch(batch.pixels[indices], tuple(batch.ids[index] for index in indices))


def only(batch: ImageBatch, ids: Sequence[str]) -> ImageBatch:
    """The images of these names, in this order; the batch itself, with its shared views, where that is all of it."""
    return batch if batch.ids == tuple(ids) else select(batch, [batch.ids.index(image_id) for image_id in ids])


def moved(batch: ImageBatch, device: torch.device | str) -> ImageBatch:
    """The same images on another device.

    To and from an NVIDIA GPU by way of page-locked memory, which torch keeps for the next time: fresh memory that the
    GPU has to fill took 71 ms of the 171 in which 32 faces of 512 px were restored (NVIDIA H200).
    """
    there = torch.device(device)
    if batch.pixels.device == there:
        return batch
    kinds = batch.pixels.device.type, there.type
    if kinds == ("cpu", "cuda"):
        return ImageBatch(batch.pixels.pin_memory().to(there, non_blocking=True), batch.ids)
    if kinds == ("cuda", "cpu"):
        locked = torch.empty(batch.pixels.shape, dtype=batch.pixels.dtype, pin_memory=True)
        return ImageBatch(locked.copy_(batch.pixels).clone(), batch.ids)
    return ImageBatch(batch.pixels.to(there), batch.ids)


def resized(batch: ImageBatch, size: tuple[int, int]) -> ImageBatch:
    """To (height, width): areas averaged when both sides shrink, antialiased bicubic otherwise; clamped to [0, 1]."""
    if batch.size == size:
        return batch
    shrinks = size[0] <= batch.size[0] and size[1] <= batch.size[1]
    if shrinks:
        pixels = F.interpolate(batch.pixels, size=size, mode="area")
    else:
        pixels = F.interpolate(batch.pixels, size=size, mode="bicubic", align_corners=False, antialias=True)
    return ImageBatch(pixels.clamp(0, 1), batch.ids)
