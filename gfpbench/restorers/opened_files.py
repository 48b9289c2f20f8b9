"""Records the files that user code opens while it is imported, built and called, with their hashes."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from gfpbench.restorers.own_modules import installed

_NOT_FILES = ("/proc/", "/sys/", "/dev/")
_WRITES = os.O_WRONLY | os.O_RDWR

_CLOCK_NS = 20_000_000
"""A file's time is taken from a clock that is some milliseconds behind the one that a program reads."""

_watching: list[Opened] = []
_hooked = threading.Lock()
_known: dict[tuple[str, int, int, int, int, int], str] = {}


class Opened:
    """The files that were opened for reading within ``watching``, with the sha256 of each.

    Seen is what Python itself opens: open, numpy.load, torch.load, PIL, an import that is decided when the code runs.
    What a library opens in C or Rust (cv2.imread, safetensors, onnxruntime) is not, so this alone describes no model.
    Left out are installed packages, what the code wrote itself, and whatever changed since the call began: a model's
    own scratch files say nothing about where its answers come from.
    """

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._read: set[str] = set()
        self._written: set[str] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take note of what is opened within, in any thread."""
        _hook()
        began_ns = time.time_ns() - _CLOCK_NS
        _watching.append(self)
        try:
            yield
        finally:
            _watching.remove(self)
            read, self._read = self._read, set()
            for path in sorted(read - self._written):
                sha256 = sha256_of(path, before_ns=began_ns)
                if sha256 is not None:
                    self.files[path] = sha256

    def note(self, path: str, flags: int) -> None:
        """One file was opened, as the system's open() was told."""
        (self._written if flags & _WRITES else self._read).add(path)


def changed_since(files: Mapping[str, str]) -> str | None:
    """The first of some files that is no longer what it was when it was hashed; None where all are."""
    return next((path for path, sha256 in sorted(files.items()) if sha256_of(path) != sha256), None)


def sha256_of(path: str, *, before_ns: int | None = None) -> str | None:
    """Hash of a regular file outside installed packages; None for anything else or where it changed since.

    A file is read once as long as the system says that nobody wrote to it.
    """
    if path.startswith(_NOT_FILES) or installed(Path(path)):
        return None
    try:
        found = Path(path).stat()
        if not stat.S_ISREG(found.st_mode) or (before_ns is not None and found.st_mtime_ns >= before_ns):
            return None
        known = (path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if known not in _known:
            with Path(path).open("rb") as file:
                _known[known] = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
    return _known[known]


def _hook() -> None:
    """Have Python tell us what it opens. A hook stays for the life of the process: there is one, and it is idle
    unless somebody watches."""
    if _hooked.acquire(blocking=False):
        sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not _watching:
        return
    name, _, flags = arguments
    if not isinstance(name, str | bytes | os.PathLike) or not isinstance(flags, int):
        return  # a descriptor that was opened before
    path = str(Path(os.fsdecode(name)).absolute())
    if path.endswith(".pyc") and not flags & _WRITES:
        with suppress(ValueError):  # compiled code without a source
            path = importlib.util.source_from_cache(path)
    for watcher in tuple(_watching):
        watcher.note(path, flags)
