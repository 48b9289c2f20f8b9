"""The fixture ``speed`` in a project of its own: left out, skipped, required, made, failed. No clock is read."""

from __future__ import annotations

import dataclasses
import importlib
from itertools import count
from typing import Any

import pytest
import torch  # noqa: F401  # loaded here: pytester forgets what a session in this process imports first

from gfpbench import run  # noqa: F401  # as torch
from gfpbench.baselines import speed as speed_baselines
from gfpbench.plugin import ours
from gfpbench.speed import Speed
from gfpbench.speed import measure as measuring
from gfpbench.types import Case
from tests.unit.speed.machines import LOADS, SOUND, Machine, Model, measured

GATE = """
    from gfpbench.report import speed_lines

    def test_speed(speed):
        assert speed.passed, "\\n".join(speed_lines(speed))

    def test_other():
        pass
"""
OFF = ("-p", "no:cacheprovider")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a gate of speed; ``project.model`` is what it measures."""
    seeds = count(50)
    pytester.model = SOUND  # type: ignore[attr-defined]

    def pretended(case: Case, **_: Any) -> Speed:
        made = measured(pytester.model, Machine(LOADS["idle"], next(seeds)))  # type: ignore[attr-defined]
        return dataclasses.replace(made, case=case)

    here = {"device": "cpu", "device_name": "Pretended CPU", "torch": "2.15.0+cpu"}
    monkeypatch.setattr(measuring, "measure_speed", pretended)
    monkeypatch.setattr(speed_baselines, "environment", lambda device: here)
    pytester.makepyfile(GATE)
    return pytester


def test_left_out_unless_asked_for(project: pytest.Pytester) -> None:
    outcome = project.runpytest_inprocess(*OFF)
    outcome.assert_outcomes(passed=1, deselected=1)


def test_without_a_baseline_it_skips_and_says_how_to_make_one(project: pytest.Pytester) -> None:
    outcome = project.runpytest_inprocess(*OFF, "--speed-gate", "-rs")
    outcome.assert_outcomes(passed=1, skipped=1)
    outcome.stdout.fnmatch_lines(["*no baseline of speed*gfpbench speed nano*--baseline-update-new*"])
    assert not (project.path / "baselines").exists()


def test_a_runner_can_require_one(project: pytest.Pytester) -> None:
    outcome = project.runpytest_inprocess(*OFF, "-m", "speed", "--strict-speed")
    outcome.assert_outcomes(errors=1, deselected=1)
    outcome.stdout.fnmatch_lines(["*no baseline of speed*--strict-speed*"])


def test_made_then_held_then_failed(project: pytest.Pytester) -> None:
    made = project.runpytest_inprocess(*OFF, "-m", "speed", "--baseline-update-new")
    made.assert_outcomes(passed=1, deselected=1)
    made.stdout.fnmatch_lines(["*baseline written: *pretended_cpu-torch2.15*nano-embedded-paper-s0.json"])
    held = project.runpytest_inprocess(*OFF, "--speed-gate", "--strict-speed")
    held.assert_outcomes(passed=2)
    held.stdout.fnmatch_lines(["*nano-embedded-paper-s0: speed as in the baseline*"])
    project.model = Model(computes=0.6, peak_mib=600.0)  # type: ignore[attr-defined]
    failed = project.runpytest_inprocess(*OFF, "--speed-gate", "--report", "out")
    failed.assert_outcomes(passed=1, failed=1)
    failed.stdout.fnmatch_lines(["*worse: time: *all 3 measurements*", "*worse: memory: *", "*more is computed*"])
    page = (project.path / "out" / "index.html").read_text()
    assert "more is computed" in page
    junit = (project.path / "out" / "junit.xml").read_text()
    assert 'name="gfpbench.time.references"' in junit
    project.model = Model(computes=0.1)  # type: ignore[attr-defined]
    better = project.runpytest_inprocess(*OFF, "--speed-gate")
    better.assert_outcomes(passed=2)
    better.stdout.fnmatch_lines(["*stale; renew it with --baseline-update*"])


def test_quality_and_time_are_two_tests(project: pytest.Pytester) -> None:
    project.makepyfile("def test_both(speed, restoration):\n    pass\n")
    outcome = project.runpytest_inprocess(*OFF, "--speed-gate")
    outcome.stdout.fnmatch_lines(["*test_both asks for speed and restoration: make it two tests*"])
    assert outcome.ret != 0


def test_time_is_not_measured_beside_workers(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    outcome = project.runpytest_subprocess(*OFF, "--speed-gate", "-n", "2")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["*leave -n away*"])


def test_a_fixture_of_that_name_in_another_project_is_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def speed():
            return 88

        def test_theirs(speed, restoration=None):
            assert speed == 88
        """
    )
    pytester.runpytest_inprocess(*OFF).assert_outcomes(passed=1)


def test_comparisons_are_known_by_names_that_exist() -> None:
    """The names stand as text, so that a session without us imports nothing."""
    for module, name in ours._COMPARISONS:
        assert getattr(importlib.import_module(module), name).__module__ == module
