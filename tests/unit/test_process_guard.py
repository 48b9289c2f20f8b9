"""What a model does to the process it runs in stays with the model."""

from __future__ import annotations

import asyncio
import builtins
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from gfpbench import process_guard
from gfpbench.process_guard import NotAnException, contained, raised, threads_left
from tests import child

NATIVE: Any = sys.modules[os.name]


ENDINGS: dict[str, tuple[Callable[[], Any], str]] = {
    "os._exit": (lambda: os._exit(0), r"os._exit\(0\)"),
    "by name": (lambda: os._exit(status=0), r"os._exit\(0\)"),
    "posix._exit": (lambda: NATIVE._exit(0), r"os._exit\(0\)"),
    "os.execv": (lambda: os.execv("/bin/true", ["true"]), r"os.execv\('/bin/true'\)"),
    "posix.execv": (lambda: NATIVE.execv("/bin/true", ["true"]), r"os.execv\('/bin/true'\)"),
    "posix.execve": (lambda: NATIVE.execve("/bin/true", ["true"], {}), r"os.execve\('/bin/true'\)"),
    "os.execl": (lambda: os.execl("/bin/true", "true"), r"os.execv\('/bin/true'\)"),
    "os.execvp": (lambda: os.execvp("true", ["true"]), r"os.execv\("),
    "os.execlpe": (lambda: os.execlpe("true", "true", {"PATH": "/bin"}), r"os.execve\("),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_model_cannot_end_the_process(ending: str) -> None:
    end, said = ENDINGS[ending]
    names = ("_exit", "execv", "execve")
    real = [getattr(module, name) for module in (os, NATIVE) for name in names]
    with pytest.raises(SystemExit, match=said), contained(), contained():
        end()
    assert [getattr(module, name) for module in (os, NATIVE) for name in names] == real


@pytest.mark.usefixtures("forked_processes")
def test_what_a_model_has_kept_works_again_afterwards() -> None:
    code = (
        "from gfpbench.process_guard import contained\n"
        "with contained():\n    from os import _exit\n    from posix import execv\n"
        "try:\n    with contained():\n        execv('/bin/false', ['false'])\nexcept SystemExit:\n    _exit(7)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7


def starts_processes() -> None:
    """For a process of its own."""
    with contained():
        assert subprocess.run(["true"], check=False).returncode == 0
        assert os.spawnvp(os.P_WAIT, "false", ["false"]) == 1
        forked = os.fork()
        if forked == 0:
            os.execvp("true", ["true"])
        assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
    print("fine")


@pytest.mark.usefixtures("forked_processes")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_processes_that_a_model_starts_are_its_own() -> None:
    assert child.run(__name__, "starts_processes", timeout=60) == "fine\n"


def test_threads_that_keep_the_process_are_known_until_they_end() -> None:
    done = threading.Event()
    thread, daemon = threading.Thread(target=done.wait), threading.Thread(target=done.wait, daemon=True)
    earlier = threading.Thread(target=done.wait)
    earlier.start()
    try:
        with contained():
            thread.start()
            daemon.start()
        assert threads_left() == [thread]
    finally:
        done.set()
        for one in (thread, daemon, earlier):
            one.join()
    assert threads_left() == []


def test_opencvs_switch_comes_back() -> None:
    import cv2

    with contained():
        cv2.setUseOptimized(False)
    assert cv2.useOptimized()


def test_the_working_folder_and_the_default_type_come_back(tmp_path: Path) -> None:
    here = Path.cwd()
    with contained():
        os.chdir(tmp_path)
        torch.set_default_dtype(torch.float64)
    assert Path.cwd() == here
    assert torch.get_default_dtype() == torch.float32


def test_the_output_and_the_defaults_of_a_process_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    streams, paths, depth = (sys.stdout, sys.stderr), list(sys.path), sys.getrecursionlimit()
    fill = Mock(side_effect=torch.Tensor.fill_)
    with contained():
        monkeypatch.setattr(sys, "stdout", None)
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        monkeypatch.setattr(sys, "path", ["added"])
        sys.setrecursionlimit(depth - 1)
        torch.set_default_device("meta")
    assert (sys.stdout, sys.stderr) == streams
    assert sys.path == [*paths, "added"]
    assert sys.getrecursionlimit() == depth
    assert torch.zeros(1).device.type == "cpu"
    monkeypatch.setattr(torch.Tensor, "fill_", lambda *given: fill(*given))
    torch.zeros(1).fill_(3)
    assert fill.call_count == 1, "torch still asks a default device at every call"


REPLACED: dict[str, tuple[Any, str]] = {
    f"{module.__name__}.{name}": (module, name)
    for module, names in {
        builtins: ("__import__", "isinstance", "len", "open", "print", "set", "zip"),
        hashlib: ("sha256",),
        json: ("dumps", "loads"),
        os: ("fsync", "getpid", "replace"),
        os.path: ("exists",),
        time: ("monotonic", "perf_counter", "time"),
    }.items()
    for name in names
}


@pytest.mark.parametrize("replaced", REPLACED)
@pytest.mark.parametrize("raising", [False, True], ids=["returning", "raising"])
def test_a_function_that_a_model_replaces_comes_back(replaced: str, raising: bool) -> None:
    module, name = REPLACED[replaced]
    real = getattr(module, name)
    try:
        with pytest.raises(OSError, match="of the model") if raising else nullcontext(), contained(), contained():
            setattr(module, name, Mock(side_effect=ZeroDivisionError))
            if raising:
                raise OSError("of the model")
        found = getattr(module, name)
    finally:
        setattr(module, name, real)
    assert found is real
    assert os._exit is NATIVE._exit


def test_what_numpy_does_about_an_overflow_comes_back() -> None:
    before = np.geterr()
    try:
        with contained():
            np.seterr(all="raise")
        after = np.geterr()
    finally:
        np.seterr(**before)
    assert after == before


class Odd(BaseException):
    pass


class Mute(BaseException):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Odd("of the model"), "Odd: of the model"),
        (Mute(), "Mute: no message that could be read"),
        (pytest.skip.Exception("not today"), "Skipped: not today"),
        (asyncio.CancelledError(), "CancelledError: no message"),
        (BaseExceptionGroup("two", [Odd(), ValueError()]), "BaseExceptionGroup: two (2 sub-exceptions)"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_no_except_clause_expects_is_an_exception(error: BaseException, said: str) -> None:
    with pytest.raises(NotAnException) as caught, contained(), contained():
        raise error
    assert str(caught.value) == said
    assert raised(caught.value) is error


@pytest.mark.parametrize("kind", [KeyboardInterrupt, pytest.fail.Exception])
def test_whoever_stops_the_run_is_heard(kind: type[BaseException]) -> None:
    asked = kind()
    for error in (asked, BaseExceptionGroup("all", [Odd(), BaseExceptionGroup("inner", [asked])])):
        with pytest.raises(kind) as caught, contained():
            raise error
        assert caught.value is asked


@pytest.mark.usefixtures("forked_processes")
def test_a_folder_that_is_gone_is_no_reason_to_fail(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    code = (
        "import os, sys, torch\nfrom gfpbench.process_guard import contained\n"  # torch asks for a folder
        "os.rmdir(sys.argv[1])\nwith contained():\n    pass\nprint('fine')"
    )
    gone.mkdir()
    done = subprocess.run([sys.executable, "-c", code, str(gone)], cwd=gone, capture_output=True, text=True, check=True)
    assert done.stdout == "fine\n"


def lets_children_end(folder: Path) -> None:
    """For a process of its own: one child ends at once, another comes back out of the block."""
    came_back = folder / "came back"
    with contained():
        ending = os.fork()
        if ending == 0:
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(ending, 0)[1]) == 7
        forked = os.fork()
    if forked == 0:  # not reached: this would be a second test run
        came_back.touch()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 1
    assert not came_back.exists()
    print("fine")


@pytest.mark.usefixtures("forked_processes")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_children_may_end_and_may_not_come_back(tmp_path: Path) -> None:
    assert child.run(__name__, "lets_children_end", tmp_path, timeout=60) == "fine\n"


def closes_its_outputs(folder: Path) -> None:
    """For a process of its own: what user code does to the files behind descriptors 1 and 2 is undone."""
    with contained():
        os.close(1)
        (folder / "other").open("w")  # takes the lowest number that is free
    print("closed")
    with (folder / "mine").open("w") as file, contained():
        os.dup2(file.fileno(), 1)
        os.write(1, b"of the model")
    print("put elsewhere", flush=True)
    assert (folder / "mine").read_text() == "of the model"
    with contained():
        os.closerange(1, 100)  # the copies too
    with contained():  # and once more, without any output
        pass
    os._exit(0)  # without output, which Python would call an error


@pytest.mark.usefixtures("forked_processes")
def test_output_goes_where_it_went(tmp_path: Path) -> None:
    assert child.run(__name__, "closes_its_outputs", tmp_path, timeout=60) == "closed\nput elsewhere\n"


def test_a_descriptor_has_its_file_again(tmp_path: Path) -> None:
    number = os.open(tmp_path / "own", os.O_WRONLY | os.O_CREAT)
    copy = process_guard._copy_of(number)
    assert copy is not None
    os.close(number)
    process_guard._reopen(number, copy)
    os.write(number, b"written")
    os.close(number)
    assert (tmp_path / "own").read_bytes() == b"written"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(copy)


def test_files_that_are_written_afterwards_can_be_read(tmp_path: Path) -> None:
    """A model that changes which rights new files have would leave a report that nobody may read."""
    before = os.umask(0o022)
    try:
        with contained():
            os.umask(0o777)
        (tmp_path / "a").touch()
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)
