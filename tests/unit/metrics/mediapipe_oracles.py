"""Small networks in the place of MediaPipe's, and its landmarks written with onnxruntime and SciPy alone."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from scipy import ndimage

from gfpbench.assets.converters import graph_of_tfjs

EYES = ((33, 133), (362, 263))


def _attributes(**given: Any) -> dict[str, Any]:
    def word(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in ("strides", "ksize"):
            found[name] = {"list": {"i": ["1", str(value), str(value), "1"]}}
        elif name == "padding":
            found[name] = {"s": word(value)}
        else:
            found[name] = {"list": {"s": [word(one) for one in value]}}
    return found


@cache
def arrays(kind: str) -> dict[str, Any]:
    """Weights under which points lie where those of a face may, and move by some pixels with the image."""
    rng = np.random.default_rng({"mesh": 1, "iris": 2}[kind])
    outputs, cells, spread = (1404, 12, 20.0) if kind == "mesh" else (228, 8, 20.0)
    places = rng.uniform(60, 130, (468, 3)) if kind == "mesh" else rng.uniform(25, 39, (76, 3))
    if kind == "mesh":
        for number, (x, y) in zip((33, 133, 362, 263), ((62, 80), (84, 82), (106, 83), (130, 79)), strict=True):
            places[number, :2] = x, y
    inside = cells * cells * 12
    return {
        "first": rng.normal(0, 0.5, (3, 3, 3, 8)),
        "first bias": rng.normal(0, 0.1, 8),
        "slope": rng.uniform(0.1, 0.4, (1, 1, 8)),
        "deep": rng.normal(0, 0.4, (3, 3, 8, 1)),
        "ends": np.array([[0, 0], [0, 0], [0, 0], [0, 4]], np.int32),
        "last": rng.normal(0, spread / inside**0.5, (cells, cells, 12, outputs)),
        "last bias": places.reshape(-1) + (0.0 if kind == "mesh" else rng.normal(0, 1, 228)),
        "shape": np.array([-1, outputs], np.int32),
    }


@cache
def weights_file(kind: str, folder: Path) -> Path:
    """The network in TensorFlow.js's format, converted as a fetched one is: all of its operations but "concat"."""
    pool = 4 if kind == "mesh" else 2
    nodes: list[dict[str, Any]] = [
        {"name": "image", "op": "Placeholder"},
        *({"name": name, "op": "Const"} for name in arrays(kind)),
        {"name": "Identity_2" if kind == "mesh" else "Identity", "op": "Identity", "input": ["told"]},
        {"name": "told", "op": "Reshape", "input": ["points", "shape"]},
        {
            "name": "held",
            "op": "_FusedConv2D",
            "input": ["image", "first", "first bias", "slope"],
            "attr": _attributes(strides=4, padding="SAME", fused_ops=["BiasAdd", "Prelu"]),
        },
        {
            "name": "filtered",
            "op": "DepthwiseConv2dNative",
            "input": ["held", "deep"],
            "attr": _attributes(strides=1, padding="SAME"),
        },
        {"name": "summed", "op": "AddV2", "input": ["held", "filtered"]},
        {"name": "shaped", "op": "Prelu", "input": ["summed", "slope"]},
        {
            "name": "pooled",
            "op": "MaxPool",
            "input": ["shaped"],
            "attr": _attributes(strides=pool, ksize=pool, padding="VALID"),
        },
        {"name": "wider", "op": "Pad", "input": ["pooled", "ends"]},
        {
            "name": "points",
            "op": "_FusedConv2D",
            "input": ["wider", "last", "last bias"],
            "attr": _attributes(strides=1, padding="VALID", fused_ops=["BiasAdd"]),
        },
    ]
    entries, content = [], b""
    for name, value in arrays(kind).items():
        whole = value.dtype == np.int32
        entries.append({"name": name, "shape": list(value.shape), "dtype": "int32" if whole else "float32"})
        content += np.ascontiguousarray(value, "<i4" if whole else "<f4").tobytes()
    graph = {"modelTopology": {"node": nodes}, "weightsManifest": [{"paths": ["a"], "weights": entries}]}
    path = folder / f"mediapipe-{kind}.safetensors"
    path.write_bytes(graph_of_tfjs(json.dumps(graph).encode(), content))
    return path


