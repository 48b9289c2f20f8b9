"""A restorer in a process of its own: one that hangs, crashes or ends its process costs its images, not the run."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from gfpbench.devices import repeatable
from gfpbench.images import moved, select
from gfpbench.lazy import LazyModule
from gfpbench.restorers import arithmetic
from gfpbench.restorers.checked import attempted, is_opaque
from gfpbench.run.messages import BrokenMessage, attempt_of, receive, send, send_attempt, send_batch
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

_PROGRAM = """
import json, os, sys
incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
nowhere = os.open(os.devnull, os.O_RDONLY)
os.dup2(nowhere, 0)
os.close(nowhere)
os.dup2(2, 1)
sys.path[:] = json.loads(sys.argv.pop())
from gfpbench.run.isolated import serve
serve(incoming, outgoing)
"""
# Before anything else is imported, standard input and output are moved out of reach: whatever a restorer prints, itself
# or through a process of its own, goes to standard error, and input() finds nothing.


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
        except (_Lost, BrokenMessage, KeyError) as error:
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
        except (_Lost, BrokenMessage, BadInput, AssetMissing) as error:
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

    def _started(self) -> _Process:
        if self._process is None:
            self._process = _Process()
            told = {"restorer": self.spec, "device": self.device, "threads": torch.get_num_threads()}
            try:
                self._process.send(told)
                self._process.told = self._process.answer(max(LOADING_SECONDS, self.seconds_per_image))[0]
            except (_Lost, BrokenMessage) as error:
                self.close()
                raise BadInput(f"restorer {self.spec!r} cannot be loaded: {error}") from error
            if "error" in self._process.told:
                told = self._process.told
                self.close()
                raise _load_error(told)
        return self._process


def _load_error(told: Mapping[str, Json]) -> BadInput | AssetMissing:
    if "missing" not in told:
        return BadInput(told["error"])
    asset, needed_by = told["missing"]
    error = AssetMissing(asset, needed_by)
    error.args = (told["error"],)  # that of a package says how to install it
    return error


class _Lost(Exception):
    """The process ended, or gave no answer in time. The text says which, for a person."""


class _Process:
    """The other process, and a thread that reads from it: a pipe can be waited for with a limit in no other way that
    works everywhere."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self._child = subprocess.Popen(
            (sys.executable, "-c", _PROGRAM, json.dumps(sys.path)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # so that its own children end with it
        )
        self._answers: queue.Queue[tuple[dict[str, Json], torch.Tensor | None] | BrokenMessage] = queue.Queue()
        threading.Thread(target=_read, args=(self._child.stdout, self._answers), daemon=True).start()
        self._finalizer = weakref.finalize(self, _kill, self._child)

    def send(self, header: Mapping[str, Json]) -> None:
        assert self._child.stdin is not None
        self._written(lambda pipe: send(pipe, header))

    def send_batch(self, batch: ImageBatch) -> None:
        threads, way = torch.get_num_threads(), arithmetic.way_now()
        self._written(lambda pipe: send_batch(pipe, batch, threads=threads, way=way))

    def _written(self, write: Any) -> None:
        try:
            write(self._child.stdin)
        except (BrokenPipeError, OSError) as error:
            raise _Lost(self._ended()) from error

    def answer(self, seconds: float) -> tuple[dict[str, Json], torch.Tensor | None]:
        """The next message. Raises _Lost where none comes in time or ever, BrokenMessage where it makes no sense."""
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            faster = self.told.get("faster_with")
            hint = f"; with ?{faster} behind its name it sees smaller images, and is faster" if faster else ""
            raise _Lost(f"it gave no answer within {seconds:g} s and was ended (--seconds-per-image){hint}") from None
        if isinstance(answer, BrokenMessage):
            if "pipe ended" in str(answer):
                raise _Lost(self._ended()) from answer
            raise answer
        return answer

    def _ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(5)
        code = self._child.returncode
        if code is None:
            return "its process closed its output, and was ended"
        if code < 0:
            return f"its process was ended by signal {-code} ({signal.strsignal(-code)})"
        return f"its process ended with status {code} before it had answered"

    def end(self) -> None:
        self._finalizer()


def _read(pipe: Any, answers: queue.Queue[Any]) -> None:
    while True:
        try:
            answers.put(receive(pipe))
        except (BrokenMessage, ValueError, OSError) as error:
            answers.put(error if isinstance(error, BrokenMessage) else BrokenMessage("the pipe ended"))
            return


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(10)
    for pipe in (child.stdin, child.stdout):
        with contextlib.suppress(OSError, ValueError):
            if pipe is not None:
                pipe.close()


def serve(incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    """Load the restorer that the first message names, then answer one batch after the other until the pipe ends."""
    from gfpbench.run.key import read_by
    from gfpbench.run.parts import load_restorer, plain

    told, _ = receive(incoming)
    torch.set_num_threads(told["threads"])
    try:
        restorer = load_restorer(told["restorer"], told["device"])
        provenance = plain(restorer.provenance(), "the restorer's provenance")
    except AssetMissing as error:
        send(outgoing, {"missing": [error.asset, error.needed_by], "error": str(error)})
        return
    except GfpbenchError as error:
        send(outgoing, {"error": str(error)})
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
