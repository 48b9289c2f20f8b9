"""The pytest plugin: options, fixtures, markers and the closing lines. The only package of ours that imports pytest.

It is loaded in every project whose environment has gfpbench installed. So nothing heavy is imported before a test asks
for it, no common name is claimed that somebody else wants, and nothing is done to tests that use none of our fixtures.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import pytest

from gfpbench.plugin.bench import KEY, Bench
from gfpbench.plugin.closing import pytest_sessionfinish, pytest_terminal_summary
from gfpbench.plugin.collapse_bench import CollapseBench
from gfpbench.plugin.command_line import correct_root_folder
from gfpbench.plugin.fixtures import (
    gfpbench_baseline,
    gfpbench_bench,
    gfpbench_collapse,
    gfpbench_comparison,
    gfpbench_input,
    gfpbench_parity,
    gfpbench_result,
    gfpbench_speed,
    gfpbench_truth,
)
from gfpbench.plugin.named import (
    USELESS_LIMIT,
    has_useless_limit,
    pytest_collection_finish,
    pytest_runtestloop,
    pytest_xdist_node_collection_finished,
)
from gfpbench.plugin.options import (
    add_short_options,
    is_given,
    pytest_addoption,
    pytest_sessionstart,
    value_of,
)
from gfpbench.plugin.ours import (
    RESULT,
    SPEED,
    comparisons_among,
    fixtures_of,
    is_parametrized_by_hand,
    marker_is_ours,
    results_among,
)
from gfpbench.plugin.parity_bench import ParityBench
from gfpbench.plugin.short_names import add_short_names
from gfpbench.plugin.speed_bench import SpeedBench, leave_out, refuse_mixing, refuse_workers
from gfpbench.plugin.workers import scheduler_by_case

__all__ = [
    "Bench",
    "CollapseBench",
    "ParityBench",
    "SpeedBench",
    "gfpbench_baseline",
    "gfpbench_bench",
    "gfpbench_collapse",
    "gfpbench_comparison",
    "gfpbench_input",
    "gfpbench_parity",
    "gfpbench_result",
    "gfpbench_speed",
    "gfpbench_truth",
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_runtestloop",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "pytest_xdist_node_collection_finished",
]

TAKEN: pytest.StashKey[Iterable[str]] = pytest.StashKey()
"""The short option names that another plugin defines in this session."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Iterator[None]:
    """Options: the last of all plugins and of the first conftest files to claim a name, before pytest reads them."""
    correct_root_folder(early_config, parser, args)
    add_short_names(early_config.pluginmanager)
    yield
    early_config.stash[TAKEN] = add_short_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "gpu: needs a CUDA device; says so and skips where there is none (of tests that use gfpbench)",
        "network: talks to servers outside this machine; off unless chosen with -m network (as above)",
        "slow: takes more than a minute on two cores",
        "speed: measures time and memory; left out unless asked for with --speed-gate or -m speed",
        "needs_asset(name): needs something `gfpbench fetch` brings; skips, or fails with --strict-assets",
    ):
        config.addinivalue_line("markers", line)
    refuse_workers(config)
    session = Bench(config)
    if session.setting("no-truth"):
        session.degradation  # noqa: B018  # refused now where both are asked for, not while tests are collected
    if session.report is not None:
        session.refuse_bad_report_folder()
        if hasattr(config.option, "xmlpath") and not config.option.xmlpath:
            # Set before pytest's own junitxml plugin is configured (it is registered first, configured in order).
            config.option.xmlpath = str(session.report / "junit.xml")
        session.begin_report()
    config.stash[KEY] = session


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What is not as somebody may expect: short names that another plugin defines, where gfpbench is used at all, and
    a limit on time that has no effect."""
    taken = sorted(config.stash.get(TAKEN, ()))
    useless = (
        [f"gfpbench: gfpbench_seconds_per_image {USELESS_LIMIT}"] if has_useless_limit(config, configured=True) else []
    )
    if not taken or not is_given(config):
        return useless
    return [
        *useless,
        f"gfpbench: another plugin or a conftest has an option {' and '.join(taken)} of its own here; write "
        f"{', '.join(name.replace('--', '--gfpbench-', 1) for name in taken)}",
    ]


@pytest.hookimpl(trylast=True)  # after those that give values to names that we also have
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    used = fixtures_of(metafunc.definition)
    if SPEED in used:
        refuse_mixing(metafunc)
    session = metafunc.config.stash[KEY]
    for fixture in (SPEED, RESULT):
        if fixture in used and not is_parametrized_by_hand(metafunc, fixture):
            ids = [session.case(name).id for name in session.restorers]
            metafunc.parametrize(fixture, session.restorers, ids=ids, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Figures become properties; with --strict-assets a skip for want of a GPU or an asset becomes a failure."""
    _figures_to_properties(item, call)
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and _may_not_be_skipped(item):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome, report.longrepr = "failed", f"{reason.removeprefix('Skipped: ')} (--strict-assets)"
    return report


def _may_not_be_skipped(item: pytest.Item) -> bool:
    names = {marker.name for marker in item.iter_markers()}
    return bool(
        names & {"gpu", "needs_asset"}
        and "network" not in names  # left out unless chosen, whatever it needs
        and marker_is_ours(item)
        and value_of(item.config, "strict-assets")
    )


def _figures_to_properties(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Every figure of a Result and of a comparison that a test used becomes a JUnit property of that test."""
    if call.when != "call" or not getattr(item.config.option, "xmlpath", None) or not fixtures_of(item):
        return
    funcargs: dict[str, Any] = getattr(item, "funcargs", {})
    values = [funcargs[name] for name in sorted(funcargs)]
    used = results_among(values, item.config.stash[KEY].results.values())
    judged = comparisons_among(values)
    if used or judged:
        from gfpbench import report

        for result in used:
            item.user_properties.extend(report.junit_properties(result))
        for comparison in judged:
            item.user_properties.extend(report.verdict_properties(comparison))


def pytest_runtest_setup(item: pytest.Item) -> None:
    names = {marker.name for marker in item.iter_markers()} & {"gpu", "needs_asset"}
    if not names or not marker_is_ours(item):
        return
    if "gpu" in names:
        import torch

        if not torch.cuda.is_available():
            pytest.skip(f"no GPU: torch {torch.__version__} sees no CUDA device on this machine")
    for marker in item.iter_markers("needs_asset"):
        from gfpbench import assets
        from gfpbench.types import AssetMissing

        for name in marker.args:
            try:
                assets.path(name)
            except AssetMissing as missing:
                pytest.skip(str(missing))


@pytest.hookimpl(tryfirst=True)  # before pytest looks for the marks that -m names
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    leave_out(config, items)
    if "network" not in (config.option.markexpr or ""):
        for item in items:
            if item.get_closest_marker("network") and marker_is_ours(item):
                item.add_marker(pytest.mark.skip(reason="talks to the network; choose it with -m network"))


@pytest.hookimpl(tryfirst=True)
def pytest_exception_interact(call: pytest.CallInfo[Any], report: Any) -> None:
    """Our own errors are one clear line for a person; a traceback through the engine would bury it."""
    import sys

    types = sys.modules.get("gfpbench.types")
    if types is not None and call.excinfo is not None and isinstance(call.excinfo.value, types.GfpbenchError):
        report.longrepr = f"{type(call.excinfo.value).__name__}: {call.excinfo.value}"


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
