"""Machines whose time passes only where work says so: idle, busy, busy by turns. Nothing here reads a real clock."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gfpbench.speed import Speed
from gfpbench.speed.interleaved import interleaved
from gfpbench.speed.measure import PAIRS
from gfpbench.speed.stopwatch import Lap
from gfpbench.speed.workload import REFERENCE
from gfpbench.types import Case

CASE = Case("some", "noise", "model")
RESTORER_SECONDS, REFERENCE_SECONDS, PEAK_MIB = 0.3, 0.02, 300.0

AT_ONCE = 128
LOADS: dict[str, Callable[[float], float]] = {
    "idle": lambda now: 1.0,
    "both cores taken": lambda now: 2.6,
    "taken by turns": lambda now: 3.0 if math.sin(now) > 0.3 else 1.0,
    "more and more": lambda now: 1.0 + min(now / 20, 4.0),
    "less and less": lambda now: 1.0 + max(4.0 - now / 20, 0.0),
}
"""How many times longer work takes, at each moment of a machine."""


@dataclass
class Machine:
    """A processor shared with others.

    Args:
        load: how many times longer work takes at a moment.
        seed: of what no two calls have in common: some per cent each, and now and then a longer wait.
    """

    load: Callable[[float], float]
    seed: int
    now: float = 0.0
    worked: float = 0.0
    random: np.random.Generator = field(init=False)
    _chances: Iterator[tuple[float, float, float]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.now = float(self.random.uniform(0, 30))
        self._chances = self._drawn()

    def _drawn(self) -> Iterator[tuple[float, float, float]]:
        """For each call: by how much its work and its time are another's, and how long it waits. Drawn many at a
        time: one by one takes longer than all that is measured here."""
        while True:
            work, took = (self.random.lognormal(0, spread, AT_ONCE) for spread in (0.02, 0.06))
            waits = np.where(self.random.random(AT_ONCE) < 0.05, self.random.exponential(0.03, AT_ONCE), 0.0)
            yield from zip(work.tolist(), took.tolist(), waits.tolist(), strict=True)

    def compute(self, seconds: float) -> None:
        """Work of the processor: longer where others work too."""
        work, took, wait = next(self._chances)
        self.worked += seconds * work
        self.now += seconds * self.load(self.now) * took + wait

    def sleep(self, seconds: float) -> None:
        """Waiting: no longer where others work."""
        self.now += seconds

    def stopwatch(self, work: Callable[[], object]) -> Lap:
        now, worked = self.now, self.worked
        work()
        return Lap(self.now - now, self.worked - worked)


@dataclass(frozen=True)
class Model:
    """A restorer as far as its speed goes."""

    computes: float = RESTORER_SECONDS
    sleeps: float = 0.0
    peak_mib: float | None = PEAK_MIB
    grows: float = 0.0  # seconds that each call takes longer than the one before

    def on(self, machine: Machine) -> Callable[[], object]:
        calls = [0]

        def restore() -> None:
            machine.compute(self.computes + self.grows * calls[0])
            machine.sleep(self.sleeps)
            calls[0] += 1

        return restore


SOUND = Model()


def measured(model: Model, machine: Machine, pairs: int = PAIRS) -> Speed:
    """One measurement of a model on a machine, through the package's own way of taking turns."""
    timing = interleaved(model.on(machine), lambda: machine.compute(REFERENCE_SECONDS), machine.stopwatch, pairs)
    peak = None if model.peak_mib is None else model.peak_mib * float(machine.random.uniform(0.97, 1.03))
    return Speed(
        case=CASE,
        **dataclasses.asdict(timing),
        pairs=len(timing.ratios),
        peak_mib=peak,
        memory_note="pretended",
        batch_size=8,
        size_px=(128, 128),
        reference=REFERENCE,
        restorer={"name": "model"},
        environment={"device": "cpu", "device_name": "Pretended CPU", "torch": "2.15.0+cpu", "torch_threads": 2},
    )


def speed(**changes: Any) -> Speed:
    """The sound model on an idle machine, with some fields changed."""
    return dataclasses.replace(measured(SOUND, Machine(LOADS["idle"], 0)), **changes)
