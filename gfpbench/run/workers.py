"""Several processes that measure the batches of one run, which ends in the same bytes as in one process."""

from __future__ import annotations

import json
import logging
import os
import queue
from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from gfpbench import devices
from gfpbench.lazy import LazyModule
from gfpbench.restorers.checked import Seen
from gfpbench.results import dumps
from gfpbench.run.child_process import ChildProcess, Lost, Message, Process
from gfpbench.run.journal import Committed, changed_fields, from_json
from gfpbench.run.messages import BrokenMessage, MachineLost, error_from_json, send
from gfpbench.types import BadInput, Case, GfpbenchError, ImageBatch, Json

if TYPE_CHECKING:
    import cv2
    import torch
else:
    torch, cv2 = LazyModule("torch"), LazyModule("cv2")

LOSSES_AT_MOST = 2
"""Processes that may be lost with one batch: with the last one the run ends."""
AHEAD = 4
"""Batches for each process that may be measured before an earlier one is."""

Found: TypeAlias = tuple[Committed, Mapping[str, ImageBatch | None], Mapping[str, str]]
"""One batch without its kept images; of its images by kind all that may be kept; what the restorer was seen to read."""

Heard: TypeAlias = "Message | BrokenMessage | GfpbenchError"
"""What a process sent, that it is lost, or why nothing can be measured with it."""

_log = logging.getLogger("gfpbench")


def pin_threads() -> None:
    """One thread for each process, or ``OMP_NUM_THREADS`` where that is set: networks give other last bits with another
    number of threads, so that it must not depend on how many processes there are."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


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
    """

    case: Case
    header: Mapping[str, Json]
    folder: Path
    device: str
    batch_size: int
    keep_images: int
    total: int


@dataclass(slots=True, eq=False)
class _Worker:
    number: int
    process: Process
    asked: Task | None = None  # to load it
    ready: Task | None = None  # it is loaded
    start: int | None = None  # of the batch that it measures


@dataclass(slots=True)
class _Course:
    """How far one case is.

    Args:
        plan: starts of batches that nobody measures yet, in order.
        cuts: start -> where that batch ends and the next one starts.
        planned: all starts that were ever in the plan.
        answers: start -> what was measured, while an earlier batch is not.
        told: start -> images of earlier batches that it was compared with.
        files: start -> what was read for it, in all attempts.
        losses: start -> how many processes were lost with it; -1: while they loaded the case.
    """

    plan: list[int]
    cuts: dict[int, int]
    planned: set[int]
    answers: dict[int, Found | Exception] = field(default_factory=dict)
    told: dict[int, dict[str, tuple[str, str]]] = field(default_factory=dict)
    files: dict[int, dict[str, str]] = field(default_factory=dict)
    losses: dict[int, int] = field(default_factory=dict)


