"""The journal of a run on disk: a header, then one line for each batch, so that a killed run can go on."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gfpbench import codec, results
from gfpbench.disk import alone, write_whole
from gfpbench.results import dumps
from gfpbench.types import BadInput, Json, Problem, Row

NAME = "rows.jsonl"
SECONDS_AT_RISK = 1.0
"""Of measuring, that is lost where the machine itself stops."""
_BEFORE, _BETWEEN, _AFTER = '{"batch": ', ', "sha256": "', '"}\n'
"""What a line is made of, besides the batch as JSON and the hash."""


class Journal:
    """``rows.jsonl``: it exists while a run is unfinished, and a batch is in it as a whole or not at all.

    Every line carries a hash of itself and of the line before it, so that one that was altered, lost, or taken from
    elsewhere is seen.

    Args:
        folder: of the case; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._end = 0
        self._last = ""
        self._synced = time.monotonic()

    def begin(self, header: Json) -> None:
        """Start anew, with the header only."""
        self.path.unlink(missing_ok=True)
        write_whole(self.path, dumps(header) + "\n")
        self._end, self._last = self.path.stat().st_size, _sha256(dumps(header))

    def resume(self, header: Json) -> int | None:
        """Go on with what is there.

        Returns:
            how many batches are complete; None where there is no journal. A torn last line is cut off.

        Raises:
            CannotGoOn: where the journal belongs to a run of something else, or a line is not what was written.
        """
        if not self.path.exists():
            return None
        with self.path.open("rb") as file:
            first = file.readline()
            if first != (dumps(header) + "\n").encode():
                raise CannotGoOn(_difference(first, header))
            self._end, self._last, count = file.tell(), _sha256(dumps(header)), 0
            for line in file:
                if not line.endswith(b"\n"):
                    break  # the run was killed while it wrote this one
                _, self._last = _checked(line, self._last, f"line {count + 2} of {NAME}")
                self._end += len(line)
                count += 1
        with self.path.open("r+b") as file:
            file.truncate(self._end)
        return count

    def header(self) -> dict[str, Json]:
        """What it begins with; afterwards ``lines`` gives all of its lines. Nothing is written.

        Raises:
            CannotGoOn: where there is no journal, or no header in it.
        """
        try:
            with self.path.open("rb") as file:
                found = codec.plain(codec.parse(file.readline()))
                self._end = file.seek(0, os.SEEK_END)
        except (OSError, BadInput) as error:
            raise CannotGoOn(f"{NAME} is missing or broken") from error
        if not isinstance(found, dict):
            raise CannotGoOn(f"{NAME} is missing or broken")
        return found

    def append(self, batch: Json) -> None:
        """Commit one batch: given to the system when this returns, so that no kill of the process loses it.

        A machine that stops loses ``SECONDS_AT_RISK`` at most: to wait for the disk after every batch of small faces
        takes a fifth of a run. What it leaves is whole lines or a torn one, as a kill does.
        """
        text = dumps(batch)
        last = _sha256(self._last + text)
        with self.path.open("r+b") as file:
            file.seek(self._end)
            file.write(f"{_BEFORE}{text}{_BETWEEN}{last}{_AFTER}".encode())
            file.flush()
            if time.monotonic() - self._synced >= SECONDS_AT_RISK:
                os.fsync(file.fileno())
                self._synced = time.monotonic()
            self._end, self._last = file.tell(), last

    def lines(self) -> Iterator[Json]:
        """The committed batches, one at a time.

        Raises:
            CannotGoOn: where one is not what was written.
        """
        with self.path.open("rb") as file:
            last = _sha256(file.readline().decode("utf-8", "replace").rstrip("\n"))
            number = 1
            while file.tell() < self._end:
                number += 1
                text, last = _checked(file.readline(), last, f"line {number} of {NAME}")
                try:
                    batch = codec.parse(text)
                except BadInput as error:
                    raise CannotGoOn(f"line {number} of {NAME} is damaged") from error
                yield batch

    def end(self) -> None:
        """Remove the journal: the run's result.json is complete."""
        self.path.unlink()


class CannotGoOn(Exception):  # a finding, not an error: the run starts over
    """What is on the disk is of something else, or not what was written; says what."""


def _checked(line: bytes, last: str, what: str) -> tuple[str, str]:
    """The text of the batch in a line, and the line's hash. Raises CannotGoOn where its hash does not follow from it.

    What has the right hash is what was written, byte for byte, so it is not read as JSON for this.
    """
    whole = line.decode("utf-8", "replace")  # of what is no UTF-8 the hash is another
    text, _, sha256 = whole.removeprefix(_BEFORE).removesuffix(_AFTER).rpartition(_BETWEEN)
    if whole != f"{_BEFORE}{text}{_BETWEEN}{sha256}{_AFTER}":
        raise CannotGoOn(f"{what} is damaged")
    if sha256 != _sha256(last + text):
        raise CannotGoOn(f"{what} is not what was written there")
    return text, sha256


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _difference(first: bytes, header: Json) -> str:
    try:
        old = codec.plain(codec.parse(first))
    except BadInput:
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


@dataclass(frozen=True, slots=True)
class Committed:
    """One batch.

    Args:
        start, stop: which of the run's names it covers.
        rows, problems, blank: as ``Measured`` has them.
        seen: the restored images that were new, as ``Seen`` has them.
        features_sha256: of the file with its features; None where no set metric is measured.
        images: file name -> sha256 of the images that were kept of it then.
        files: path -> sha256 of files that the restorer was seen to read for it and not for an earlier one.
    """

    start: int
    stop: int
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    blank: Mapping[str, str]
    seen: Mapping[str, tuple[str, str]]
    features_sha256: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> str:
        """The batch in words: its first and last row."""
        return f"{self.rows[0].id!r} to {self.rows[-1].id!r}" if self.rows else "unreadable faces"

    def to_json(self) -> dict[str, Json]:
        """Plain JSON values, for the journal."""
        rest: dict[str, Json] = codec.encode(replace(self, rows=()))
        return rest | {"rows": [results.row_to_json(row) for row in self.rows]}


def from_json(data: Json) -> Committed:
    """What ``to_json`` gave. Raises BadInput naming the field for anything else."""
    found = codec.decode(Committed, data, infinite=True, optional=results.LATER)
    for number, row in enumerate(found.rows):
        results.check_row(row, f"rows[{number}]")
    return found


def committed_batches(journal: Journal) -> Iterator[Committed]:
    """What the journal holds, batch by batch. Raises CannotGoOn where a batch is not one."""
    for number, line in enumerate(journal.lines()):
        try:
            yield from_json(line)
        except BadInput as error:
            raise CannotGoOn(f"batch {number + 1} of the journal: {error}") from error
