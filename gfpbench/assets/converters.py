"""Converts weights of other frameworks, read as data, into safetensors with torchvision's or the authors' names."""

from __future__ import annotations

import base64
import io
import json
import math
import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gfpbench.assets.loading import unpickled_arrays
from gfpbench.types import BadInput

ALEXNET_CONVOLUTIONS = (0, 3, 6, 8, 10)
VGG16_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Where the convolutions stand in torchvision's ``features``."""


def as_it_is(content: bytes) -> bytes:
    """A file that needs no conversion."""
    return content


def stored_zip(*content: bytes) -> bytes:
    """OpenVINO's two networks, four files, in one archive: uncompressed, with equal bytes wherever it is made."""
    names = ("MappingNetwork.xml", "MappingNetwork.bin", "SynthesisNetwork.xml", "SynthesisNetwork.bin")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name, data in zip(names, content, strict=True):
            made = zipfile.ZipInfo(name)  # of 1980, by nobody
            made.create_system = 3
            opened.writestr(made, data)
    return stream.getvalue()


def alexnet_of_flax(content: bytes) -> bytes:
    """torchvision's ``features.N.weight`` and ``.bias`` out of a pickled tree of flax: kernels are HWIO there."""
    return _features(_tree(content), "AlexNet_0", ALEXNET_CONVOLUTIONS)


def vgg16_of_flax(content: bytes) -> bytes:
    """The same of VGG-16."""
    return _features(_tree(content), "VGG16_0", VGG16_CONVOLUTIONS)


