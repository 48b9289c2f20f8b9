"""Networks in ONNX files: run as they are, refused in one clear line. The oracle is the same arithmetic in torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench import run
from gfpbench.baselines import measure_envelope
from gfpbench.images import resized, select
from gfpbench.restorers import arithmetic, checked, load, onnx_file
from gfpbench.restorers.onnx_file import load_onnx
from gfpbench.types import BadInput, Case, ImageBatch, PackageMissing

pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install gfpbench[onnx]")
onnx = pytest.importorskip("onnx", reason="needs onnx: pip install gfpbench[test]")


NUMBERS = {1: "float32", 10: "float16", 11: "float64"}


def written(
    path: Path,
    shape: list[Any],
    *,
    kind: int = 1,
    inputs: int = 1,
    answer: str = "image",
    extra: str = "",
    extra_shape: list[Any] | None = None,
) -> Path:
    """A network that multiplies its input by ``w`` (a half) and adds a quarter, or gives its mean.

    ``extra`` says what w is: "" a constant, "needed" a further input, "default" one that has a default in the file.
    """
    from onnx import helper, numpy_helper

    number = NUMBERS[kind]
    constants = [numpy_helper.from_array(np.array(0.25, dtype=number), "quarter")]
    if extra != "needed":
        constants.append(numpy_helper.from_array(np.full(extra_shape or [], 0.5, dtype=number), "w"))
    nodes = [helper.make_node("Mul", ["x0", "w"], ["scaled"])]
    if answer == "image":
        nodes.append(helper.make_node("Add", ["scaled", "quarter"], ["y"]))
    elif answer in ("doubled", "halved", "widened"):
        by = {"doubled": [1, 1, 2, 2], "halved": [1, 1, 0.5, 0.5], "widened": [1, 1, 1, 2]}[answer]
        constants.append(numpy_helper.from_array(np.array(by, dtype="float32"), "sizes"))
        nodes.append(helper.make_node("Resize", ["scaled", "", "sizes"], ["y"], mode="nearest"))
    else:
        nodes.append(helper.make_node("ReduceMean", ["scaled"], ["y"], keepdims=0))
    given = [helper.make_tensor_value_info(f"x{i}", kind, shape) for i in range(inputs)]
    given += [helper.make_tensor_value_info("w", kind, extra_shape or [])] if extra else []
    graph = helper.make_graph(nodes, "net", given, [helper.make_empty_tensor_value_info("y")], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def bytes_in_and_out(path: Path, shape: list[Any], *, given: str = "uint8", returned: str = "uint8") -> Path:
    """Halves what it is given and adds 64 levels; uint8 or float, 0..255, at either end."""
    from onnx import TensorProto, helper, numpy_helper

    kinds = {"uint8": TensorProto.UINT8, "float": TensorProto.FLOAT}
    constants = [
        numpy_helper.from_array(np.array(0.5, dtype="float32"), "half"),
        numpy_helper.from_array(np.array(64, dtype="float32"), "more"),
    ]
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "half"], ["m"]),
        helper.make_node("Add", ["m", "more"], ["a"]),
        helper.make_node("Cast", ["a"], ["y"], to=kinds[returned]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kinds[given], shape)],
        [helper.make_tensor_value_info("y", kinds[returned], shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def faces(degraded: ImageBatch) -> ImageBatch:
    return select(degraded, [0, 1, 2])


@pytest.mark.parametrize("kind", [1, 10, 11])
@pytest.mark.parametrize("shape", [["b", 3, "h", "w"], [1, 3, 128, 128], [None, 3, 128, 128]])
def test_it_runs_in_the_range_that_was_said(shape: list[Any], kind: int, faces: ImageBatch, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", shape, kind=kind)
    bound = 2e-3 if kind == 10 else 1e-6
    # y = x / 2 + 1/4: in [0, 1] as it is; in [-1, 1] it moves an image p to p / 2 + 3 / 8.
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
        ([1, 1, 64, 64], {}, "not images with 3 channels"),
        ([1, 64, 64, 4], {}, "not images with 3 channels"),
        ([1, 3, 64], {}, r"not a \(B, 3, H, W\) float tensor"),
        ([1, 3, 64, 64], {"inputs": 2}, "takes 2 inputs"),
        ([1, 3, 64, "w"], {}, "leaves the other open"),
        ([1, 3, 64, 64], {"extra": "needed"}, r"takes 'w' \(tensor\(float\) \[\]\) beside the image.*\?w=0.5"),
    ],
)
def test_files_that_are_no_restorer(shape: list[Any], options: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", shape, **options)
    with pytest.raises(BadInput, match=message) as caught:
        load(f"onnx:{path}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("answer", ["halved", "widened"])
def test_an_answer_of_another_aspect_or_smaller_is_refused(answer: str, faces: ImageBatch, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", ["b", 3, "h", "w"], answer=answer)
    restored, failures = checked(load(f"onnx:{path}?range=unit"), faces)
    assert restored is None
    width = {"halved": "64 x 64", "widened": "256 x 128"}[answer]
    assert all(f"returned {width} px for images of 128 x 128 px" in reason for reason in failures.values()), failures


@pytest.mark.parametrize("layout", [["b", "h", "w", 3], [1, 128, 128, 3], ["b", "h", "w", "c"]])
def test_channels_last_are_told_by_the_shape_or_said(layout: list[Any], faces: ImageBatch, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", layout)
    said = "&layout=nhwc" if layout[3] == "c" else ""
    restorer = load(f"onnx:{path}?range=unit{said}")
    assert (restorer(faces).pixels - (faces.pixels / 2 + 0.25)).abs().max() < 1e-6
    assert restorer.provenance()["layout"] == "nhwc"
    if not said:
        with pytest.raises(BadInput, match="not images with 3 channels in second place"):
            load(f"onnx:{path}?layout=nchw")


@pytest.mark.parametrize("batch", [2, 3, 4])
def test_a_fixed_batch_is_filled_up(batch: int, faces: ImageBatch, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", [batch, 3, 128, 128])
    restorer = load(f"onnx:{path}?range=unit")
    assert (restorer(faces).pixels - (faces.pixels / 2 + 0.25)).abs().max() < 1e-6
    assert (restorer(select(faces, [1])).pixels - (faces.pixels[1:2] / 2 + 0.25)).abs().max() < 1e-6
    record = restorer.provenance()
    assert (record["fixed_batch"], record["largest_batch"]) == (batch, batch)
    with pytest.raises(BadInput, match=f"takes exactly {batch} images at a time: leave batch=8 away"):
        load(f"onnx:{path}?batch=8")


@pytest.mark.parametrize("given", ["uint8", "float"])
@pytest.mark.parametrize("returned", ["uint8", "float"])
@pytest.mark.parametrize("shape", [["b", 3, "h", "w"], ["b", "h", "w", 3]])
def test_bytes_in_and_out(shape: list[Any], returned: str, given: str, faces: ImageBatch, tmp_path: Path) -> None:
    path = bytes_in_and_out(tmp_path / "net.onnx", shape, given=given, returned=returned)
    restorer = load(f"onnx:{path}" + ("" if given == "uint8" else "?range=255"))
    levels = faces.pixels * 255 / 2 + 64
    wanted = (levels.floor() if returned == "uint8" else levels) / 255
    assert (restorer(faces).pixels - wanted).abs().max() < 1e-5
    assert restorer.provenance()["range"] == "0..255"
    with pytest.raises(BadInput, match="range=unit cannot be used" if given == "uint8" else "range=bytes"):
        load(f"onnx:{path}?range={'unit' if given == 'uint8' else 'bytes'}")


@pytest.mark.parametrize("count", [1, 3])
def test_an_answer_in_another_range_is_said_to_be(count: int, faces: ImageBatch, tmp_path: Path) -> None:
    """Whether one face or several: neither a number nor "the same image as for another"."""
    given = select(faces, list(range(count)))
    path = bytes_in_and_out(tmp_path / "net.onnx", ["b", 3, "h", "w"], given="uint8", returned="float")
    assert checked(load(f"onnx:{path}"), given)[1] == {}
    for said, looks in (("unit", "[0, 1]"), ("signed", "[-1, 1]")):
        restored, failures = checked(load(f"onnx:{path}?out_range={said}"), given)
        assert restored is None
        assert set(failures) == set(given.ids)
        for reason in failures.values():
            assert f"which look like 0..255, and would be read as {looks}: say which it is with out_range=" in reason


@pytest.mark.parametrize("extra_shape", [[], [1], ["b", 1, 1, 1]])
def test_a_further_input_is_given_by_its_name(extra_shape: list[Any], faces: ImageBatch, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", ["b", 3, "h", "w"], extra="needed", extra_shape=extra_shape or None)
    restorer = load(f"onnx:{path}?range=unit&w=0.25")
    assert (restorer(faces).pixels - (faces.pixels / 4 + 0.25)).abs().max() < 1e-6
    assert restorer.provenance()["inputs"] == {"w": 0.25}
    with pytest.raises(BadInput, match="w=much is not a number"):
        load(f"onnx:{path}?w=much")


def test_a_further_input_with_a_default_may_be_left_alone(faces: ImageBatch, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", ["b", 3, "h", "w"], extra="default")
    for said, w in (("", 0.5), ("&w=0.25", 0.25)):
        restorer = load(f"onnx:{path}?range=unit{said}")
        assert (restorer(faces).pixels - (faces.pixels * w + 0.25)).abs().max() < 1e-6
    with pytest.raises(BadInput, match=r"there is no option 'v'; there are: .*w="):
        load(f"onnx:{path}?v=1")


def test_colours_in_the_order_of_opencv(faces: ImageBatch, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    halved = numpy_helper.from_array(np.array([0.5, 1, 1], dtype="float32").reshape(1, 3, 1, 1), "first")
    given, made = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", 3, "h", "w"]) for n in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Mul", ["x", "first"], ["y"])], "net", [given], [made], [halved])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    for order, channel in (("rgb", 0), ("bgr", 2)):
        wanted = faces.pixels.clone()
        wanted[:, channel] /= 2
        assert (load(f"onnx:{path}?range=unit&order={order}")(faces).pixels - wanted).abs().max() < 1e-6


def test_an_answer_that_is_no_image(faces: ImageBatch, tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", ["b", 3, "h", "w"], answer="mean")
    with pytest.raises(BadInput, match="none of that is images like"):
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
    path.write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(BadInput, match="it is a web page"):
        load(f"onnx:{path}")
    with pytest.raises(BadInput, match="is a folder, and a file is needed"):
        load(f"onnx:{tmp_path}")


@pytest.mark.parametrize(("field", "said"), [("opset", "opset"), ("ir", "IR version: 99")])
def test_a_version_that_onnxruntime_does_not_know_is_said(
    field: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install gfpbench[test]")
    model = onnx.load(str(written(tmp_path / "net.onnx", [1, 3, 64, 64])))
    model.ir_version = 99 if field == "ir" else model.ir_version
    model.opset_import[0].version = 99 if field == "opset" else model.opset_import[0].version
    onnx.save(model, str(tmp_path / "new.onnx"))
    with pytest.raises(BadInput, match=said) as caught:
        load(f"onnx:{tmp_path / 'new.onnx'}")
    assert len(str(caught.value)) < 300 + 100 + len(str(tmp_path))
    assert capfd.readouterr().err == ""


def test_without_onnxruntime_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "net.onnx", [1, 3, 64, 64])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PackageMissing, match="pip install onnxruntime"):
        load(f"onnx:{path}")


def test_it_gives_the_same_answer_twice(faces: ImageBatch, tmp_path: Path) -> None:
    restorer = load(f"onnx:{written(tmp_path / 'net.onnx', ['b', 3, 'h', 'w'])}")
    assert torch.equal(restorer(faces).pixels, restorer(faces).pixels)


@pytest.mark.usefixtures("forked_processes")
@pytest.mark.parametrize(
    ("kind", "shape", "options", "said"),
    [
        (1, ["B", "H", "W"], "", "takes x0 tensor(float) ['B', 'H', 'W'], not a (B, 3, H, W) float tensor"),
        (6, ["B", 3, "H", "W"], "", "takes x0 tensor(int32) ['B', 3, 'H', 'W'], not a (B, 3, H, W) float tensor"),
        (1, None, "", "not a (B, 3, H, W) float tensor"),
        (1, ["B", 3, "H", "W"], "?output=mask", "has no output 'mask'; it has: y, z"),
    ],
)
def test_what_cannot_be_run_ends_the_command_before_anything_is_measured(
    kind: int, shape: Any, options: str, said: str, tmp_path: Path
) -> None:
    from onnx import helper

    nodes = [helper.make_node("Cast", ["x0"], ["f"], to=1)]
    nodes += [helper.make_node("Identity", ["f"], [name]) for name in ("y", "z")]
    ends = [helper.make_empty_tensor_value_info(name) for name in ("y", "z")]
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x0", kind, shape)], ends)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    words = ("run", "--restorer", f"onnx:net.onnx{options}", "--limit", "1", "--metric", "psnr_rgb", "--device", "cpu")
    command = (sys.executable, "-m", "gfpbench", *words)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not (tmp_path / "report" / "results.json").exists()


def normalised(path: Path) -> Path:
    """A convolution and a batch normalisation, which onnxruntime folds into one unless it is told not to."""
    from onnx import helper, numpy_helper

    rng = np.random.default_rng(3)
    values = {
        "w": rng.normal(0, 0.2, (3, 3, 3, 3)),
        "scale": rng.uniform(0.5, 1, 3),
        "b": rng.normal(0, 0.1, 3),
        "mean": rng.normal(0, 0.1, 3),
        "var": rng.uniform(0.5, 2, 3),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "scale", "b", "mean", "var"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", 1, ["b", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", 1, ["b", 3, "h", "w"])],
        [numpy_helper.from_array(value.astype("float32"), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_other_ways_of_onnxruntime_are_rounding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph as it is written adds up in another order than the one that onnxruntime makes of it."""
    restorer = load_onnx(str(normalised(tmp_path / "net.onnx")))
    x = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    usual = restorer._forward(x)
    made: list[dict[str, Any]] = []
    session = onnx_file._session

    def listening(*given: Any, **named: Any) -> Any:
        made.append(named)
        return session(*given, **named)

    monkeypatch.setattr(onnx_file, "_session", listening)
    for way in arithmetic.IN_ONNXRUNTIME:
        with arithmetic.computed(way):
            other = restorer._forward(x)
            assert torch.equal(restorer._forward(x), other)
        torch.testing.assert_close(other, usual, atol=1e-5, rtol=0)
        if "optimised" in arithmetic.IN_ONNXRUNTIME[way]:
            assert not torch.equal(other, usual)
    assert made == list(arithmetic.IN_ONNXRUNTIME.values())  # one session for each way, and none for the usual one
    assert torch.equal(restorer._forward(x), usual)


