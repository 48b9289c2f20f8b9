"""Progress in a log: a line for each piece of work that is done, and one a minute until then."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gfpbench.report.progress import progress_bar


@pytest.mark.parametrize(
    ("seconds_a_step", "lines"),
    [
        (0.1, ["40/40"]),
        (7.0, ["9/40", "18/40", "27/40", "36/40", "40/40"]),
        (60.0, [f"{done}/40" for done in range(1, 41)]),
    ],
)
def test_a_log_gets_a_line_a_minute_and_one_at_the_end(seconds_a_step: float, lines: list[str]) -> None:
    log, now = io.StringIO(), 0.0
    with progress_bar(Console(file=log), clock=lambda: now) as progress:
        for done in range(1, 41):
            now += seconds_a_step
            progress(done, 40, "case [b]")
    assert log.getvalue().splitlines() == [f"case [b]: {line}" for line in lines]


def test_a_terminal_sees_the_rate() -> None:
    screen = io.StringIO()
    with progress_bar(Console(file=screen, force_terminal=True, width=100)) as progress:
        for done in range(1, 41):
            progress(done, 40, "case")
    assert "40/40" in screen.getvalue()
    assert "/s" in screen.getvalue()
