"""Resuming an unfinished run: batches of its journal are taken over while nothing of them has changed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from gfpbench.restorers.opened_files import changed_since
from gfpbench.results import dumps
from gfpbench.run import engine
from gfpbench.run.batches import Batch
from gfpbench.run.engine import Pass
from gfpbench.run.journal import CannotGoOn, Committed, Journal, committed_batches
from gfpbench.run.parts import Parts, plain


def take_over(run: Pass, todo: Iterator[Batch], journal: Journal, complete: int) -> int:
    """Take the first ``complete`` batches of ``todo`` from the journal, as if they had just been measured.

    Everything is compared that can be told without restoring (``changed``), and the last of them is measured again: a
    model that changed meanwhile without changing its record would otherwise go unseen.

    Returns:
        where the last of them ends.

    Raises:
        CannotGoOn: where something is no longer as it was.
    """
    images: dict[str, str] = {}
    stop = 0
    pairs = zip(islice(todo, complete), committed_batches(journal), strict=False)  # lines too many: `assembled` tells
    for number, (batch, line) in enumerate(pairs, 1):
        reason = changed(line, batch, run.parts, run.seed)
        if line.features_sha256 is not None and not run.features.has(batch.start, line.features_sha256):
            reason = f"the features of {line.names} are gone or are not what was written"
        if reason is not None:
            raise CannotGoOn(reason)
        stop = batch.stop
        images.update(line.images)
        if number < complete:
            run.kept.add(line.rows)
            run.seen.images.update(line.seen)
            continue
        fresh, measured = run.measured(batch)
        if differs(line, fresh):
            raise CannotGoOn(f"the last batch, {fresh.names}, is measured differently now")
        run.kept.add(measured.rows)
        run.kept.write(measured.rows, measured.images)
        if (name := run.kept.changed(images)) is not None:
            raise CannotGoOn(f"images/{name} is gone or is not what was written")
        run.kept.prune()  # not before: the images of later batches are there and not yet accounted for
    return stop


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
        if dict(row.read.get(parts.kind_of_faces, {})) != plain(face.read, f"how {face.id!r} was read"):
            return f"the file of {face.id!r} is another, which shows the same"
        size = int(face.pixels.shape[1]), int(face.pixels.shape[2])
        if row.parameters != engine.drawn(parts.degradation, [face.id], seed, size)[0]:
            return f"{face.id!r} would be degraded differently now"
    path = changed_since(line.files)
    return None if path is None else f"{path}, which the restorer read, has changed"
