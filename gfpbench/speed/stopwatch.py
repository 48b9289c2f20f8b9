"""Timers for CPU work and, with CUDA events, for GPU work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gfpbench.lazy import LazyModule

if TYPE_CHECKING:
    import cv2
    import torch
else:
    torch, cv2 = LazyModule("torch"), LazyModule("cv2")


IN_LINE = Path("/proc/thread-self/schedstat")
"""Where Linux tells how long a thread stood in line for a processor: the second field, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Lap:
    """One piece of work: seconds that it took, and seconds that processors worked on it in this process."""

    seconds: float
    processor_seconds: float


class Stopwatch(Protocol):
    """Does a piece of work and says what it took."""

    def __call__(self, work: Callable[[], object]) -> Lap: ...


def wall_clock(work: Callable[[], object]) -> Lap:
    """Work of the processor: the time that passed, less what this thread stood in line while others worked.

    A sleep counts: who sleeps does not stand in line. Where the system does not tell, all the time that passed counts.
    """
    # The line is looked at within the time that passed: what is taken away from it was part of it.
    begun = time.perf_counter()
    in_line, processor = seconds_in_line(), time.process_time()
    work()
    worked, waited = time.process_time() - processor, seconds_in_line() - in_line
    return Lap(max(time.perf_counter() - begun - waited, 1e-9), worked)


def seconds_in_line() -> float:
    """How long this thread has stood in line for a processor since it began; 0 where the system does not tell."""
    try:
        return int(IN_LINE.read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


@dataclass(frozen=True, slots=True)
class CudaEvents:
    """Work of a GPU, by events on its own clock. Everything that was queued, on whatever stream, is waited for.

    Args:
        device: ``cuda`` or ``cuda:N``.
    """

    device: str

    def __call__(self, work: Callable[[], object]) -> Lap:
        with torch.cuda.device(self.device):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call,unused-ignore]
            torch.cuda.synchronize()
            processor = time.process_time()
            start.record()
            work()
            torch.cuda.synchronize()  # a restorer may work on streams of its own
            end.record()
            end.synchronize()
            return Lap(start.elapsed_time(end) / 1000, time.process_time() - processor)


@contextmanager
def one_thread() -> Iterator[None]:
    """While active, torch and OpenCV use only the calling thread."""
    threads, opencv = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(opencv)


def stopwatch_of(device: str) -> Stopwatch:
    """The clock for a device."""
    return CudaEvents(device) if device.startswith("cuda") else wall_clock
