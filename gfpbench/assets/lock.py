"""Small records kept beside the files, and the lock that lets one process write at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gfpbench import codec
from gfpbench.assets.errors import FetchFailed
from gfpbench.disk import held, write_whole
from gfpbench.types import BadInput, Json


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
    with ExitStack() as stack:
        try:
            stack.enter_context(held(path, waiting))
        except OSError as problem:
            raise FetchFailed(
                f"{path.parent}: cannot lock files there ({problem.strerror}): point GFPBENCH_HOME to a local disk"
            ) from problem
        yield


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
            write_whole(self.path, json.dumps(entries, indent=2, sort_keys=True) + "\n")
