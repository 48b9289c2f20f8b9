"""Turns the complete journal of a case into its Result, and writes that beside its key."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from gfpbench import results
from gfpbench.codec.text import cut
from gfpbench.compact import PLAIN_AT_MOST, compact
from gfpbench.disk import write_whole
from gfpbench.metrics.set_measures import SetMeasure
from gfpbench.process_guard import called
from gfpbench.results import dumps
from gfpbench.run.journal import Journal, committed_batches
from gfpbench.run.key import RESULT, measured_faces_sha256, sign
from gfpbench.run.parts import Parts
from gfpbench.run.recorder import Features
from gfpbench.run.sets import score_sets
from gfpbench.types import BadInput, Case, GfpbenchError, HoldsImages, Json, Problem, Result, Row

TIMING = "timing.json"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a Result says besides its rows, once these are measured.

    Args:
        ids: of all faces, in order.
        records: of the parts (``Parts.records``).
        unavailable: metrics that were asked for and could not be loaded, with the reason.
        unused: files of a restorer that belong to no image.
        kind_of_faces: ``Parts.kind_of_faces``.
        clean_faces_sha256: ``Parts.clean_faces_sha256``.
    """

    ids: tuple[str, ...]
    records: Mapping[str, Json]
    unavailable: Mapping[str, str]
    unused: tuple[str, ...]
    kind_of_faces: str
    clean_faces_sha256: str | None = None


def recorded(case: Case, parts: Parts) -> Recorded:
    """The same of loaded parts."""
    restorer, unused = parts.restorer, tuple[str, ...]()
    if restorer is not None and isinstance(restorer, HoldsImages):
        unused = called(f"restorer {restorer.name!r}: unused", lambda: tuple(restorer.unused(parts.faces.ids())))
        refuse_other_names(f"restorer {restorer.name!r}: unused", unused)
    about = parts.kind_of_faces, parts.clean_faces_sha256
    return Recorded(parts.ids(case), parts.records(), parts.unavailable, unused, *about)


def refuse_other_names(what: str, names: Sequence[object]) -> None:
    """Raise BadInput where one of these names of files is no text."""
    for name in names:
        if not isinstance(name, str):
            raise BadInput(f"{what} has to give names of files, not {cut(ascii(name))}")


def finish(
    folder: Path,
    journal: Journal,
    header: Mapping[str, Json],
    case: Case,
    what: Recorded,
    sets: Sequence[SetMeasure],
    began: tuple[float, int],
) -> Result:
    """Write the Result of a complete journal, its key and its timing; then remove the journal and the features.

    Args:
        folder: of the case.
        header: the key of the case.
        sets: set metrics to score.
        began: when, by ``time.monotonic``, and with how many batches of an earlier run.

    Raises:
        BadInput: where not one face could be read.
        GfpbenchError: where the journal does not hold every face once, or the disk refuses.
    """
    features = Features(folder)
    result, files = assembled(journal, features, header, case, what, sets)
    results.write([result], folder / RESULT, checked=True)  # each row was, when it was committed
    faces = what.clean_faces_sha256
    if faces is None:
        faces = measured_faces_sha256(what.ids, result.rows, result.problems, what.kind_of_faces)
    sign(folder, header, faces, files)
    timing = {
        "seconds": round(time.monotonic() - began[0], 3),
        "images": len(result.rows),
        "resumed_batches": began[1],
        "note": "wall clock of the process that finished the run, everything included; not a benchmark",
    }
    write_whole(folder / TIMING, dumps(timing) + "\n")
    journal.end()
    features.clear()
    return results.as_read(result)  # in the form any later reader gets


def assembled(
    journal: Journal,
    features: Features,
    header: Mapping[str, Json],
    case: Case,
    what: Recorded,
    sets: Sequence[SetMeasure],
) -> tuple[Result, dict[str, str]]:
    """The Result of a complete journal, and what its restorer read for single batches: every face is in it once,
    in order, as a row or as unreadable."""
    done = 0
    rows: list[Row] = []
    problems: list[Problem] = []
    blank: dict[str, str] = {}
    files: dict[str, str] = {}
    written: list[tuple[int, str]] = []
    for line in committed_batches(journal):
        if line.start != done:
            raise GfpbenchError(f"{journal.path}: a batch is there twice or not at all, after {done} faces")
        done = line.stop
        rows += line.rows if len(rows) < PLAIN_AT_MOST else compact(line.rows)
        problems += line.problems
        blank |= line.blank
        files |= line.files
        written += [] if line.features_sha256 is None else [(line.start, line.features_sha256)]
    check_complete(what.ids, rows, problems)
    if not rows:
        reasons = "; ".join(f"{problem.subject}: {problem.reason}" for problem in problems[:3])
        raise BadInput(f"faces {case.faces!r}: not one of {len(what.ids)} can be read ({reasons})")
    reason = "belongs to no image of this run: misnamed, or left over from another run"
    problems += [Problem("restore", file, reason) for file in what.unused]
    records = what.records
    set_scores, no_score = score_sets(sets, features, written, blank) if sets else ({}, {})
    result = Result(
        case=case,
        rows=tuple(rows),
        metrics=records["metrics"],
        restorer=records["restorer"],
        degradation=records["degradation"],
        faces=records["faces"],
        environment=header["environment"],
        problems=tuple(problems),
        not_measured={**_undefined(rows, records["metrics"]), **blank, **no_score, **what.unavailable},
        set_scores=set_scores,
        protocols=records.get("protocols", {}),
    )
    return result, files


def check_complete(ids: Sequence[str], rows: Sequence[Row], problems: Sequence[Problem]) -> None:
    """Every face is there exactly once, in order, as a row or as unreadable. Raises GfpbenchError where one is not."""
    unreadable = {problem.subject for problem in problems if problem.stage == "faces"}
    expected = [image_id for image_id in ids if image_id not in unreadable]
    got = [row.id for row in rows]
    if unreadable - set(ids) or expected != got:
        pairs = zip_longest(expected, got, fillvalue="nothing")
        wanted, found = next(((a, b) for a, b in pairs if a != b), ("the faces asked for", "others"))
        raise GfpbenchError(f"rows and faces do not match by name: where {wanted!r} belongs stands {found!r}")


def _undefined(rows: Sequence[Row], metrics: Mapping[str, Mapping[str, Json]]) -> dict[str, str]:
    """Why a metric has blanks where the images were restored: mostly because they are too small for it."""
    reasons = {}
    restored = [row for row in rows if row.failure is None]
    for name, record in metrics.items():
        small = [row for row in restored if min(row.size_px) < record["minimum_side_px"]]
        if small:
            reasons[name] = (
                f"undefined below {record['minimum_side_px']} px on the shorter side; "
                f"{len(small)} of {len(restored)} images are smaller"
            )
        elif restored and all(row.scores[name] is None for row in restored):
            reasons[name] = "could not score a single image; each is listed among the problems with the reason"
    return reasons
