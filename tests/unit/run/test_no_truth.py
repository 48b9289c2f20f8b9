"""Inputs that have no ground truth: what is measured of them, and that nothing takes them for the truth."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import gfpbench
from gfpbench import cli, degrade, images, metrics, results, run
from gfpbench.decode import read_rgb
from gfpbench.types import AssetMissing, BadInput, Case, Face
from tests.unit.run import laws, no_truth_laws


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return no_truth_laws.low_quality(tmp_path_factory.mktemp("inputs") / "lq")


@pytest.fixture(scope="module")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One command: a restorer by name and another's files."""
    outputs, report = tmp_path_factory.mktemp("outputs"), tmp_path_factory.mktemp("report") / "report"
    for file in folder.iterdir():
        rgb = read_rgb(file)
        images.write_png(outputs / file.name, np.clip(rgb.astype(int) + 9, 0, 255).astype(np.uint8))
    words = ["run", "--faces", str(folder), "--no-truth", "--restorer", "bicubic", "--restorer", f"outputs:{outputs}"]
    words += [word for name in no_truth_laws.METRICS for word in ("--metric", name)]
    done = CliRunner().invoke(cli.app, [*words, "--device", "cpu", "--report", str(report)])
    assert done.exit_code == 0, done.output
    return report


def test_no_number_in_the_report_needs_a_truth(report: Path) -> None:
    no_truth_laws.no_number_needs_a_truth(report)


def test_what_needs_no_truth_is_measured(report: Path) -> None:
    given, *restored = results.read(report / "results.json")
    assert given.case.restorer == "input"
    assert set(given.metrics) == {"piqe"}
    assert "compared with itself" in given.not_measured["deg_dlib_vs_input"]
    for result in restored:
        assert set(result.metrics) == no_truth_laws.MEASURED
        assert all(result.metrics[name]["needs_input"] for name in no_truth_laws.MEASURED - {"piqe"})
        assert all(row.scores["colour_shift_vs_input"] for row in result.rows)
        assert all(row.scores["piqe"] is not None for row in result.rows)


def test_what_is_measured_against_the_input_is_the_metric_of_restored_and_input(report: Path) -> None:
    result = results.read(report / "results.json")[1]
    store = report / "cases" / result.case.id
    row = result.rows[0]
    restored, given = (read_rgb(run.image_path(store, row.id, kind)) for kind in ("restored", "degraded"))
    assert row.scores["colour_shift_vs_input"] == pytest.approx(gfpbench.compute("colour_shift", restored, given))
    assert row.scores["colour_shift_vs_input"] == gfpbench.compute("colour_shift_vs_input", restored, given)


def test_it_can_be_verified(report: Path) -> None:
    for result in results.read(report / "results.json"):
        assert run.verify(result, store=report / "cases", count=2) == ()


def test_the_page_says_how_to_measure_it_again(report: Path) -> None:
    page = (report / "index.html").read_text()
    assert "no ground truth" in page
    assert "--no-truth" in page
    assert "--degradation no-truth" not in page


def test_a_run_that_was_stopped_goes_on(folder: Path, tmp_path: Path) -> None:
    case = Case(str(folder), "no-truth", "bicubic")
    settings = {"metrics": ["piqe", "deg_dlib"], "batch_size": 1}
    with contextlib.suppress(laws.Stopped):
        run.measure(case, store=tmp_path / "stopped", progress=laws.stop_after(2), **settings)  # type: ignore[arg-type]
    for store in ("stopped", "undisturbed"):
        whole = run.measure(case, store=tmp_path / store, **settings)  # type: ignore[arg-type]
    laws.check_same(tmp_path / "undisturbed" / case.id, tmp_path / "stopped" / case.id)
    assert json.loads((tmp_path / "stopped" / case.id / "timing.json").read_text())["resumed_batches"] == 2
    assert run.measure(case, store=tmp_path / "stopped", reuse=True, **settings) == whole  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["deg_dlib", "rad_arcface_bgr", "lmd_awing", "colour_shift"])
