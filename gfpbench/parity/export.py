"""Writes a restorer's network as an ONNX file, and compares the file with the restorer before it is called done."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from gfpbench.disk import disk, replacing
from gfpbench.options import split_options
from gfpbench.parity.measuring import Measured, measure_parity
from gfpbench.parity.narrower import to_fp16, to_int8
from gfpbench.parity.tracing import OPSET, write_onnx
from gfpbench.restorers.face_network import FaceNetwork
from gfpbench.restorers.onnx_file import load_onnx
from gfpbench.run.guarded import load_restorer
from gfpbench.types import BadInput, Case, GfpbenchError, PackageMissing, Restorer

NUMBERS = ("fp32", "fp16", "int8")
INSTALL = "pip install 'gfpbench[export]'"


@dataclass(frozen=True, slots=True)
class Exported:
    """An ONNX file that was written.

    Args:
        path: of the file.
        restorer: how gfpbench loads it: ``onnx:PATH?range=unit``.
        exporter: ``torch.onnx, dynamo`` or ``torch.onnx, TorchScript``, and why not the former.
        opset, number: of the file.
        kept_in_fp32: operators, and how many nodes besides.
        measured: the parity of the file with the restorer.
    """

    path: Path
    restorer: str
    exporter: str
    opset: int
    number: str
    kept_in_fp32: str
    measured: Measured


class Unlike(GfpbenchError):
    """An exported file that is not the restorer any more: it was not put into place. Exit code 1."""

    def __init__(self, line: str, measured: Measured) -> None:
        super().__init__(line)
        self.measured = measured


def export(
    spec: str, path: Path, *, case: Case, number: str = "fp32", opset: int = OPSET, even_unsafe: bool = False
) -> Exported:
    """Write the network of a restorer as ONNX, compare it with the restorer, and put it into place.

    Args:
        spec: a restorer whose network is a torch module: nano, GFP-GAN, anything spandrel loads.
        path: of the file, which is written whole or not at all.
        case: faces and degradation to compare on, and to calibrate int8 with; its restorer is ignored.
        number: fp32; fp16, with ``narrower.FP32_OPERATORS`` kept in float32; int8, quantised statically by onnxruntime.
        even_unsafe: put the file into place whatever the comparison says.

    Raises:
        BadInput: for a restorer that has no torch module, or that no exporter can write.
        PackageMissing: without onnx, onnxruntime or onnxscript.
        Unlike: where the file is unsafe.
    """
    if number not in NUMBERS:
        raise BadInput(f"--dtype {number}: use {', '.join(NUMBERS)}")
    _refuse_without_onnx()
    reference = load_restorer(spec, "cpu")
    network, side, unit = _network(_in_code_for_batches(spec, reference))
    with disk(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gfpbench-") as folder:
        # In a folder of its own, under its own name: what ONNX keeps beside a file it names after it.
        made = Path(folder) / path.name
        exporter = write_onnx(network, side, made, opset)
        kept = ""
        if number == "fp16":
            kept = to_fp16(made)
        elif number == "int8":
            to_int8(made, reference, case)
        options = {"range": "unit"} if unit else {}
        candidate = load_onnx(str(made), device="cpu", **options)
        named = f"onnx:{path}" + ("?range=unit" if unit else "")
        candidate.name = named
        measured = measure_parity(
            Case(case.faces, case.degradation, spec, case.seed, case.size_px, case.limit), [candidate]
        )
        told = measured.parity.candidates[0]
        if told.safety == "unsafe" and not even_unsafe:
            raise Unlike(f"{path} was not written: it is not {spec} any more: {told.reasons[0]}", measured)
        with replacing(path) as file:
            file.write(made.read_bytes())
    return Exported(path, named, exporter, opset, number, kept, measured)


class _Images(torch.nn.Module):
    """Images to images: a network with the arguments that its restorer calls it with."""

    def __init__(self, network: torch.nn.Module, call: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.network, self.call = network, call

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.call(image)


def _in_code_for_batches(spec: str, reference: Restorer) -> Restorer:
    """The same network in code that an exporter can trace for any batch.

    The authors' clean GFP-GAN gives every image of a batch its own convolution weights: no exporter writes that for a
    batch of unknown size, and no quantiser finds its weights.
    """
    record = reference.provenance()
    if record.get("architecture") != "GFPGANv1Clean" or not str(record.get("implementation")).startswith("spandrel"):
        return reference
    bare, given = split_options(spec)
    options = "&".join(f"{key}={value}" for key, value in {**given, "code": "shared"}.items())
    return load_restorer(f"{bare}?{options}", "cpu")


def _network(restorer: Restorer) -> tuple[torch.nn.Module, int | None, bool]:
    """The module, the side it works at in pixels (None: any), and whether it takes [0, 1] in place of [-1, 1]."""
    if not isinstance(restorer, FaceNetwork):
        raise BadInput(f"{restorer.name} is no network of torch that can be exported: nano, GFP-GAN, checkpoint:PATH")
    if restorer.settings.precision != "fp32" or restorer.settings.compiled:
        raise BadInput(f"{restorer.name}: export the plain network, and give --dtype for its numbers")
    module = _module_of(restorer.forward)
    if module is None:
        raise BadInput(f"{restorer.name} is a program or an ONNX file already, not a network that torch can export")
    side = None if restorer.size_px is None else restorer.size_px[0]
    return _Images(module, restorer.forward).eval(), side, restorer.takes == "unit"


def _module_of(forward: Any) -> torch.nn.Module | None:
    """The module that a forward function is, or calls."""
    if isinstance(forward, torch.nn.Module):
        return forward
    for value in inspect.getclosurevars(forward).nonlocals.values():
        held = getattr(value, "model", value)  # spandrel's descriptor has it as ``model``
        if isinstance(held, torch.nn.Module):
            return held
    return None


def _refuse_without_onnx() -> None:
    try:
        import onnx  # noqa: F401 - the exporter writes with it
        import onnxruntime  # noqa: F401 - the comparison runs the file
    except ImportError as error:
        raise PackageMissing(str(error.name), "gfpbench export", INSTALL) from error
    if find_spec("onnxscript") is None:  # dynamo's; the older exporter alone writes files that fail their comparison
        raise PackageMissing("onnxscript", "gfpbench export", INSTALL)
