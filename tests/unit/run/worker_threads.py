"""Worker processes that are threads, so that tests need not wait for them to start; and what they measure."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
import pytest
import torch

from gfpbench import run
from gfpbench.restorers.opened_files import Opened
from gfpbench.run import child_process, worker, workers
from gfpbench.types import Case, Progress, Result

OPTIONS: dict[str, Any] = {
    "metrics": ["psnr_rgb", "ssim_rgb"],
    "protocols": (),
    "isolate": False,
    "seconds_per_image": None,
}
MODELS = """
    import time
    from pathlib import Path
    import cv2, numpy as np
    from gfpbench.restorers import from_array_function
    from gfpbench.types import RestorationFailed

    HERE = Path(__file__).parent

    def blurred(rgb):
        if (HERE / "slow").exists():
            time.sleep(0.04)
        return cv2.GaussianBlur(rgb, (5, 5), 1.5)

    def repeating(rgb):
        if rgb[0, 0, 0] % 2:
            return blurred(rgb)
        return np.random.default_rng(int(rgb[0, 0, 0]) // 2 % 2).integers(0, 256, rgb.shape, np.uint8)

    def dying(rgb):
        if (HERE / "kill").exists() and rgb.shape[0] == 64:
            from tests.unit.run.worker_threads import Killed
            raise Killed
        return blurred(rgb)

    def dying_once(rgb):
        if (HERE / "kill").exists() and rgb.shape[0] == 64:
            (HERE / "kill").unlink()
            from tests.unit.run.worker_threads import Killed
            raise Killed
        return blurred(rgb)

    def reading(rgb):
        (HERE / f"{rgb[0, 0, 0] % 5}.txt").read_bytes()
        return blurred(rgb)

    def refusing(rgb):
        if rgb[0, 0, 0] % 8 == 0:
            raise RestorationFailed("refused")
        return blurred(rgb)

    repeats, dies, reads, slow = map(from_array_function, (repeating, dying, reading, blurred))
    dies_once, refuses = map(from_array_function, (dying_once, refusing))
"""

MODULES = ("worker_models", "slow_models")
"""What the models are called; the second for a process that has imported neither."""


class Killed(KeyboardInterrupt):
    """What ends a thread as SIGKILL ends a process."""


class InThread:
    """In place of ``ChildProcess``: the same messages over the same pipes."""

    where = child_process.ChildProcess.where

    def __init__(self, module: str, deliver: Callable[[Any], None]) -> None:
        assert module == "gfpbench.run.worker"
        incoming, outgoing = os.pipe(), os.pipe()
        self.pipe: IO[bytes] = os.fdopen(incoming[1], "wb")
        self.pid = 0
        self._thread = threading.Thread(
            target=self._serve, args=(os.fdopen(incoming[0], "rb"), os.fdopen(outgoing[1], "wb")), daemon=True
        )
        self._thread.start()
        threading.Thread(target=_heard, args=(os.fdopen(outgoing[0], "rb"), deliver), daemon=True).start()

    def _serve(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        with suppress(Killed), incoming, outgoing:
            worker.serve(incoming, outgoing)

    def written(self, write: Callable[[IO[bytes]], None]) -> None:
        write(self.pipe)

    def hang_up(self) -> None:
        self.pipe.close()

    def ended_with(self) -> int:
        return -9

    def how_it_ended(self) -> str:
        return "its process was ended by signal 9 (Killed)"

    def end(self) -> None:
        self.pipe.close()
        self._thread.join(60)


def _heard(pipe: IO[bytes], deliver: Callable[[Any], None]) -> None:
    with pipe:
        child_process._read(pipe, deliver)


@contextmanager
def threads_for_processes(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """While active, workers are threads."""
    opencv, watching = cv2.getNumThreads(), Opened.watching

    @contextmanager
    def of_this_thread(self: Any) -> Iterator[None]:
        self.thread = threading.get_ident()
        with watching(self):
            yield

    def note(self: Any, path: str, flags: int, note: Any = Opened.note) -> None:
        if self.thread == threading.get_ident():  # a process sees nothing of what the others open
            note(self, path, flags)

    loading, loader = threading.Lock(), worker._Worker._loader

    def alone(self: Any, module: str) -> Callable[..., Any]:
        load = loader(self, module)

        def load_alone(*given: Any, **named: Any) -> Any:
            with loading:  # Python's parser is not made for two threads at once
                return load(*given, **named)

        return load_alone

    patch.setattr(worker._Worker, "_loader", alone)
    patch.setattr(Opened, "watching", of_this_thread)
    patch.setattr(Opened, "note", note)
    patch.setattr(workers, "ChildProcess", InThread)
    patch.setattr(worker._Worker, "end", lambda self: None)
    try:
        yield
    finally:
        cv2.setNumThreads(opencv)


@contextmanager
def one_thread() -> Iterator[None]:
    """What ``--workers`` gives each process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def write_inputs(folder: Path) -> None:
    """22 faces of two sizes, one of which is torn, and models beside them."""
    (folder / "faces").mkdir()
    generator = np.random.default_rng(0)
    for number in range(22):
        side = 64 if 12 <= number < 17 else 72
        coarse = generator.integers(30, 220, (8, 8, 3), np.uint8)
        image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / "faces" / f"{number:02d}.png"), image)
    (folder / "faces" / "04.png").write_bytes(b"\x89PNG torn")
    for name in MODULES:
        (folder / f"{name}.py").write_text(textwrap.dedent(MODELS))
    for number in range(5):
        (folder / f"{number}.txt").write_text(str(number))


@contextmanager
def inputs_in(folder: Path) -> Iterator[Path]:
    """``folder`` with faces and models, which can be imported while this is active; torch has one thread."""
    write_inputs(folder)
    sys.path.insert(0, str(folder))
    try:
        with one_thread():
            yield folder
    finally:
        sys.path.remove(str(folder))
        for name in MODULES:
            sys.modules.pop(name, None)


def measured(
    store: Path,
    inputs: Path,
    restorer: str,
    pool: run.Workers | None,
    progress: Progress | None = None,
    limit: int | None = None,
) -> Result:
    """The faces of ``inputs``, in batches of three; by the processes of ``pool``, or here."""
    case = Case(str(inputs / "faces"), "paper", restorer, limit=limit)
    loaded = run.load(case, device="cpu", **(OPTIONS if pool is None else pool.options))
    return run.run_case(case, loaded, store=store, batch_size=3, keep_images=5, progress=progress, workers=pool)


def files_of(store: Path) -> dict[str, bytes]:
    """Every file that a run leaves, but for those that say when it was."""
    paths = {path for path in store.rglob("*") if path.is_file() and path.name not in {"timing.json", ".lock"}}
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in paths}


def check_same_files(folder: Path, inputs: Path, restorer: str, count: int = 2) -> None:
    """Several processes leave what one leaves."""
    measured(folder / "one", inputs, restorer, None)
    with run.Workers(count, OPTIONS) as pool:
        measured(folder / "several", inputs, restorer, pool)
    assert files_of(folder / "several") == files_of(folder / "one")