def test_identity_landmarks_and_colours_have_a_form_against_the_input(name: str) -> None:
    (plain,), (form,) = metrics.load([name]), metrics.load([f"{name}_vs_input"])
    assert (form.name, form.needs_truth, plain.needs_truth) == (f"{name}_vs_input", False, True)
    assert "against the degraded input" in form.source
    assert (form.unit, form.better, form.tolerance) == (plain.unit, plain.better, plain.tolerance)


@pytest.mark.parametrize("name", ["psnr_rgb_vs_input", "niqe_vs_input", "gmsd_vs_input", "deg_dlib_vs_input_vs_input"])
def test_pixels_have_none(name: str) -> None:
    with pytest.raises(BadInput, match="no metric named"):
        metrics.load([name])


def test_every_family_that_survives_is_in_the_table() -> None:
    families = {name.partition("_")[0] for name in metrics.METRICS}
    assert set(metrics.SURVIVING) <= families
    assert {"deg_dlib_vs_input", "lmd_dlib_vs_input", "colour_shift_vs_input"} <= set(metrics.every_name())


def test_messages_speak_of_the_input() -> None:
    flat = np.full((64, 64, 3), 128, np.uint8)
    with pytest.raises(BadInput, match="deg_dlib_vs_input: no face is found in the input of"):
        gfpbench.compute("deg_dlib_vs_input", flat, flat)


def test_a_failure_names_its_metric_once(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    images.write_png(tmp_path / "noise" / "a.png", noise)
    case = Case(str(tmp_path / "noise"), "no-truth", "bicubic")
    result = run.measure(case, store=tmp_path / "store", metrics=["deg_dlib_vs_input"])
    reasons = [problem.reason for problem in result.problems if problem.stage == "metric"]
    assert reasons == ["deg_dlib_vs_input: no face is found in the input of a: no identity to compare"]


def test_with_a_truth_the_input_is_the_degraded_image(tmp_path: Path) -> None:
    result = run.measure(
        Case("embedded", "paper", "truth", size_px=64, draws=1), store=tmp_path, metrics=["colour_shift_vs_input"]
    )
    assert all(row.scores["colour_shift_vs_input"] for row in result.rows)  # the truth against itself would have 0
    assert run.verify(result, store=tmp_path) == ()


def test_the_notebook_measures_it(folder: Path) -> None:
    result = gfpbench.measure("bicubic", folder, truth=False, metrics=["piqe", "psnr_rgb", "deg_dlib"])
    assert set(result.metrics) == {"piqe", "deg_dlib_vs_input"}
    assert result.case == Case(str(folder), "no-truth", "bicubic")
    assert gfpbench.measure(result.case, metrics=["piqe"]).scores("piqe") == result.scores("piqe")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"restorer": "truth"}, "leave out the restorer 'truth'"),
        ({"degradation": "report"}, "nothing is degraded: leave out 'report'"),
        ({"draws": 2}, "draw once"),
    ],
)
def test_what_needs_a_truth_is_refused_in_one_line(folder: Path, given: dict[str, object], says: str) -> None:
    arguments: dict[str, object] = {"restorer": "bicubic", "faces": folder, "truth": False, **given}
    with pytest.raises(BadInput, match=says):
        gfpbench.measure(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "--no-truth", "--degradation", "paper"], "leave out 'paper'"),
        (["run", "--no-truth", "--draws", "2"], "draw once"),
        (["run", "--no-truth", "--restorer", "truth"], "leave out the restorer 'truth'"),
        (["degrade", "--degradation", "no-truth", "--to", "OUT"], "without a ground truth"),
    ],
)
def test_the_command_refuses_them(folder: Path, tmp_path: Path, words: list[str], says: str) -> None:
    given = [str(tmp_path / "out") if word == "OUT" else word for word in words]
    report = ["--report", str(tmp_path / "report")] if words[0] == "run" else []
    done = CliRunner().invoke(cli.app, [*given, "--faces", str(folder), *report])
    assert isinstance(done.exception, BadInput)
    assert says in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_stored_result_says_so_twice(report: Path) -> None:
    stored = json.loads((report / "results.json").read_text())["results"][1]
    assert results.to_json(results.from_json(stored)) == stored
    for change, says in (
        ({"truth": True}, "truth: is true, and the degradation is 'no-truth'"),
        ({"truth": None}, "truth: is null"),
        ({"case": {**stored["case"], "degradation": "none"}}, "truth: is false, and the degradation is 'none'"),
        ({"case": {**stored["case"], "restorer": "truth"}}, "case.restorer: is 'truth', and there is none"),
    ):
        with pytest.raises(BadInput, match=says):
            results.from_json({**stored, **change})
    with pytest.raises(BadInput, match="truth: is true"):
        results.from_json({name: value for name, value in stored.items() if name != "truth"})


