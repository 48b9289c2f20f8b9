"""Writes a restorer's network as an ONNX file, and compares the file with the restorer before it is called done."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gfpbench.disk import disk, replacing
from gfpbench.images import in_range, resized
from gfpbench.options import split_options
from gfpbench.parity.inputs import face_inputs
from gfpbench.parity.measuring import Measured, measure_parity
from gfpbench.restorers.face_network import FaceNetwork
from gfpbench.restorers.onnx_file import load_onnx
from gfpbench.run.guarded import load_restorer
from gfpbench.types import BadInput, Case, GfpbenchError, ImageBatch, PackageMissing, Restorer

NUMBERS = ("fp32", "fp16", "int8")
OPSET = 18
"""The version of ONNX's operators that is written: the first with every operator that torch's exporter uses."""
ANY_SIZE_PX = 64
"""The side with which a network is traced that takes any size; its file takes any size too, where it can be traced."""

FP32_OPERATORS = ("ReduceSum", "ReduceMean", "ReduceL2", "Pow", "Sqrt", "Reciprocal", "Div", "Softmax")
"""Kept in float32 in an fp16 file: sums of squares overflow at 65504, and what is divided by their root vanishes below
6e-8. So are additions of a constant below float16's smallest normal number (GFP-GAN's 1e-8), and what onnxruntime's
converter keeps of itself (``DEFAULT_OP_BLOCK_LIST``)."""
SMALLEST_NORMAL = 2.0**-14
INSTALL = "pip install 'gfpbench[export]'"
CALIBRATED_ON = 8
"""Degraded faces from which the ranges of int8 activations are taken."""


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
        number: fp32; fp16, with ``FP32_OPERATORS`` kept in float32; int8, quantised statically by onnxruntime.
        even_unsafe: put the file into place whatever the comparison says.

    Raises:
        BadInput: for a restorer that has no torch module, or that no exporter can write.
        PackageMissing: without onnx, onnxruntime or onnxscript.
        Unlike: where the file is unsafe.
    """
    if number not in NUMBERS:
        raise BadInput(f"--dtype {number}: use {', '.join(NUMBERS)}")
    onnx = _onnx()
    reference = load_restorer(spec, "cpu")
    network, side, unit = _network(_in_code_for_batches(spec, reference))
    with disk(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gfpbench-") as folder:
        # In a folder of its own, under its own name: what ONNX keeps beside a file it names after it.
        made = Path(folder) / path.name
        exporter = _written(network, side, made, opset)
        kept = ""
        if number == "fp16":
            kept = _in_fp16(onnx, made)
        elif number == "int8":
            _in_int8(made, reference, case)
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


def _onnx() -> Any:
    try:
        import onnx
        import onnxruntime  # noqa: F401 - the comparison runs the file
    except ImportError as error:
        raise PackageMissing(str(error.name), "gfpbench export", INSTALL) from error
    if find_spec("onnxscript") is None:  # dynamo's; the older exporter alone writes files that fail their comparison
        raise PackageMissing("onnxscript", "gfpbench export", INSTALL)
    return onnx


def _written(network: torch.nn.Module, side: int | None, path: Path, opset: int) -> str:
    """Write the file by torch's exporter of traced programs, for any batch, else for one image, else by the older one.

    Returns:
        Which one, and why not the one before.
    """
    seeded = torch.Generator().manual_seed(0)
    traced = side or ANY_SIZE_PX
    images = torch.rand(2, 3, traced, traced, generator=seeded) * 2 - 1  # a batch of one would be taken for a constant
    version, names = f"torch.onnx {torch.__version__}", {"input_names": ["image"], "output_names": ["restored"]}
    why = []
    sides = {} if side else {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    batch = {"image": {0: torch.export.Dim.AUTO, **sides}}
    for given, shapes, said in ((images, batch, "any batch"), (images[:1], {"image": sides}, "one image")):
        try:
            _exported(
                network,
                given,
                path,
                dynamo=True,
                external_data=False,
                opset_version=opset,
                dynamic_shapes=shapes,
                verbose=False,
                **names,
            )
        except Exception as error:  # noqa: BLE001 - of any type: whatever the exporter cannot trace
            why.append(f"dynamo for {said}: {' '.join(str(error).split())[:120]}")
            continue
        if given is not images or not _fixed_batch(path):
            return "; ".join([f"{version}, dynamo, {said}", *why])
        why.append("dynamo took the batch for a constant")
    try:
        _exported(network, images[:1], path, dynamo=False, opset_version=min(opset, 17), **names)
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        raise BadInput(f"torch {torch.__version__} cannot export this network: {'; '.join([*why, line])}") from error
    return "; ".join([f"{version}, TorchScript, one image", *why])


def _exported(network: torch.nn.Module, given: torch.Tensor, path: Path, **options: Any) -> None:
    with _quiet(), torch.no_grad():
        torch.onnx.export(network, (given,), str(path), **options)


def _fixed_batch(path: Path) -> bool:
    import onnx

    (first, *_) = onnx.load(str(path), load_external_data=False).graph.input
    return bool(first.type.tensor_type.shape.dim[0].dim_value)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' remarks on standard output and their warnings, which are about their own insides."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _in_fp16(onnx: Any, path: Path) -> str:
    """Convert the file in place; its input and output stay float32. Returns what was kept in float32."""
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    model = onnx.load(str(path))
    nodes = _adds_of_tiny_constants(onnx, model)
    operators = sorted({*DEFAULT_OP_BLOCK_LIST, *FP32_OPERATORS})
    with _quiet():
        model = convert_float_to_float16(
            model, keep_io_types=True, op_block_list=operators, node_block_list=nodes, disable_shape_infer=False
        )
    onnx.save(model, str(path))
    used = sorted({node.op_type for node in model.graph.node} & set(operators))
    return f"{', '.join(used)} and {len(nodes)} additions of constants below {SMALLEST_NORMAL:.2g}"


def _adds_of_tiny_constants(onnx: Any, model: Any) -> list[str]:
    """Names of the nodes that add a constant which float16 cannot hold as a normal number; nodes get names for it."""
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    for place, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{place}"
        if node.op_type == "Constant":
            values = [onnx.numpy_helper.to_array(one.t) for one in node.attribute if one.name == "value"]
            values += [np.array(one.f, np.float32) for one in node.attribute if one.name == "value_float"]
            constants |= dict(zip(node.output, values, strict=False))
    tiny = {
        name
        for name, value in constants.items()
        if value.dtype.kind == "f" and value.size == 1 and 0 < abs(float(value.reshape(-1)[0])) < SMALLEST_NORMAL
    }
    return [node.name for node in model.graph.node if node.op_type in ("Add", "Max") and tiny & set(node.input)]


def _in_int8(path: Path, restorer: Restorer, case: Case) -> None:
    """Quantise the file in place: convolutions and products, weights by channel, activations by calibration."""
    from onnxruntime import quantization

    given = next(face_inputs(case, CALIBRATED_ON)).given
    feeds = iter([{"image": one.numpy()} for one in _as_fed(restorer, given.pixels)])

    class Faces(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Any:
            return next(feeds, None)

    prepared, quantised = path.with_suffix(".prepared.onnx"), path.with_suffix(".int8.onnx")
    with _quiet():
        quantization.quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared),
            str(quantised),
            Faces(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        )
    quantised.replace(path)


def _as_fed(restorer: Restorer, pixels: torch.Tensor) -> Sequence[torch.Tensor]:
    """(1, 3, S, S) float32 as the network gets each image: resized, in its range."""
    size = getattr(restorer, "size_px", None)
    batch = ImageBatch(pixels, tuple(map(str, range(len(pixels)))))
    if size is not None:
        batch = resized(batch, (size, size) if isinstance(size, int) else size)
    taken = restorer.takes if isinstance(restorer, FaceNetwork) else "signed"
    return [one[None] for one in in_range(batch, taken)]
