"""Exit code 0 is believed with a witness only; signals go on to the work; nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from gfpbench import supervised
from gfpbench.run import child_process
from gfpbench.speed import memory

MODELS = """
    import ctypes, os, threading, time
    import cv2
    from pathlib import Path
    from gfpbench.restorers import from_array_function

    def sleeps(rgb):
        Path("reached").touch()
        time.sleep(1000)

    def runs_another(rgb):
        ctypes.CDLL(None).execv(b"/bin/true", (ctypes.c_char_p * 2)(b"true", None))

    os_exit = from_array_function(lambda rgb: os._exit(0))
    libc_exit = from_array_function(lambda rgb: ctypes.CDLL(None).exit(0))
    libc_exit_2 = from_array_function(lambda rgb: ctypes.CDLL(None).exit(2))
    libc_execv = from_array_function(runs_another)

    def leaves_a_thread(rgb):
        threading.Thread(target=time.sleep, args=(1000,)).start()
        return cv2.GaussianBlur(rgb, (5, 5), 1.5)

    thread = from_array_function(leaves_a_thread)
    segfault = from_array_function(lambda rgb: ctypes.string_at(0))
    sleeps = from_array_function(sleeps)
"""
FORKED = pytest.mark.usefixtures("forked_processes")
SMALL = ("--limit", "1", "--metric", "psnr_rgb", "--device", "cpu")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models.py").write_text(textwrap.dedent(MODELS))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


SOONER = "from gfpbench import supervised; supervised.ENDING_SECONDS = 2.0; supervised.main()"
"""``gfpbench`` where a process has two seconds to end in, not ten."""


def gfpbench(*words: str, start: tuple[str, str] = ("-m", "gfpbench")) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, *start, *words)
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@FORKED
@pytest.mark.parametrize("model", ["libc_exit", "libc_exit_2", "libc_execv"])
def test_a_restorer_that_ends_the_process_is_no_success_and_no_verdict(model: str) -> None:
    ended = gfpbench("run", "--restorer", f"python:models:{model}", *SMALL)
    assert ended.returncode == 3
    assert "before the work was done" in ended.stderr
    assert "--isolate" in ended.stderr
    told = gfpbench("report", "report")
    assert told.returncode == 2
    assert "has not finished" in told.stderr


@FORKED
def test_what_python_can_refuse_is_a_failed_restoration() -> None:
    ended = gfpbench("run", "--restorer", "python:models:os_exit", *SMALL)
    assert ended.returncode == 1, ended.stderr
    assert "SystemExit: os._exit(0)" in ended.stdout
    assert gfpbench("report", "report").returncode == 0


@FORKED
def test_isolated_it_is_a_failed_restoration() -> None:
    ended = gfpbench("run", "--restorer", "python:models:libc_exit", "--isolate", *SMALL)
    assert ended.returncode == 1, ended.stderr
    assert "its process ended with status 0" in ended.stdout
    assert gfpbench("report", "report").returncode == 0


@FORKED
def test_a_crash_and_a_hang_end_the_run() -> None:
    crashed = gfpbench("run", "--restorer", "python:models:segfault", *SMALL)
    assert crashed.returncode == 128 + signal.SIGSEGV
    assert "SIGSEGV" in crashed.stderr
    hung = gfpbench("run", "--restorer", "python:models:sleeps", "--seconds-per-image", "2", *SMALL)
    assert hung.returncode == 3
    assert "before the work was done" in hung.stderr


@FORKED
def test_a_thread_that_never_ends_keeps_nothing_from_its_end() -> None:
    ended = gfpbench("run", "--restorer", "python:models:thread", *SMALL, start=("-c", SOONER))
    assert ended.returncode == 0, ended.stderr
    assert "report: report" in ended.stdout
    assert gfpbench("report", "report").returncode == 0


@FORKED
def test_photos_and_collapse_are_guarded_too(project: Path) -> None:
    import skimage.data
    from PIL import Image

    Image.fromarray(skimage.data.astronaut()).save(project / "photo.png")
    for words in (("photos", "photo.png"), ("collapse", "--limit", "2", "--draws", "1", "--criterion", "input")):
        ended = gfpbench(*words, "--restorer", "python:models:libc_exit")
        assert ended.returncode == 3, ended.stderr
        assert "before the work was done" in ended.stderr
    failed = gfpbench("photos", "photo.png", "--restorer", "python:models:libc_exit", "--isolate", "--out", "again")
    assert failed.returncode == 1
    assert "its process ended with status 0" in failed.stderr


@FORKED
def test_exit_codes_go_through() -> None:
    assert gfpbench("run", "--restorer", "bicubic", *SMALL).returncode == 0
    assert gfpbench("run", "--restorer", "nanoo").returncode == 2
    assert gfpbench("run", "--no-such-option").returncode == 2
    assert gfpbench("run", "--help").returncode == 0


def leave_modules_in(folder: Path) -> None:
    """As a project has them that calls its files as modules of Python, and as this package."""
    for name in ("gfpbench", "json", "random", "types"):
        (folder / f"{name}.py").write_text("raise SystemExit('the project is imported')")


PROGRAMS = {
    "the second process of a command": (supervised.SECOND, ("list", "faces")),
    "a worker": (child_process.START, ("gfpbench.run.messages", json.dumps(sys.path))),
    "the process whose memory is measured": (memory.START, ()),
}


def check_nothing_comes_from_where_it_is_started(folder: Path, start: Sequence[str], words: Sequence[str]) -> None:
    """The last two end soon, because nothing is asked of them."""
    leave_modules_in(folder)
    command = (sys.executable, *start, *words)
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert "the project is imported" not in ended.stderr


@pytest.mark.parametrize("process", PROGRAMS)
def test_a_process_imports_nothing_from_where_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    monkeypatch.delenv("PYTHONPATH")
    check_nothing_comes_from_where_it_is_started(tmp_path, *PROGRAMS[process])


def test_a_command_imports_nothing_from_where_it_is_typed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")
    leave_modules_in(project)
    command = (Path(sys.executable).parent / "gfpbench", "run", "--restorer", "bicubic", "--isolate", *SMALL)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_folder_that_was_removed_is_told_in_a_line(tmp_path: Path) -> None:
    """In it torch ends the process, which would be said of a restorer."""
    folder = tmp_path / "gone"
    folder.mkdir()
    script = 'rmdir "$1" && exec "$2" run --restorer bicubic'
    command = ("sh", "-c", script, "sh", folder, Path(sys.executable).parent / "gfpbench")
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert "the folder where this was typed has been removed" in ended.stderr


@FORKED
def test_help_names_the_command_that_was_typed() -> None:
    command = (Path(sys.executable).parent / "gfpbench", "run", "--help")
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "Usage: gfpbench run [OPTIONS]" in told.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_signals_go_on_to_the_work(project: Path, number: int, code: int) -> None:
    command = (sys.executable, "-m", "gfpbench", "run", "--restorer", "python:models:sleeps", *SMALL)
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    worker = _until(lambda: (project / "reached").exists() and _children(running.pid))
    running.send_signal(number)
    _, told = running.communicate(timeout=60)
    assert running.returncode == code
    assert (b"goes on from there" in told) == (number != signal.SIGKILL)
    _until(lambda: not _alive(worker[0]))


def _children(pid: int) -> list[int]:
    listed = subprocess.run(("ps", "-o", "pid=", "--ppid", str(pid)), capture_output=True, text=True, check=False)
    return [int(word) for word in listed.stdout.split()]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text() if Path(f"/proc/{pid}/stat").exists() else ""
    return ") Z " not in state


def _until(found: object, seconds: float = 60.0) -> list[int]:
    assert callable(found)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value if isinstance(value, list) else []
        time.sleep(0.05)
    raise AssertionError("not within a minute")
