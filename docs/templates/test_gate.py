"""The gate of a restorer: copy it into the tests of your own project and keep baselines/ in git beside it.

pytest test_gate.py --restorer python:mymodel:restorer                          # the gate
pytest test_gate.py --restorer python:mymodel:restorer --baseline-update-new    # once, to make the baseline
pytest test_gate.py --restorer python:mymodel:restorer --another-file judge     # other weights may move images
pytest test_gate.py --restorer python:mymodel:restorer --speed-gate             # time and memory too
"""

from __future__ import annotations

from gfpbench.baselines import Comparison
from gfpbench.baselines.speed import SpeedComparison
from gfpbench.report import comparison_lines, speed_lines
from gfpbench.types import Result


def test_every_face_is_restored(restoration: Result) -> None:
    problems = [problem for problem in restoration.problems if problem.stage != "metric"]  # unreadable faces, too
    assert [f"{problem.subject}: {problem.reason}" for problem in problems] == []


def test_it_improves_on_its_input(restoration: Result, degraded_input: Result) -> None:
    pairs = zip(restoration.scores("psnr_rgb"), degraded_input.scores("psnr_rgb"), strict=True)
    better = [now is not None and before is not None and now > before for now, before in pairs]
    assert sum(better) > len(better) / 2


def test_nothing_changed(comparison: Comparison) -> None:
    assert comparison.passed, "\n".join(comparison_lines(comparison))


def test_it_is_no_slower(speed: SpeedComparison) -> None:  # left out without --speed-gate
    assert speed.passed, "\n".join(speed_lines(speed))
