"""As a person uses it: ``gfpbench compare``, and pytest with its options in a project of one's own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2  # noqa: F401  # pytester drops what a session in this process imports first, and torch loads once
import numpy as np
import pytest
import scipy.ndimage  # noqa: F401
import torch  # noqa: F401
from typer.testing import CliRunner

from gfpbench import images, results
from gfpbench.cli import app
from gfpbench.report.gate import FILE
from gfpbench.types import BadInput
from tests.unit.baselines import sample
from tests.unit.baselines.sample import with_scores

TEST = """
def test_nothing_changed(comparison, baseline):
    assert baseline.case == comparison.case
    assert comparison.passed, comparison.failures
"""
FAST = ("--restorer", "python:mine:restore", "--draws", "1", "-p", "no:cacheprovider")


def compared(tmp_path: Path, *moves: float, json_too: bool = False) -> tuple[int, str]:
    results.write([with_scores(sample.result(), "psnr_rgb", [*moves, *[0.0] * 16][:16])], tmp_path / "now.json")
    results.write([sample.baseline()], tmp_path / "before.json")
    words = ["compare", str(tmp_path / "now.json"), str(tmp_path / "before.json"), *["--json"] * json_too]
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.stdout


def test_compare_two_files(tmp_path: Path) -> None:
    code, text = compared(tmp_path)
    assert code == 0
    assert "same as the baseline (16 images, 2 metrics, on the CPU)" in text
    code, text = compared(tmp_path, *[-0.5] * 16)
    assert code == 1
    assert "worse: psnr_rgb" in text
    assert "worst: face" in text
    assert "see the images: gfpbench run --restorer model" in text
    code, text = compared(tmp_path, *[0.5] * 16)
    assert code == 0
    assert "stale" in text


def test_compare_for_a_machine(tmp_path: Path) -> None:
    code, text = compared(tmp_path, *[-0.5] * 16, json_too=True)
    assert code == 1
    (case,) = json.loads(text)["cases"]
    assert (case["kind"], case["passed"]) == ("worse", False)
    assert [metric["kind"] for metric in case["metrics"] if metric["metric"] == "psnr_rgb"] == ["worse"]


def test_a_baseline_whose_rows_all_failed_is_bad_input(tmp_path: Path) -> None:
    results.write([sample.result()], tmp_path / "now.json")
    results.write([sample.failed(sample.baseline())], tmp_path / "before.json")
    done = CliRunner().invoke(app, ["compare", str(tmp_path / "now.json"), str(tmp_path / "before.json")])
    assert isinstance(done.exception, BadInput)
    assert "the baseline of model-some-noise-s0 holds no measured value (16 of 16 rest" in str(done.exception)


def cases(folder: Path, *restorers: str) -> Path:
    """A results.json of several cases."""
    found = [sample.baseline(case=dataclasses.replace(sample.CASE, restorer=name)) for name in restorers]
    results.write(found, folder / "results.json")
    return folder


def test_a_case_that_vanished_fails(tmp_path: Path) -> None:
    new, old = str(cases(tmp_path / "new", "a", "c")), str(cases(tmp_path / "old", "a", "b", "c"))
    done = CliRunner().invoke(app, ["compare", new, old, "--report", str(tmp_path / "page")])
    assert done.exit_code == 1
    assert "b-some-noise-s0: missing: measured for the baseline and not in the new results" in done.stdout
    page, junit, verdicts = ((tmp_path / "page" / name).read_text() for name in ("index.html", "junit.xml", FILE))
    assert "measured for the baseline and not in the new results" in page
    assert 'message="missing: the baseline holds this case, and the new results do not"' in junit
    assert json.loads(verdicts)["passed"] is False
    told = CliRunner().invoke(app, ["report", str(tmp_path / "page"), "--markdown"]).stdout
    assert "not as the baselines" in told
    assert "b-some-noise-s0" in told
    as_json = CliRunner().invoke(app, ["compare", new, old, "--json"])
    assert as_json.exit_code == 1
    assert [one["kind"] for one in json.loads(as_json.stdout)["cases"]] == ["same", "same", "missing"]
    allowed = CliRunner().invoke(app, ["compare", new, old, "--allow-missing"])
    assert allowed.exit_code == 0
    assert f"only in {old}: b-some-noise-s0" in "".join(allowed.stdout.splitlines())
    added = CliRunner().invoke(app, ["compare", old, new])
    assert added.exit_code == 0
    assert f"only in {old}: b-some-noise-s0" in "".join(added.stdout.splitlines())


def test_a_page_of_other_results_does_not_replace_a_run(tmp_path: Path) -> None:
    new, old = cases(tmp_path / "new", "a", "b"), cases(tmp_path / "old", "a")
    (new / "cases" / "b-some-noise-s0").mkdir(parents=True)
    before = (new / "results.json").read_bytes()
    for words in (["compare", str(old), str(new), "--report"], ["report", str(old), "--to"]):
        done = CliRunner().invoke(app, [*words, str(new)])
        assert isinstance(done.exception, BadInput)
        assert "holds 1 case that a run measured (b-some-noise-s0 first)" in str(done.exception)
        assert (new / "results.json").read_bytes() == before
    assert CliRunner().invoke(app, ["compare", str(new), str(old), "--report", str(new)]).exit_code == 0
    assert [one.case.restorer for one in results.read(new / "results.json")] == ["a", "b"]


MINE = """
import numpy as np

