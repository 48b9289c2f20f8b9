"""The pytest plugin: options, fixtures, markers and the closing lines. The only room that imports pytest.

It is loaded in every project that has gfpbench installed, so nothing heavy is imported before a test asks for it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from gfpbench.plugin.bench import KEY, Bench
from gfpbench.plugin.collapse_bench import CollapseBench
from gfpbench.plugin.fixtures import (
    COMPARISONS,
    RESULT_FIXTURES,
    baseline,
    bench,
    collapse_point,
    comparison,
    degraded_input,
    ground_truth,
    restoration,
)
from gfpbench.plugin.options import pytest_addoption
from gfpbench.plugin.speed_bench import FIXTURE as SPEED
from gfpbench.plugin.speed_bench import (
    SpeedBench,
    leave_out,
    refuse_mixing,
    refuse_workers,
    speed,
    speeds_of,
    uses_speed,
)
from gfpbench.workers import scheduler_by_case

__all__ = [
    "Bench",
    "CollapseBench",
    "SpeedBench",
    "baseline",
    "bench",
    "collapse_point",
    "comparison",
    "degraded_input",
    "ground_truth",
    "pytest_addoption",
    "restoration",
    "speed",
]


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "gpu: needs a CUDA device; says so and skips where there is none",
        "network: talks to servers outside this machine; off unless chosen with -m network",
        "slow: takes more than a minute on two cores",
        "speed: measures time and memory; left out unless asked for with --speed-gate or -m speed",
        "needs_asset(name): needs something `gfpbench fetch` brings; skips, or fails with --strict-assets",
    ):
        config.addinivalue_line("markers", line)
    refuse_workers(config)
    report = config.getoption("--report")
    if report:
        folder = Path(report)
        if folder.exists() and not folder.is_dir():
            raise pytest.UsageError(f"--report {report}: is a file; give a folder")
        if not config.option.xmlpath:
            # Set before pytest's own junitxml plugin is configured (it is registered first, configured in order).
            config.option.xmlpath = str(folder / "junit.xml")
    config.stash[KEY] = Bench(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted = ["restoration"] if "restoration" in metafunc.fixturenames else []
    if uses_speed(metafunc.definition):
        refuse_mixing(metafunc)
        wanted = [SPEED]
    session = metafunc.config.stash[KEY]
    for fixture in wanted:
        ids = [session.case(name).id for name in session.restorers]
        metafunc.parametrize(fixture, session.restorers, ids=ids, indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Every figure of a Result and of a comparison that a test used becomes a JUnit property of that test."""
    if call.when != "call" or not item.config.option.xmlpath:
        return
    values: dict[str, Any] = getattr(item, "funcargs", {})
    used = {name: value for name, value in values.items() if name in RESULT_FIXTURES}
    # By name alone another project's fixture might be taken for one of ours.
    judged = [value for value in values.values() if type(value).__module__ in COMPARISONS]
    if used or judged:
        from gfpbench import report

        for name in sorted(used):
            item.user_properties.extend(report.junit_properties(used[name]))
        for value in judged:
            item.user_properties.extend(report.verdict_properties(value))


def pytest_runtest_setup(item: pytest.Item) -> None:
    strict = item.config.getoption("--strict-assets")

    def absent(reason: str) -> None:
        pytest.fail(f"{reason} (--strict-assets)", pytrace=False) if strict else pytest.skip(reason)

    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            absent(f"no GPU: torch {torch.__version__} sees no CUDA device on this machine")
    for marker in item.iter_markers("needs_asset"):
        from gfpbench import assets
        from gfpbench.types import AssetMissing

        for name in marker.args:
            try:
                assets.path(name)
            except AssetMissing as missing:
                absent(str(missing))


@pytest.hookimpl(tryfirst=True)  # before pytest looks for the marks that -m names
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    leave_out(config, items)
    if "network" not in (config.option.markexpr or ""):
        for item in items:
            if item.get_closest_marker("network"):
                item.add_marker(pytest.mark.skip(reason="talks to the network; choose it with -m network"))


@pytest.hookimpl(tryfirst=True)
def pytest_exception_interact(call: pytest.CallInfo[Any], report: Any) -> None:
    """Our own errors are one clear line for a person; a traceback through the engine would bury it."""
    import sys

    types = sys.modules.get("gfpbench.types")
    if types is not None and call.excinfo is not None and isinstance(call.excinfo.value, types.GfpbenchError):
        report.longrepr = f"{type(call.excinfo.value).__name__}: {call.excinfo.value}"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    session = config.stash.get(KEY, None)
    results = session.gather() if session is not None else ()
    if session is None or not (results or session.speeds):
        return
    from gfpbench import report

    comparisons = tuple(session.comparisons[case_id] for case_id in sorted(session.comparisons))
    page: Path | None = None
    if config.getoption("--report"):
        folder, gate = Path(config.getoption("--report")), report.Gate(comparisons, tuple(speeds_of(session)))
        page = report.write_report(results, folder, store=session.store, gate=gate)
    terminalreporter.section("gfpbench")
    for line in report.terminal_lines(results, page) if results else ():
        terminalreporter.write_line(line)
    for compared in speeds_of(session):
        for line in report.speed_lines(compared):
            terminalreporter.write_line(line)
    for path in sorted(session.written):
        terminalreporter.write_line(f"baseline written: {path}")
    changed = [compared for compared in comparisons if compared.kind != "same"]
    if len(session.comparisons) > len(changed):
        count = len(session.comparisons) - len(changed)
        terminalreporter.write_line(f"same as the baseline: {count} case{'s' * (count > 1)}")
    for one in changed:
        for line in report.comparison_lines(one):
            terminalreporter.write_line(line)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist: every worker learns where all of them keep what they measure."""
    node.workerinput["gfpbench"] = node.config.stash[KEY].share()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """pytest-xdist: with several restorers named, all tests of one go to one worker, and none waits for another."""
    session = config.stash[KEY]
    if config.getoption("dist") != "load" or len(session.restorers) < 2:
        return None
    return scheduler_by_case(config, log, [session.case(name).id for name in session.restorers])


def pytest_unconfigure(config: pytest.Config) -> None:
    session = config.stash.get(KEY, None)
    if session is not None and session.shared is not None and not session.worker:
        shutil.rmtree(session.shared.folder, ignore_errors=True)
