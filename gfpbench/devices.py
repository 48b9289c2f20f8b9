"""Selects the device of a run, and makes it compute alike each time (deterministic mode)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


def resolve(device: str) -> str:
    """``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``mps``, ``xpu``, ``xpu:N`` or ``directml`` to what torch calls it.

    ``auto`` is ``cuda`` where there is one, else ``cpu``: what other devices compute was not compared with either.

    Raises:
        BadInput: for a device that is not a known form or not on this machine, with those that are here.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    refuse_unknown(device)
    kind, _, index = device.partition(":")
    count = _COUNTED[kind]()
    if not count:
        raise BadInput(f"device {device!r} was asked for, but {_lacking(kind)}; here are {_listed()}")
    if index and int(index) >= count:
        raise BadInput(f"device {device!r} was asked for, but there are only {count} here")
    if kind == "directml":
        from torch_directml import device as torch_device

        return str(torch_device(int(index or 0)))
    return device


def refuse_unknown(device: str) -> None:
    """Raise BadInput for what is no form of a device, on this machine or any other."""
    kind, colon, index = device.partition(":")
    if device != "auto" and (kind not in _COUNTED or (colon and not index.isdigit())):
        raise BadInput(f"no device {device!r}: here are {_listed()}")


def one_of(device: str, number: int, gpus: int) -> str:
    """The device of one of several processes: ``cuda`` becomes a GPU of its own, counted round where processes
    outnumber GPUs. A GPU that was named by number, and any other device, is left as it is.

    Args:
        device: as resolved.
        number: of the process, from 0.
        gpus: how many there are.
    """
    return f"cuda:{number % gpus}" if device == "cuda" and gpus > 0 else device


def here() -> tuple[str, ...]:
    """The kinds of device on which torch can compute on this machine."""
    return tuple(kind for kind, count in _COUNTED.items() if count())


def _listed() -> str:
    return ", ".join(("auto", *here()))


def _lacking(kind: str) -> str:
    if kind == "directml":
        return "torch-directml is not installed (onnxruntime's own is onnx:PATH?provider=directml)"
    name = {"cuda": "CUDA device", "mps": "Apple GPU", "xpu": "Intel GPU"}[kind]
    return f"torch {torch.__version__} sees no {name} here"


def _directml() -> int:
    if importlib.util.find_spec("torch_directml") is None:
        return 0
    from torch_directml import device_count

    return int(device_count())


_COUNTED: dict[str, Callable[[], int]] = {
    "cpu": lambda: 1,
    "cuda": lambda: torch.cuda.device_count() if torch.cuda.is_available() else 0,
    "mps": lambda: int(torch.backends.mps.is_available()),
    "xpu": lambda: torch.xpu.device_count() if hasattr(torch, "xpu") and torch.xpu.is_available() else 0,
    "directml": _directml,
}
"""How many devices of each kind torch can compute on here."""


@contextmanager
def repeatable() -> Iterator[None]:
    """Inference in deterministic mode: no gradients, no TF32, cuDNN deterministic and not autotuned.

    TF32 keeps 10 bits of each factor, which moves a restored image by whole grey levels between two GPUs.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with _full_precision(), torch.no_grad():
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def _full_precision() -> Iterator[None]:
    """Without TF32, nor bfloat16 for float32 on the CPU. torch has two sets of switches and refuses to read the older
    where the newer were used; ``torch.set_float32_matmul_precision`` turns some of both."""
    matmul, cudnn, onednn = torch.backends.cuda.matmul, torch.backends.cudnn, torch.backends.mkldnn
    newer = [matmul, *(getattr(cudnn, name) for name in ("conv", "rnn") if hasattr(cudnn, name))]
    newer += [getattr(onednn, name) for name in ("matmul", "conv", "rnn") if hasattr(onednn, name)]
    newer = [switch for switch in newer if hasattr(switch, "fp32_precision")]
    if getattr(torch.backends, "fp32_precision", "none") != "none":  # where the others look unless told otherwise
        newer.insert(0, torch.backends)
    overall: str | None = None
    with suppress(RuntimeError):
        overall = torch.get_float32_matmul_precision()
    older_before: list[tuple[Any, bool]] = []
    for switch in (matmul, cudnn):
        with suppress(RuntimeError):
            older_before.append((switch, switch.allow_tf32))
    newer_before = [(switch, switch.fp32_precision) for switch in newer]
    torch.set_float32_matmul_precision("highest")
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    for switch in newer:
        switch.fp32_precision = "ieee"
    try:
        yield
    finally:
        for switch, allowed in older_before:
            switch.allow_tf32 = allowed
        if overall is not None:
            torch.set_float32_matmul_precision(overall)
        for switch, precision in newer_before:
            switch.fp32_precision = precision
