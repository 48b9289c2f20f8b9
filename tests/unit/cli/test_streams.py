"""What the command prints arrives: in any encoding, before a reader that leaves, on a disk that is full, at Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gfpbench.cli.streams import ERRORS, SPELT
from tests.preloaded import Preloaded

COMMON = ("--limit", "2", "--metric", "psnr_rgb", "--device", "cpu")
FULL = Path("/dev/full")
pytestmark = pytest.mark.usefixtures("forked_processes")


def gfpbench(*arguments: str, cwd: Path, encoding: str = "utf-8", **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the real command in a process of its own, whose standard streams have this encoding."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    words = [sys.executable, "-m", "gfpbench", *arguments]
    given = {"stdout": subprocess.PIPE, **options}
    return subprocess.run(words, cwd=cwd, env=environment, stderr=subprocess.PIPE, timeout=300, check=False, **given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, preloaded: Preloaded) -> Path:
    """A working folder with one small run, made where standard output takes ASCII only."""
    path = tmp_path_factory.mktemp("work")
    with preloaded.starts_children():
        done = gfpbench("run", *COMMON, cwd=path, encoding="ascii")
    assert done.returncode == 0, done.stderr
    assert b"psnr_rgb ^ dB" in done.stdout
    assert b" inf" in done.stdout
    return path


@pytest.mark.parametrize(
    ("encoding", "verb"),
    [
        ("ascii", ("report", "report", "--to", "again")),
        ("cp1252", ("report", "report", "--markdown")),
        ("ascii", ("compare", "report", "report")),
        ("cp1252", ("compare", "report", "report")),
        ("ascii", ("claims", "report", "--to", "claims")),
        ("ascii", ("list", "metrics")),
        ("utf-16", ("report", "report", "--markdown")),
    ],
)
def test_every_encoding_takes_what_is_printed(folder: Path, encoding: str, verb: tuple[str, ...]) -> None:
    done = gfpbench(*verb, cwd=folder, encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert b"psnr" in done.stdout.replace(b"\0", b"") or verb[0] == "claims"
    done.stdout.decode(encoding)


def test_a_file_name_that_is_no_text_is_printed_escaped(folder: Path) -> None:
    data = json.loads((folder / "report" / "results.json").read_text())
    for result in data["results"]:
        result["problems"] = [{"stage": "faces", "subject": "a\udcff.png", "reason": "中文 \x1b[2J"}]
    (folder / "odd").mkdir()
    (folder / "odd" / "results.json").write_text(json.dumps(data))
    done = gfpbench("report", "odd", "--to", "odd-again", cwd=folder, encoding="latin-1")
    assert done.returncode == 0, done.stderr
    assert rb"a\udcff.png: \u4e2d\u6587 \x1b[2J" in done.stdout


def written(text: str, encoding: str, errors: str) -> bytes:
    """What a stream of an encoding makes of a text."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors)
    stream.write(text)
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


def every_text_is_written(errors: str) -> None:
    """The law of standard output: our signs are spelt, the rest is escaped, and what can be written stays itself."""
    signs = "".join(SPELT)
    assert written(f"a{signs}b", "utf-8", errors) == f"a{signs}b".encode()
    assert written(f"a{signs}b", "ascii", errors).decode("ascii") == f"a{''.join(SPELT.values())}b"
    assert written("12 – 3 · ∞", "cp1252", errors) == "12 – 3 · inf".encode("cp1252")
    assert written("中\udc80", "ascii", errors) == rb"\u4e2d\udc80"
    assert written("中\udc80", "utf-8", errors) == "中".encode() + rb"\udc80"


def test_every_text_is_written() -> None:
    every_text_is_written(ERRORS)


