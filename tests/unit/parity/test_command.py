"""`gfpbench parity` as a person calls it: the verdict, the exit code, the files; and the fixture of the template."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from gfpbench import devices
from gfpbench.cli import app
from gfpbench.disk import DiskRefused
from gfpbench.images import to_rgb_arrays, write_png
from gfpbench.metrics import NO_TRUTH_REASON
from gfpbench.parity import Parity, Timed
from gfpbench.parity.timing import with_speed
from gfpbench.report.parity import parity_lines
from gfpbench.speed import Speed
from gfpbench.types import BadInput, Case, ImageBatch

MODEL = """
from gfpbench.restorers import from_array_function, load
import numpy as np
bicubic = load("bicubic")
def same(batch):
    return bicubic(batch)
same.__annotations__ = {"batch": "ImageBatch"}
def exchanged(batch):
    from gfpbench.types import ImageBatch
    done = bicubic(batch)
    return ImageBatch(done.pixels.flip(1), done.ids)
exchanged.__annotations__ = {"batch": "ImageBatch"}
"""
OPTIONS = ("--limit", "6", "--size", "64", "--device", "cpu")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "parity_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_table_and_exit_code_1_where_one_is_unsafe(project: Path) -> None:
    done = CliRunner().invoke(
        app, ["parity", "bicubic", "python:parity_model:same", "python:parity_model:exchanged", *OPTIONS]
    )
    assert done.exit_code == 1, done.output
    assert "safe: python:parity_model:same: bit-equal" in done.output
    assert "unsafe: python:parity_model:exchanged: broken" in done.output
    assert "colour channels exchanged" in done.output
    assert {path.name for path in (project / "parity").iterdir()} == {"parity.html", "parity.json"}


def test_json_alone_on_standard_output_and_exit_code_0(project: Path) -> None:
    done = CliRunner().invoke(app, ["parity", "bicubic", "python:parity_model:same", "--json", *OPTIONS])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["passed"], told["candidates"][0]["outcome"]) == (True, "bit-equal")


def test_an_unknown_name_leaves_nothing(project: Path) -> None:
    done = CliRunner().invoke(app, ["parity", "bicubic", "bicubik", *OPTIONS])
    assert isinstance(done.exception, BadInput)
    assert not (project / "parity").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("parity", "bicubic", "python:parity_model:same", "--report", "parity_model.py"),
        ("parity", "bicubic", "python:parity_model:same", "--report", "parity_model.py/below"),
        ("export", "nano", "--onnx", "folder"),
        ("export", "nano", "--onnx", "parity_model.py/nano.onnx"),
        ("export", "nano", "--onnx", "nano.onnx", "--report", "parity_model.py"),
    ],
)
def test_a_place_that_takes_no_file_is_told_before_anything_is_measured(
    words: tuple[str, ...], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "folder").mkdir()
    monkeypatch.setattr("gfpbench.parity.measuring.measure_parity", None)
    monkeypatch.setattr("gfpbench.parity.export.export", None)
    done = CliRunner().invoke(app, list(words))
    assert isinstance(done.exception, BadInput | DiskRefused), done.output
    assert words[-1] in str(done.exception) or "parity_model.py" in str(done.exception)
    assert {path.name for path in project.iterdir()} == {"parity_model.py", "folder"}


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "mps", "xpu", "directml"])
def test_a_device_that_is_not_here_is_one_line_with_those_that_are(device: str) -> None:
    if device in devices.here():
        pytest.skip(f"{device} is here")
    with pytest.raises(BadInput, match=r"here are auto, cpu"):
        devices.resolve(device)


def test_speed_stands_beside_the_verdict_in_units_of_the_reference() -> None:
    def measure(case: Case, *, device: str, batch_size: int, pairs: int) -> Speed:
        times = {"bicubic": 2.0, "fast": 1.0}[case.restorer]
        return Speed(
            case,
            times,
            0.9 * times,
            1.1 * times,
            pairs,
            times / 10,
            0.1,
            None,
            100 * times,
            "",
            batch_size,
            (8, 8),
            "r",
        )

    from gfpbench.parity import Compared

    fast = Compared("fast", "bit-equal", "safe", (), "fp32", {}, ())
    parity = Parity(Case("embedded", "paper", "bicubic"), {"face": 1}, {}, (), (fast,))
    timed = with_speed(parity, measure=measure)
    one, eight = timed.candidates[0].timed
    assert one == Timed(1, 0.1, 0.5, 0.9 / 2.2, 1.1 / 1.8, 100.0)
    assert (eight.batch_size, eight.seconds_an_image) == (8, 0.1 / 8)
    assert [time.relative for time in timed.reference_timed] == [1.0, 1.0]


def test_speed_of_fewer_faces_than_a_batch_has_one_column_for_each_size_that_there_is() -> None:
    limits = []

    def measure(case: Case, *, device: str, batch_size: int, pairs: int) -> Speed:
        limits.append(case.limit)
        made = min(batch_size, 3)  # as many faces as there are
        return Speed(case, 1.0, 0.9, 1.1, pairs, 0.1, 0.1, None, 1.0, "", made, (8, 8), "r")

    from gfpbench.parity import Compared

    fast = Compared("fast", "bit-equal", "safe", (), "fp32", {}, ())
    parity = Parity(Case("embedded", "paper", "bicubic", limit=1), {"face": 1}, {}, (), (fast,))
    timed = with_speed(parity, measure=measure, batches=(1, 8, 16))
    assert [one.batch_size for one in timed.candidates[0].timed] == [1, 3]
    assert limits[:3] == [1, 8, 16]
    assert any("s an image in batches of 3" in line for line in parity_lines(timed))


def test_inputs_without_a_truth_are_compared_and_nothing_is_said_of_quality(project: Path) -> None:
    images = project / "inputs"
    for face, batch in (("a", 1), ("b", 2)):
        pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(batch))
        write_png(images / f"{face}.png", to_rgb_arrays(ImageBatch(pixels, (face,)))[0])
    words = ["parity", "bicubic", "python:parity_model:same", "python:parity_model:exchanged", "--faces", str(images)]
    done = CliRunner().invoke(app, [*words, "--no-truth", "--json", "--device", "cpu"])
    assert done.exit_code == 1, done.output
    told = json.loads(done.stdout)
    assert (told["case"]["degradation"], told["inputs"]["face"]) == ("no-truth", 2)
    assert [one["safety"] for one in told["candidates"]] == ["safe", "unsafe"]
    assert [one["quality"] for one in told["candidates"]] == [[], []]
    assert told["not_measured"]["against the truth"] == NO_TRUTH_REASON
    refused = CliRunner().invoke(app, [*words, "--no-truth", "--degradation", "paper"])
    assert isinstance(refused.exception, BadInput)


@pytest.mark.usefixtures("forked_sessions")
def test_the_fixture_of_the_template(pytester: pytest.Pytester) -> None:
    template = (Path(__file__).parents[3] / "docs/templates/test_parity.py").read_text()
    start, end = template.index("REFERENCE ="), template.index("\n\n\n@pytest")
    mine = 'REFERENCE = "bicubic"\nCANDIDATES = ("python:parity_model:same", "python:parity_model:exchanged")'
    pytester.makepyfile(test_parity=template[:start] + mine + template[end:], parity_model=MODEL)
    done = pytester.runpytest_subprocess(*OPTIONS, "--report", "report", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*unsafe: broken; colour channels exchanged*"])
    assert len(list(pytester.path.glob("report/parity/*/parity.html"))) == 2