def restore(rgb: np.ndarray) -> np.ndarray:
    return np.clip(rgb.astype(int) * {factor} // 100 + 3, 0, 255).astype(np.uint8)
"""


def test_a_project_of_ones_own(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing fails with the command; the command makes it; it passes; a change fails; an update accepts the change."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # the file is rewritten within a second
    pytester.makepyfile(test_mine=TEST, mine=MINE.format(factor=95))
    missing = pytester.runpytest_inprocess(*FAST)
    missing.assert_outcomes(errors=1)
    missing.stdout.fnmatch_lines(["*missing: there is no baseline for*", "*--baseline-update-new*"])
    made = pytester.runpytest_inprocess(*FAST, "--baseline-update-new")
    made.assert_outcomes(passed=1)
    made.stdout.fnmatch_lines(["*baseline written: *baselines/quality/*.json"])
    (file,) = (pytester.path / "baselines" / "quality").iterdir()
    first = file.read_bytes()
    pytester.makepyfile(mine=MINE.format(factor=93))
    changed = pytester.runpytest_inprocess(*FAST, "--baseline-update-new")  # touches no baseline that is there
    changed.assert_outcomes(failed=1)
    changed.stdout.fnmatch_lines(["*not the baseline any more*", "*likely kind: colour*"])
    assert file.read_bytes() == first
    pytester.runpytest_inprocess(*FAST, "--baseline-update").assert_outcomes(passed=1)
    assert file.read_bytes() != first


def test_a_renamed_folder_of_faces_is_told_from_other_faces(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    pytester.makepyfile(test_mine=TEST, mine=MINE.format(factor=95))
    old, new = pytester.mkdir("old"), pytester.path / "new"
    for number in range(2):
        noise = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        images.write_png(old / f"{number}.png", noise)
    pytester.runpytest_inprocess(*FAST, "--faces", "old", "--baseline-update-new").assert_outcomes(passed=1)
    old.rename(new)
    renamed = pytester.runpytest_inprocess(*FAST, "--faces", "new")
    renamed.assert_outcomes(errors=1)
    renamed.stdout.fnmatch_lines(["*missing: there is no baseline for*of the same images names them --faces old; *"])
    images.write_png(new / "1.png", noise[::-1].copy())
    other = pytester.runpytest_inprocess(*FAST, "--faces", "new")
    other.stdout.fnmatch_lines(["*missing: there is no baseline for*"])
    other.stdout.no_fnmatch_line("*of the same images*")
