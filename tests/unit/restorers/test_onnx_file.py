"""Networks in ONNX files: run as they are, refused in one clear line. The oracle is the same arithmetic in torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench.images import resized, select
from gfpbench.restorers import load
from gfpbench.types import BadInput, ImageBatch, PackageMissing

pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install gfpbench[onnx]")
onnx = pytest.importorskip("onnx", reason="needs onnx: pip install gfpbench[test]")


def written(path: Path, shape: list[Any], *, kind: int = 1, inputs: int = 1, answer: str = "picture") -> Path:
    """A network that halves its input and adds a quarter, or gives its mean."""
    from onnx import TensorProto, helper, numpy_helper

    number = {1: "float32", 10: "float16"}[kind]
    import numpy as np

    constants = [
        numpy_helper.from_array(np.array(value, dtype=number), name)
        for name, value in [("half", 0.5), ("quarter", 0.25)]
    ]
    nodes = [helper.make_node("Mul", ["x0", "half"], ["scaled"])]
    if answer == "picture":
        nodes.append(helper.make_node("Add", ["scaled", "quarter"], ["y"]))
    elif answer == "doubled":
        sizes = numpy_helper.from_array(np.array([1, 1, 2, 2], dtype="float32"), "sizes")
        constants.append(sizes)
        nodes.append(helper.make_node("Resize", ["scaled", "", "sizes"], ["y"], mode="nearest"))
    else:
        nodes.append(helper.make_node("ReduceMean", ["scaled"], ["y"], keepdims=0))
    assert kind in (TensorProto.FLOAT, TensorProto.FLOAT16)
    given = [helper.make_tensor_value_info(f"x{i}", kind, shape) for i in range(inputs)]
    graph = helper.make_graph(nodes, "net", given, [helper.make_empty_tensor_value_info("y")], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def faces(degraded: ImageBatch) -> ImageBatch:
    return select(degraded, [0, 1, 2])


@pytest.mark.parametrize("kind", [1, 10])
@pytest.mark.parametrize("shape", [["b", 3, "h", "w"], [1, 3, 128, 128], [None, 3, 128, 128]])
def test_it_runs_in_the_range_that_was_said(shape: list[Any], kind: int, faces: ImageBatch, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", shape, kind=kind)
    bound = 1e-6 if kind == 1 else 2e-3
    # y = x / 2 + 1/4: in [0, 1] as it is; in [-1, 1] it moves a picture p to p / 2 + 3 / 8.
    assert (load(f"onnx:{path}?range=unit")(faces).pixels - (faces.pixels / 2 + 0.25)).abs().max() < bound
    restorer = load(f"onnx:{path}")
    assert (restorer(faces).pixels - (faces.pixels / 2 + 0.375)).abs().max() < bound
    record = restorer.provenance()
    assert (record["range"], record["range_given"]) == ("[-1, 1]", False)
    assert len(record["weights_sha256"]) == 64


def test_a_fixed_size_is_resized_to_and_back(faces: ImageBatch, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", [1, 3, 64, 96])
    restorer = load(f"onnx:{path}?range=unit")
    small = resized(faces, (64, 96))
    wanted = resized(ImageBatch(small.pixels / 2 + 0.25, small.ids), faces.size)
    assert (restorer(faces).pixels - wanted.pixels).abs().max() < 1e-6
    assert restorer.provenance()["works_at_px"] == [64, 96]
    free = written(tmp_path / "free.onnx", ["b", 3, "h", "w"])
    assert load(f"onnx:{free}?size=64").provenance()["works_at_px"] == 64


def test_one_that_enlarges_is_brought_back(faces: ImageBatch, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", ["b", 3, "h", "w"], answer="doubled")
    assert (load(f"onnx:{path}?range=unit")(faces).pixels - faces.pixels / 2).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ([1, 64, 64, 3], {}, "channels last"),
        ([1, 1, 64, 64], {}, "not pictures with 3 channels"),
        ([4, 3, 64, 64], {}, "takes 4 pictures at a time"),
        ([1, 3, 64], {}, r"not a \(B, 3, H, W\) float tensor"),
        ([1, 3, 64, 64], {"inputs": 2}, "takes 2 inputs"),
        ([1, 3, 64, "w"], {}, "leaves the other open"),
    ],
)
def test_files_that_are_no_restorer(shape: list[Any], options: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", shape, **options)
    with pytest.raises(BadInput, match=message) as caught:
        load(f"onnx:{path}")
    assert "\n" not in str(caught.value)


def test_an_answer_that_is_no_picture(faces: ImageBatch, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", ["b", 3, "h", "w"], answer="mean")
    with pytest.raises(BadInput, match="none of that is pictures like"):
        load(f"onnx:{path}")(faces)


def test_files_that_are_no_onnx(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(BadInput, match="no such file"):
        load(f"onnx:{path}")
    path.write_bytes(b"not a network")
    with pytest.raises(BadInput, match="not an ONNX network") as caught:
        load(f"onnx:{path}")
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match=r"give range=signed\|unit"):
        load(f"onnx:{path}?range=bytes")


def test_without_onnxruntime_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "net.onnx", [1, 3, 64, 64])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PackageMissing, match="pip install onnxruntime"):
        load(f"onnx:{path}")


def test_it_gives_the_same_answer_twice(faces: ImageBatch, tmp_path: Path) -> None:
    restorer = load(f"onnx:{written(tmp_path / 'net.onnx', ['b', 3, 'h', 'w'])}")
    assert torch.equal(restorer(faces).pixels, restorer(faces).pixels)
