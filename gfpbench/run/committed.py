"""One batch measured, and its record in the journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from gfpbench import codec, results
from gfpbench.restorers.checked import Seen
from gfpbench.run import engine
from gfpbench.run.batches import Batch
from gfpbench.run.engine import Measured
from gfpbench.run.journal import CannotGoOn, Journal
from gfpbench.run.parts import Parts
from gfpbench.run.recorder import Features, Kept
from gfpbench.types import BadInput, Json, Problem, Row


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


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the batches of a case, from the first: what is measured, and what was kept of it so far.

    Args:
        parts, seed, device: as ``engine.measure_batch`` takes them.
        kept: the images.
        features: of set metrics.
        seen: the restored images, so that one that is given twice is noticed.
    """

    parts: Parts
    seed: int
    device: str
    kept: Kept
    features: Features
    seen: Seen

    def measured(self, batch: Batch) -> tuple[Committed, Measured]:
        """One batch, without its images and files, and everything that it gave; its features are on the disk."""
        known = len(self.seen.images)
        found = engine.measure_batch(batch, self.parts, self.seed, self.device, self.seen)
        sha256 = self.features.write(batch.start, found.features) if self.parts.sets else None
        new = dict(islice(self.seen.images.items(), known, None))
        line = Committed(batch.start, batch.stop, found.rows, found.problems, found.blank, new, sha256)
        return line, found
