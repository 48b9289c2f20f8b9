"""Runs a network over a batch, halving the batch whenever memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

from gfpbench.lazy import LazyModule
from gfpbench.types import RestorationFailed

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

# The allocators and libraries that run out of memory under other types than torch.OutOfMemoryError.
_OTHER_WORDS = ("DefaultCPUAllocator: can't allocate memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a smaller batch might do."""
    # torch.OutOfMemoryError came after torch 2.3; torch.cuda.OutOfMemoryError is the same class under its old name.
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OTHER_WORDS)


def in_parts(
    pixels: torch.Tensor, forward: Callable[[torch.Tensor], torch.Tensor], most: int
) -> tuple[torch.Tensor, int]:
    """Run a network over (B, C, H, W) in parts of at most so many images.

    A part that does not fit into memory is tried again in halves, and parts stay that small afterwards. Nothing that
    was done is done twice.

    Returns:
        What the network returned, put together in order, and the size of a part that fitted.

    Raises:
        RestorationFailed: where one image alone does not fit.
    """
    done: list[torch.Tensor] = []
    start = 0
    while start < len(pixels):
        part = None
        try:
            part = forward(pixels[start : start + most])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if most == 1:
                size = f"{pixels.shape[3]} x {pixels.shape[2]} px"
                raise RestorationFailed(
                    f"one image of {size} does not fit into the memory of {pixels.device}"
                ) from error
        if part is None:
            # Out of the except block: the error holds the frames, and they hold what the network had allocated.
            most = max(1, min(most, len(pixels) - start) // 2)
            gc.collect()
            if pixels.is_cuda:
                torch.cuda.empty_cache()
            continue
        done.append(part)
        start += len(part)
    return (done[0] if len(done) == 1 else torch.cat(done)), most
