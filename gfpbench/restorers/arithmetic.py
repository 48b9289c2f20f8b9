"""Samples a network's numerical noise by other arithmetic: float64, other convolutions, memory layouts, graph plans.

What runs in a process of its own (``run.isolated``) is told the name of the way it shall compute.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

SUMS = frozenset(
    {
        "conv1d",
        "conv2d",
        "conv_transpose2d",
        "linear",
        "matmul",
        "__matmul__",
        "bmm",
        "addmm",
        "baddbmm",
        "einsum",
        "batch_norm",
        "group_norm",
        "layer_norm",
        "mean",
        "sum",
        "interpolate",
        "avg_pool2d",
        "adaptive_avg_pool2d",
        "softmax",
        "scaled_dot_product_attention",
    }
)
"""Functions of torch that add up many numbers, so that another order gives another last bit."""


class Otherwise(TorchFunctionMode):
    """Every sum that torch computes in this block, computed otherwise.

    Args:
        change: is given the function and its arguments, and returns the answer.

    ``count`` says how many calls it met: none where a restorer computes without torch, or out of Python's sight.
    """

    def __init__(self, change: Callable[..., Any]) -> None:
        super().__init__()
        self.change = change
        self.count = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") not in SUMS:
            return func(*args, **(kwargs or {}))
        self.count += 1
        return self.change(func, args, kwargs or {})


def _mapped(change: Callable[[torch.Tensor], torch.Tensor], value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, tuple | list):
        return type(value)(_mapped(change, item) for item in value)
    return value


def _in_float64(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    tensors = [one for one in (*args, *kwargs.values()) if isinstance(one, torch.Tensor) and one.is_floating_point()]
    if any(one.dtype != torch.float32 for one in tensors) or kwargs.get("dtype") or kwargs.get("training"):
        return func(*args, **kwargs)

    def wide(x: torch.Tensor) -> torch.Tensor:
        return x.double() if x.dtype == torch.float32 else x

    answer = func(*_mapped(wide, args), **{name: _mapped(wide, value) for name, value in kwargs.items()})
    return _mapped(lambda x: x.float() if x.dtype == torch.float64 else x, answer)


def _channels_last(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    if func.__name__ not in ("conv2d", "conv_transpose2d"):
        return func(*args, **kwargs)

    def laid_out(x: torch.Tensor) -> torch.Tensor:
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x

    # The answer is put back, so that what follows (a view, say) finds the layout it was written for.
    answer = func(*_mapped(laid_out, args), **{name: _mapped(laid_out, value) for name, value in kwargs.items()})
    return _mapped(torch.Tensor.contiguous, answer)


@contextmanager
def _without_tuned_convolutions() -> Iterator[None]:
    """Convolutions of torch's own, not those of oneDNN and cuDNN."""
    with warnings.catch_warnings():
        # torch sets its switch for TF32 along with the one that is meant, and warns of either value.
        warnings.filterwarnings("ignore", message="TF32 acceleration on top of oneDNN")
        with torch.backends.mkldnn.flags(enabled=False), torch.backends.cudnn.flags(enabled=False):
            yield


def in_float64() -> Otherwise:
    """Every sum in float64, rounded to float32 once."""
    return Otherwise(_in_float64)


IN_TORCH: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "sums in float64": in_float64,
    "convolutions channels last": lambda: Otherwise(_channels_last),
    "other convolutions": _without_tuned_convolutions,
}
"""Ways to the same numbers for what torch computes, by name."""
IN_ONNXRUNTIME: Mapping[str, Mapping[str, int]] = {
    "onnxruntime's graph as it is written": {"optimised": 0},
    "onnxruntime on one thread": {"threads": 1},
}
"""The same for what onnxruntime computes out of torch's sight: whether it rewrites the graph (fused layers, another
layout), and its threads."""
_now = ""


@contextmanager
def computed(way: str) -> Iterator[None]:
    """Compute everything in this block another way, also in the processes of isolated restorers.

    Args:
        way: a name in ``IN_TORCH`` or ``IN_ONNXRUNTIME``; empty for the usual way.
    """
    global _now
    before, _now = _now, way
    try:
        with IN_TORCH.get(way, nullcontext)():
            yield
    finally:
        _now = before


def way_now() -> str:
    """The way of the innermost ``computed`` block; empty outside of them."""
    return _now
