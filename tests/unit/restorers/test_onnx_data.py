"""Weights that an ONNX network keeps in files beside it: found wherever a tensor can lie, and part of its record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench.restorers import load
from gfpbench.restorers.onnx_data import external_data, weight_types
from gfpbench.types import BadInput, ImageBatch

pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install gfpbench[onnx]")
onnx = pytest.importorskip("onnx", reason="needs onnx: pip install gfpbench[test]")


NOWHERE: Mapping[str, str] = {}


def constant(name: str, value: float) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.full((1, 3, 1, 1), value, np.float32), name)


def written(folder: Path, external: Mapping[str, str] = NOWHERE, half: float = 0.5) -> Path:
    """x * half + a quarter; ``external`` says in which files half, quarter or the zero of a subgraph lie."""
    from onnx import helper

    folder.mkdir(exist_ok=True)
    tensors = {"half": constant("half", half), "quarter": constant("quarter", 0.25), "zero": constant("zero", 0.0)}
    for name, location in external.items():
        (folder / location).parent.mkdir(exist_ok=True)
        (folder / location).write_bytes(tensors[name].raw_data)
        onnx.external_data_helper.set_external_data(tensors[name], location, length=len(tensors[name].raw_data))
        tensors[name].ClearField("raw_data")
        tensors[name].data_location = onnx.TensorProto.EXTERNAL
    image: list[str | int | None] = ["b", 3, "h", "w"]
    kind = onnx.TensorProto.FLOAT
    inner = helper.make_graph(
        [helper.make_node("Add", ["sum", "zero"], ["inner"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", kind, image)],
        [tensors["zero"]],
    )
    other = helper.make_graph(
        [helper.make_node("Identity", ["sum"], ["same"])],
        "other",
        [],
        [helper.make_tensor_value_info("same", kind, image)],
    )
    yes = onnx.numpy_helper.from_array(np.array(True), "yes")
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "half"], ["product"]),
            helper.make_node("Add", ["product", "quarter"], ["sum"]),
            helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=other),
        ],
        "net",
        [helper.make_tensor_value_info("x", kind, image)],
        [helper.make_tensor_value_info("y", kind, image)],
        [tensors["half"], tensors["quarter"], yes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return folder / "net.onnx"


def test_a_network_in_one_file_has_nothing_to_add(tmp_path: Path) -> None:
    assert external_data(written(tmp_path)) == {}


def test_every_file_is_found_and_counts(tmp_path: Path) -> None:
    where = {"half": "half.bin", "quarter": "data/quarter.bin", "zero": "zero.bin"}
    records = []
    for place, changed in enumerate([None, *where.values()]):
        path = written(tmp_path / str(place), where)
        if changed is not None:
            (path.parent / changed).write_bytes(np.full((1, 3, 1, 1), 0.125, np.float32).tobytes())
        records.append(external_data(path))
    assert [record["external_weights"] for record in records] == [["data/quarter.bin", "half.bin", "zero.bin"]] * 4
    assert len({record["external_weights_sha256"] for record in records}) == 4


def test_other_weights_of_the_same_file_are_another_record(tmp_path: Path, degraded: ImageBatch) -> None:
    first, second = (written(tmp_path / name, {"half": "w.bin"}, half) for name, half in (("a", 0.5), ("b", 0.25)))
    assert first.read_bytes() == second.read_bytes()
    one, other = (load(f"onnx:{path}?range=unit") for path in (first, second))
    assert (one(degraded).pixels - (degraded.pixels / 2 + 0.25)).abs().max() < 1e-6
    assert (other(degraded).pixels - (degraded.pixels / 4 + 0.25)).abs().max() < 1e-6
    records = [restorer.provenance() for restorer in (one, other)]
    assert records[0]["weights_sha256"] == records[1]["weights_sha256"]
    assert records[0]["external_weights_sha256"] != records[1]["external_weights_sha256"]


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, {"half": "w.bin"})
    (tmp_path / "w.bin").unlink()
    with pytest.raises(BadInput, match=r"keeps weights in w.bin, and there is no .*w.bin: put it beside"):
        external_data(path)
    with pytest.raises(BadInput, match=r"keeps weights in w.bin, and there is no .*w.bin: put it beside"):
        load(f"onnx:{path}")
    (tmp_path / "w.bin").write_bytes(bytes(5))
    with pytest.raises(BadInput, match=r"w.bin has 5 bytes, and the weights of .*net.onnx there take 12: cut off"):
        load(f"onnx:{path}")
    (tmp_path / "net.onnx").write_bytes(b"\xff" * 50)
    with pytest.raises(BadInput, match="is not an ONNX network"):
        external_data(path)


def test_number_types_of_weights_are_counted_in_subgraphs_too(tmp_path: Path) -> None:
    from onnx import helper, numpy_helper

    wide, half = (numpy_helper.from_array(np.zeros((8, 4), kind), kind) for kind in ("float32", "float16"))
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.zeros(20, "int8"), "c"))
    inner = helper.make_graph([constant], "inner", [], [], [half])
    node = helper.make_node("If", ["cond"], ["y"], then_branch=inner, else_branch=inner)
    model = helper.make_model(helper.make_graph([node], "net", [], [], [wide]))
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert weight_types(tmp_path / "net.onnx") == {"float32": 32, "float16": 64, "int8": 40}