@cache
def _session(kind: str) -> Any:
    """The same network for onnxruntime, channels first, with ONNX's own "same" padding."""
    held = {name: np.asarray(value, np.float32) for name, value in arrays(kind).items()}
    side, pool = (192, 4) if kind == "mesh" else (64, 2)
    given = {
        "first": held["first"].transpose(3, 2, 0, 1),
        "first bias": held["first bias"],
        "slope": held["slope"].reshape(8, 1, 1),
        "deep": held["deep"].transpose(2, 3, 0, 1),
        "last": held["last"].transpose(3, 2, 0, 1),
        "last bias": held["last bias"],
    }
    constants = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in given.items()]
    constants.append(numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 4, 0, 0]), "ends"))
    same = {"auto_pad": "SAME_UPPER"}
    nodes = [
        helper.make_node("Conv", ["image", "first", "first bias"], ["a"], strides=[4, 4], **same),
        helper.make_node("PRelu", ["a", "slope"], ["b"]),
        helper.make_node("Conv", ["b", "deep"], ["c"], group=8, **same),
        helper.make_node("Add", ["b", "c"], ["d"]),
        helper.make_node("PRelu", ["d", "slope"], ["e"]),
        helper.make_node("MaxPool", ["e"], ["f"], kernel_shape=[pool, pool], strides=[pool, pool]),
        helper.make_node("Pad", ["f", "ends"], ["g"]),
        helper.make_node("Conv", ["g", "last", "last bias"], ["points"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side, side])
    points = helper.make_tensor_value_info("points", TensorProto.FLOAT, [1, len(held["last bias"]), 1, 1])
    model = helper.make_model(
        helper.make_graph(nodes, kind, [image], [points], constants),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def _points(kind: str, rgb: Any, corner: Any, right: Any, down: Any, mirrored: bool = False) -> Any:
    """Points of the parallelogram that begins at ``corner``: sampled in the middles of its cells, borders repeated."""
    side = 192 if kind == "mesh" else 64
    row, column = np.mgrid[:side, :side] + 0.5
    at = corner + column[..., None] / side * right + row[..., None] / side * down - 0.5
    planes = [
        ndimage.map_coordinates(rgb[..., c].astype(float), [at[..., 1], at[..., 0]], order=1, mode="nearest")
        for c in range(3)
    ]
    shown = np.stack(planes)[None].astype(np.float32) / 255
    shown = shown[..., ::-1].copy() if mirrored else shown
    found = _session(kind).run(None, {"image": shown})[0].reshape(-1, 3)[:, :2].astype(float) / side
    if mirrored:
        found[:, 0] = 1 - found[:, 0]
    return corner + found[:, :1] * right + found[:, 1:] * down


def _square(middle: Any, level: Any, side: float) -> tuple[Any, Any, Any]:
    right = np.asarray(level) / np.hypot(*level) * side
    down = np.array([-right[1], right[0]])
    return middle - (right + down) / 2, right, down


def all_points(restored: Any, truth: Any) -> tuple[Any, Any, Any]:
    """The truth's mesh, and 478 points of both images in the truth's squares."""
    height, width = truth.shape[:2]
    first = _points("mesh", truth, np.zeros(2), np.array([width, 0.0]), np.array([0.0, height]))
    low, high = first.min(0), first.max(0)
    face = _square((low + high) / 2, first[263] - first[33], 1.5 * (high - low).max())
    eyes = _points("mesh", truth, *face)
    found = []
    for rgb in (restored, truth):
        parts = [_points("mesh", rgb, *face)]
        for number, (a, b) in enumerate(EYES):
            around = _square((eyes[a] + eyes[b]) / 2, eyes[b] - eyes[a], 2.3 * np.hypot(*(eyes[b] - eyes[a])))
            parts.append(_points("iris", rgb, *around, mirrored=number == 1)[-5:])
        found.append(np.concatenate(parts))
    return eyes, found[0], found[1]


def distance(restored: Any, truth: Any, _: Path) -> float:
    _, ours, theirs = all_points(restored, truth)
    return float(np.linalg.norm(ours - theirs, axis=1).mean())


def gaze(restored: Any, truth: Any, _: Path) -> float:
    eyes, ours, theirs = all_points(restored, truth)
    shifts = [
        (ours[place] - theirs[place]) / np.linalg.norm(eyes[b] - eyes[a])
        for place, (a, b) in zip((468, 473), EYES, strict=True)
    ]
    return float(np.linalg.norm(shifts[0] - shifts[1]) * 100)
