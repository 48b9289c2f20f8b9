"""What the suite needs beyond an installed gfpbench: pytest's own tester, and the checkout's ``training``."""

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from _pytest.pytester import SysModulesSnapshot

LARGE_FILE = 10_000_000
"""Bytes. Networks of full size with random weights take up to 350 MB; all tests together would leave 5 GB."""

pytest.register_assert_rewrite("tests")  # what tests share asserts too, in modules that are not named test_*.py

pytest_plugins = ["pytester"]
# A shell that starts a job in the background lets it ignore Ctrl-C, and whatever that starts too; tests send Ctrl-C.
# What starts under nohup ignores the end of its terminal, which tests send too: one would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _without_copies_of_ours(_: pytest.Pytester) -> SysModulesSnapshot:
    """pytest's own, but a session in this process leaves the modules of gfpbench that it was the first to import: a
    later test would import them once more, beside the copy that their packages still hold."""
    return SysModulesSnapshot(lambda name: name.partition(".")[0] in ("gfpbench", "readline", "zope"))


# Under another name in another pytest it does nothing, and a test of tests/unit/plugin/test_plugin.py fails.
pytest.Pytester._Pytester__take_sys_modules_snapshot = _without_copies_of_ours  # type: ignore[attr-defined]


def _refuse_to_fork() -> int:
    """A forked child of a process with threads can wait for ever; of a worker of pytest-xdist it holds the pipe that
    tells the end of the worker, so that no timeout ends the whole run."""
    raise AssertionError("a test forks in a process of its own: tests/child.py")


os.fork = _refuse_to_fork  # type: ignore[assignment]
# Last, so that an installed gfpbench is the one that is tested.
sys.path.append(str(Path(__file__).parent))


def pytest_collection_finish() -> None:
    """What stays to the end, the modules and nine thousand tests, is not searched for garbage again and again: half a
    second each time, and five times at the end."""
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _large_files_do_not_stay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Delete the large temporary files of a module after its last test; pytest would keep them until the end."""
    base = tmp_path_factory.getbasetemp()
    before = set(base.iterdir())
    yield
    for folder in set(base.iterdir()) - before:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_blocks * 512 > LARGE_FILE:
                path.unlink()


@pytest.fixture(scope="session")
def seeded_folder() -> Iterator[Path]:
    """Where tests of metrics keep files of random weights from fixed seeds, the same for all: each is made once, and
    with it what other people's networks give. Nothing in it is changed."""
    with tempfile.TemporaryDirectory(prefix="gfpbench-weights-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def preloaded() -> Iterator[Any]:
    """The interpreter that has imported torch, for programs that do; it starts when the first of them does."""
    from tests.preloaded import Preloaded

    with tempfile.TemporaryDirectory(prefix="gfpbench-", ignore_cleanup_errors=True) as folder:
        interpreter = Preloaded(Path(folder))
        yield interpreter
        interpreter.end()


@pytest.fixture
def forked_sessions(pytester: pytest.Pytester, preloaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test uses it, the processes that ``pytester`` starts are forks of the preloaded interpreter."""
    from tests.preloaded import WITHOUT_THEIRS

    popen = pytester.popen
    for name, value in WITHOUT_THEIRS.items():
        monkeypatch.setenv(name, value)

    def through_it(words: Sequence[str], *streams: Any, **options: Any) -> Popen[Any]:
        return popen(preloaded.words([str(word) for word in words]), *streams, **options)

    monkeypatch.setattr(pytester, "popen", through_it)


@pytest.fixture
def forked_processes(preloaded: Any) -> Iterator[None]:
    """Where a test uses it, what ``subprocess`` starts of this interpreter is a fork of the preloaded one."""
    with preloaded.starts_children():
        yield
