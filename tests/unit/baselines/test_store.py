"""Baselines on disk: names, refusals, files that belong to nothing, and what two files have in common."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from gfpbench import baselines, collapse, results, run
from gfpbench.baselines import QUALITY
from gfpbench.baselines.collapse import COLLAPSE, find_baseline
from gfpbench.baselines.comparison import options
from gfpbench.baselines.inputs import ranges_changed
from gfpbench.baselines.pairing import paired_cases
from gfpbench.baselines.speed import SPEED
from gfpbench.types import BadInput, Case, Problem, Result
from tests.unit.baselines import sample


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run.measure(Case("embedded", "paper", "classical", draws=1), store=tmp_path_factory.mktemp("run"))


def test_a_baseline_is_a_result_with_an_envelope(tmp_path: Path, measured: Result) -> None:
    path = baselines.create(tmp_path, measured)
    assert path == tmp_path / "classical-embedded-paper-s0-d1.json"
    found = baselines.find(tmp_path, measured)
    assert found is not None
    stored, note = found
    assert note == ""
    assert dataclasses.replace(stored, envelope={}) == measured
    assert stored.envelope["repeat"]["exact"] is True  # OpenCV's bilateral filter on one machine
    assert set(stored.envelope["repeat"]["scores"].values()) == {0.0}
    assert 0 < stored.envelope["elsewhere"]["scores"]["psnr_rgb"] < 0.05
    assert stored.envelope["elsewhere"]["degraded"]["sharpness_levels"] > 0
    assert baselines.compare(measured, stored).kind == "same"
    rows = [line for line in path.read_text().splitlines() if line.startswith('{"attributes"')]
    assert len(rows) == len(measured.rows)  # one image a line


def test_a_gpu_has_a_folder_of_its_own_and_falls_back_to_the_cpu(tmp_path: Path) -> None:
    gpu = {"device": "cuda", "device_name": "NVIDIA H100 80GB HBM3", "torch": "2.15.0+cu132"}
    result = sample.result(environment=gpu)
    own = tmp_path / "nvidia_h100_80gb_hbm3-torch2.15" / "model-some-noise-s0.json"
    assert baselines.QUALITY.path_of(tmp_path, result) == own
    assert baselines.find(tmp_path, result) is None
    results.write([sample.baseline()], tmp_path / "model-some-noise-s0.json")
    found = baselines.find(tmp_path, result)
    assert found is not None
    assert "compared with the CPU's" in found[1]
    results.write([sample.baseline(environment=gpu)], own)
    found = baselines.find(tmp_path, result)
    assert found is not None
    assert (found[0].environment, found[1]) == (gpu, "")


def test_a_failure_never_becomes_the_standard(tmp_path: Path) -> None:
    rows = list(sample.result().rows)
    rows[3] = dataclasses.replace(rows[3], failure="broke", scores={})
    with pytest.raises(BadInput, match="1 of 16 restorations failed"):
        baselines.create(tmp_path, sample.result(rows=tuple(rows)))
    assert list(tmp_path.iterdir()) == []


def test_a_result_without_a_measured_value_never_becomes_the_standard(tmp_path: Path) -> None:
    rows = tuple(dataclasses.replace(row, scores={}, fingerprint={}) for row in sample.result().rows)
    with pytest.raises(BadInput, match=r"no baseline is made: .* holds no measured value \(no image has a score\)"):
        baselines.create(tmp_path, sample.result(rows=rows))
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_case_is_refused(tmp_path: Path) -> None:
    other = dataclasses.replace(sample.CASE, seed=1)
    results.write([sample.baseline(case=other)], tmp_path / "model-some-noise-s0.json")
    with pytest.raises(BadInput, match="holds the case model-some-noise-s1, not model-some-noise-s0"):
        baselines.find(tmp_path, sample.result())
    results.write([sample.baseline()] * 2, tmp_path / "two.json")
    with pytest.raises(BadInput, match="holds one Result, not 2"):
        baselines.QUALITY.at(tmp_path, tmp_path / "two.json")


def test_the_options_name_the_whole_case() -> None:
    case = Case("my faces", "paper", "python:model:restore", seed=3, size_px=256, limit=9, draws=2)
    assert options(case) == (
        "--restorer python:model:restore --faces 'my faces' --degradation paper --seed 3 --size 256 --limit 9 --draws 2"
    )


def test_leftovers_are_named(tmp_path: Path, measured: Result) -> None:
    def put(result: Result, name: str | None = None) -> Path:
        path = tmp_path / (name or f"{result.case.id}.json")
        results.write([result], path)
        return path

    def cased(**changes: Any) -> Result:
        return dataclasses.replace(measured, case=dataclasses.replace(measured.case, **changes))

    put(measured)
    put(cased(faces="my-own-folder"))
    assert baselines.leftovers(tmp_path) == ()
    strange = {
        put(cased(restorer="gone")): "its restorer 'gone' is not known any more",
        put(cased(degradation="gone")): "no degradation named 'gone'",
        put(measured, "renamed.json"): "is not where the baseline of classical-embedded-paper-s0-d1 belongs",
        put(cased(draws=2)): "its images are not those of its faces any more",
    }
    (tmp_path / "torn.json").write_text("{")
    strange[tmp_path / "torn.json"] = "is not the JSON that gfpbench writes"
    found = baselines.leftovers(tmp_path)
    assert len(found) == len(strange)
    for path, reason in strange.items():
        assert [reason in line for line in found if line.startswith(f"{path}: ")] == [True]
    assert any("no test asks for" in line for line in baselines.leftovers(tmp_path, cases=[]))


def test_no_baseline_is_made_of_faces_that_cannot_be_read(tmp_path: Path, measured: Result) -> None:
    torn = dataclasses.replace(measured, problems=(Problem("faces", "face 99", "is no image"),))
    with pytest.raises(BadInput, match=r"no baseline is made: 1 of \d+ faces cannot be read.*face 99: is no image"):
        baselines.create(tmp_path, torn)
    assert list(tmp_path.iterdir()) == []
    assert baselines.create(tmp_path, torn, max_unreadable=0.5).exists()


def test_cases_of_two_files_are_paired(tmp_path: Path) -> None:
    one, other, third = (
        sample.result(case=dataclasses.replace(sample.CASE, restorer=name)) for name in ("input", "a", "b")
    )
    results.write([one, other], tmp_path / "now.json")
    results.write([one, third], tmp_path / "before.json")
    found = baselines.paired_cases(tmp_path / "now.json", tmp_path / "before.json")
    named = [(now.case.restorer, before.case.restorer) for now, before in found.pairs]
    assert named == [("input", "input"), ("a", "b")]
    assert (found.vanished, found.added, found.notes) == ((), (), ())
    results.write([one], tmp_path / "one.json")
    found = baselines.paired_cases(tmp_path / "now.json", tmp_path / "one.json")
    assert len(found.pairs) == 1
    assert (found.vanished, found.added) == ((), (other,))
    assert found.notes == (f"only in {tmp_path / 'now.json'}: a-some-noise-s0",)
    found = baselines.paired_cases(tmp_path / "one.json", tmp_path / "now.json")
    assert (found.vanished, found.added) == ((other,), ())
    folder = tmp_path / "baselines"
    results.write([other], folder / f"{other.case.id}.json")
    results.write([third], folder / f"{third.case.id}.json")
    found = baselines.paired_cases(tmp_path / "now.json", folder)
    assert [now.case.restorer for now, _ in found.pairs] == ["a"]
    assert found.vanished == ()  # a folder of baselines holds those of other runs too
    assert found.notes[-1] == f"not compared: 1 more in {folder}, of cases that were not measured"
    results.write([one, dataclasses.replace(one, label="old")], tmp_path / "twice.json")
    with pytest.raises(BadInput, match=r"twice\.json: holds input-some-noise-s0 more than once"):
        baselines.paired_cases(tmp_path / "now.json", tmp_path / "twice.json")
    results.write([other, third], tmp_path / "others.json")
    with pytest.raises(BadInput, match="no case in common"):
        baselines.paired_cases(tmp_path / "one.json", tmp_path / "others.json")
    with pytest.raises(BadInput, match=r"holds no results\.json and no baseline of"):
        baselines.paired_cases(tmp_path / "one.json", tmp_path / "baselines")


def test_a_case_is_said_as_options_that_are_needed() -> None:
    case = Case("my faces", "paper", "python:restore.py:restore")
    bare = "--restorer python:restore.py:restore --faces 'my faces' --degradation paper"
    assert options(case) == bare
    full = dataclasses.replace(case, seed=3, size_px=256, limit=0, draws=2)
    assert options(full) == f"{bare} --seed 3 --size 256 --limit 0 --draws 2"


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        paired_cases(tmp_path, tmp_path)
    assert str(caught.value) == f"{tmp_path}: holds no results.json"
    results.write([sample.result()], tmp_path / "results.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput) as caught:
        paired_cases(tmp_path, tmp_path / "empty")
    name = sample.result().case.id
    assert str(caught.value) == f"{tmp_path / 'empty'}: holds no results.json and no baseline of {name}"


def test_another_range_is_said_with_the_one_before() -> None:
    before = sample.result(degradation={"blur": {"sigma": [0.2, 10]}, "summary": "as published", "r": 4})
    now = sample.result(degradation={"blur": {"sigma": [0.2, 5]}, "summary": "as we like it", "r": 4})
    changed = ranges_changed(now, before)
    assert changed is not None
    assert changed.line == "the degradation's description changed: blur.sigma [0.2, 5], baseline [0.2, 10]"
    assert ranges_changed(before, before) is None


@pytest.mark.parametrize(("update", "missing", "there"), [("never", 0, 0), ("new", 1, 0), ("always", 1, 1)])
def test_when_a_baseline_is_made(tmp_path: Path, update: baselines.Update, missing: bool, there: bool) -> None:
    path = tmp_path / "baseline.json"
    assert baselines.is_due(update, path) == missing
    path.touch()
    assert baselines.is_due(update, path) == there


@pytest.mark.parametrize(
    ("kind", "cpu", "gpu"), [(QUALITY, "", "nvidia_h100"), (SPEED, "cpu", "nvidia_h100"), (COLLAPSE, "", "")]
)
def test_which_devices_have_folders_of_their_own(kind: baselines.Store[Any], cpu: str, gpu: str) -> None:
    for device, folder in ({"device": "cpu"}, cpu), ({"device": "cuda", "device_name": "NVIDIA H100"}, gpu):
        path = kind.path(kind.folder, sample.CASE, device | {"torch": "2.15.0"})
        named = [folder + "-torch2.15"] if folder else []
        assert path.parts == ("baselines", kind.name, *named, "model-some-noise-s0.json")


def test_a_collapse_point_is_found_by_its_question_alone(tmp_path: Path) -> None:
    stored = next((Path(__file__).parents[3] / COLLAPSE.folder).glob("nano-*noise*.json"))
    (point,) = collapse.read(stored)
    path = COLLAPSE.path_of(tmp_path, point)
    assert path.name == stored.name
    assert find_baseline(tmp_path, point.question) is None
    collapse.write([point], path)
    assert find_baseline(tmp_path, point.question) == point
    assert COLLAPSE.leftovers(tmp_path) == ()
    with pytest.raises(BadInput, match="answers another question"):
        find_baseline(tmp_path, dataclasses.replace(point.question, metric="psnr_rgb"))
    other = dataclasses.replace(point, question=dataclasses.replace(point.question, seed=9))
    collapse.write([other], path)
    with pytest.raises(BadInput, match=r"holds the case nano-.*-s9-d4.*, not nano-.*-s0-d4.*renamed by hand"):
        find_baseline(tmp_path, point.question)
    unknown = dataclasses.replace(point, question=dataclasses.replace(point.question, axis="gone"))
    collapse.write([unknown], path)
    for line in COLLAPSE.leftovers(tmp_path):
        assert line.startswith(f"{path}: no axis named 'gone'")
    with pytest.raises(BadInput, match=rf"^{re.escape(str(path))}: no axis named 'gone'"):
        find_baseline(tmp_path, point.question)
    collapse.write([point, point], path)
    with pytest.raises(BadInput, match="a baseline holds one collapse point, not 2"):
        find_baseline(tmp_path, point.question)
