"""Speed in one pytest session: measured where it was asked for, one restorer after the other, apart from quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gfpbench.plugin.bench import Bench
from gfpbench.plugin.options import value_of
from gfpbench.plugin.ours import SPEED, fixtures_of

if TYPE_CHECKING:
    from gfpbench.baselines.speed import SpeedOf
    from gfpbench.baselines.speed_comparison import SpeedComparison

QUALITY = {
    "gfpbench_baseline": "baseline",
    "gfpbench_comparison": "comparison",
    "gfpbench_input": "degraded_input",
    "gfpbench_result": "restoration",
    "gfpbench_truth": "ground_truth",
}
"""Our fixtures that measure quality, and their short names."""


class SpeedBench:
    """One session's speeds: each restorer is measured once and shared by all tests.

    Args:
        bench: for the device and the options.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def __call__(self, restorer: str) -> SpeedComparison:
        """The speed of a restorer beside its baseline; made first where an option asks for that.

        Without a baseline of this device the test skips, or fails with --strict-speed.
        """
        found = self._found(restorer)
        if found.comparison is None:
            if self.bench.setting("strict-speed"):
                pytest.fail(f"{found.missing} (--strict-speed)", pytrace=False)
            pytest.skip(found.missing)
        return found.comparison

    def _found(self, restorer: str) -> SpeedOf:
        from gfpbench.baselines.speed import SPEED, speed_of

        case = self.bench.case(restorer)
        if case.id not in self.bench.speeds:
            root = self.bench.baselines.parent / SPEED.name
            self.bench.processes.close()  # nothing is beside what is timed
            with self.bench.in_project(), self.bench.uncaptured():
                found = speed_of(case, root, device=self.bench.device, update=self.bench.update)
            self.bench.speeds[case.id] = found
            if found.written is not None:
                self.bench.written.add(found.written)
        return self.bench.speeds[case.id]


def refuse_workers(config: pytest.Config) -> None:
    """Time is not measured beside other workers."""
    if _wanted(config) and (config.getoption("numprocesses", None) or hasattr(config, "workerinput")):
        raise pytest.UsageError("--speed-gate: time is measured in one process, with nothing beside it: leave -n away")


def refuse_mixing(metafunc: pytest.Metafunc) -> None:
    """Quality and time are never measured in one test."""
    mixed = fixtures_of(metafunc.definition) & QUALITY.keys()
    if mixed:
        name = max(QUALITY[one] for one in mixed)
        raise pytest.UsageError(f"{metafunc.function.__name__} asks for speed and {name}: make it two tests")


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark speed tests, and deselect them unless ``--speed-gate`` was given."""
    timed = [item for item in items if SPEED in fixtures_of(item)]
    for item in timed:
        item.add_marker("speed")
    if timed and not _wanted(config):
        config.hook.pytest_deselected(items=timed)
        items[:] = [item for item in items if item not in timed]


def speeds_of(session: Bench) -> list[SpeedComparison]:
    """What was compared in this session, in the order of the restorers."""
    return [found.comparison for found in session.speeds.values() if found.comparison is not None]


def _wanted(config: pytest.Config) -> bool:
    return bool(value_of(config, "speed-gate")) or "speed" in (config.option.markexpr or "")
