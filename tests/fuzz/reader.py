"""A process that opens files of networks, one after the other: a compiled parser may end it, and that is counted.

Run as a program it is that process: it reads specs of restorers from standard input and writes what became of each.
"""

from __future__ import annotations

import json
import math
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

SECONDS_TO_START = 300.0
PROGRAM = f"import runpy; runpy.run_path({str(Path(__file__))!r}, run_name='__main__')"
"""Not the file itself: a test that uses ``forked_processes`` forks code, and nobody waits for torch again and again."""
MEMORY_BYTES = 24 << 30
"""Of addresses, most of which torch reserves and never touches. What asks for terabytes is refused by the system."""


class Reader:
    """The other process, started when it is first needed and again where a file has ended it.

    Args:
        warm: a spec whose loading brings in what is slow to import; it is not counted in any limit.
        modules: a folder of Python modules that specs may name.
    """

    def __init__(self, warm: str, modules: Path) -> None:
        self.warm, self.modules = warm, modules
        self._process: subprocess.Popen[bytes] | None = None
        self._answers = -1

    def ask(self, spec: str, seconds: float) -> dict[str, Any]:
        """What became of one spec: ``refused``, or ``failures`` and ``wrong``, or ``traceback``, or the status with
        which the process ``ended``; beside it what was ``said`` on standard error and the ``seconds`` it computed.

        Args:
            spec: of a restorer.
            seconds: of processor time, and by the clock ``TIMES_BY_THE_CLOCK`` as many.

        Raises:
            AssertionError: where there is no answer in time.
        """
        if self._process is None:
            self._start()
        return self._asked(spec, seconds)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            os.close(self._answers)
            self._said.close()
            self._process = None

    def _start(self) -> None:
        mine, theirs = os.pipe()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            (sys.executable, "-P", "-c", PROGRAM, str(theirs)),
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=self._said,
            pass_fds=(theirs,),
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.modules)},
        )
        os.close(theirs)
        self._answers = mine
        answer = self._asked(self.warm, SECONDS_TO_START)
        assert answer.get("failures") == {}, answer
        assert answer["wrong"] == "", answer

    def _asked(self, spec: str, seconds: float) -> dict[str, Any]:
        from tests.fuzz.outcome import TIMES_BY_THE_CLOCK  # not where this is a program

        assert self._process is not None
        assert self._process.stdin is not None
        start = self._said.seek(0, os.SEEK_END)
        try:
            self._process.stdin.write(json.dumps([spec, seconds]).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its end is read below
        line = self._line(seconds * TIMES_BY_THE_CLOCK)
        self._said.seek(start)
        said = self._said.read().decode("utf-8", "replace")
        if line:
            return {**json.loads(line), "said": said}
        code = self._process.wait(30)
        self.close()
        assert code != -signal.SIGXCPU, f"no answer within {seconds:g} s of processor time"
        return {"ended": code, "said": said}

    def _line(self, seconds: float) -> bytes:
        line = b""
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._answers, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not waiting.select(seconds):
                    self.close()
                    raise AssertionError(f"no answer within {seconds:g} s")
                piece = os.read(self._answers, 1 << 16)
                if not piece:
                    return b""
                line += piece
        return line


def serve(answers: int) -> None:
    """In the other process: load and use what is asked for, until nobody asks any more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for line in sys.stdin:
        spec, seconds = json.loads(line)
        began = time.process_time()
        # Its end is SIGXCPU, whatever compiled code is doing then.
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(began + seconds), resource.RLIM_INFINITY))
        try:
            answer = tried(spec)
        except BaseException:  # noqa: BLE001 - whatever comes through is what was looked for
            answer = {"traceback": traceback.format_exc()}
        sys.stdout.flush()
        answer["seconds"] = time.process_time() - began
        os.write(answers, json.dumps(answer).encode() + b"\n")


def tried(spec: str) -> dict[str, Any]:
    """Load a restorer and restore two images with it, as a run does."""
    import torch

    from gfpbench.restorers import checked, load
    from gfpbench.types import GfpbenchError, ImageBatch

    pixels = torch.rand((2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    given = ImageBatch(pixels, ("a", "b"))
    try:
        restored, failures = checked(load(spec), given)
    except GfpbenchError as error:
        return {"refused": str(error)}
    kept = {} if restored is None else dict(zip(restored.ids, restored.pixels, strict=True))
    if sorted([*kept, *failures]) != ["a", "b"]:
        return {"failures": failures, "wrong": "an image is in neither list, or in both"}
    wrong = [name for name, values in kept.items() if not bool(((values >= 0) & (values <= 1)).all())]
    if kept and not wrong:
        form, _, path = spec.partition(":")
        expected = by_itself(form, path, pixels * 2 - 1)
        if expected is not None:
            both = [(kept[name], (expected[place] + 1) / 2) for place, name in enumerate(given.ids) if name in kept]
            wrong = ["it is not what the network answers"] * any((a - b).abs().max() > 1e-5 for a, b in both)
    return {"failures": failures, "wrong": "; ".join(wrong)}


def by_itself(form: str, path: str, images: Any) -> Any:
    """What the network answers when it is called without gfpbench; None where its signature is no longer the plain one
    of the good files, so that gfpbench converts what goes in or comes out."""
    import torch

    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        inputs, outputs = session.get_inputs(), session.get_outputs()
        plain = [(one.type, len(one.shape), one.shape[1:2]) for one in inputs] == [("tensor(float)", 4, [3])]
        if not plain or len(outputs) != 1 or any(isinstance(side, int) for side in inputs[0].shape[2:]):
            return None
        answer = torch.from_numpy(session.run(None, {inputs[0].name: images.numpy()})[0])
    elif form == "torchscript":
        module = torch.jit.load(path).eval()
        with torch.no_grad(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            answer = module(images)
    else:
        with torch.no_grad():
            answer = torch.export.load(path).module()(images)
    same = isinstance(answer, torch.Tensor) and answer.dtype == torch.float32 and answer.shape == images.shape
    return answer if same else None


if __name__ == "__main__":
    serve(int(sys.argv[1]))
