"""How far the batches of one case are, while several processes measure them in any order."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from gfpbench.restorers.checked import Seen
from gfpbench.run.journal import Committed
from gfpbench.run.key import key_of
from gfpbench.run.parts import LoadedBy, Parts
from gfpbench.types import Case, GfpbenchError, ImageBatch, Json

LOSSES_AT_MOST = 2
"""Processes that may be lost with one batch: with the last one the run ends."""
LOADING = -1
"""In place of where a batch begins: while the case is loaded."""

Found: TypeAlias = tuple[Committed, Mapping[str, ImageBatch | None], Mapping[str, str]]
"""One batch without its kept images; of its images by kind all that may be kept; what the restorer was seen to read."""

Lacks: TypeAlias = Callable[[Committed, Mapping[str, ImageBatch | None]], bool]
"""Takes note of the next batch in order, and says whether an image of it that is kept was not sent."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a process has to load, and how the caller measures.

    Args:
        case: what is measured.
        header: the caller's key of the case (``key.key_of``); a process whose own differs may not measure.
        folder: of the case; features are written there.
        device: as resolved; ``cuda`` becomes a GPU of each process's own.
        batch_size, keep_images: as ``run_case`` takes them.
        total: how many faces.
        loaded_by: what loads the same parts there; None: ``parts.load`` with the options of the processes.
    """

    case: Case
    header: Mapping[str, Json]
    folder: Path
    device: str
    batch_size: int
    keep_images: int
    total: int
    loaded_by: LoadedBy | None = None

    @property
    def inputs(self) -> tuple[object, ...]:
        """Tasks for which this is the same have the same batches."""
        case = self.case
        return case.faces, case.size_px, case.limit, case.draws, case.degradation, self.batch_size


def task_ahead(case: Case, parts: Parts, *, store: Path, device: str, batch_size: int, keep_images: int) -> Task | None:
    """A case that ``run_case`` is called for later, with the same arguments, for ``Workers.expect``. None for one that
    was begun before or has set metrics, whose features are files of the run: nothing of these is measured ahead."""
    folder = store / case.id
    if folder.exists() or parts.sets:
        return None
    key = key_of(case, parts, device=device, batch_size=batch_size, keep_images=keep_images)
    return Task(case, key, folder, device, batch_size, keep_images, len(parts.ids(case)), parts.loaded_by)


@dataclass(slots=True)
class Cuts:
    """What is known of the batches of some faces, whichever restorer they are for.

    Args:
        stops: start -> where that batch ends and the next one starts.
        by: start -> number of the process that measured it, which has its faces in memory.
    """

    stops: dict[int, int] = field(default_factory=dict)
    by: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Course:
    """One case: which of its batches are measured, and which are not.

    Args:
        number: of the course, by which messages name it.
        task: what is measured.
        cuts: of its faces.
        done: the first face of the batch that is handed out next.
        plan: starts of batches that nobody measures yet, in order.
        planned: all starts that were ever in the plan.
        answers: start -> what was measured, while an earlier batch is not.
        told: start -> images of earlier batches that it was compared with.
        whole: starts of batches of which all images are sent.
        files: start -> what was read for it, in all attempts.
        losses: start -> how many processes were lost with it.
        broken: why no process can measure it.
    """

    number: int
    task: Task
    cuts: Cuts
    done: int
    plan: list[int] = field(default_factory=list)
    planned: set[int] = field(default_factory=set)
    answers: dict[int, Found | Exception] = field(default_factory=dict)
    told: dict[int, dict[str, tuple[str, str]]] = field(default_factory=dict)
    whole: set[int] = field(default_factory=set)
    files: dict[int, dict[str, str]] = field(default_factory=dict)
    losses: dict[int, int] = field(default_factory=dict)
    broken: Exception | None = None

    def __post_init__(self) -> None:
        start = self.done
        self.plan.append(start)
        while (start := self.cuts.stops.get(start, self.task.total)) < self.task.total:
            self.plan.append(start)
        self.planned.update(self.plan)

    @property
    def open(self) -> int:
        """Of how many batches it is not known that somebody measures them: at least those in the plan, and as many as
        the faces after the last one make."""
        if self.broken is not None:
            return 0
        last = max(self.planned)
        begin = self.cuts.stops.get(last, min(last + self.task.batch_size, self.task.total))
        return len(self.plan) + -(-(self.task.total - begin) // self.task.batch_size)

    def near(self, at_most: int, *, room: bool) -> list[int]:
        """The next batches to measure; without ``room`` for more answers the one that all others wait for."""
        if self.broken is not None:
            return []
        near = self.plan[:at_most]
        return near if room else [start for start in near if start == self.done]

    def taken(self, near: list[int], worker: int) -> int:
        """One of these batches, for a process to measure: one whose faces it has in memory, if there is one."""
        start = next((one for one in near if self.cuts.by.get(one) == worker), near[0])
        self.plan.remove(start)
        self.cuts.by[start] = worker
        return start

    def again(self, start: int) -> None:
        """Have a batch measured again."""
        insort(self.plan, start)

    def cut(self, start: int, stop: int) -> None:
        """A batch ends before the face ``stop``."""
        if self.cuts.stops.setdefault(start, stop) != stop:
            faces = self.task.case.faces
            self.broken = GfpbenchError(f"faces {faces!r} have changed while they were measured; run it again")
        if stop < self.task.total and stop not in self.planned:
            self.planned.add(stop)
            insort(self.plan, stop)

    def lost(self, start: int, line: str, *, innocent: bool, itself: bool) -> bool:
        """A process was lost with a batch, or while it loaded the case. Returns whether another one may try.

        Args:
            start: of the batch, or ``LOADING``.
            line: how it was lost.
            innocent: whether that had another cause for certain.
            itself: whether the process ended by itself.
        """
        losses = self.losses.get(start, 0) + (not innocent)
        self.losses[start] = losses
        if not itself and losses < LOSSES_AT_MOST:
            return True
        error = GfpbenchError(
            f"{line}{'' if losses == 1 else f', {losses} times'}; what was measured before it is kept. Where a "
            "restorer ended it, or took longer than --seconds-per-image (then where it was stands above), "
            "--isolate reports its image as failed and measures the others"
        )
        self.fail(start, error)
        return False

    def fail(self, start: int, error: Exception) -> None:
        """Neither that batch can be measured, nor, where it is ``LOADING``, any other."""
        if start == LOADING:
            self.broken = error
        else:
            self.answers[start] = error

    def next(self, seen: Seen, lacks: Lacks | None = None) -> tuple[Found | None, bool]:
        """The next batch in order, if it is measured. ``seen`` is extended by it; ``lacks`` is asked about it once.

        Returns:
            it; and whether anything changed, so that there may be more.

        Raises:
            GfpbenchError: what measuring it raised.
        """
        if self.broken is not None:
            raise self.broken
        if self.done not in self.answers:
            return None, False
        answer = self.answers.pop(self.done)
        if isinstance(answer, Exception):
            raise answer
        line, shown, _ = answer
        told = self.told.setdefault(self.done, {})
        again = {one: seen.images[one] for one in line.seen if one in seen.images and one not in told}
        if again:  # an image that an earlier batch gave too: which of its rows fail is decided where it is measured
            told.update(again)
            self.again(self.done)
            return None, True
        if lacks is not None and self.done not in self.whole and lacks(line, shown):
            self.whole.add(self.done)
            self.again(self.done)
            return None, True
        seen.images.update(line.seen)
        files, self.done = self.files.pop(self.done, {}), line.stop
        return (line, shown, files), True
