"""ONNX files of nano: like it in fp32 and fp16, refused or marked where they are not; written whole or not at all."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gfpbench.parity import export as exporting
from gfpbench.parity import from_json, narrower
from gfpbench.parity.export import Exported, Unlike, export
from gfpbench.restorers.onnx_data import weight_types
from gfpbench.types import BadInput, Case, PackageMissing

pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install gfpbench[export]")
pytest.importorskip("onnxscript", reason="needs onnxscript: pip install gfpbench[export]")
onnx = pytest.importorskip("onnx", reason="needs onnx: pip install gfpbench[export]")

CASE = Case("embedded", "paper", "nano", limit=2)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export("nano", tmp_path_factory.mktemp("onnx") / "nano.onnx", case=CASE)


def test_fp32_is_equal_within_the_arithmetic(written: Exported) -> None:
    (told,) = written.measured.parity.candidates
    assert (told.outcome, told.safety) == ("equal within the arithmetic", "safe"), told
    assert told.ran["nodes"].keys() == {"CPUExecutionProvider"}
    assert "dynamo, any batch" in written.exporter
    assert [path.name for path in written.path.parent.iterdir()] == ["nano.onnx"]
    assert weight_types(written.path).keys() == {"float32"}


def test_fp16_keeps_what_it_says_in_fp32(written: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _not_traced_again(monkeypatch, written)
    done = export("nano", tmp_path / "half.onnx", case=CASE, number="fp16")
    (told,) = done.measured.parity.candidates
    assert told.precision == "fp16"
    assert told.safety == "safe", told
    assert "Pow" in done.kept_in_fp32 or "additions of constants below" in done.kept_in_fp32
    assert weight_types(done.path)["float16"] > 1_000_000


def test_a_file_that_is_not_the_restorer_is_not_put_into_place(
    written: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(network: object, side: int, path: Path, opset: int) -> str:
        model = onnx.load(str(written.path))
        for one in model.graph.initializer:
            if one.data_type == onnx.TensorProto.FLOAT and len(one.raw_data) > 100_000:
                one.raw_data = bytes(len(one.raw_data))
        onnx.save(model, str(path))
        return "damaged"

    monkeypatch.setattr(exporting, "write_onnx", damaged)
    (tmp_path / "nano.onnx").write_bytes(b"earlier")
    with pytest.raises(Unlike, match="was not written: it is not nano any more"):
        export("nano", tmp_path / "nano.onnx", case=CASE)
    assert (tmp_path / "nano.onnx").read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["nano.onnx"]


def test_int8_is_measured_and_its_loss_is_told(
    written: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _not_traced_again(monkeypatch, written)
    monkeypatch.setattr(narrower, "CALIBRATED_ON", 2)
    done = export("nano", tmp_path / "int8.onnx", case=CASE, number="int8", even_unsafe=True)
    (told,) = done.measured.parity.candidates
    assert told.precision == "int8"
    assert told.safety in ("look", "unsafe"), told
    assert weight_types(done.path)["int8"] > 1_000_000
    assert from_json(json.loads(json.dumps(done.measured.parity.to_json()))) == done.measured.parity


def test_an_architecture_of_spandrel_keeps_its_range_and_takes_any_size(tmp_path: Path) -> None:
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2)
    torch.save({"params": network.state_dict()}, tmp_path / "compact.pth")
    done = export(f"checkpoint:{tmp_path / 'compact.pth'}", tmp_path / "compact.onnx", case=replace(CASE, size_px=64))
    assert done.restorer == f"onnx:{tmp_path / 'compact.onnx'}?range=unit"
    assert done.measured.parity.candidates[0].safety == "safe", done.measured.parity.candidates[0]
    sides = onnx.load(str(done.path)).graph.input[0].type.tensor_type.shape.dim
    assert [bool(side.dim_value) for side in sides] == [False, True, False, False]


@pytest.mark.parametrize(
    ("spec", "number", "message"),
    [
        ("bicubic", "fp32", "is no network of torch"),
        ("nano", "fp64", "--dtype fp64: use fp32, fp16, int8"),
        ("nano?dtype=bf16", "fp32", "export the plain network"),
    ],
)
def test_what_cannot_be_exported_is_one_line(spec: str, number: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        export(spec, tmp_path / "net.onnx", case=CASE, number=number)
    assert list(tmp_path.iterdir()) == []


def test_without_onnxscript_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(PackageMissing, match=r"needs the package 'onnxscript'.*pip install 'gfpbench\[export\]'"):
        export("nano", tmp_path / "net.onnx", case=CASE)
    assert list(tmp_path.iterdir()) == []


def test_an_onnx_file_is_exported_already(written: Exported, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a program or an ONNX file already"):
        export(written.restorer, tmp_path / "net.onnx", case=CASE)


def _not_traced_again(monkeypatch: pytest.MonkeyPatch, written: Exported) -> None:
    def again(network: object, side: int, path: Path, opset: int) -> str:
        path.write_bytes(written.path.read_bytes())
        return written.exporter

    monkeypatch.setattr(exporting, "write_onnx", again)
