"""Which files somebody's code reads: what is seen, what is left out, and what is hashed."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gfpbench.restorers import load
from gfpbench.restorers.opened_files import Opened, changed_since, sha256_of
from gfpbench.types import ImageBatch


def write(path: Path, content: bytes = b"weights") -> Path:
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))
    return path


def seen(read: Callable[[], object]) -> dict[str, str]:
    opened = Opened()
    with opened.watching():
        read()
    return opened.files


def test_what_python_opens_is_seen_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.bin")
    expected = {str(path): hashlib.sha256(b"weights").hexdigest()}
    monkeypatch.chdir(tmp_path)
    ways: list[Callable[[], object]] = [
        path.read_bytes,
        lambda: Path("a.bin").read_bytes(),
        lambda: np.fromfile(path, np.uint8),
        lambda: os.close(os.open(path, os.O_RDONLY)),
        lambda: os.close(os.open(os.fsencode(path), os.O_RDONLY)),
    ]
    for way in ways:
        assert seen(way) == expected

    def from_a_thread() -> None:
        reader = threading.Thread(target=path.read_bytes)
        reader.start()
        reader.join()

    assert seen(from_a_thread) == expected
    path.read_bytes()
    assert seen(lambda: None) == {}  # what was opened outside is nobody's


def test_what_libraries_of_this_field_open_is_seen(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(2)}, tmp_path / "w.pth")
    np.save(tmp_path / "w.npy", np.zeros(2))
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "w.png")
    for name in ("w.pth", "w.npy", "w.png"):
        os.utime(tmp_path / name, (1e9, 1e9))
    assert list(seen(lambda: torch.load(tmp_path / "w.pth", weights_only=True))) == [str(tmp_path / "w.pth")]
    assert list(seen(lambda: np.load(tmp_path / "w.npy"))) == [str(tmp_path / "w.npy")]
    assert list(seen(lambda: Image.open(tmp_path / "w.png").load())) == [str(tmp_path / "w.png")]


def test_what_says_nothing_of_the_answers_is_left_out(tmp_path: Path) -> None:
    old = write(tmp_path / "old.bin")
    assert seen(lambda: (tmp_path / "scratch.bin").write_bytes(b"x")) == {}

    def scratch() -> None:
        (tmp_path / "scratch.bin").write_bytes(b"y")
        (tmp_path / "scratch.bin").read_bytes()

    assert seen(scratch) == {}

    def by_another_program() -> None:
        os.utime(old)
        old.read_bytes()

    assert seen(by_another_program) == {}

    def gone() -> None:
        path = write(tmp_path / "gone.bin")
        path.read_bytes()
        path.unlink()

    assert seen(gone) == {}
    assert seen(lambda: Path(np.__file__).read_bytes()) == {}
    assert seen(lambda: Path("/proc/self/status").read_bytes()) == {}
    assert seen(lambda: Path(os.devnull).read_bytes()) == {}

    def absent() -> None:
        with pytest.raises(FileNotFoundError):
            (tmp_path / "absent").read_bytes()

    assert seen(absent) == {}


def test_a_changed_file_is_named_whatever_its_time_and_length(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.bin"), write(tmp_path / "b.bin")
    files = seen(lambda: (first.read_bytes(), second.read_bytes()))
    assert changed_since(files) is None
    write(second, b"WEIGHTS")
    assert changed_since(files) == str(second)
    second.unlink()
    assert changed_since(files) == str(second)
    assert changed_since({}) is None


def test_a_large_file_is_hashed_once_while_nobody_writes_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.bin")
    hashed: list[str] = []
    digest = hashlib.file_digest

    def counted(file: object, name: str) -> object:
        hashed.append(name)
        return digest(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", counted)
    assert [sha256_of(str(path)) for _ in range(3)] == [hashlib.sha256(b"weights").hexdigest()] * 3
    assert len(hashed) == 1


MODEL = """
import importlib
from pathlib import Path
HERE = Path(__file__).parent
AT_IMPORT = (HERE / "at_import.bin").read_bytes()

class Model:
    def __init__(self):
        self.built = (HERE / "at_build.bin").read_bytes()
        importlib.import_module("opened_" + "late")
    def __call__(self, batch):
        (HERE / "at_call.bin").read_bytes()
        return batch
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "opened_model.py").write_text(MODEL)
    (tmp_path / "opened_late.py").write_text("")
    for name in ("opened_model.py", "opened_late.py"):
        os.utime(tmp_path / name, (1e9, 1e9))
    for name in ("at_import.bin", "at_build.bin", "at_call.bin"):
        write(tmp_path / name)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    for name in ("opened_model", "opened_late"):
        sys.modules.pop(name, None)


def test_a_python_restorer_is_watched_from_its_import_on(model: Path, degraded: ImageBatch) -> None:
    at_first = {"at_import.bin", "at_build.bin", "opened_model.py", "opened_late.py"}
    for process in range(2):  # the second time from compiled code
        for name in ("opened_model", "opened_late"):
            sys.modules.pop(name, None)
        restorer = load("python:opened_model:Model")
        assert {Path(path).name for path in restorer.files_read()} == at_first, process  # type: ignore[attr-defined]
    again = load("python:opened_model:Model")  # imported already: what it read then still counts
    assert "at_import.bin" in {Path(path).name for path in again.files_read()}  # type: ignore[attr-defined]
    again(degraded)
    assert "at_call.bin" in {Path(path).name for path in again.files_read()}  # type: ignore[attr-defined]
    assert "at_call.bin" not in {Path(path).name for path in restorer.files_read()}  # type: ignore[attr-defined]
