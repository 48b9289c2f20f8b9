"""How many inputs all entry points had together, said at the end; too few are a failure, because they prove nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

import pytest

from tests.fuzz.outcome import TOTAL, Budget, seconds

PROPERTY = "fuzzed"
VARIABLE = "GFPBENCH_FUZZ_LEAST"
_all = Budget()
_entry_points: set[str] = set()


@pytest.fixture(autouse=True)
def _counted(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test adds to the total travels with its report, from workers too."""
    before = Budget(*astuple(TOTAL))
    TOTAL.slowest_seconds = 0.0
    yield
    if TOTAL.tried > before.tried:
        counts = [now - then for now, then in zip(astuple(TOTAL)[:-1], astuple(before)[:-1], strict=True)]
        request.node.user_properties.append((PROPERTY, [*counts, TOTAL.slowest_seconds]))
    TOTAL.slowest_seconds = max(TOTAL.slowest_seconds, before.slowest_seconds)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, counts in report.user_properties if report.when == "teardown" else ():
        if name == PROPERTY:
            _all.add(Budget(*counts))  # type: ignore[misc]  # what JSON makes of its fields
            _entry_points.add(report.nodeid)


def least() -> int:
    """How many inputs there have to be: ``GFPBENCH_FUZZ_LEAST``, in a run that is for finding something."""
    return int(os.environ.get(VARIABLE, "0")) if seconds() else 0


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput") and _all.tried < least() and not session.config.option.collectonly:
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not seconds():
        return
    line = f"fuzz, {len(_entry_points)} entry points: {_all}"
    too_few = f"; these are under {least():,} ({VARIABLE}): FAILED" if _all.tried < least() else ""
    terminalreporter.section("fuzz")
    terminalreporter.write_line(line + too_few)
