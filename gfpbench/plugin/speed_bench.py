"""Speed in one pytest session: measured where it was asked for, one restorer after the other, apart from quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gfpbench.plugin.bench import Bench

if TYPE_CHECKING:
    from gfpbench.speed import SpeedComparison, SpeedOf

FIXTURE = "speed"


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
            if self.bench.config.getoption("--strict-speed"):
                pytest.fail(f"{found.missing} (--strict-speed)", pytrace=False)
            pytest.skip(found.missing)
        return found.comparison

    def _found(self, restorer: str) -> SpeedOf:
        from gfpbench import speed

        option, case = self.bench.config.getoption, self.bench.case(restorer)
        if case.id not in self.bench.speeds:
            update: speed.Update = (
                "always" if option("--baseline-update") else "new" if option("--baseline-update-new") else "never"
            )
            root = self.bench.baselines.parent / speed.FOLDER.name
            capture = self.bench.config.pluginmanager.getplugin("capturemanager")
            with capture.global_and_fixture_disabled():
                found = speed.speed_of(case, root, device=self.bench.device, update=update)
            self.bench.speeds[case.id] = found
            if found.written is not None:
                self.bench.written.add(found.written)
        return self.bench.speeds[case.id]


@pytest.fixture(scope="session")
def speed(request: pytest.FixtureRequest, bench: Bench) -> SpeedComparison:
    """Time and memory of each restorer named on the command line beside their baseline on this device.

    Tests that use it run with --speed-gate (or -m speed) and are left out otherwise.
    """
    return SpeedBench(bench)(request.param)


def uses_speed(item: pytest.Item) -> bool:
    """Whether a test asks for this plugin's ``speed``: another project may have a fixture of that name."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return FIXTURE in known and known[FIXTURE][-1].func.__module__ == __name__


def refuse_workers(config: pytest.Config) -> None:
    """Time is not measured beside other workers."""
    if _wanted(config) and (config.getoption("numprocesses", None) or hasattr(config, "workerinput")):
        raise pytest.UsageError("--speed-gate: time is measured in one process, with nothing beside it: leave -n away")


def refuse_mixing(metafunc: pytest.Metafunc) -> None:
    """Quality and time are never measured in one test."""
    mixed = {"restoration", "comparison", "baseline", "degraded_input", "ground_truth"} & set(metafunc.fixturenames)
    if mixed:
        name = sorted(mixed)[0]
        raise pytest.UsageError(f"{metafunc.function.__name__} asks for speed and {name}: make it two tests")


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what measures speed, and leave it out where nobody asked for it."""
    timed = [item for item in items if uses_speed(item)]
    for item in timed:
        item.add_marker("speed")
    if timed and not _wanted(config):
        config.hook.pytest_deselected(items=timed)
        items[:] = [item for item in items if item not in timed]


def speeds_of(session: Bench) -> list[SpeedComparison]:
    """What was compared in this session, in the order of the restorers."""
    return [found.comparison for found in session.speeds.values() if found.comparison is not None]


def _wanted(config: pytest.Config) -> bool:
    return bool(config.getoption("--speed-gate")) or "speed" in (config.option.markexpr or "")
