"""What a search for a collapse point costs: restorations against a grid, and the wall time of all default axes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench import restorers
from gfpbench.collapse import DEFAULT_AXES, DEFAULT_DRAWS, Question, collapse_point, find
from tests.unit.collapse.laws import below


def test_restorations_saved_against_a_grid() -> None:
    """Over all places a collapse can have, with the default resolution: at worst and on average."""
    saved = []
    for place in range(65):
        found = find(below(place / 64 + 1 / 128, images=4))
        saved.append(found.grid / found.evaluations)
    print(f"a grid of 65 takes {min(saved):.1f} times as many restorations at worst, {np.mean(saved):.1f} on average")
    assert min(saved) >= 5


def test_the_search_itself(benchmark: Any) -> None:
    """Scan, bisection and the bootstrap over 5,000 images, without a single restoration."""
    points = np.random.default_rng(0).normal(0.5, 0.1, 5000)
    found = benchmark.pedantic(lambda: find(lambda s: (points - s)[None]), rounds=3)
    benchmark.extra_info["severities"] = found.evaluations
    assert 0 < found.evaluations < found.grid


@pytest.mark.slow
def test_all_default_axes_of_nano(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Twelve axes, eight images each: meant to take less than five minutes on two quiet cores.

    With ``--benchmark-disable`` one axis is searched on two images, which is enough for the law: the time is not looked
    at.
    """
    timed = not request.config.getoption("benchmark_disable")
    axes, draws = (DEFAULT_AXES, DEFAULT_DRAWS) if timed else (DEFAULT_AXES[:1], 1)
    nano = restorers.load("nano")
    begun, cpu, restorations, grid = time.perf_counter(), time.process_time(), 0, 0
    for axis in axes:
        found = collapse_point(Question("nano", axis, draws=draws), store=tmp_path, restorer=nano)
        restorations += found.restorations
        grid += found.grid_restorations
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(
        f"{len(axes)} axes of nano: {seconds:.0f} s wall, {cpu:.0f} s of processor time, {restorations} "
        f"restorations instead of {grid} ({grid / restorations:.1f} times as many)"
    )
    assert grid / restorations >= 5