@pytest.mark.parametrize("errors", ["strict", "replace", "ignore", "backslashreplace"])
def test_other_ways_to_write_are_caught(errors: str) -> None:
    with pytest.raises((AssertionError, UnicodeEncodeError)):
        every_text_is_written(errors)


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "verb", [("list", "metrics"), ("report", "report", "--markdown"), ("compare", "report", "report")]
)
def test_a_full_disk_is_one_line(folder: Path, verb: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        done = gfpbench(*verb, cwd=folder, stdout=full)
    assert done.returncode == 2
    assert done.stderr == b"gfpbench: standard output: cannot be written: No space left on device\n"


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_diagnostics_that_cannot_be_written_stop_nothing(folder: Path) -> None:
    words = [sys.executable, "-m", "gfpbench", "run", *COMMON, "--report", "deaf"]
    with FULL.open("w") as full:
        done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=full, timeout=300, check=False)
    assert done.returncode == 0
    assert (folder / "deaf" / "index.html").exists()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_ends_nothing(folder: Path, unbuffered: str) -> None:
    """The verdict is the exit code, also where nobody reads the table to its end."""
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    words = [sys.executable, "-m", "gfpbench", "report", "report", "--to", "unread"]
    done = subprocess.run(
        words, cwd=folder, env=environment, stdout=writing, stderr=subprocess.PIPE, timeout=300, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (folder / "unread" / "index.html").exists()


INTERRUPTED = """
import os, signal
from pathlib import Path
from gfpbench.types import ImageBatch

def restore(batch):
    if Path("press").exists() and any(Path("report/cases").glob("python*/images/*")):  # a batch is done
        {pressed}
    return ImageBatch(batch.pixels.flip(3), batch.ids)
"""


@pytest.mark.parametrize(
    "pressed",
    [
        "os.kill(os.getpid(), signal.SIGINT)",
        "raise KeyboardInterrupt",
    ],
)
def test_ctrl_c_says_that_the_same_command_goes_on(tmp_path: Path, pressed: str) -> None:
    (tmp_path / "model.py").write_text(INTERRUPTED.format(pressed=pressed))
    words = ("run", "--restorer", "python:model:restore", "--batch-size", "1", *COMMON)
    (tmp_path / "press").touch()
    stopped = gfpbench(*words, cwd=tmp_path)
    assert stopped.returncode == 130
    line = stopped.stderr.decode().splitlines()[-1]
    assert line == "gfpbench: stopped; what was measured is kept, the same command goes on from there"
    (tmp_path / "press").unlink()
    assert gfpbench(*words, cwd=tmp_path).returncode == 0
    (resumed,) = (tmp_path / "report" / "cases").glob("python*/timing.json")
    assert json.loads(resumed.read_text())["resumed_batches"] == 1


def test_ctrl_c_promises_nothing_where_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from gfpbench.cli import Stopped, _stoppable

    def pressed() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise RecursionError from None

    with pytest.raises(Stopped, match=r"^stopped$"):
        _stoppable("report", pressed)()
    with pytest.raises(Stopped, match=r"goes on from there$"):
        _stoppable("run", pressed)()

    def broken() -> None:
        raise RecursionError

    with pytest.raises(RecursionError):
        _stoppable("run", broken)()


def test_the_closing_lines_of_pytest_arrive_in_ascii(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_it(restoration):\n    assert restoration.rows\n")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--limit", "1", "--restorer", "bicubic"]
    words += ["--protocol", "report-2021", "."]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert b"psnr_rgb \\u2191 dB" in done.stdout  # as pytest itself writes what an encoding lacks


BROKEN_DOCTOR = """
from gfpbench import cli
from gfpbench.cli import doctor

def broken():
    raise {raised}

doctor.examine = broken
cli.main()
"""


@pytest.mark.parametrize("raised", ["EOFError", "ZeroDivisionError", "OSError(32, 'Broken pipe')"])
def test_an_error_that_nobody_foresaw_is_no_verdict(tmp_path: Path, raised: str) -> None:
    """Exit code 1 would say that a gate has failed."""
    program = BROKEN_DOCTOR.format(raised=raised)
    words = [sys.executable, "-c", program, "doctor"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, timeout=300, check=False)
    assert done.returncode == 3
    assert b"in broken" in done.stderr


def test_a_disk_that_refuses_where_nobody_asked_is_one_line(tmp_path: Path) -> None:
    program = BROKEN_DOCTOR.format(raised="OSError(28, 'No space left on device', '/a')")
    words = [sys.executable, "-c", program, "doctor"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, timeout=300, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"gfpbench: /a: cannot be written: No space left on device;")
    assert done.stderr.count(b"\n") == 1


CLOSING = """
import os, sys
import numpy as np
from gfpbench.restorers import from_array_function

def restore(rgb: np.ndarray) -> np.ndarray:
    sys.stdout.close()
    os.close(1)
    os.close(2)
    return rgb // 2 + 1

restorer = from_array_function(restore)
"""


def test_a_model_that_closes_standard_output_takes_nothing_away(tmp_path: Path) -> None:
    (tmp_path / "closing.py").write_text(CLOSING)
    done = gfpbench("run", *COMMON, "--restorer", "python:closing:restorer", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, b"report: report/index.html")
    assert b"truth-embedded-paper-s0-n2: 2/2" in done.stderr
