"""Peak memory of a restorer: of the GPU's allocator, or of a process that does nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gfpbench.devices import repeatable
from gfpbench.lazy import LazyModule
from gfpbench.speed.stopwatch import one_thread
from gfpbench.speed.workload import degraded_batch, load_restorer, reference_workload
from gfpbench.types import Case, RestorationFailed

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

MIB = 2**20
CALLS = 2
PROCESSES = 2
# Nothing is imported out of the folder where the command was typed, unless it is in PYTHONPATH.
START = (
    "-P",
    "-c",
    "import sys; from gfpbench.speed.memory import in_this_process; in_this_process(*sys.argv[1:])",
)


@dataclass(frozen=True, slots=True)
class Memory:
    """The most memory from loading a restorer to its second call, in MiB above what was in use before.

    ``peak_mib`` is None where that could not be measured; ``note`` says why, or how it was measured.
    """

    peak_mib: float | None
    note: str


class MemoryGauge(Protocol):
    """Measures what a case's restorer needs for a batch of so many images."""

    def __call__(self, case: Case, batch_size: int) -> Memory: ...


def in_a_process(case: Case, batch_size: int) -> Memory:
    """On a CPU: the resident memory of a process of its own, started for this.

    Two processes are measured and the smaller figure kept: an allocator may hold back memory, and never gives too much.

    Raises:
        RestorationFailed: where the process ends without an answer, with its last line.
    """
    if not Path("/proc/self/status").exists():
        return Memory(None, "peak memory of a CPU is read from /proc, which this system lacks")
    peaks = [_in_a_process(case, batch_size) for _ in range(PROCESSES)]
    return Memory(min(peaks), "resident memory of a process of its own")


def _in_a_process(case: Case, batch_size: int) -> float:
    with tempfile.TemporaryDirectory(prefix="gfpbench-") as folder:
        answer = Path(folder) / "memory.json"
        asked = json.dumps({"case": asdict(case), "batch_size": batch_size})
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),  # as here: a test adds folders of its own
            # Large pieces go back to the system as soon as they are free, so that the peak is of what was in use.
            "MALLOC_MMAP_THRESHOLD_": "65536",
            "MALLOC_ARENA_MAX": "1",
        }
        printed = Path(folder) / "printed.txt"
        with printed.open("wb") as file:  # not a pipe: a service that the restorer starts may keep one open for ever
            ended = subprocess.run(
                [sys.executable, *START, asked, str(answer)],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=file,
                check=False,
            )
        if not answer.exists():
            said = printed.read_text(encoding="utf-8", errors="replace").splitlines()
            lines = [line for line in said if line.strip()] or [f"exit code {ended.returncode}"]
            raise RestorationFailed(
                f"{case.restorer}: the process that measures its memory ended without an answer: {lines[-1].strip()}"
            )
        return float(json.loads(answer.read_text())["peak_mib"])


def in_this_process(asked: str, answer: str) -> None:
    """What ``in_a_process`` starts: restores one batch twice and writes ``{"peak_mib": ...}``, the most it held.

    Args:
        asked: the case and the size of the batch, as JSON.
        answer: the file to write.
    """
    wanted = json.loads(asked)
    case = Case(**wanted["case"])
    batch = degraded_batch(case, wanted["batch_size"])
    with repeatable(), one_thread():
        reference_workload("cpu")()  # what torch sets up at its first convolution is nobody's
        floor = _begin()
        restorer = load_restorer(case, "cpu")
        for _ in range(CALLS):
            restorer(batch)
        peak = _kib("VmHWM")
    Path(answer).write_text(json.dumps({"peak_mib": max(0, peak - floor) / 1024}))


def _begin() -> int:
    """Forget the peak so far, and say what is in use now in KiB; where a system forgets nothing, the peak so far."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _kib("VmHWM")
    return _kib("VmRSS")


def _kib(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/self/status does not say {name}")
    return int(found[1])


def peak_on_gpu(device: str, load: Callable[[], Callable[[], object]]) -> Memory:
    """On a GPU: the peak of torch's allocator while ``load`` runs, and what it returns is called twice.

    Memory that others take (a CUDA library of its own, another process) is not seen by it.
    """
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    floor = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    restore = load()
    for _ in range(CALLS):
        restore()
    torch.cuda.synchronize(device)
    peak = torch.cuda.max_memory_allocated(device)
    return Memory((peak - floor) / MIB, "memory that torch allocated on the GPU")