def test_a_stored_number_that_needs_a_truth_is_refused(report: Path) -> None:
    stored = json.loads((report / "results.json").read_text())["results"][1]
    clean = {**stored["metrics"]["deg_dlib_vs_input"], "needs_truth": True}
    with pytest.raises(BadInput, match=r"metrics\.deg_dlib: needs a truth, and there is none"):
        results.from_json({**stored, "metrics": {**stored["metrics"], "deg_dlib": clean}})
    score = {"value": 1.0, "n": 4, "n_reference": 4, "better": "lower", "tolerance": 0.1}
    with pytest.raises(BadInput, match=r"set_scores\.fid_clean_vs_truth: needs a truth"):
        results.from_json({**stored, "set_scores": {"fid_clean_vs_truth": score}})


def test_an_older_file_has_a_truth() -> None:
    older = Path(__file__).parents[3] / "baselines" / "quality"
    file = next(iter(sorted(older.glob("*.json"))))
    assert all(result.case.has_truth for result in results.read(file))
    assert '"truth": ' not in file.read_text().partition('"rows"')[0]


def test_faces_that_are_known_to_have_none_are_never_degraded(monkeypatch: pytest.MonkeyPatch) -> None:
    from gfpbench.assets import datasets

    monkeypatch.setitem(datasets.FACES, "toy", replace(datasets.FACES["portraits"], truth=False))
    parts = run.Parts(laws.ToyFaces(), degrade.load("no-truth"), gfpbench.load_restorer("bicubic"), ())
    assert not parts.has_truth
    with pytest.raises(BadInput, match="'toy' have no ground truth"):
        replace(parts, degradation=degrade.load("paper"))


def test_faces_are_kept_as_they_are(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    result = gfpbench.measure("input", copy, truth=False, metrics=["piqe"])
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    face: Face = gfpbench.load_faces(copy).load(result.image_ids[0])
    assert result.rows[0].face_sha256 == face.sha256
    assert result.rows[0].fingerprint["degraded"]["sha256"] == face.sha256[:16]
    assert set(result.rows[0].read) == {"degraded"}


def test_one_grey_image_and_files_of_one_name_are_measured(tmp_path: Path) -> None:
    (tmp_path / "lq").mkdir()
    grey = np.random.default_rng(0).integers(0, 256, (80, 80), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "lq" / "a.png"), grey)
    one = gfpbench.measure("bicubic", tmp_path / "lq", truth=False, metrics=["piqe", "colour_shift", "deg_dlib"])
    assert set(one.metrics) == {"piqe", "colour_shift_vs_input", "deg_dlib_vs_input"}
    assert one.rows[0].scores["piqe"] is not None
    assert one.rows[0].scores["colour_shift_vs_input"] is not None
    assert one.rows[0].scores["deg_dlib_vs_input"] is None
    assert "no face is found in the input" in one.problems[0].reason
    cv2.imwrite(str(tmp_path / "lq" / "a.jpg"), grey)
    two = gfpbench.measure("bicubic", tmp_path / "lq", truth=False, metrics=["piqe"])
    assert two.image_ids == ("a.jpg", "a.png")


def test_what_is_missing_is_one_line_each(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no images"):
        gfpbench.measure("bicubic", tmp_path / "empty", truth=False)
    with pytest.raises(AssetMissing, match="gfpbench fetch"):
        gfpbench.measure("gfpgan-1.4", folder, truth=False)
    result = gfpbench.measure("bicubic", folder, truth=False, metrics=["piqe", "deg_arcface"])
    assert "gfpbench fetch arcface-resnet18" in result.not_measured["deg_arcface_vs_input"]
    assert all(row.scores["piqe"] is not None for row in result.rows)
