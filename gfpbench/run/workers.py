"""Several processes that measure the batches of one run, which ends in the same bytes as in one process."""

from __future__ import annotations

import itertools
import json
import logging
import os
import queue
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

from gfpbench import devices
from gfpbench.lazy import LazyModule
from gfpbench.restorers.checked import Seen
from gfpbench.results import dumps
from gfpbench.run.child_process import ChildProcess, Lost, Message, Process
from gfpbench.run.course import LOADING, Course, Cuts, Found, Lacks, Task
from gfpbench.run.journal import changed_fields, from_json
from gfpbench.run.messages import BrokenMessage, MachineLost, error_from_json, send
from gfpbench.types import BadInput, GfpbenchError, Json

if TYPE_CHECKING:
    import cv2
    import torch
else:
    torch, cv2 = LazyModule("torch"), LazyModule("cv2")

AHEAD = 4
"""Batches for each process that may be measured before an earlier one is; as many of cases that come later."""

Heard: TypeAlias = "Message | BrokenMessage | GfpbenchError"
"""What a process sent, that it is lost, or why nothing can be measured with it."""

_log = logging.getLogger("gfpbench")


def pin_threads() -> None:
    """One thread for each process, or ``OMP_NUM_THREADS`` where that is set: networks give other last bits with another
    number of threads, so that it must not depend on how many processes there are."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


@dataclass(slots=True, eq=False)
class _Worker:
    number: int
    process: Process
    course: Course | None = None  # whose case it was told to load
    ready: bool = False  # that is loaded
    warm: bool = False  # it has loaded something, so that another case takes it no long time
    start: int | None = None  # of the batch that it was told to measure


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
        self._numbers = itertools.count()
        self._now: Course | None = None
        self._expected: list[Course] = []
        self._cuts: dict[tuple[object, ...], Cuts] = {}

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

    def expect(self, task: Task) -> None:
        """A case without set metrics that is measured later, from its first face on: its batches are given to whoever
        is idle, and their answers are kept until ``measured`` asks for them."""
        if all(course.task.case != task.case for course in self._courses()):
            self._expected.append(self._course(task, 0))

    @property
    def has_spare(self) -> bool:
        """Whether processes will be idle soon if no further case is expected."""
        return sum(course.open for course in self._expected) < AHEAD * self.count

    def measured(self, task: Task, begin: int, seen: Seen, lacks: Lacks | None = None) -> Iterator[Found]:
        """Every batch of a case from the face ``begin``, in order. ``seen`` is extended by each, and ``lacks`` asked
        about each once, before it is given.

        Raises:
            GfpbenchError: what measuring a batch raised, once all before it were given; where processes are lost with
                one batch, or load something else than the caller has.
        """
        expected = next((course for course in self._expected if course.task.case == task.case), None)
        if expected is not None:
            self._expected.remove(expected)
        known = expected is not None and expected.task == task and begin == 0
        course = expected if expected is not None and known else self._course(task, begin)
        self._now = course
        while course.done < task.total:
            while not self._events.empty():
                self._hear(*self._events.get())
            self._ask()
            found, changed = course.next(seen, lacks)
            if found is not None:
                yield found
            elif not changed:
                self._hear(*self._events.get())
        self._now = None

    def _courses(self) -> list[Course]:
        return [*([self._now] if self._now is not None else ()), *self._expected]

    def _course(self, task: Task, begin: int) -> Course:
        """The cuts of a case before are those of this one, where the faces are the same, and whoever has a batch's
        faces in memory measures it again."""
        live = {course.task.inputs for course in self._courses()}
        self._cuts = {inputs: cuts for inputs, cuts in self._cuts.items() if inputs in live or inputs == task.inputs}
        return Course(next(self._numbers), task, self._cuts.setdefault(task.inputs, Cuts()), begin)

    def _ask(self) -> None:
        """Give every idle process a batch, or have it load a case of which more are coming; start processes while there
        is work for more."""
        courses = self._courses()
        busy = sum(worker.start is not None for worker in self._workers)
        while len(self._workers) < min(self.count, busy + sum(course.open for course in courses)):
            self._workers.append(self._started(min(set(range(self.count)) - {one.number for one in self._workers})))
        idle = [worker for worker in self._workers[: self.count] if worker.start is None]
        for course in courses:
            now = course is self._now
            warm = [worker for worker in idle if worker.warm]
            for worker in sorted(warm, key=lambda one: (one.course is not course, not one.ready)):
                held = sum(len(one.answers) for one in ([course] if now else self._expected))
                near = course.near(AHEAD * self.count, room=held < AHEAD * self.count)
                if not near or not (now or held < AHEAD * self.count):
                    break
                idle.remove(worker)
                self._load(worker, course)
                worker.start = start = course.taken(near, worker.number)
                asked = {"start": start, "seen": course.told.get(start, {}), "whole": start in course.whole}
                self._tell(worker, {"of": [course.number, start], **asked})
        for worker in idle:
            if worker.course not in courses or not worker.course.open:
                waiting = [one.course for one in idle]
                more = next((course for course in courses if waiting.count(course) < course.open), None)
                if more is not None:
                    self._load(worker, more)

    def _load(self, worker: _Worker, course: Course) -> None:
        if worker.course is not course:
            worker.course, worker.ready = course, False
            self._tell(worker, {"of": [course.number, LOADING], **self._case_of(course.task, worker)})

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
        loaded: dict[str, Json] = {"options": self.options}
        if task.loaded_by is not None:
            loaded = {"loader": task.loaded_by.module, "options": {**self.options, **task.loaded_by.options}}
        device = self.device_of(task.device, worker.number)
        return {"case": asdict(task.case), "device": device, **loaded, **named}

    def _tell(self, worker: _Worker, message: Mapping[str, Json]) -> None:
        with suppress(Lost):  # which its thread tells, as its pipe ends
            worker.process.written(lambda pipe: send(pipe, message))

    def _hear(self, worker: _Worker, message: Heard) -> None:
        """Take note of what a process sent, or that it is lost."""
        if worker not in self._workers:
            return
        if isinstance(message, GfpbenchError):
            raise message
        if isinstance(message, BrokenMessage):
            self._lost(worker, message)
            return
        told, levels = message
        number, start = told["of"]
        mine = worker.course is not None and worker.course.number == number
        if mine and told.keys() & {"measured", "error", "broken"}:
            worker.start = None
            if start == LOADING:
                worker.course = None
        course = next((one for one in self._courses() if one.number == number), None)
        if course is None:  # which ended before its time
            return
        if "key" in told:
            worker.ready, worker.warm = worker.ready or mine, True
            try:
                self._compare(told["key"], course.task, worker.process.where)
            except GfpbenchError as error:
                course.fail(LOADING, error)
        elif "cut" in told:
            course.cut(start, told["cut"])
        elif "measured" in told:
            from gfpbench.run.worker import images_of

            course.files.setdefault(start, {}).update(told["files"])
            course.answers[start] = from_json(told["measured"]), images_of(told["images"], levels), {}
        else:
            broken = RuntimeError(f"in {worker.process.where}:\n{told.get('broken')}")
            course.fail(start, error_from_json(told["error"]) if "error" in told else broken)

    def _compare(self, key: Mapping[str, Json], task: Task, where: str) -> None:
        """Raises GfpbenchError where a process would measure something else than this one."""
        mine = json.loads(dumps({**task.header, _FILES: None}))
        if differing := changed_fields(mine, {**key, _FILES: None}):
            raise GfpbenchError(
                f"{task.case.restorer!r} is not the same in {where} ({', '.join(differing)}): "
                f"measure it without {self.without}"
            )

    def _lost(self, worker: _Worker, message: BrokenMessage) -> None:
        """Have its batch measured by another, unless the process ended by itself or one batch has cost too many."""
        self._workers.remove(worker)
        how, code = worker.process.how_it_ended(), worker.process.ended_with()
        worker.process.end()
        if "pipe ended" not in str(message):
            how = f"its process sent {message}"
        start = worker.start if worker.ready else None
        line = f"a worker is lost{'' if start is None else f' with the batch that begins at face {start + 1}'}: {how}"
        course = self._now if worker.course is None else worker.course
        if course in self._courses():
            assert course is not None
            idle = worker.ready and start is None  # then no batch is the cause
            innocent, itself = idle or isinstance(message, MachineLost), code is not None and code >= 0
            if not course.lost(LOADING if start is None else start, line, innocent=innocent, itself=itself):
                return
            if worker.start is not None:
                course.again(worker.start)
        _log.warning("%s; another takes its place", line)


_FILES = "restorer's files"
"""Of the key: what a restorer read while it was imported is told once a process, whichever case came first."""
