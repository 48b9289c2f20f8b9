"""One Case from beginning to end: batch after batch into the journal on disk, then one Result."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from gfpbench import devices, results
from gfpbench.compact import PLAIN_AT_MOST, compact
from gfpbench.devices import repeatable
from gfpbench.disk import disk, sweep, write_whole
from gfpbench.restorers.checked import Seen
from gfpbench.results import dumps
from gfpbench.run.batches import Batch, batch_size_for, batches
from gfpbench.run.engine import Pass
from gfpbench.run.journal import CannotGoOn, Journal, committed_batches, locked
from gfpbench.run.key import KEY, RESULT, files_of, finished, key_of, read_by, sign
from gfpbench.run.parts import Parts, load, refuse_inside_inputs
from gfpbench.run.recorder import Features, Kept
from gfpbench.run.sets import score_sets
from gfpbench.run.shared import SharedFaces, SharedInputs
from gfpbench.types import BadInput, Case, GfpbenchError, HoldsImages, Json, Problem, Progress, Result, Row

TIMING = "timing.json"
KEPT_WORST = 8

_log = logging.getLogger("gfpbench")


def measure(
    case: Case,
    *,
    store: Path,
    device: str = "cpu",
    metrics: Sequence[str] | None = None,
    protocols: Sequence[str] = (),
    batch_size: int | None = None,
    keep_images: int = 24,
    isolate: bool = False,
    seconds_per_image: float | None = None,
    progress: Progress | None = None,
    reuse: bool = False,
    shared: SharedInputs | None = None,
) -> Result:
    """Measure a Case, everything in it given by name.

    Args:
        case: faces, degradation, restorer (``truth`` for the reference row), seed.
        store: a folder; the run works in ``store / case.id`` and leaves ``result.json``, ``timing.json`` and images.
        device: where the restorer works: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. Degradations and metrics run on the
            CPU, so that two devices differ by what the restorer did and nothing else.
        metrics: names; the default ones where None and no protocol is named.
        protocols: names of ``gfpbench list protocols``; all of them are measured in one pass over the images.
        batch_size: how many images of equal size the restorer is given at once. Part of the record. Where None it is
            8, or the nearest below with which the last batch is smaller, so that a smaller batch is tried too.
        keep_images: how many images from the start are kept as PNG, besides the eight worst; of more than 2,000 also
            the eight best and a sample of 24.
        isolate, seconds_per_image: whether the restorer works in a process of its own, and how long it may take for an
            image; see ``load``.
        progress: told how many faces are done.
        reuse: a finished case in the same store is read back instead of measured, while all that it came from and all
            of its files are what they were. Otherwise it is measured anew.
        shared: what is decoded and degraded for this case and need not be for others that are given the same.

    A run that was killed goes on where it stopped and gives the same bytes as an undisturbed one.

    Raises:
        BadInput: for unknown names, where ``store`` lies in a folder that the case reads, and where not one face can
            be read.
        AssetMissing: where the faces or the restorer need something that is not here.
        GfpbenchError: where a part breaks its contract, another run works on the case, or the disk refuses.
    """
    device = devices.resolve(device)
    refuse_inside_inputs(case, store)  # before a restorer looks for its files among these
    parts = load(
        case,
        device=device,
        metrics=metrics,
        protocols=protocols,
        isolate=isolate,
        seconds_per_image=seconds_per_image,
        shared=shared,
    )
    batch_size = batch_size_for(len(parts.ids(case))) if batch_size is None else batch_size
    return run_case(
        case,
        parts,
        store=store,
        device=device,
        batch_size=batch_size,
        keep_images=keep_images,
        progress=progress,
        reuse=reuse,
    )


def run_case(
    case: Case,
    parts: Parts,
    *,
    store: Path,
    device: str = "cpu",
    batch_size: int = 8,
    keep_images: int = 24,
    progress: Progress | None = None,
    reuse: bool = False,
) -> Result:
    """Measure a Case with parts already loaded; see ``measure`` for the arguments and errors."""
    refuse_inside_inputs(case, store)
    if batch_size < 1:
        raise BadInput(f"a batch size of {batch_size} leaves nothing to measure")
    if case.degradation == "none":
        from gfpbench.run.looks_degraded import warn_once  # only here is the face itself the degraded image

        warn_once(case, parts.faces, parts.ids(case))
    folder = store / case.id
    key = key_of(case, parts, device=device, batch_size=batch_size, keep_images=keep_images)
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder), repeatable():
            known = finished(folder, case, parts, key) if reuse else None
            if known is not None:
                if progress is not None:
                    progress(len(parts.ids(case)), len(parts.ids(case)), case.id)
                return known
            run = _Run(case, parts, folder, device, batch_size, keep_images, progress)
            return run.whole(key)


@dataclass(frozen=True, slots=True)
class _Run:
    case: Case
    parts: Parts
    folder: Path
    device: str
    batch_size: int
    keep_images: int
    progress: Progress | None

    @property
    def features(self) -> Features:
        return Features(self.folder)

    def whole(self, header: Mapping[str, Json]) -> Result:
        """Go on with an unfinished run of the same thing, or start anew; then write the Result."""
        started, journal = time.monotonic(), Journal(self.folder)
        sweep(self.folder, locked=True)
        complete = None
        try:
            complete = journal.resume(header)
            if complete is not None:
                self.batches(journal, complete)
        except CannotGoOn as reason:
            _log.warning("%s: cannot go on with the unfinished run (%s): starting over", self.folder, reason)
            complete = None
        if complete is None:
            complete = 0
            self.features.clear()
            journal.begin(header)
            for name in (KEY, RESULT):
                (self.folder / name).unlink(missing_ok=True)
            self.batches(journal, 0)
        result, files = self.assembled(journal, header)
        results.write([result], self.folder / RESULT, checked=True)  # each row was, when it was committed
        sign(self.folder, self.case, self.parts, header, result, files)
        self._write_timing(time.monotonic() - started, len(result.rows), complete)
        journal.end()
        self.features.clear()
        return results.as_read(result)  # in the form any later reader gets

    def batches(self, journal: Journal, complete: int) -> None:
        """Measure what is not in the journal yet: all but the first ``complete`` batches.

        Raises:
            CannotGoOn: where something of these is no longer as it was.
        """
        metrics = {metric.name: {"better": metric.better} for metric in self.parts.metrics}
        count, seed = len(self.parts.ids(self.case)), self.case.seed
        kept = Kept(self.folder, self.keep_images, KEPT_WORST, metrics, images=count, seed=seed)
        run = Pass(self.parts, self.case.seed, self.device, kept, self.features, Seen())
        todo, files = self._told(), set(files_of(self.parts).items())
        if complete:
            from gfpbench.run.resume import take_over

            take_over(run, todo, journal, complete)
        for batch in todo:
            line, measured = run.measured(batch)
            kept.add(measured.rows)
            written = kept.write(measured.rows, measured.images)
            read = set(read_by(self.parts.restorer).items()) - files
            files |= read
            journal.append(replace(line, images=written, files=dict(read)).to_json())
            kept.prune()

    def _told(self) -> Iterator[Batch]:
        """Every batch of the case, reporting progress after each."""
        ids = self.parts.ids(self.case)
        for batch in batches(SharedFaces(self.parts.faces, self.parts.shared), ids, self.batch_size):
            yield batch
            if self.progress is not None:
                self.progress(batch.stop, len(ids), self.case.id)

    def assembled(self, journal: Journal, header: Mapping[str, Json]) -> tuple[Result, dict[str, str]]:
        """The Result of a complete journal, and what its restorer read for single batches: every face is in it once,
        in order, as a row or as unreadable."""
        ids, done = self.parts.ids(self.case), 0
        rows: list[Row] = []
        problems: list[Problem] = []
        blank: dict[str, str] = {}
        files: dict[str, str] = {}
        features: list[tuple[int, str]] = []
        for line in committed_batches(journal):
            if line.start != done:
                raise GfpbenchError(f"{journal.path}: a batch is there twice or not at all, after {done} faces")
            done = line.stop
            rows += line.rows if len(rows) < PLAIN_AT_MOST else compact(line.rows)
            problems += line.problems
            blank |= line.blank
            files |= line.files
            features += [] if line.features_sha256 is None else [(line.start, line.features_sha256)]
        check_complete(ids, rows, problems)
        if not rows:
            reasons = "; ".join(f"{problem.subject}: {problem.reason}" for problem in problems[:3])
            raise BadInput(f"faces {self.case.faces!r}: not one of {len(ids)} can be read ({reasons})")
        restorer = self.parts.restorer
        if restorer is not None and isinstance(restorer, HoldsImages):
            reason = "belongs to no image of this run: misnamed, or left over from another run"
            problems += [Problem("restore", file, reason) for file in restorer.unused(self.parts.faces.ids())]
        records = self.parts.records()
        sets = self.parts.sets
        set_scores, no_score = score_sets(sets, self.features, features, blank) if sets else ({}, {})
        result = Result(
            case=self.case,
            rows=tuple(rows),
            metrics=records["metrics"],
            restorer=records["restorer"],
            degradation=records["degradation"],
            faces=records["faces"],
            environment=header["environment"],
            problems=tuple(problems),
            not_measured={**_undefined(rows, records["metrics"]), **blank, **no_score, **self.parts.unavailable},
            set_scores=set_scores,
            protocols=records.get("protocols", {}),
        )
        return result, files

    def _write_timing(self, seconds: float, images: int, resumed_batches: int) -> None:
        record = {
            "seconds": round(seconds, 3),
            "images": images,
            "resumed_batches": resumed_batches,
            "note": "wall clock of the process that finished the run, everything included; not a benchmark",
        }
        write_whole(self.folder / TIMING, dumps(record) + "\n")


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
