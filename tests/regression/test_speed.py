"""No slower and no larger than its baseline on this device: pytest tests/regression/test_speed.py --speed-gate

To make the baselines, on a quiet machine, add --baseline-update-new.
"""

from __future__ import annotations

from gfpbench.baselines.speed import SPEED, SpeedComparison
from gfpbench.plugin import Bench
from gfpbench.report import speed_lines


def test_speed_is_as_its_baseline(speed: SpeedComparison) -> None:
    assert speed.passed, "\n" + "\n".join(speed_lines(speed))


def test_no_baseline_of_speed_is_misplaced(bench: Bench) -> None:
    assert SPEED.leftovers(bench.baselines.parent / SPEED.name) == ()
