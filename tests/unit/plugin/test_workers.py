"""Several workers give the bytes of one process, measure nothing twice, and each has a GPU of its own."""

from __future__ import annotations

import multiprocessing
import os
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from gfpbench import disk, results, run
from gfpbench.plugin import Bench, CollapseBench
from gfpbench.plugin.processes import Processes, is_only_here
from gfpbench.plugin.session_settings import SessionSettings
from gfpbench.plugin.workers import Shared, device_of
from gfpbench.run import Spread, Workers, spreading
from gfpbench.run.course import Found
from gfpbench.types import BadInput, Case, Json
from tests import child
from tests.unit.run.worker_threads import one_thread, threads_for_processes

# PSNR and SSIM only: what is tested here does not depend on how many figures there are.
REPORT = "report-2021"
OPTIONS = ("--limit", "2", "--device", "cpu", "--protocol", REPORT, "-p", "no:cacheprovider")

TESTS = """
    from gfpbench import run

    def test_rows(restoration):
        assert restoration.rows

    def test_references(restoration, degraded_input, ground_truth):
        assert restoration.image_ids == degraded_input.image_ids == ground_truth.image_ids

    def test_baseline(comparison):
        assert comparison.passed

    def test_without_the_bench(bench, tmp_path):
        case = bench.case("input")
        assert bench.compare(run.measure(case, store=tmp_path, protocols=bench.protocols)).passed
"""

BLUR = """
    import os
    from pathlib import Path

    import cv2
    import numpy as np

    from gfpbench.restorers import from_array_function

    def blur(rgb: np.ndarray) -> np.ndarray:
        with Path("calls.txt").open("a") as file:
            file.write(f"{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}\\n")
        return cv2.GaussianBlur(rgb, (5, 5), 1.5)

    restorer = from_array_function(blur)
"""


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Everything a run left, but for clocks (timing.json, junit.xml)."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in ("timing.json", "junit.xml"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def figures(junit: Path) -> dict[str, dict[str, str]]:
    """The properties of every test of a JUnit file."""
    return {
        str(case.get("name")): {str(item.get("name")): str(item.get("value")) for item in case.iter("property")}
        for case in ElementTree.parse(junit).getroot().iter("testcase")
    }


def check_nothing_was_there_before(outcome: pytest.RunResult) -> None:
    """In the folder of the report: it is written once, and no worker has left there what it measured itself."""
    outcome.stdout.no_fnmatch_line("*measured before*")


