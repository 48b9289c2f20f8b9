"""Inputs without a ground truth under pytest: option and configuration, baselines, report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.run import no_truth_laws

pytestmark = pytest.mark.usefixtures("forked_sessions")
USES_A_RESULT = """
    def test_gate(gfpbench_comparison, gfpbench_result, gfpbench_input):
        assert gfpbench_comparison.passed
        assert not gfpbench_result.case.has_truth
        assert "deg_dlib_vs_input" in gfpbench_result.metrics
        assert "deg_dlib_vs_input" not in gfpbench_input.metrics
"""
SMALL = ("--device", "cpu", "-p", "no:cacheprovider", "--restorer", "bicubic")


def test_a_folder_of_real_faces_has_a_gate_and_a_page(pytester: pytest.Pytester) -> None:
    no_truth_laws.low_quality(pytester.path / "lq", count=2)
    pytester.makepyfile(USES_A_RESULT)
    pytester.makeini("[pytest]\ngfpbench_faces = lq\ngfpbench_no_truth = true\n")
    outcome = pytester.runpytest_subprocess(*SMALL, "--report", "out", "--baseline-update-new")
    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines(["*lq * inputs as they are, no ground truth*", "same as the baseline: 1 case"])
    no_truth_laws.no_number_needs_a_truth(Path(pytester.path / "out"), ("psnr_rgb", "deg_dlib", "fid_clean_vs_truth"))
    (baseline,) = (pytester.path / "baselines" / "quality").glob("*.json")
    assert '"truth": false' in baseline.read_text()


@pytest.mark.parametrize("option", ["--no-truth", "--gfpbench-no-truth"])
def test_nothing_can_be_degraded(pytester: pytest.Pytester, option: str) -> None:
    pytester.makepyfile(USES_A_RESULT)
    outcome = pytester.runpytest_subprocess(*SMALL, option, "--degradation", "paper")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["ERROR: --no-truth*leave out 'paper'"])
