"""A restorer in a process of its own: one that hangs, crashes or ends its process costs its images, not the run."""

from __future__ import annotations

import contextlib
import queue
import sys
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from gfpbench.devices import repeatable
from gfpbench.images import moved, select
from gfpbench.lazy import LazyModule
from gfpbench.restorers import arithmetic
from gfpbench.restorers.checked import attempted, is_opaque
from gfpbench.run.child_process import ChildProcess, Lost, Message
from gfpbench.run.messages import (
    BrokenMessage,
    attempt_of,
    error_from_json,
    error_to_json,
    receive,
    send,
    send_attempt,
    send_batch,
)
from gfpbench.types import AssetMissing, BadInput, GfpbenchError, ImageBatch, Json, RestorationFailed, SaysWhatIsFaster

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

SECONDS_PER_IMAGE = 120.0
"""How long an image may take; a batch of 8 takes 8 times as long at most."""
LOADING_SECONDS = 600.0
"""How long loading may take, or as long as an image where that is longer."""
LOSSES_AT_MOST = 3
"""After so many lost processes in a row the remaining images are not tried: each loss may cost the whole time."""


class Isolated:
    """A restorer that runs in another process, with the same answers to the last bit as in this one.

    The process is started again where it was lost. A batch that was lost with it is tried image by image, so that one
    bad image costs no other.

    Args:
        spec: as for ``restorers.load``, or ``photo:`` and such.
        device: where it works.
        seconds_per_image: how long an image may take; a batch as many times longer as it has images.

    Raises:
        BadInput: where the restorer cannot be loaded, or its process is lost while it is.
        AssetMissing: where weights have to be fetched first.
    """

    def __init__(self, spec: str, *, device: str = "cpu", seconds_per_image: float = SECONDS_PER_IMAGE) -> None:
        if not seconds_per_image > 0:
            raise BadInput(f"{seconds_per_image:g} s leave no time to restore an image in")
        self.spec, self.device, self.seconds_per_image = spec, device, seconds_per_image
        self._losses, self._last_loss = 0, ""
        self._process: _Process | None = None
        self._files: dict[str, str] = {}
        told = self._started().told
        self.name: str = told["name"]
        self.opaque: bool = told["opaque"]

    def provenance(self) -> Mapping[str, Json]:
        """What identifies it: the restorer's own, asked for anew, because files may have changed."""
        try:
            process = self._started()
            process.send({"provenance": None})
            told = process.answer(LOADING_SECONDS)[0]
            record: dict[str, Json] = told["provenance"]
            self._files.update(told["files_read"])
        except (Lost, BrokenMessage, KeyError) as error:
            self.close()
            raise BadInput(f"restorer {self.spec!r} cannot say what it is: {error}") from error
        return record

    def files_read(self) -> Mapping[str, str]:
        """Path -> sha256 of the files that it was seen to read so far; what a lost process had not told is lost."""
        if self._process is not None:
            with contextlib.suppress(BadInput):  # lost just now: its images have failed
                self.provenance()
        return dict(self._files)

    def attempt(self, degraded: ImageBatch) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
        """(3, H, W) pixels for each image that was restored, and the reason for each that was not."""
        if self._losses >= LOSSES_AT_MOST:
            reason = f"not tried: its process was lost {self._losses} times in a row; the last time {self._last_loss}"
            return {}, dict.fromkeys(degraded.ids, reason)
        try:
            process = self._started()
            process.send_batch(degraded)
            pixels, reasons = attempt_of(*process.answer(self.seconds_per_image * len(degraded)), degraded.ids)
        except (Lost, BrokenMessage, BadInput, AssetMissing) as error:
            self.close()
            self._losses, self._last_loss = self._losses + 1, str(error)
            if len(degraded) == 1:
                return {}, {degraded.ids[0]: str(error)}
            pixels, reasons = {}, {}
            for index in range(len(degraded)):
                alone, why = self.attempt(select(degraded, [index]))
                pixels |= alone
                reasons |= why
            return pixels, reasons
        self._losses = 0
        return {name: values.to(degraded.pixels.device) for name, values in pixels.items()}, reasons

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        """Restore a batch. Raises RestorationFailed where one image fails."""
        pixels, reasons = self.attempt(degraded)
        if reasons:
            raise RestorationFailed(next(iter(reasons.values())))
        return ImageBatch(torch.stack([pixels[name] for name in degraded.ids]), degraded.ids)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.end()
        self._process = None

    def kill(self) -> None:
        """End the process, without waiting for it: for a process that ends itself next."""
        if self._process is not None:
            self._process.kill()

    def _started(self) -> _Process:
        if self._process is None:
            self._process = _Process()
            told = {"restorer": self.spec, "device": self.device, "threads": torch.get_num_threads()}
            try:
                self._process.send(told)
                self._process.told = self._process.answer(max(LOADING_SECONDS, self.seconds_per_image))[0]
            except (Lost, BrokenMessage) as error:
                self.close()
                raise BadInput(f"restorer {self.spec!r} cannot be loaded: {error}") from error
            if "error" in self._process.told:
                error_there = error_from_json(self._process.told["error"])
                self.close()
                raise error_there
        return self._process


