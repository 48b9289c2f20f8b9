"""As a person uses it: ``gfpbench compare``, and pytest with its options in a project of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import gate_sample as sample
import pytest
from gate_sample import with_scores
from typer.testing import CliRunner

from gfpbench import results
from gfpbench.cli import app

pytest_plugins = ["pytester"]

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
    assert "same as the baseline (16 images, 2 metrics)" in text
    code, text = compared(tmp_path, *[-0.5] * 16)
    assert code == 1
    assert "worse: psnr_rgb" in text
    assert "worst: face" in text
    assert "see the pictures: gfpbench run --restorer model" in text
    code, text = compared(tmp_path, *[0.5] * 16)
    assert code == 0
    assert "stale" in text


def test_compare_for_a_machine(tmp_path: Path) -> None:
    code, text = compared(tmp_path, *[-0.5] * 16, json_too=True)
    assert code == 1
    (case,) = json.loads(text)["cases"]
    assert (case["kind"], case["passed"]) == ("worse", False)
    assert [metric["kind"] for metric in case["metrics"] if metric["metric"] == "psnr_rgb"] == ["worse"]


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
