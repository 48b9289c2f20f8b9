"""Small records kept beside the files, and the lock that lets one process write at a time."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gfpbench import codec
from gfpbench.assets.errors import FetchFailed
from gfpbench.types import BadInput, Json

if sys.platform == "win32":
    import msvcrt

    def _take(handle: IO[bytes]) -> None:
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)

    def _release(handle: IO[bytes]) -> None:
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(handle: IO[bytes]) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _release(handle: IO[bytes]) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _Entries:
    entries: dict[str, dict[str, Json]]


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock file; a second holder, in this process or another, waits. The system frees it if we are killed.

    Args:
        path: the lock file; it is created and stays (deleting it would let two processes hold two files of one name).
        waiting: called once if somebody else holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as handle:
        told = False
        while True:
            try:
                _take(handle)
                break
            except OSError as problem:
                if problem.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                    raise FetchFailed(
                        f"{path.parent}: cannot lock files there ({problem.strerror}): "
                        "point GFPBENCH_HOME to a local disk"
                    ) from problem
            if not told:
                waiting()
                told = True
            time.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            _release(handle)


class Record:
    """A JSON object on disk, written whole or not at all and safe to change from several processes.

    Args:
        path: the file; a missing one is an empty record.
        disposable: damage counts as empty. Otherwise a damaged file is an error: forgetting it would be unsafe.
    """

    def __init__(self, path: Path, disposable: bool = False) -> None:
        self.path = path
        self.disposable = disposable

    def read(self) -> dict[str, Json]:
        """Every entry. Raises BadInput for a damaged file that must not be forgotten."""
        if not self.path.exists():
            return {}
        try:
            return codec.decode(_Entries, {"entries": codec.read(self.path)}).entries
        except BadInput as problem:
            if self.disposable:
                return {}
            said = str(problem).removeprefix(f"{self.path}: ").removeprefix("entries.")
            raise BadInput(f"{self.path} is damaged ({said}): restore it, or delete it to begin again") from problem

    def get(self, name: str) -> dict[str, Json] | None:
        """One entry, or None."""
        entry: dict[str, Json] | None = self.read().get(name)
        return entry

    def put(self, name: str, entry: dict[str, Json]) -> None:
        """Add or replace one entry, leaving the others as they are on disk now."""
        with exclusive(self.path.parent / ".locks" / f"{self.path.name}.lock"):
            entries = self.read() | {name: entry}
            partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
            partial.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            partial.replace(self.path)
