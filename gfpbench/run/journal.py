"""The journal of a run on disk: a header, then one line for each batch, so that a killed run can go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gfpbench.disk import write_whole
from gfpbench.results import dumps
from gfpbench.types import Json
from gfpbench.workers import alone

NAME = "rows.jsonl"


class Journal:
    """``rows.jsonl``: it exists while a run is unfinished, and a batch is in it as a whole or not at all.

    Args:
        folder: of the case; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._end = 0

    def begin(self, header: Json) -> None:
        """Start anew, with the header only."""
        self.path.unlink(missing_ok=True)
        write_whole(self.path, dumps(header) + "\n")
        self._end = self.path.stat().st_size

    def resume(self, header: Json) -> int | None:
        """Go on with what is there.

        Returns:
            how many batches are complete; None where there is no journal. A torn last line is cut off.

        Raises:
            HeaderDiffers: where the journal belongs to a run of something else.
        """
        if not self.path.exists():
            return None
        with self.path.open("rb") as file:
            first = file.readline()
            if first != (dumps(header) + "\n").encode():
                raise HeaderDiffers(_difference(first, header))
            self._end, count = file.tell(), 0
            for line in file:
                if not _complete(line):
                    break  # whatever follows a broken line was written by nobody
                self._end += len(line)
                count += 1
        with self.path.open("r+b") as file:
            file.truncate(self._end)
        return count

    def append(self, line: Json) -> None:
        """Commit one batch: written, flushed and on the disk when this returns."""
        with self.path.open("r+b") as file:
            file.seek(self._end)
            file.write((dumps(line) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
            self._end = file.tell()

    def lines(self) -> Iterator[dict[str, Json]]:
        """The committed batches, one at a time."""
        with self.path.open("rb") as file:
            file.readline()
            while file.tell() < self._end:
                yield json.loads(file.readline())

    def end(self) -> None:
        """Remove the journal: the run's result.json is complete."""
        self.path.unlink()


class HeaderDiffers(Exception):  # a finding, not an error: the run starts over
    """The journal was written by a run of something else; says what differs."""


def _complete(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _difference(first: bytes, header: Json) -> str:
    try:
        old = json.loads(first)
    except ValueError:
        return "its header is broken"
    if not isinstance(old, dict):
        return "its header is broken"
    return ", ".join(changed_fields(old, header)) or "its header is written differently"


def changed_fields(old: dict[str, Json], new: dict[str, Json]) -> list[str]:
    """The fields in which two records differ, with dots in the names of nested ones."""
    names = []
    for key in sorted(set(old) | set(new)):
        before, now = old.get(key), new.get(key)
        if before != now:
            nested = changed_fields(before, now) if isinstance(before, dict) and isinstance(now, dict) else []
            names += [f"{key}.{name}" for name in nested] or [key]
    return names


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a case's folder. The lock is the system's: it goes when the process goes.

    Raises:
        GfpbenchError: where another run holds it.
    """
    with alone(folder / ".lock", f"{folder}: another run is measuring this case"):
        yield
