"""Progress in a log: about ten lines for each piece of work, whatever the steps it comes in."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gfpbench.report.text import progress_bar


@pytest.mark.parametrize(
    ("total", "step", "lines"), [(1000, 8, 10), (997, 8, 10), (15, 4, 4), (9, 2, 1), (100, 100, 1)]
)
def test_a_log_gets_a_line_at_each_tenth(total: int, step: int, lines: int) -> None:
    log = io.StringIO()
    with progress_bar(Console(file=log)) as progress:
        for done in [*range(step, total, step), total]:
            progress(done, total, "case [b]")
    written = log.getvalue().splitlines()
    assert len(written) == lines
    assert written[-1] == f"case [b]: {total}/{total}"
