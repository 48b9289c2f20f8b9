"""The journal record of one batch, and whether it is still valid when a run is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gfpbench import codec, results
from gfpbench.restorers.opened_files import changed_since
from gfpbench.results import dumps
from gfpbench.run import engine
from gfpbench.run.batches import Batch
from gfpbench.run.engine import Measured
from gfpbench.run.parts import Parts, plain
from gfpbench.types import Json, Problem, Row


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


def differs(before: Committed, again: Committed) -> bool:
    """Whether a batch measured again gave anything else. What was read for it, and which of its images were kept,
    depends on what came before; both are looked at on their own."""
    one, other = (dumps({**each.to_json(), "images": None, "files": None}) for each in (before, again))
    return one != other


def changed(line: Committed, batch: Batch, parts: Parts, seed: int) -> str | None:
    """What of a committed batch is no longer as it was, of all that can be told without restoring anything."""
    if [(row.id, row.face_sha256) for row in line.rows] != [(face.id, face.sha256) for face in batch.faces]:
        return f"the images of {line.names} have changed"
    if tuple(problem for problem in line.problems if problem.stage == "faces") != batch.unreadable:
        return f"the unreadable faces before or among {line.names} have changed"
    for row, face in zip(line.rows, batch.faces, strict=True):
        if row.attributes != plain(face.attributes, f"the attributes of face {face.id!r}"):
            return f"what is known of {face.id!r} has changed"
        if dict(row.read.get("truth", {})) != plain(face.read, f"how {face.id!r} was read"):
            return f"the file of {face.id!r} is another, which shows the same"
        size = int(face.pixels.shape[1]), int(face.pixels.shape[2])
        if row.parameters != engine.drawn(parts.degradation, face.id, seed, size):
            return f"{face.id!r} would be degraded differently now"
    path = changed_since(line.files)
    return None if path is None else f"{path}, which the restorer read, has changed"


def committed(
    batch: Batch, measured: Measured, seen: Mapping[str, tuple[str, str]], features_sha256: str | None
) -> Committed:
    """A batch as it was measured, without its images and files."""
    return Committed(
        batch.start, batch.stop, measured.rows, measured.problems, measured.blank, dict(seen), features_sha256
    )
