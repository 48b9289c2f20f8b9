"""Files are written whole or not at all, and what a disk refuses is one line: one law, and writers that break it."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gfpbench import disk
from gfpbench.disk import DiskRefused, replacing, write_whole
from tests.preloaded import Preloaded

Write = Callable[[Path, bytes], None]


def whole_or_not_at_all(write: Write, folder: Path) -> None:
    """The law of every file: what was there stays until the new one is complete, and nothing else is left behind."""
    path = folder / "deep" / "file.json"
    write(path, b"one")
    assert path.read_bytes() == b"one"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DiskRefused, match=r"file\.json: cannot be written: File too large; free some space"):
            write(path, b"x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"one"
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]
    with pytest.raises(DiskRefused, match=r"cannot be written: Not a directory"):
        write(path / "below", b"two")
    write(path.with_name("n" * 255), b"long")
    assert path.with_name("n" * 255).read_bytes() == b"long"


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    whole_or_not_at_all(write_whole, tmp_path)


def in_place(path: Path, data: bytes) -> None:
    with disk.disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def leaving_its_partial(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name[:200]}.part")
    with disk.disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)


def with_the_systems_own_error(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = disk.partial_path(path)
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def with_a_long_partial_name(path: Path, data: bytes) -> None:
    with disk.disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.part")
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@pytest.mark.parametrize("write", [in_place, leaving_its_partial, with_the_systems_own_error, with_a_long_partial_name])
def test_other_ways_to_write_are_caught(write: Write, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, OSError, DiskRefused, pytest.fail.Exception)):
        whole_or_not_at_all(write, tmp_path)


def test_an_error_of_ones_own_leaves_what_was_there(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "one")

    def stopped_halfway() -> None:
        with replacing(tmp_path / "a") as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stopped_halfway()
    assert (tmp_path / "a").read_text() == "one"
    assert len(list(tmp_path.iterdir())) == 1


def test_text_that_no_file_can_hold_is_escaped(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "ä\udcff")
    assert (tmp_path / "a").read_bytes() == "ä".encode() + rb"\udcff"


def test_the_line_names_the_file_and_never_the_partial_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskRefused) as caught:
        write_whole(tmp_path / "results.json", "x")
    assert str(caught.value).startswith(f"{tmp_path / 'results.json'}: cannot be written: No space left on device")
    assert list(tmp_path.iterdir()) == []


LIMITED = "import resource, sys; sys.dont_write_bytecode = True; "
LIMITED += "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), -1)); "
LIMITED += "from gfpbench.cli import main; main()"


def with_little_space(limit: int, *arguments: str, cwd: Path, preloaded: Preloaded) -> subprocess.CompletedProcess[str]:
    """The real command where no file can grow beyond ``limit`` bytes, as on a disk that is nearly full."""
    # Python itself writes half a .pyc without a word, and fails at the next import.
    words = [sys.executable, "-c", LIMITED, str(limit), *arguments]
    return subprocess.run(preloaded.words(words), cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, preloaded: Preloaded) -> Path:
    path = tmp_path_factory.mktemp("work")
    done = with_little_space(
        -1, "run", "--limit", "5", "--metric", "psnr_rgb", "--metric", "ssim_rgb", cwd=path, preloaded=preloaded
    )
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize(
    ("limit", "verb"),
    [
        (3_000, ("run", "--limit", "2", "--metric", "psnr_rgb", "--report", "out")),  # its journal
        (10_000, ("run", "--limit", "2", "--metric", "psnr_rgb", "--report", "out")),  # its images
        (60_000, ("run", "--limit", "2", "--metric", "psnr_rgb", "--report", "out")),  # its page
        (1_000, ("report", "report", "--to", "out")),
        (1_000, ("compare", "report", "report", "--report", "out")),
        (1_000, ("claims", "report", "--to", "out")),
        (1_000, ("explain", "PSNR=14", "--limit", "5", "--hypothesis", "noise-doubled", "--report", "out")),
        (1_000, ("collapse", "--limit", "2", "--restorer", "bicubic", "--resolution", "4", "--report", "out")),
    ],
)
def test_a_full_disk_is_one_line_and_exit_code_2(
    folder: Path, limit: int, verb: tuple[str, ...], preloaded: Preloaded
) -> None:
    shutil.rmtree(folder / "out", ignore_errors=True)
    done = with_little_space(limit, *verb, cwd=folder, preloaded=preloaded)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot be written: File too large" in done.stderr.splitlines()[-1]
    assert not list((folder / "out").rglob("*.part"))


@pytest.mark.parametrize("verb", [("report", "report"), ("claims", "report"), ("matrix", "report")])
def test_a_place_that_cannot_be_a_folder_is_one_line(folder: Path, verb: tuple[str, ...], preloaded: Preloaded) -> None:
    done = with_little_space(-1, *verb, "--to", "report/results.json/below", cwd=folder, preloaded=preloaded)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    old = [f".page.html.{int(dead.stdout)}.part", f".a.b.json.{int(dead.stdout)}.part"]
    alive = [
        f".page.html.{os.getpid()}.part",
        ".page.html.part",
        f"page.html.{int(dead.stdout)}.part",
        ".x.99999999999.part",
    ]
    fresh = f".new.html.{int(dead.stdout)}.part"
    for name in [*old, *alive, fresh]:
        (tmp_path / name).write_text("half of it")
        if name != fresh:
            os.utime(tmp_path / name, (1e9, 1e9))
    disk.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*alive, fresh}
    disk.sweep(tmp_path / "absent")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / alive[0]).write_text("half of it")
    disk.sweep(tmp_path, locked=True)  # nobody else writes there
    assert {path.name for path in tmp_path.iterdir()} == {
        ".page.html.part",
        f"page.html.{int(dead.stdout)}.part",
        "below",
    }
    assert list((tmp_path / "below").iterdir()) == []


def test_a_file_that_somebody_closed_is_no_full_disk() -> None:
    line = disk.refusal(OSError(errno.EBADF, "Bad file descriptor", "a.json"))
    why = "it was closed by a model or metric, which closes files not its own"
    assert line == f"a.json: cannot be written: Bad file descriptor; {why}"


@pytest.mark.parametrize(("number", "advice"), [(errno.ENOENT, "its folder was removed"), (errno.EMFILE, "close some")])
def test_what_is_missing_is_not_always_space(tmp_path: Path, number: int, advice: str) -> None:
    with (
        pytest.raises(DiskRefused, match=f"/a: cannot be written: {os.strerror(number)}; {advice}"),
        replacing(tmp_path / "a"),
    ):
        raise OSError(number, os.strerror(number))