def test_its_noise_is_drawn_by_them(tmp_path: Path) -> None:
    case = Case("embedded", "paper", f"onnx:{normalised(tmp_path / 'net.onnx')}", draws=1, size_px=64)
    result = run.measure(case, store=tmp_path / "run", metrics=["psnr_rgb"], keep_images=0)
    repeat = measure_envelope(result)["repeat"]
    for way in arithmetic.IN_ONNXRUNTIME:
        assert way in repeat["how"]
    assert "float64" not in repeat["how"]  # torch computes nothing of it


def test_it_says_what_ran(tmp_path: Path) -> None:
    network = load_onnx(str(written(tmp_path / "net.onnx", [None, 3, None, None])))
    ran = network.what_ran()
    assert ran["providers"] == ["CPUExecutionProvider"]
    assert ran["provider_asked_for"] == "CPUExecutionProvider"
    assert set(ran["nodes"]) <= {"CPUExecutionProvider"}
    assert ran["weight_types"] == {}  # one number is a constant of the graph and no weight


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("tensorrt", r"has no tensorrt: it has: .*cpu"),
        ("cudda", r"there is no provider 'cudda'; this onnxruntime has: .*cpu"),
    ],
)
def test_a_provider_that_is_not_here_is_one_line(tmp_path: Path, provider: str, message: str) -> None:
    path = written(tmp_path / "net.onnx", [None, 3, None, None])
    with pytest.raises(BadInput, match=message):
        load(f"onnx:{path}?provider={provider}")


def test_a_provider_that_onnxruntime_leaves_aside_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a driver or a library missing, onnxruntime warns and runs the network on the CPU."""
    import onnxruntime

    path, own = written(tmp_path / "net.onnx", [None, 3, None, None]), onnxruntime.InferenceSession
    here = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: here)
    monkeypatch.setattr(
        onnxruntime, "InferenceSession", lambda path, settings, providers: own(path, settings, providers=providers[-1:])
    )
    with pytest.raises(BadInput, match=r"CUDAExecutionProvider is part of this onnxruntime and did not start"):
        load(f"onnx:{path}?provider=cuda")
    assert load(f"onnx:{path}?provider=cpu").name.endswith("?provider=cpu")