class _Process:
    """The other process, and what it answered."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self._answers: queue.Queue[Message | BrokenMessage] = queue.Queue()
        self._child = ChildProcess("gfpbench.run.isolated", self._answers.put)

    def send(self, header: Mapping[str, Json]) -> None:
        self._child.written(lambda pipe: send(pipe, header))

    def send_batch(self, batch: ImageBatch) -> None:
        threads, way = torch.get_num_threads(), arithmetic.way_now()
        self._child.written(lambda pipe: send_batch(pipe, batch, threads=threads, way=way))

    def answer(self, seconds: float) -> Message:
        """The next message. Raises Lost where none comes in time or ever, BrokenMessage where it makes no sense."""
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            faster = self.told.get("faster_with")
            hint = f"; with ?{faster} behind its name it sees smaller images, and is faster" if faster else ""
            raise Lost(f"it gave no answer within {seconds:g} s and was ended (--seconds-per-image){hint}") from None
        if isinstance(answer, BrokenMessage):
            if "pipe ended" in str(answer):
                raise Lost(self._child.how_it_ended()) from answer
            raise answer
        return answer

    def kill(self) -> None:
        self._child.kill()

    def end(self) -> None:
        self._child.end()


def serve(incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    """Load the restorer that the first message names, then answer one batch after the other until the pipe ends."""
    from gfpbench.run.guarded import load_restorer
    from gfpbench.run.key import read_by
    from gfpbench.run.parts import plain

    told, _ = receive(incoming)
    torch.set_num_threads(told["threads"])
    try:
        restorer = load_restorer(told["restorer"], told["device"])
        provenance = plain(restorer.provenance(), "the restorer's provenance")
    except GfpbenchError as error:
        send(outgoing, {"error": {**error_to_json(error), "bad_input": True}})  # one that cannot be loaded
        return
    faster = restorer.faster_with if isinstance(restorer, SaysWhatIsFaster) else ""
    about = {"name": restorer.name, "provenance": provenance, "opaque": is_opaque(restorer), "faster_with": faster}
    send(outgoing, about)
    while True:
        try:
            asked, pixels = receive(incoming)
        except BrokenMessage:  # nobody asks any more
            return
        if pixels is None:
            provenance = plain(restorer.provenance(), "the restorer's provenance")
            send(outgoing, {"provenance": provenance, "files_read": dict(read_by(restorer))})
            continue
        torch.set_num_threads(asked["threads"])
        with repeatable(), arithmetic.computed(asked["way"]):
            answer, reasons = attempted(restorer, moved(ImageBatch(pixels, tuple(asked["ids"])), told["device"]))
        sys.stdout.flush()  # what it printed is seen even if this process is killed
        send_attempt(outgoing, answer, reasons)