class Workers:
    """Processes that measure the batches of the cases of one command.

    They are started when there is something to measure, and each loads what a case names by its name, as the caller
    did. A process that is lost is replaced, and its batch measured again. Use it as a context manager: it leaves no
    process behind.

    Args:
        count: how many.
        options: those of ``parts.load``, by name: ``metrics``, ``protocols``, ``isolate``, ``seconds_per_image``.

    Raises:
        BadInput: for less than one process.
    """

    without = "--workers"
    """The option without which the command measures in its own process."""

    def __init__(self, count: int, options: Mapping[str, Json]) -> None:
        if count < 1:
            raise BadInput(f"{count} worker processes leave nobody to measure")
        self.count, self.options = count, dict(options)
        self._events: queue.SimpleQueue[tuple[_Worker, Heard]] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._known: tuple[object, dict[int, int], dict[int, int]] = None, {}, {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes, whatever they are doing."""
        for worker in self._workers:
            worker.process.hang_up()
        for worker in self._workers:
            worker.process.ended_with()  # it ends the processes of isolated restorers first
            worker.process.end()
        self._workers.clear()

    def measured(self, task: Task, begin: int, seen: Seen) -> Iterator[Found]:
        """Every batch of a case from the face ``begin``, in order. ``seen`` is extended by each.

        Raises:
            GfpbenchError: what measuring a batch raised, once all before it were given; where processes are lost with
                one batch, or load something else than the caller has.
        """
        course, by = self._course(task, begin)
        done = begin
        for worker in self._workers:
            worker.start = None
        while done < task.total:
            while not self._events.empty():
                self._hear(*self._events.get(), task, course)
            self._ask(task, course, by, done)
            if done not in course.answers:
                self._hear(*self._events.get(), task, course)
                continue
            answer = course.answers.pop(done)
            if isinstance(answer, Exception):
                raise answer
            line, shown, _ = answer
            told = course.told.setdefault(done, {})
            again = {one: seen.images[one] for one in line.seen if one in seen.images and one not in told}
            if again:  # an image that an earlier batch gave too: which of its rows fail is decided where it is measured
                told.update(again)
                insort(course.plan, done)
                continue
            seen.images.update(line.seen)
            files, done = course.files.pop(done, {}), line.stop
            yield line, shown, files

    def _course(self, task: Task, begin: int) -> tuple[_Course, dict[int, int]]:
        """The plan, and who measured which batch: the cuts of a case before are those of this one, where the faces are
        the same, and whoever has a batch's faces in memory measures it again."""
        case = task.case
        same = case.faces, case.size_px, case.limit, case.draws, task.batch_size
        if self._known[0] != same:
            self._known = same, {}, {}
        _, cuts, by = self._known
        plan, start = [begin], begin
        while (start := cuts.get(start, task.total)) < task.total:
            plan.append(start)
        return _Course(plan, cuts, set(plan)), by

    def _ask(self, task: Task, course: _Course, by: dict[int, int], done: int) -> None:
        """Give every process that is ready a batch; start processes while there is work for more."""
        wanted = max(-(-(task.total - done) // task.batch_size), len(course.plan))
        while len(self._workers) < min(self.count, wanted):
            self._workers.append(self._started(min(set(range(self.count)) - {one.number for one in self._workers})))
        for worker in self._workers[: self.count]:
            if worker.asked is not task:
                worker.asked = task
                self._tell(worker, {"of": [task.case.id, -1], **self._case_of(task, worker)})
            near = course.plan[: AHEAD * self.count]
            if len(course.answers) >= AHEAD * self.count:  # but the one that all others wait for
                near = [start for start in near if start == done]
            if worker.ready is not task or worker.start is not None or not near:
                continue
            start = next((one for one in near if by.get(one) == worker.number), near[0])
            course.plan.remove(start)
            worker.start, by[start] = start, worker.number
            seen = course.told.get(start, {})
            self._tell(worker, {"of": [task.case.id, start], "start": start, "seen": seen})

    def _started(self, number: int) -> _Worker:
        holder: list[_Worker] = []
        worker = _Worker(number, self.start(lambda message: self._events.put((holder[0], message))))
        holder.append(worker)
        self._tell(worker, {"threads": torch.get_num_threads(), "opencv_threads": self.opencv_threads()})
        return worker

    def start(self, deliver: Callable[[Heard], None]) -> Process:
        """A process that runs ``worker.serve``; ``deliver`` is called in a thread once this has returned."""
        return ChildProcess("gfpbench.run.worker", deliver)

    def opencv_threads(self) -> int:
        """How many threads OpenCV has in each process."""
        return max(1, cv2.getNumThreads() // self.count)

    def device_of(self, device: str, number: int) -> str:
        """The device of one process, where the command has ``device``."""
        return devices.one_of(device, number, torch.cuda.device_count() if device == "cuda" else 0)

    def _case_of(self, task: Task, worker: _Worker) -> dict[str, Json]:
        named = {"batch_size": task.batch_size, "keep_images": task.keep_images, "folder": str(task.folder.absolute())}
        device = self.device_of(task.device, worker.number)
        return {"case": asdict(task.case), "device": device, "options": self.options, **named}

    def _tell(self, worker: _Worker, message: Mapping[str, Json]) -> None:
        with suppress(Lost):  # which its thread tells, as its pipe ends
            worker.process.written(lambda pipe: send(pipe, message))

    def _hear(self, worker: _Worker, message: Heard, task: Task, course: _Course) -> None:
        """Take note of what a process sent, or that it is lost."""
        if worker not in self._workers:
            return
        if isinstance(message, GfpbenchError):
            raise message
        if isinstance(message, BrokenMessage):
            self._lost(worker, message, course)
            return
        told, levels = message
        case_id, start = told["of"]
        if case_id != task.case.id:  # which ended before its time
            return
        if "key" in told:
            self._compare(told["key"], task, worker.process.where)
            worker.ready = task
        elif "cut" in told:
            stop = told["cut"]
            if course.cuts.setdefault(start, stop) != stop:
                raise GfpbenchError(f"faces {task.case.faces!r} have changed while they were measured; run it again")
            if stop < task.total and stop not in course.planned:
                course.planned.add(stop)
                insort(course.plan, stop)
        elif "measured" in told:
            from gfpbench.run.worker import images_of

            course.files.setdefault(start, {}).update(told["files"])
            course.answers[start] = from_json(told["measured"]), images_of(told["images"], levels), {}
            worker.start = None
        else:
            broken = RuntimeError(f"in {worker.process.where}:\n{told.get('broken')}")
            error = error_from_json(told["error"]) if "error" in told else broken
            if start < 0:
                raise error
            course.answers[start] = error
            worker.start = None

    def _compare(self, key: Mapping[str, Json], task: Task, where: str) -> None:
        """Raises GfpbenchError where a process would measure something else than this one."""
        mine = json.loads(dumps({**task.header, _FILES: None}))
        if differing := changed_fields(mine, {**key, _FILES: None}):
            raise GfpbenchError(
                f"{task.case.restorer!r} is not the same in {where} ({', '.join(differing)}): "
                f"measure it without {self.without}"
            )

    def _lost(self, worker: _Worker, message: BrokenMessage, course: _Course) -> None:
        """Have its batch measured by another, unless the process ended by itself or one batch has cost too many."""
        self._workers.remove(worker)
        start, how, code = worker.start, worker.process.how_it_ended(), worker.process.ended_with()
        worker.process.end()
        if "pipe ended" not in str(message):
            how = f"its process sent {message}"
        place = -1 if start is None else start
        losses, idle = course.losses.get(place, 0), start is None and worker.ready is not None
        if not (idle or isinstance(message, MachineLost)):  # of which no batch is the cause
            losses = course.losses[place] = losses + 1
        line = f"a worker is lost{'' if start is None else f' with the batch that begins at face {start + 1}'}: {how}"
        if (code is not None and code >= 0) or losses >= LOSSES_AT_MOST:
            error = GfpbenchError(
                f"{line}{'' if losses == 1 else f', {losses} times'}; what was measured before it is kept. Where a "
                "restorer ended it, or took longer than --seconds-per-image (then where it was stands above), "
                "--isolate reports its image as failed and measures the others"
            )
            if start is None:
                raise error
            course.answers[start] = error
        else:
            _log.warning("%s; another takes its place", line)
            if start is not None:
                insort(course.plan, start)


_FILES = "restorer's files"
"""Of the key: what a restorer read while it was imported is told once a process, whichever case came first."""
