"""One Case from beginning to end: batch after batch into the journal on disk, then one Result."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gfpbench import devices
from gfpbench.devices import repeatable
from gfpbench.disk import disk, sweep
from gfpbench.restorers.checked import Seen
from gfpbench.run.assembly import finish, recorded
from gfpbench.run.batches import Batch, batch_size_for, batches
from gfpbench.run.engine import Pass
from gfpbench.run.input_folders import refuse_inside_inputs
from gfpbench.run.journal import CannotGoOn, Journal, locked
from gfpbench.run.key import KEY, RESULT, files_of, finished, key_of, read_by
from gfpbench.run.parts import Parts, load
from gfpbench.run.recorder import Features, Kept
from gfpbench.run.shared import SharedFaces, SharedInputs
from gfpbench.types import BadInput, Case, Json, Progress, Result

if TYPE_CHECKING:
    from gfpbench.run.course import Found
    from gfpbench.run.workers import Workers

KEPT_WORST = 8
SHARE = "share"
"""The field of a journal's header that says of which share it is; the rest of the header is the case's key."""

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
    workers: Workers | None = None,
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
        workers: as ``run_case`` takes them; with the metrics, protocols and limits of this call as their options.

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
        workers=workers,
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
    workers: Workers | None = None,
) -> Result:
    """Measure a Case with parts already loaded; see ``measure`` for the arguments and errors.

    Args:
        workers: processes that measure its batches, which load the same parts by name; None to measure them here. The
            bytes are the same.
    """
    with opened(case, parts, store, device=device, batch_size=batch_size, keep_images=keep_images) as (folder, key):
        known = finished(folder, case, parts, key) if reuse else None
        if known is not None:
            if progress is not None:
                progress(len(parts.ids(case)), len(parts.ids(case)), case.id)
            return known
        return CaseRun(case, parts, folder, device, batch_size, keep_images, progress, workers).whole(key)


@contextmanager
def opened(
    case: Case, parts: Parts, store: Path, *, device: str, batch_size: int, keep_images: int
) -> Iterator[tuple[Path, dict[str, Json]]]:
    """The folder of a case, made and locked, and its key; the block is measured in deterministic mode."""
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
            yield folder, key


@dataclass(frozen=True, slots=True)
class Share:
    """What one of several runs measures of a case: batch by batch, each by exactly one of them.

    Args:
        number, of: the third of sixteen, say; from 1.
        begin: where the first of its batches begins.
        end: the next run's first batch is the first that begins here or later.
    """

    number: int
    of: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class CaseRun:
    """A case that is measured in its folder: all of it, or a share.

    Args:
        case, parts, device, batch_size, keep_images, progress, workers: as ``run_case`` takes them.
        folder: of the case, locked.
        share: None for all of it.
    """

    case: Case
    parts: Parts
    folder: Path
    device: str
    batch_size: int
    keep_images: int
    progress: Progress | None
    workers: Workers | None
    share: Share | None = None

    @property
    def features(self) -> Features:
        return Features(self.folder)

    def whole(self, header: Mapping[str, Json]) -> Result:
        """Measure every batch, then write the Result."""
        started, (journal, complete) = time.monotonic(), self.journalled(header)
        what = recorded(self.case, self.parts)
        return finish(self.folder, journal, header, self.case, what, self.parts.sets, (started, complete))

    def journalled(self, header: Mapping[str, Json]) -> tuple[Journal, int]:
        """Go on with an unfinished run of the same thing, or start anew.

        Returns:
            the journal, in which every batch is; and how many were there before.
        """
        journal = Journal(self.folder)
        sweep(self.folder, locked=True)
        complete = None
        try:
            complete = journal.resume(header)
            if complete is not None:
                self.batches(journal, header, complete)
        except CannotGoOn as reason:
            _log.warning("%s: cannot go on with the unfinished run (%s): starting over", self.folder, reason)
            complete = None
        if complete is None:
            self.features.clear()
            journal.begin(header)
            for name in (KEY, RESULT):
                (self.folder / name).unlink(missing_ok=True)
            self.batches(journal, header, 0)
        return journal, complete or 0

    def batches(self, journal: Journal, header: Mapping[str, Json], complete: int) -> None:
        """Measure what is not in the journal yet: all but the first ``complete`` batches.

        Raises:
            CannotGoOn: where something of these is no longer as it was.
        """
        metrics = {metric.name: {"better": metric.better} for metric in self.parts.metrics}
        count, seed = len(self.parts.ids(self.case)), self.case.seed
        kept = Kept(self.folder, self.keep_images, KEPT_WORST, metrics, images=count, seed=seed)
        run = Pass(self.parts, self.case.seed, self.device, kept, self.features, Seen())
        todo, files, done = self._told(), set(files_of(self.parts).items()), 0
        if complete:
            from gfpbench.run.resume import take_over

            done = take_over(run, todo, journal, complete)
        found = self._measured(run, todo) if self.workers is None else self._by_workers(header, done, run)
        for line, shown, read_so_far in found:
            written = kept.write(line.rows, shown)
            read = set(read_so_far.items()) - files
            files |= read
            journal.append(replace(line, images=written, files=dict(read)).to_json())
            kept.prune()

    def _measured(self, run: Pass, todo: Iterator[Batch]) -> Iterator[Found]:
        for batch in todo:
            line, measured = run.measured(batch)
            run.kept.add(line.rows)
            yield line, measured.images, read_by(self.parts.restorer)

    def _by_workers(self, header: Mapping[str, Json], done: int, run: Pass) -> Iterator[Found]:
        from gfpbench.run.course import Task

        assert self.workers is not None
        begin, end = self._span()
        key = {name: value for name, value in header.items() if name != SHARE}
        how = self.device, self.batch_size, self.keep_images
        task = Task(self.case, key, self.folder, *how, end, self.parts.loaded_by)
        done = max(done, begin)
        self._tell(done)
        for found in self.workers.measured(task, done, run.seen, run.kept.lacks):
            yield found
            self._tell(found[0].stop)

    def _told(self) -> Iterator[Batch]:
        """Every batch of this run, reporting progress after each."""
        ids, (begin, end) = self.parts.ids(self.case), self._span()
        for batch in batches(SharedFaces(self.parts.faces, self.parts.shared), ids, self.batch_size, begin):
            if batch.start >= end:
                return
            yield batch
            self._tell(batch.stop)

    def _span(self) -> tuple[int, int]:
        """Which batches are measured: those that begin at the first of these faces or later, and before the second."""
        return (0, len(self.parts.ids(self.case))) if self.share is None else (self.share.begin, self.share.end)

    def _tell(self, done: int) -> None:
        begin, end = self._span()
        if self.progress is not None:
            self.progress(min(done, end) - begin, end - begin, self.case.id)
