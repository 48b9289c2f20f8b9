"""One of several processes that measure batches of one run: loads what a case names, then answers batch by batch."""

from __future__ import annotations

import importlib
import os
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

import cv2

from gfpbench import images
from gfpbench.devices import repeatable
from gfpbench.lazy import LazyModule
from gfpbench.restorers.checked import Seen
from gfpbench.run.batches import batches
from gfpbench.run.case import KEPT_WORST
from gfpbench.run.engine import Measured, Pass
from gfpbench.run.isolated import Isolated
from gfpbench.run.key import key_of, read_by
from gfpbench.run.messages import BrokenMessage, error_to_json, receive, send
from gfpbench.run.parts import Parts, load
from gfpbench.run.recorder import KINDS, Features, Kept
from gfpbench.run.shared import SharedFaces, SharedInputs
from gfpbench.types import Case, GfpbenchError, ImageBatch, Json

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

Answer: TypeAlias = Callable[..., None]
"""Sends a header, and (B, 3, H, W) levels where there are any, to the process that asked."""


def serve(incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    """Measure the batches that are asked for, until the pipe ends; then this process ends itself and its children.

    Asked is ``{"case": ...}`` (``workers.Task``) once, then ``{"start": N, "seen": ..., "whole": ...}`` for each
    batch; ``whole`` where all of its images are wanted. Answered is ``{"key": ...}`` once, and for a batch
    ``{"cut": STOP}`` as soon as its faces are decoded, so that another process can begin with the next one, and then
    ``{"measured": ...}`` with the images that may be kept of it. Every answer has the ``of`` of what was asked.
    """
    told, _ = receive(incoming)
    torch.set_num_threads(told["threads"])
    cv2.setNumThreads(told["opencv_threads"])
    worker, tasks = _Worker(), queue.SimpleQueue[dict[str, Json] | None]()
    threading.Thread(target=_listen, args=(incoming, tasks, worker), daemon=True).start()
    while (task := tasks.get()) is not None:
        answer = partial(_answer, outgoing, task["of"])
        try:
            worker.do(task, answer)
        except GfpbenchError as error:
            answer({"error": error_to_json(error)})
        except Exception:  # noqa: BLE001 - told to the process that asked, which ends the run with it
            answer({"broken": traceback.format_exc()})


def _answer(outgoing: IO[bytes], of: Json, told: Mapping[str, Json], pixels: torch.Tensor | None = None) -> None:
    send(outgoing, {**told, "of": of}, pixels)


def _listen(incoming: IO[bytes], tasks: queue.SimpleQueue[dict[str, Json] | None], worker: _Worker) -> None:
    """Hand on what is asked. Where nobody asks any more, whatever is being measured is no longer wanted."""
    try:
        while True:
            tasks.put(receive(incoming)[0])
    except (BrokenMessage, OSError):
        tasks.put(None)
        worker.end()


class _Worker:
    """What is loaded for the case that is measured, and what was sent of it."""

    def __init__(self) -> None:
        self._shared = SharedInputs()
        self._loaders: dict[str, Callable[..., Parts]] = {}
        self._case: _Loaded | None = None

    def do(self, task: Mapping[str, Json], answer: Answer) -> None:
        if "case" in task:
            self._case = None  # its memory is free before the next one needs it
            self._case = _Loaded(task, self._loader(task.get("loader", "")), self._shared)
            answer({"key": self._case.key})
        elif self._case is not None:  # else it could not be loaded, which is told already
            self._case.measure(task["start"], task["seen"], answer, whole=task.get("whole", False))

    def _loader(self, module: str) -> Callable[..., Parts]:
        """What loads the parts of a case: ``parts.load``, or what a module of this package has for that."""
        if not module:
            return load
        if module not in self._loaders:
            self._loaders[module] = importlib.import_module(module).loader()
        return self._loaders[module]

    def end(self) -> None:
        """End at once, with every process that was started for a model."""
        if self._case is not None and isinstance(self._case.parts.restorer, Isolated):
            self._case.parts.restorer.kill()  # without a pause, in which the other thread would start the next one
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)  # this process leads a group of its own
        os._exit(1)


class _Loaded:
    """A case with its parts, and which of its images the caller may need."""

    def __init__(self, task: Mapping[str, Json], load: Callable[..., Parts], shared: SharedInputs) -> None:
        self.case, device = Case(**task["case"]), task["device"]
        self.parts = load(self.case, device=device, shared=shared, **task["options"])
        self.size, keep = task["batch_size"], task["keep_images"]
        self.key = key_of(self.case, self.parts, device=device, batch_size=self.size, keep_images=keep)
        folder, metrics = Path(task["folder"]), {one.name: {"better": one.better} for one in self.parts.metrics}
        # Of every batch but the last so far, rows are missing that others measured: this keeps no image less than the
        # caller will, whose choice is among more rows. But a row that fails only beside an earlier batch may have taken
        # the place of another here: the caller then asks for all images of that batch (``Lacks``).
        count, seed = len(self.parts.ids(self.case)), self.case.seed
        self._kept = Kept(folder, keep, KEPT_WORST, metrics, images=count, seed=seed)
        self._run = Pass(self.parts, seed, device, self._kept, Features(folder), Seen())
        self._last = -1
        self._files = set(read_by(self.parts.restorer).items())

    def measure(self, start: int, seen: Mapping[str, tuple[str, str]], answer: Answer, *, whole: bool) -> None:
        """One batch. ``seen``: of the images that earlier batches gave, those that this one is known to give too."""
        faces, ids = SharedFaces(self.parts.faces, self.parts.shared), self.parts.ids(self.case)
        batch = next(batches(faces, ids, self.size, start))
        answer({"cut": batch.stop})
        self._run.seen.images.clear()  # whatever this process had before: the caller compares with all batches
        self._run.seen.images.update({one: (given, name) for one, (given, name) in seen.items()})
        with repeatable():
            line, measured = self._run.measured(batch)
        wanted = None
        if start > self._last:
            self._kept.add(line.rows)
            self._last, wanted = start, None if whole else self._kept.ids
        files = set(read_by(self.parts.restorer).items()) - self._files
        self._files |= files
        names, levels = _shown(measured, wanted)
        answer({"measured": line.to_json(), "images": names, "files": dict(files)}, levels)


def _shown(measured: Measured, wanted: set[str] | None) -> tuple[dict[str, list[str]], torch.Tensor | None]:
    """The images of these names, all of them where None: names by kind, and (B, 3, H, W) levels in that order."""
    names: dict[str, list[str]] = {}
    levels: list[torch.Tensor] = []
    for kind, batch in measured.images.items():
        chosen = [] if batch is None else [n for n, one in enumerate(batch.ids) if wanted is None or one in wanted]
        if batch is not None and chosen:
            levels.append(images.to_uint8(batch)[chosen])
            names[kind] = [batch.ids[number] for number in chosen]
    return names, torch.cat(levels) if levels else None


def images_of(names: Mapping[str, list[str]], levels: torch.Tensor | None) -> dict[str, ImageBatch | None]:
    """The images of a ``measured`` answer, by kind; None where there are none."""
    found: dict[str, ImageBatch | None] = dict.fromkeys(KINDS)
    for kind, ids in names.items():
        if levels is None or len(levels) < len(ids):
            raise BrokenMessage("an answer without its images")
        found[kind], levels = images.from_levels(levels[: len(ids)], tuple(ids)), levels[len(ids) :]
    return found
