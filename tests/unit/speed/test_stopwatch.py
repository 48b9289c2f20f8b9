"""The stopwatch: one thread, and no time that another process had."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from gfpbench.speed import stopwatch
from gfpbench.speed.stopwatch import one_thread, wall_clock


def test_one_thread_is_given_back() -> None:
    import cv2

    before = torch.get_num_threads(), cv2.getNumThreads()
    with pytest.raises(ValueError, match="stop"), one_thread():
        raise ValueError("stop")
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_standing_in_line_does_not_count_and_sleeping_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wall_clock(lambda: time.sleep(0.03)).seconds >= 0.029
    told = iter([5.0, 5.02])
    monkeypatch.setattr(stopwatch, "seconds_in_line", lambda: next(told))
    begun = time.perf_counter()
    counted = wall_clock(lambda: time.sleep(0.03)).seconds
    assert counted <= time.perf_counter() - begun - 0.02
    monkeypatch.undo()
    monkeypatch.setattr(stopwatch, "IN_LINE", Path("nowhere"))
    assert stopwatch.seconds_in_line() == 0.0


def test_the_clock_moves() -> None:
    lap = wall_clock(lambda: sum(range(1000)))
    assert lap.seconds > 0
    assert lap.processor_seconds >= 0
