"""Refuses names and numbers that no test could use before the first test runs, with pytest's exit code for bad usage.

Only what tests of gfpbench are going to use is looked at, and only what nothing that a test does can make right: the
names in our tables, numbers out of range, a file where a folder is wanted, a baseline that is no standard. A file that
is not there may yet be written by a fixture, and a module that cannot be imported is an error of its test.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from gfpbench.plugin.bench import KEY, Bench
from gfpbench.plugin.options import is_address, is_configured, is_given, value_of
from gfpbench.plugin.ours import RESULT, SPEED, fixtures_of

if TYPE_CHECKING:
    from gfpbench.types import Case

_CASE = {RESULT, SPEED, "gfpbench_input", "gfpbench_truth", "gfpbench_parity"}
_PROTOCOLS = {RESULT, "gfpbench_input", "gfpbench_truth"}
_QUALITY = {"gfpbench_baseline", "gfpbench_comparison"}
_BASELINES = {*_QUALITY, "gfpbench_collapse", SPEED}
_MAY_NOT_RUN = {"skip", "skipif", "xfail", "gpu", "needs_asset", "network"}
"""Marks of tests that may leave out what they name, or expect it to fail."""
_COMPLAINT = "refused.txt"
USELESS_LIMIT = "has an effect with --isolate only, which gives the restorer a process that can be ended"


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """In a session of one process, raises UsageError in place of running any test."""
    broken = session.testsfailed and not session.config.option.continue_on_collection_errors
    if not broken and not session.config.option.collectonly and not hasattr(session.config, "workerinput"):
        line = complaint(session)
        if line:
            raise pytest.UsageError(line)


@pytest.hookimpl(tryfirst=True)  # before the worker says that it has collected
def pytest_collection_finish(session: pytest.Session) -> None:
    """The first worker of pytest-xdist leaves the line for the process that started it; all collect the same tests."""
    bench = session.config.stash[KEY]
    if bench.worker != "gw0" or bench.shared is None:
        return
    line = complaint(session)
    if line:
        bench.shared.folder.mkdir(mode=0o700, exist_ok=True)
        (bench.shared.folder / _COMPLAINT).write_text(line, encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    """Raises UsageError with the line that a worker has left; no test has been handed out yet."""
    shared = node.config.stash[KEY].shared
    left = shared.folder / _COMPLAINT if shared is not None else None
    if left is not None and left.exists():
        raise pytest.UsageError(left.read_text(encoding="utf-8"))


def complaint(session: pytest.Session) -> str:
    """What is wrong with what the tests to be run are going to use; empty where nothing is, or none of them is ours."""
    bench: Bench = session.config.stash[KEY]
    with contextlib.suppress(pytest.UsageError):  # a value that is told below, where a test of ours would use it
        if not is_given(session.config):
            return ""  # the defaults are right, and nobody else's tests are looked at
    runs = [item for item in session.items if not {mark.name for mark in item.iter_markers()} & _MAY_NOT_RUN]
    used = [(fixtures, item) for item in runs if (fixtures := fixtures_of(item))]
    if not used:
        return ""
    from gfpbench.types import BadInput

    try:
        with bench.in_project():
            _refuse(bench, frozenset[str]().union(*(fixtures for fixtures, _ in used)), tuple(_restorers(used)))
    except (BadInput, pytest.UsageError) as error:
        return str(error)
    return ""


def _restorers(used: Iterable[tuple[frozenset[str], pytest.Item]]) -> Iterator[str]:
    """The restorers that these tests are asked about, with repetitions."""
    for fixtures, item in used:
        callspec = getattr(item, "callspec", None)
        given = callspec.params if callspec is not None else {}
        yield from (str(given[name]) for name in (RESULT, SPEED) if name in fixtures and name in given)


def _refuse(bench: Bench, fixtures: frozenset[str], restorers: Iterable[str]) -> None:
    """Raises BadInput or UsageError for a setting that some of these fixtures use and that cannot be right."""
    from gfpbench import degrade, devices, faces, run
    from gfpbench.assets.datasets import FACES
    from gfpbench.metrics import protocols
    from gfpbench.restorers import refuse_unknown

    config, asked = bench.config, set(bench.restorers)
    spread = bench.spread
    if not is_configured(config, "address"):  # a cluster that the configuration file names may be started by a fixture
        spread.refuse_unreachable()
    for restorer in dict.fromkeys(restorers):
        if restorer in asked and restorer != run.TRUTH and not restorer.startswith("photo"):
            refuse_unknown(restorer)
    case = bench.case("")
    if fixtures & _CASE:
        # A folder that the configuration file names may yet be made by a fixture of the project.
        if not is_configured(config, "faces") or difflib.get_close_matches(case.faces, FACES, cutoff=0.8):
            faces.refuse_unknown(case.faces)
        if not case.degradation.startswith("stored:"):
            degrade.load(case.degradation)
        faces.refuse_numbers(case.size_px, case.draws)
        run.refuse_limit(case.limit)
    for protocol in bench.protocols if fixtures & _PROTOCOLS else ():
        protocols.find(protocol)
    device = bench.setting("device")
    devices.refuse_unknown(device)
    if not is_configured(config, "device"):
        devices.resolve(device)
    if has_useless_limit(config, configured=False):
        raise pytest.UsageError(f"--seconds-per-image {bench.setting('seconds-per-image'):g}: {USELESS_LIMIT}")
    if fixtures & _BASELINES:
        if is_address(bench.setting("baselines") or ""):
            raise pytest.UsageError(f"--baselines {bench.setting('baselines')}: is an address; give a folder")
        place = next(one for one in (bench.baselines, *bench.baselines.parents) if one.exists())
        if not place.is_dir():
            raise pytest.UsageError(f"--baselines {bench.setting('baselines')}: {place} is a file; give a folder")
    if fixtures & _QUALITY and bench.update != "always" and device in ("auto", "cpu"):
        for restorer in dict.fromkeys(restorers):
            _refuse_baseline(bench, bench.case(restorer))


def _refuse_baseline(bench: Bench, case: Case) -> None:
    """Raises BadInput for a stored baseline that is broken, or holds nothing that a Result could be compared with."""
    from gfpbench import baselines, devices
    from gfpbench.types import BadInput

    if devices.resolve("auto") != "cpu" and bench.setting("device") == "auto":
        return  # it may have one of its own, whose place its environment tells
    found = baselines.QUALITY.find(bench.baselines, case, {})
    if found is not None and (empty := baselines.nothing_measured(found[0])):
        raise BadInput(f"{found[1]}: {empty} with --baseline-update")


def has_useless_limit(config: pytest.Config, *, configured: bool) -> bool:
    """Whether the configuration file, or else the command line, sets a limit on the time of a restorer that nothing
    keeps: the restorer is in the process of the tests."""
    with contextlib.suppress(pytest.UsageError):  # a value that is no number is told where it is used
        limited = value_of(config, "seconds-per-image") is not None and not value_of(config, "isolate")
        return limited and is_configured(config, "seconds-per-image") is configured
    return False
