"""Selects the device of a run, and describes it for the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


def resolve(device: str) -> str:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N`` to the device torch will use.

    Raises:
        BadInput: for a device that is not a known form or not on this machine.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return device
    kind, _, index = device.partition(":")
    if kind != "cuda" or (":" in device and not index.isdigit()):
        raise BadInput(f"no device {device!r}: use auto, cpu, cuda or cuda:N")
    if not torch.cuda.is_available():
        raise BadInput(
            f"device {device!r} was asked for, but torch {torch.__version__} sees no CUDA device here; use --device cpu"
        )
    if index and int(index) >= torch.cuda.device_count():
        raise BadInput(f"device {device!r} was asked for, but there are only {torch.cuda.device_count()} here")
    return device
