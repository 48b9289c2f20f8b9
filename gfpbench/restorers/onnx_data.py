"""The files beside an ONNX file that hold its weights: ONNX calls them external data."""

from __future__ import annotations

import hashlib
import math
from functools import cache
from pathlib import Path
from typing import Any

from gfpbench.restorers.checkpoint_file import file_sha256
from gfpbench.types import BadInput, Json

# The messages of onnx.proto in which a tensor can lie, with the numbers that they and their fields have there
# (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Everything else in the file is passed over.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Model": {"graph": (7, "Graph"), "training": (20, "Training"), "functions": (25, "Function")},
    "Training": {"initialization": (1, "Graph"), "algorithm": (2, "Graph")},
    "Function": {"nodes": (7, "Node"), "defaults": (11, "Attribute")},
    "Graph": {"nodes": (1, "Node"), "tensors": (5, "Tensor"), "sparse": (15, "Sparse")},
    "Node": {"attributes": (5, "Attribute")},
    "Attribute": {
        "tensor": (5, "Tensor"),
        "graph": (6, "Graph"),
        "tensors": (10, "Tensor"),
        "graphs": (11, "Graph"),
        "sparse": (22, "Sparse"),
        "sparses": (23, "Sparse"),
    },
    "Sparse": {"values": (1, "Tensor"), "indices": (2, "Tensor")},
    "Tensor": {"external": (13, "Entry")},
}
_NUMBERS = {"dims": (1, "TYPE_INT64", "LABEL_REPEATED"), "data_type": (2, "TYPE_INT32", "LABEL_OPTIONAL")}
"""Of a Tensor: its sides, and its number type."""
_TYPES = {1: "float32", 2: "uint8", 3: "int8", 10: "float16", 11: "float64", 16: "bfloat16"}
"""TensorProto.DataType, those that weights have."""
FEWEST = 16
"""Tensors of fewer values are constants of the graph (sizes, axes, scales), whose type says nothing of its products."""


def external_data(path: Path) -> dict[str, Json]:
    """What belongs in the provenance of an ONNX network besides the hash of its file; empty where it is in one file.

    Returns:
        ``external_weights``: the files' names as the network gives them, seen from its folder, and
        ``external_weights_sha256``: over these names and the sha256 of each file.

    Raises:
        BadInput: where the file cannot be parsed, or one that it names is not there or shorter than the weights in it.
    """
    needed = _locations(path)
    names = sorted(needed)
    if not names:
        return {}
    listing = hashlib.sha256()
    for name in names:
        file = path.parent / name
        if not file.is_file():
            raise BadInput(f"{path} keeps weights in {name}, and there is no {file}: put it beside the network")
        if (size := file.stat().st_size) < needed[name]:
            raise BadInput(f"{file} has {size:,} bytes, and the weights of {path} there take {needed[name]:,}: cut off")
        listing.update(f"{name}\0{file_sha256(file)}\n".encode())
    return {"external_weights": names, "external_weights_sha256": listing.hexdigest()}


def weight_types(path: Path) -> dict[str, int]:
    """How many weights an ONNX file holds of each number type, wherever they lie: ``{"float32": 3200000}``.

    Raises:
        BadInput: where the file cannot be parsed.
    """
    counts: dict[str, int] = {}
    waiting = [_parsed(path)]
    while waiting:
        message = waiting.pop()
        if message.DESCRIPTOR.name == "Tensor":
            values, kind = math.prod(message.dims), _TYPES.get(message.data_type)
            if kind is not None and values >= FEWEST:
                counts[kind] = counts.get(kind, 0) + values
            continue
        for field, value in message.ListFields():
            if field.message_type is not None:
                waiting += value
    return counts


def _locations(path: Path) -> dict[str, int]:
    """Every file that a tensor says it lies in, and the bytes that it has to have for that."""
    found: dict[str, int] = {}
    waiting = [_parsed(path)]
    while waiting:
        message = waiting.pop()
        for field, value in message.ListFields():
            if field.name == "external":
                told = {entry.key: entry.value for entry in value}
                ends = sum(int(told[key]) for key in ("offset", "length") if told.get(key, "").isdecimal())
                if "location" in told:
                    found[told["location"]] = max(found.get(told["location"], 0), ends)
            elif field.message_type is not None:
                waiting += value
    return found


def _parsed(path: Path) -> Any:
    from google.protobuf.message import DecodeError

    model = _message_class()()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise BadInput(f"{path} is not an ONNX network, or one that is cut off: {error}") from error
    return model


@cache
def _message_class() -> Any:
    """The class of a model. protobuf comes with onnxruntime, whose own messages are not to be had from Python."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="gfpbench_onnx.proto", package="gfpbench_onnx", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, of) in fields.items():
            # Repeated also where ONNX has one: a file may hold several, and every one of them counts.
            message.field.add(
                name=field,
                number=number,
                label=kind.LABEL_REPEATED,
                type=kind.TYPE_MESSAGE,
                type_name=f".gfpbench_onnx.{of}",
            )
    tensor = next(message for message in file.message_type if message.name == "Tensor")
    for field, (number, type_, label) in _NUMBERS.items():
        tensor.field.add(name=field, number=number, label=getattr(kind, label), type=getattr(kind, type_))
    entry = file.message_type.add(name="Entry")
    for field, number in (("key", 1), ("value", 2)):
        entry.field.add(name=field, number=number, label=kind.LABEL_OPTIONAL, type=kind.TYPE_STRING)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("gfpbench_onnx.Model"))
