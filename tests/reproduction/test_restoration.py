"""Every face comes back restored, every figure is there or says why not, and every image can be made again."""

from __future__ import annotations

import math

from gfpbench import run
from gfpbench.plugin import Bench
from gfpbench.types import Result


def blanks_without_a_reason(result: Result) -> list[str]:
    """Scores that are missing although the image was restored and no reason is recorded for the metric or the image."""
    excused = {
        (problem.subject, problem.reason.partition(":")[0]) for problem in result.problems if problem.stage == "metric"
    }
    return [
        f"{row.id}: {metric}"
        for row in result.rows
        for metric in result.metrics
        if row.failure is None
        and row.scores.get(metric) is None
        and metric not in result.not_measured
        and (row.id, metric) not in excused
    ]


def test_every_face_is_restored(restoration: Result) -> None:
    assert restoration.rows
    assert [f"{row.id}: {row.failure}" for row in restoration.rows if row.failure] == []
    assert [problem for problem in restoration.problems if problem.stage != "metric"] == []


def test_every_figure_is_measured_or_says_why(restoration: Result, degraded_input: Result) -> None:
    assert blanks_without_a_reason(restoration) == []
    assert blanks_without_a_reason(degraded_input) == []
    assert restoration.image_ids == degraded_input.image_ids


def test_restorer_and_input_saw_the_same_degradations(restoration: Result, degraded_input: Result) -> None:
    assert [row.parameters for row in restoration.rows] == [row.parameters for row in degraded_input.rows]
    assert [row.face_sha256 for row in restoration.rows] == [row.face_sha256 for row in degraded_input.rows]


def test_ground_truth_scores_best(ground_truth: Result) -> None:
    measured = 0
    for name, metric in ground_truth.metrics.items():
        best = metric["best"]
        if best is None or name in ground_truth.not_measured:
            continue
        for value in ground_truth.scores(name):
            assert value is not None
            assert value == best or math.isclose(value, float(best), abs_tol=1e-9), name
            measured += 1
    assert measured


def test_images_can_be_made_again(bench: Bench, restoration: Result) -> None:
    """Four images remade from their records, by code that shares nothing with the engine, score the same."""
    device = bench.device
    assert run.verify(restoration, store=bench.store, device=device) == ()


def test_reference_rows_can_be_made_again(bench: Bench, degraded_input: Result, ground_truth: Result) -> None:
    assert run.verify(degraded_input, store=bench.store) == ()
    assert run.verify(ground_truth, store=bench.store) == ()