@pytest.mark.usefixtures("forked_sessions")
def test_two_workers_leave_the_bytes_of_one_process(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    pytester.makepyfile(mine=BLUR)
    options = (*OPTIONS, "--restorer", "bicubic", "--restorer", "python:mine:restorer")
    alone = pytester.runpytest_subprocess(*options, "--report", "alone", "--baseline-update-new")
    alone.assert_outcomes(passed=7)
    once = (pytester.path / "calls.txt").read_text().splitlines()
    (pytester.path / "calls.txt").unlink()
    baselines = bytes_of(pytester.path / "baselines")
    assert len(baselines) == 3

    many = pytester.runpytest_subprocess(*options, "--report", "many", "-n", "2")
    check_nothing_was_there_before(many)
    many.assert_outcomes(passed=7)
    assert bytes_of(pytester.path / "many") == bytes_of(pytester.path / "alone")
    assert bytes_of(pytester.path / "baselines") == baselines
    assert figures(pytester.path / "many" / "junit.xml") == figures(pytester.path / "alone" / "junit.xml")
    workers = (pytester.path / "calls.txt").read_text().splitlines()
    assert len(set(workers)) == 1  # by one worker
    assert len(workers) < len(once)  # which made no baseline, and measured no more than the one process did
    many.stdout.fnmatch_lines(["*= gfpbench =*", "same as the baseline: 3 cases"])


MOVED = """
import numpy as np
import pytest

from gfpbench.degrade import fast

_SHRUNK = fast.blurred_and_downsampled


@pytest.fixture(scope="session", autouse=True)
def moved_by_hand():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "blurred_and_downsampled", lambda *given: _SHRUNK(*given) + np.float32(0.5 / 255))
        yield
"""


@pytest.mark.usefixtures("forked_sessions")
def test_images_that_the_path_moved_are_compared_along_the_baselines_by_workers_too(pytester: pytest.Pytester) -> None:
    """Of a baseline of an older gfpbench; the fast path is moved by hand, by half of the values' rounding."""
    case = Case("embedded", "paper", "bicubic", limit=2)
    along_exact = run.measure(replace(case, degradation="paper?path=exact"), store=pytester.path, protocols=[REPORT])
    older = {name: value for name, value in along_exact.degradation.items() if name != "path"}
    stored = replace(along_exact, case=case, degradation=older)
    results.write([stored], pytester.path / "baselines" / "quality" / f"{case.id}.json")
    pytester.makeconftest(MOVED)
    pytester.makepyfile("def test_one(comparison):\n    assert comparison.passed, comparison.failures\n")
    options = (*OPTIONS, "--restorer", "bicubic")
    alone = pytester.runpytest_subprocess(*options, "--report", "alone")
    many = pytester.runpytest_subprocess(*options, "--report", "many", "-n", "2")
    for outcome in (alone, many):
        outcome.assert_outcomes(passed=1)
        outcome.stdout.fnmatch_lines(["*2 of 2 degraded images, compared as measured along the baseline's path*"])
    assert bytes_of(pytester.path / "many") == bytes_of(pytester.path / "alone")


@pytest.mark.usefixtures("forked_sessions")
def test_workers_that_make_baselines_make_each_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(comparison):\n    assert comparison.passed\n\n\ntest_two = test_one\n")
    outcome = pytester.runpytest_subprocess(*OPTIONS, "--restorer", "bicubic", "-n", "2", "--baseline-update")
    outcome.assert_outcomes(passed=2)
    outcome.stdout.fnmatch_lines(["baseline written: *bicubic-embedded-paper-s0-n2.json"])
    assert len(bytes_of(pytester.path / "baselines")) == 1


@pytest.mark.parametrize(
    ("worker", "device", "gpus", "expected"),
    [
        ("gw0", "cuda", 2, "cuda:0"),
        ("gw1", "cuda", 2, "cuda:1"),
        ("gw5", "cuda", 4, "cuda:1"),
        ("gw1", "cuda:0", 2, "cuda:0"),
        ("gw1", "cpu", 2, "cpu"),
        ("gw1", "cpu", 0, "cpu"),
        ("", "cuda", 2, "cuda"),
    ],
)
def test_each_worker_has_a_gpu_of_its_own(worker: str, device: str, gpus: int, expected: str) -> None:
    assert device_of(worker, device, gpus) == expected


def once_in_each(folder: Path) -> None:
    """For a process of its own: print what is logged when three processes at once do one piece of work once."""
    context = multiprocessing.get_context("fork")
    log = folder / "log.txt"
    log.touch()
    started = [context.Process(target=_work, args=(folder, log), daemon=True) for _ in range(3)]
    for process in started:
        process.start()
    for process in started:
        process.join(30)
        assert process.exitcode == 0
    print(log.read_text(), end="")


def once_without_a_lock(folder: Path) -> None:
    """``once_in_each`` where every lock is free for all."""
    disk._is_locked = lambda file: True
    once_in_each(folder)


def _work(folder: Path, log: Path) -> None:
    with Shared(folder).once("measured", "case") as mine, log.open("a") as file:
        if mine:
            time.sleep(0.2)
        file.write("did\n" if mine else "waited\n")


@pytest.mark.usefixtures("forked_processes")
def test_work_is_done_once_and_the_others_wait_for_it(tmp_path: Path) -> None:
    assert child.run(__name__, "once_in_each", tmp_path, timeout=60).split() == ["did", "waited", "waited"]
    assert Shared(tmp_path).done("measured") == ("case",)
    assert Shared(tmp_path).done("compared") == ()


@pytest.mark.usefixtures("forked_processes")
def test_without_a_lock_the_same_check_fails(tmp_path: Path) -> None:
    assert child.run(__name__, "once_without_a_lock", tmp_path, timeout=60).split().count("did") > 1


def test_what_failed_is_tried_by_the_next(tmp_path: Path) -> None:
    shared = Shared(tmp_path)

    def fail() -> None:
        with shared.once("measured", "case"):
            raise ValueError("out of paint")

    with pytest.raises(ValueError, match="out of paint"):
        fail()
    assert shared.done("measured") == ()
    with shared.once("measured", "case") as mine:
        assert mine


def died_with_the_lock(folder: Path) -> None:
    """For a process of its own: a child dies while it holds the lock."""
    pid = os.fork()
    if pid == 0:
        with Shared(folder).once("measured", "case"):
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


@pytest.mark.usefixtures("forked_processes")
def test_the_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    child.run(__name__, "died_with_the_lock", tmp_path, timeout=60)
    with Shared(tmp_path).once("measured", "case") as mine:
        assert mine


PROCESSES = """
    import sys
    import types

    import torch

    THREADS = torch.get_num_threads()

    def test_rows(restoration, degraded_input):
        assert restoration.image_ids == degraded_input.image_ids

    def test_baseline(comparison):
        assert comparison.passed

    def test_what_is_in_this_process_only(bench):
        sys.modules["made_here"] = made = types.ModuleType("made_here")
        made.restorer = lambda images: images
        assert bench.measure(bench.case("python:made_here:restorer")).rows

    def test_the_threads_of_other_tests_are_left():
        assert torch.get_num_threads() == THREADS

    def test_fails():
        raise AssertionError("with -x the last one")

    def test_is_not_run():
        pass
"""
THEIR_CONFTEST = """
    import os
    from gfpbench.plugin.bench import KEY

    os.environ["SESSION"] = str(os.getpid())

    def pytest_unconfigure(config):
        print(f"open: {config.stash[KEY].processes._pool}")
"""
MEETING = """
    import os
    import time
    from pathlib import Path

    import cv2

    from gfpbench.restorers import from_array_function

    def blur(rgb):
        if os.environ["SESSION"] != str(os.getpid()):
            Path(f"worker-{os.getpid()}").touch()
            until = time.monotonic() + 60
            while len(list(Path().glob("worker-*"))) < 2 and time.monotonic() < until:
                time.sleep(0.05)
        return cv2.GaussianBlur(rgb, (5, 5), 1.5)

    restorer = from_array_function(blur)
"""


@pytest.mark.usefixtures("forked_sessions")
def test_worker_processes_leave_the_bytes_of_one_process(pytester: pytest.Pytester) -> None:
    """Two processes load and measure one restorer, and are ended with the session, which -x ends before its time."""
    pytester.makepyfile(PROCESSES)
    pytester.makeconftest(THEIR_CONFTEST)
    pytester.makepyfile(mine=MEETING)
    options = (*OPTIONS[2:], "-x", "--limit", "9", "--size", "64", "--restorer", "python:mine:restorer")
    alone = pytester.runpytest_subprocess(*options, "--workers", "1", "--report", "alone", "--baseline-update-new")
    alone.assert_outcomes(passed=4, failed=1)
    assert not list(pytester.path.glob("worker-*"))
    many = pytester.runpytest_subprocess(*options, "--workers", "2", "--report", "many")
    many.assert_outcomes(passed=4, failed=1)
    assert len(list(pytester.path.glob("worker-*"))) == 2
    assert bytes_of(pytester.path / "many") == bytes_of(pytester.path / "alone")
    line = "measured by the tests' own process, where alone its module is: python:made_here:restorer"
    many.stdout.fnmatch_lines([line, "same as the baseline: 1 case", "open: None"])
    alone.stdout.no_fnmatch_line("measured by the tests' own process*")


def processes(count: int | None, engine: str = "processes") -> Processes:
    """Those of a session whose --workers and --engine are these."""
    return Processes(cast(SessionSettings, SimpleNamespace(spread=Spread(count, engine, "HEAD:6379", 0.5))))


def check_started_anew(patch: pytest.MonkeyPatch) -> None:
    """Workers stay from one case to the next, while what they have of this process is what it was."""
    session = processes(2)

    def pool(**options: object) -> object:
        with session.of("bicubic", options) as found:
            return found

    patch.setenv("PYTEST_CURRENT_TEST", "one")
    first = pool()
    patch.setenv("PYTEST_CURRENT_TEST", "another")
    assert first is not None
    assert pool() is first
    patch.setenv("WHAT_A_MODEL_READS", "1")
    second = pool()
    assert second is not first
    assert pool(isolate=True) is not second
    session.close()


def test_workers_stay_while_their_surroundings_do(monkeypatch: pytest.MonkeyPatch) -> None:
    check_started_anew(monkeypatch)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_workers_end_where_a_measurement_is_broken_off(kind: type[BaseException]) -> None:
    session = processes(2)
    with pytest.raises(kind), session.of("bicubic", {}):
        raise kind if session._pool is not None else AssertionError
    assert session._pool is None


def test_one_or_no_worker_is_this_process() -> None:
    for count in (None, 1):
        with processes(count).of("bicubic", {}) as pool:
            assert pool is None


class OnRay:
    """In place of ``RayWorkers``: keeps what it was made of."""

    def __init__(self, count: int | None, options: dict[str, Json], **named: Any) -> None:
        self.made_of = {"count": count, "options": options, **named}

    def close(self) -> None: ...


class Unreachable(OnRay):
    def __init__(self, *_: Any, **__: Any) -> None:
        raise BadInput("--engine ray: no cluster at HEAD:6379: refused")


def check_on_ray(patch: pytest.MonkeyPatch) -> None:
    """With --engine ray the cluster measures, also with one worker, and torch has its threads here too; where there is
    none, the session ends."""
    patch.delenv("OMP_NUM_THREADS", raising=False)
    for count in (None, 1, 2):
        patch.setattr(spreading, "RayWorkers", OnRay)
        session = processes(count, "ray")
        with one_thread():
            torch.set_num_threads(2)
            with session.threads(), session.of("bicubic", {"isolate": True}) as found:
                threads = torch.get_num_threads()
        made_of = {"count": count, "options": {"isolate": True}, "address": "HEAD:6379", "gpus": 0.5}
        assert getattr(found, "made_of", None) == made_of
        assert threads == 1
    patch.setattr(spreading, "RayWorkers", Unreachable)
    line = "gfpbench: --engine ray: no cluster at HEAD:6379"
    with pytest.raises(pytest.exit.Exception, match=line) as ended, processes(2, "ray").of("bicubic", {}):
        pass
    assert ended.value.returncode == pytest.ExitCode.USAGE_ERROR


def test_with_ray_the_cluster_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    check_on_ray(monkeypatch)


@pytest.mark.parametrize("restorer", ["nano", "python:json:dumps", "python:tests.child:run", "python:nowhere:restorer"])
def test_what_can_be_imported_is_left_to_the_workers(restorer: str) -> None:
    assert not is_only_here(restorer)


def test_collapse_points_are_measured_by_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their margins are those of one process, with the limits of the session."""
    asked: list[dict[str, Json]] = []
    found, measured = [], Workers.measured

    def noted(self: Workers, *given: Any) -> Iterator[Found]:
        asked.append(self.options)
        return measured(self, *given)

    monkeypatch.setattr(Workers, "measured", noted)
    guarded = {"isolate": False, "seconds_per_image": None}
    with threads_for_processes(monkeypatch), one_thread():
        for count in (1, 2):
            named = {"processes": processes(count), "measuring": nullcontext, "device": "cpu", "guarded": guarded}
            bench = SimpleNamespace(**named)
            search = CollapseBench(cast(Bench, bench), tmp_path / str(count))
            found.append(search.margins("bicubic", "noise", 0.5, limit=3, draws=1, size_px=64))
            bench.processes.close()
    assert found[0] == found[1]
    assert asked == [guarded, guarded]  # the restorer and its input
    assert bytes_of(tmp_path / "2") == bytes_of(tmp_path / "1")