def _features(tree: Mapping[str, Any], network: str, places: Sequence[int]) -> bytes:
    from safetensors.numpy import save

    tensors: dict[str, NDArray[Any]] = {}
    try:
        layers = tree[network]
        if len(layers) != len(places):
            raise BadInput(f"{network} has {len(layers)} convolutions, expected {len(places)}")
        for number, place in enumerate(places):
            layer = layers[f"Conv_{number}"]
            kernel, bias = np.asarray(layer["kernel"]), np.asarray(layer["bias"])
            if kernel.ndim != 4 or bias.shape != kernel.shape[-1:]:
                raise BadInput(f"{network}/Conv_{number}: a kernel of {kernel.shape} with a bias of {bias.shape}")
            tensors[f"features.{place}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), np.float32)
            tensors[f"features.{place}.bias"] = np.ascontiguousarray(bias, np.float32)
    except (KeyError, TypeError) as problem:
        raise BadInput(f"no {network} with kernels and biases in this file: {problem}") from problem
    return bytes(save(tensors))


def rrdbnet_of_ncnn(param: bytes, weights: bytes) -> bytes:
    """RRDBNet with 23 blocks (Real-ESRGAN x4plus) under the authors' names, out of ncnn's graph and weights.

    ncnn keeps convolutions in the order of the graph, which is that of the network's forward pass: (out, in, 3, 3) in
    half or single precision behind a tag of four bytes, then the bias in single precision.
    """
    from safetensors.numpy import save

    names = ["conv_first"]
    names += [f"body.{i}.rdb{j}.conv{k}" for i in range(23) for j in (1, 2, 3) for k in range(1, 6)]
    names += ["conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
    return bytes(save(_of_ncnn(param, weights, names, enlarging=())))


WAIFU2X_NOISE = ("none", "0", "1", "2", "3")
"""The levels of noise reduction for which waifu2x has a network each, in the order of the package's members here."""


def waifu2x_of_ncnn(*files: bytes) -> bytes:
    """The five networks of one kind (``upconv_7``) in one file: six convolutions, then a transposed one.

    Args:
        files: graph and weights for each level of ``WAIFU2X_NOISE``.

    Returns:
        safetensors: ``noise_1.conv7.weight`` and so on. ncnn keeps the kernel of a transposed convolution as (out, in,
        4, 4), torch as (in, out, 4, 4).
    """
    from safetensors.numpy import save

    names = [f"conv{i}" for i in range(1, 8)]
    tensors: dict[str, NDArray[Any]] = {}
    for level, param, weights in zip(WAIFU2X_NOISE, files[::2], files[1::2], strict=True):
        found = _of_ncnn(param, weights, names, enlarging=("conv7",))
        tensors |= {f"noise_{level}.{name}": tensor for name, tensor in found.items()}
    return bytes(save(tensors))


def _of_ncnn(param: bytes, weights: bytes, names: Sequence[str], enlarging: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Kernels and biases under names given in the order of the graph; ``enlarging`` are transposed convolutions."""
    found = list(_ncnn_convolutions(param, weights))
    if len(found) != len(names):
        raise BadInput(f"ncnn's graph has {len(found)} convolutions, expected {len(names)}")
    tensors = {}
    for name, (kind, kernel, bias) in zip(names, found, strict=True):
        if (kind == "Deconvolution") != (name in enlarging):
            raise BadInput(f"ncnn's graph has a {kind} where {name} is expected")
        torchs = np.ascontiguousarray(kernel.swapaxes(0, 1)) if name in enlarging else kernel
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = torchs, bias
    return tensors


NCNN_HALF, NCNN_SINGLE = 0x01306B47, 0


def _ncnn_convolutions(param: bytes, weights: bytes) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """(kind, kernel, bias) of each convolution, plain or transposed, in the order of the graph.

    Raises BadInput for what does not add up.
    """
    at = 0
    try:
        for line in param.decode("ascii").splitlines()[2:]:
            kind, _, inputs, outputs, *rest = line.split()
            if kind not in ("Convolution", "Deconvolution"):
                continue
            numbers = dict(pair.split("=") for pair in rest[int(inputs) + int(outputs) :])
            channels, side, size = (int(numbers[key]) for key in ("0", "1", "6"))
            (tag,) = struct.unpack_from("<I", weights, at)
            if tag not in (NCNN_HALF, NCNN_SINGLE) or int(numbers.get("5", 0)) != 1:
                raise BadInput(f"ncnn's weights hold a layer of another kind (tag {tag:#x}, {line.split()[1]})")
            kernel = np.frombuffer(weights, np.float16 if tag == NCNN_HALF else np.float32, size, at + 4)
            at += 4 + (kernel.nbytes + 3) // 4 * 4
            bias = np.frombuffer(weights, np.float32, channels, at)
            at += bias.nbytes
            yield kind, kernel.astype(np.float32).reshape(channels, -1, side, side), bias.copy()
    except (ValueError, KeyError, struct.error, UnicodeDecodeError) as problem:
        raise BadInput(f"the files are no graph and weights of ncnn: {problem}") from problem
    if at != len(weights):
        raise BadInput(f"ncnn's weights have {len(weights)} bytes, the graph explains {at}")


def faceres_of_tfjs(graph: bytes, weights: bytes) -> bytes:
    """FaceRes (MobileNet v1, classifier left out) out of TensorFlow.js's graph and weights: kernels are HWIO there.

    The convolutions of the graph already hold what their batch norms multiply by, the depthwise ones beside it.
    """
    from safetensors.numpy import save

    given = tfjs_weights(graph, weights)
    tensors: dict[str, NDArray[Any]] = {}
    try:
        for layer in ("conv1", *(f"conv_pw_{number}" for number in range(1, 14))):
            tensors[f"{layer}.weight"] = given[f"{layer}/convolution/merged_input"].transpose(3, 2, 0, 1)
            tensors[f"{layer}.bias"] = given[f"{layer}_bn/batchnorm_1/sub"].reshape(-1)
        for layer in (f"conv_dw_{number}" for number in range(1, 14)):
            tensors[f"{layer}.weight"] = given[f"{layer}/depthwise_kernel"].transpose(2, 3, 0, 1)
            tensors[f"{layer}.scale"] = given[f"{layer}_bn/batchnorm_1/mul"].reshape(-1)
            tensors[f"{layer}.bias"] = given[f"{layer}_bn/batchnorm_1/sub"].reshape(-1)
    except (KeyError, ValueError) as problem:
        raise BadInput(f"the files are no FaceRes of TensorFlow.js: {problem}") from problem
    return bytes(save({name: np.ascontiguousarray(value, np.float32) for name, value in tensors.items()}))


def tfjs_weights(graph: bytes, *shards: bytes) -> dict[str, NDArray[Any]]:
    """Name -> array of a model of TensorFlow.js, whose JSON says what lies in its files and how it was quantised.

    Raises:
        BadInput: the JSON is none, names another type, or the files are longer or shorter than it says.
    """
    found: dict[str, NDArray[Any]] = {}
    content, at = b"".join(shards), 0
    try:
        for entry in (entry for group in json.loads(graph)["weightsManifest"] for entry in group["weights"]):
            shape, quantised = tuple(entry["shape"]), entry.get("quantization") or {}
            if any(size < 0 for size in shape):
                raise ValueError(f"{entry['name']} has the shape {shape}")
            stored = np.dtype(TFJS_TYPES[quantised.get("dtype", entry["dtype"])])
            held = np.frombuffer(content, stored, math.prod(shape), at).reshape(shape)
            at += held.nbytes
            if "scale" in quantised:
                held = held.astype(np.float32) * np.float32(quantised["scale"]) + np.float32(quantised["min"])
            found[entry["name"]] = held.astype(TFJS_TYPES[entry["dtype"]])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as problem:
        raise BadInput(f"the files are no model of TensorFlow.js: {problem}") from problem
    if at != len(content):
        raise BadInput(f"TensorFlow.js's weights have {len(content)} bytes, the JSON explains {at}")
    return found


TFJS_OPERATIONS = (
    *("Placeholder", "Const", "Identity", "_FusedConv2D", "DepthwiseConv2dNative", "AddV2", "Relu", "Prelu", "Sigmoid"),
    *("MaxPool", "Pad", "Reshape", "ConcatV2"),
)
"""What ``gfpbench.metrics.tfjs_graph`` computes."""


def graph_of_tfjs(graph: bytes, *shards: bytes) -> bytes:
    """A network of TensorFlow.js as safetensors: its constants, and in the metadata its nodes in an order to compute.

    Each node is ``[operation, name, inputs, settings]``; settings are ``stride``, ``side`` (of a pooling window),
    ``same`` (whether it is padded to keep its size) and ``fused`` (what a convolution does behind its product).

    Raises:
        BadInput: for an operation that is not in ``TFJS_OPERATIONS``, a cycle, or what is no model of TensorFlow.js.
    """
    from safetensors.numpy import save

    weights = tfjs_weights(graph, *shards)
    try:
        nodes = {node["name"]: node for node in json.loads(graph)["modelTopology"]["node"]}
        odd = sorted({str(node["op"]) for node in nodes.values()} - set(TFJS_OPERATIONS))
        if odd:
            raise BadInput(f"the network has operations that are not computed here: {', '.join(odd)}")
        needs = {name: list(node.get("input", ())) for name, node in nodes.items()}
        order = [name for name in TopologicalSorter(needs).static_order() if nodes[name]["op"] != "Const"]
        told = [[nodes[name]["op"], name, needs[name], _settings(nodes[name].get("attr", {}))] for name in order]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise BadInput(f"the files are no model of TensorFlow.js: {problem}") from problem
    arrays = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    return bytes(save(arrays, metadata={"graph": json.dumps(told, separators=(",", ":"))}))


def _settings(attributes: Mapping[str, Any]) -> dict[str, Any]:
    def words(value: str) -> str:
        return base64.b64decode(value).decode("ascii")

    found: dict[str, Any] = {}
    for name, key in (("strides", "stride"), ("ksize", "side")):
        if name in attributes:
            _, found[key], other, _ = (int(number) for number in attributes[name]["list"]["i"])
            if other != found[key]:
                raise ValueError(f"{name} differ by direction")
    if set(attributes.get("dilations", {}).get("list", {}).get("i", ())) - {"1"}:
        raise ValueError("a dilated convolution")
    if "padding" in attributes:
        found["same"] = {"SAME": True, "VALID": False}[words(attributes["padding"]["s"])]
    if "fused_ops" in attributes:
        found["fused"] = [words(each) for each in attributes["fused_ops"]["list"]["s"]]
    return found


TFJS_TYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint16": "<u2", "uint8": "|u1", "bool": "|b1"}


def _tree(content: bytes) -> Mapping[str, Any]:
    """A pickle of nested dictionaries of numpy arrays. Nothing else in it is ever called."""
    try:
        found = unpickled_arrays(Path("the file"), io.BytesIO(content))
    except (pickle.UnpicklingError, EOFError, AttributeError, ValueError, TypeError, LookupError) as problem:
        raise BadInput(f"the file is no pickle of numpy arrays: {problem}") from problem
    if not isinstance(found, dict):
        raise BadInput("the file holds no table of arrays")
    return found
