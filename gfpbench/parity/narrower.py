"""An ONNX file in narrower numbers: float16, or int8 with ranges from degraded faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gfpbench.images import in_range, resized
from gfpbench.parity.inputs import face_inputs
from gfpbench.parity.tracing import quiet
from gfpbench.restorers.face_network import FaceNetwork
from gfpbench.types import Case, ImageBatch, Restorer

FP32_OPERATORS = ("ReduceSum", "ReduceMean", "ReduceL2", "Pow", "Sqrt", "Reciprocal", "Div", "Softmax")
"""Kept in float32 in an fp16 file: sums of squares overflow at 65504, and what is divided by their root vanishes below
6e-8. So are additions of a constant below float16's smallest normal number (GFP-GAN's 1e-8), and what onnxruntime's
converter keeps of itself (``DEFAULT_OP_BLOCK_LIST``)."""
SMALLEST_NORMAL = 2.0**-14
CALIBRATED_ON = 8
"""Degraded faces from which the ranges of int8 activations are taken."""


def to_fp16(path: Path) -> str:
    """Convert the file in place; its input and output stay float32. Returns what was kept in float32."""
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    model = onnx.load(str(path))
    nodes = _adds_of_tiny_constants(model)
    operators = sorted({*DEFAULT_OP_BLOCK_LIST, *FP32_OPERATORS})
    with quiet():
        model = convert_float_to_float16(
            model, keep_io_types=True, op_block_list=operators, node_block_list=nodes, disable_shape_infer=False
        )
    onnx.save(model, str(path))
    used = sorted({node.op_type for node in model.graph.node} & set(operators))
    return f"{', '.join(used)} and {len(nodes)} additions of constants below {SMALLEST_NORMAL:.2g}"


def _adds_of_tiny_constants(model: Any) -> list[str]:
    """Names of the nodes that add a constant which float16 cannot hold as a normal number; nodes get names for it."""
    import onnx

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


def to_int8(path: Path, restorer: Restorer, case: Case) -> None:
    """Quantise the file in place: convolutions and products, weights by channel, activations by calibration."""
    from onnxruntime import quantization

    given = next(face_inputs(case, CALIBRATED_ON)).given
    feeds = iter([{"image": one.numpy()} for one in _as_fed(restorer, given.pixels)])

    class Faces(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Any:
            return next(feeds, None)

    prepared, quantised = path.with_suffix(".prepared.onnx"), path.with_suffix(".int8.onnx")
    with quiet():
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
