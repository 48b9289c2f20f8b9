"""The end of a session: the closing lines, the rest of the report, and an exit code of its own for a refusing disk."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gfpbench.plugin.bench import KEY, Bench
from gfpbench.plugin.ending import end_despite_threads, keep_the_status
from gfpbench.plugin.speed_bench import speeds_of

FINISHED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
"""The exit codes of a session that came to its end."""
DISK_REFUSED = 2
"""The exit code where the disk is full or read-only, as of the `gfpbench` command."""
REFUSED = re.compile(r"^(?:E +)?(?:gfpbench\.disk\.)?DiskRefused: (.*)$", re.MULTILINE)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """What a disk refused is one line and an exit code of its own: a 1 would say that a test or a gate has failed."""
    bench = session.config.stash.get(KEY, None)
    refused = ""
    try:
        yield
    except OSError as error:  # of pytest's own junit.xml, which is written into the folder of the report
        if bench is None or bench.report is None:
            raise
        name = error.filename or getattr(session.config.option, "xmlpath", None) or bench.report
        refused = f"{name}: cannot be written: {error.strerror or error}"
    finally:
        if bench is not None:
            bench.processes.close()
    if bench is not None and not bench.worker:
        refused = next(iter(_refused_by_the_disk(session.config)), refused)
    end_despite_threads(session)
    keep_the_status(session)
    if refused:
        pytest.exit(f"gfpbench: {refused}", returncode=DISK_REFUSED)


def _refused_by_the_disk(config: pytest.Config) -> Iterator[str]:
    """The lines of ``gfpbench.disk.DiskRefused`` among the reports of all tests, those of workers too."""
    bench = config.stash[KEY]
    if bench.refused:
        yield bench.refused
    # Other people's failures are not read: they are theirs, and many take long.
    if not (bench.used or (bench.shared is not None and bench.shared.folder.exists())):
        return
    terminal: Any = config.pluginmanager.getplugin("terminalreporter")
    for kind in ("error", "failed"):
        for report in terminal.stats.get(kind, ()) if terminal is not None else ():
            found = REFUSED.search(getattr(report, "longreprtext", ""))
            if found:
                yield found[1]


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    session = config.stash.get(KEY, None)
    if session is not None and session.worker:  # asked too; what all of them measured is written and said once
        return
    _summarize(terminalreporter, session)
    if session is not None and exitstatus in FINISHED and not session.refused:
        session.complete_report()


def _summarize(terminalreporter: Any, session: Bench | None) -> None:
    results = session.gather() if session is not None else ()
    if session is None or not (results or session.speeds):
        return
    from gfpbench import report
    from gfpbench.types import GfpbenchError

    comparisons = tuple(session.comparisons[case_id] for case_id in sorted(session.comparisons))
    page: Path | None = None
    earlier: list[str] = []
    if session.report is not None:
        gate = report.Gate(comparisons, tuple(speeds_of(session)))
        try:
            written = report.write_run(results, session.report, store=session.store, gate=gate, junit=False)
            page, earlier = written.page, written.lines()
        except GfpbenchError as error:  # the figures are shown all the same
            session.refused = str(error)
    terminalreporter.section("gfpbench")
    for line in report.terminal_lines(results, page) if results else ():
        terminalreporter.write_line(line)
    for line in earlier:
        terminalreporter.write_line(line)
    for compared in speeds_of(session):
        for line in report.speed_lines(compared):
            terminalreporter.write_line(line)
    if session.processes.left_here:
        named = ", ".join(session.processes.left_here)
        terminalreporter.write_line(f"measured by the tests' own process, where alone its module is: {named}")
    if session.baselines_used:
        terminalreporter.write_line(f"baselines: {session.baselines}")
    for path in sorted(session.written):
        terminalreporter.write_line(f"baseline written: {path}")
    changed = [compared for compared in comparisons if compared.kind != "same"]
    if len(session.comparisons) > len(changed):
        count = len(session.comparisons) - len(changed)
        terminalreporter.write_line(f"same as the baseline: {count} case{'s' * (count > 1)}")
    for one in comparisons:
        for line in report.comparison_lines(one)[1:] if one.kind == "same" else ():
            terminalreporter.write_line(line)
    for one in changed:
        for line in report.comparison_lines(one):
            terminalreporter.write_line(line)
