"""Broken gates of speed and restorers that became slower: the laws have to notice each. No clock is read."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gfpbench.baselines import speed_comparison as compare
from gfpbench.baselines.speed import compare_speed, gate_speed
from gfpbench.speed import interleaved, measure_speed
from gfpbench.speed import measure as measuring
from gfpbench.speed.memory import Memory
from gfpbench.speed.stopwatch import Lap
from gfpbench.types import Case, ImageBatch, RestorationFailed
from tests.unit.speed import laws
from tests.unit.speed.machines import LOADS, Machine

Patch = pytest.MonkeyPatch


def _the_reference_is_timed_once(patch: Patch) -> None:
    def ratios(laps: Sequence[float], references: Sequence[float]) -> list[float]:
        return [lap / references[0] for lap in laps]

    patch.setattr(interleaved, "_ratios", ratios)


def _seconds_instead_of_ratios(patch: Patch) -> None:
    patch.setattr(interleaved, "_ratios", lambda laps, references: list(laps))


def _upside_down(patch: Patch) -> None:
    own = interleaved._ratios
    patch.setattr(interleaved, "_ratios", lambda laps, references: [1 / ratio for ratio in own(laps, references)])


def _processor_time_for_wall_time(patch: Patch) -> None:
    own = interleaved._lap

    def lap(*arguments: object) -> Lap:
        took = own(*arguments)  # type: ignore[arg-type]
        return Lap(took.processor_seconds, took.processor_seconds)

    patch.setattr(interleaved, "_lap", lap)


def _the_fastest_call_counts(patch: Patch) -> None:
    """A restorer whose first call is fast looks fast."""
    patch.setattr(interleaved, "statistics", types.SimpleNamespace(median=min))


def _no_tolerance(patch: Patch) -> None:
    patch.setattr(compare, "time_tolerance", lambda baseline: 0.0)


def _any_tolerance(patch: Patch) -> None:
    patch.setattr(compare, "time_tolerance", lambda baseline: 3.0)


def _a_noisy_baseline_allows_everything(patch: Patch) -> None:
    patch.setattr(compare, "time_tolerance", lambda baseline: max(0.25, 2 * baseline.noise))


def _one_measurement_decides(patch: Patch) -> None:
    patch.setattr(compare, "gate_speed", lambda measure, baseline: compare_speed(measure(), baseline))


def _memory_is_not_looked_at(patch: Patch) -> None:
    patch.setattr(compare, "_memory_kind", lambda peak, before: "same")


def _every_mib_counts(patch: Patch) -> None:
    patch.setattr(compare, "MEMORY_TOLERANCE", 0.0)
    patch.setattr(compare, "MEMORY_TOLERANCE_MIB", 0.0)


def _faster_is_not_told(patch: Patch) -> None:
    own = compare._time_kind
    patch.setattr(compare, "_time_kind", lambda *both: "same" if own(*both) == "better" else own(*both))


def _faster_fails(patch: Patch) -> None:
    own = compare._time_kind
    patch.setattr(compare, "_time_kind", lambda *both: "worse" if own(*both) == "better" else own(*both))


def _everything_compares(patch: Patch) -> None:
    patch.setattr(compare, "incomparable", lambda speed, baseline: "")


def _no_evidence_suffices(patch: Patch) -> None:
    """Intervals that touch everything."""
    patch.setattr(compare, "median_interval", lambda ratios: (0.0, 1e9))


SABOTEURS = (
    _the_reference_is_timed_once,
    _seconds_instead_of_ratios,
    _upside_down,
    _processor_time_for_wall_time,
    _the_fastest_call_counts,
    _no_tolerance,
    _any_tolerance,
    _a_noisy_baseline_allows_everything,
    _one_measurement_decides,
    _memory_is_not_looked_at,
    _every_mib_counts,
    _faster_is_not_told,
    _faster_fails,
    _everything_compares,
    _no_evidence_suffices,
)


@pytest.mark.parametrize("saboteur", SABOTEURS, ids=lambda row: row.__name__.strip("_"))
def test_a_broken_gate_is_noticed(tmp_path: Path, monkeypatch: Patch, saboteur: Callable[[Patch], None]) -> None:
    saboteur(monkeypatch)
    broken = []
    for law in laws.LAWS:
        try:
            law(tmp_path / law.__name__)
        except AssertionError:
            broken.append(law.__name__)
            break
    assert broken


# Restorers as a user has them, loaded by name, restoring real faces; only the clock and the memory are pretended.
CASE = Case("embedded", "paper", "python:pretended_model:restorer", limit=2)


class World:
    """A machine, and a model on it that can be made slower, larger or broken."""

    def __init__(self, load: str = "idle") -> None:
        self.machine = Machine(LOADS[load], 3)
        self.seconds, self.sleeps, self.calls, self.mib = 0.2, 0.0, 1, 120.0
        self.broken = self.remembers = False
        self.seen: dict[bytes, ImageBatch] = {}

    def __call__(self, batch: ImageBatch) -> ImageBatch:
        if self.broken:
            return batch
        key = batch.pixels.numpy().tobytes()
        if self.remembers and key in self.seen:
            return self.seen[key]
        for _ in range(self.calls):
            self.machine.compute(self.seconds)
        self.machine.sleep(self.sleeps)
        self.seen[key] = ImageBatch(batch.pixels * 0.9 + 0.05, batch.ids)
        return self.seen[key]


@pytest.fixture
def world(monkeypatch: Patch) -> World:
    made = World()
    module = types.ModuleType("pretended_model")
    module.restorer = made.__call__  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pretended_model", module)
    monkeypatch.setattr(measuring, "environment", lambda device: {"device": "cpu", "torch": "2.15.0"})
    return made


def once(world: World) -> object:
    return measure_speed(
        CASE,
        stopwatch=world.machine.stopwatch,
        reference=lambda: world.machine.compute(0.02),
        memory=lambda case, batch_size: Memory(world.mib, "pretended"),
    )


def _double_forward(world: World) -> None:
    world.calls = 2


def _sleep(world: World) -> None:
    world.sleeps = 0.2


def _twice_the_memory(world: World) -> None:
    world.mib *= 2


def _slower_on_a_busy_machine(world: World) -> None:
    world.machine.load = LOADS["both cores taken"]
    world.calls = 2


@pytest.mark.parametrize("change", [_double_forward, _sleep, _twice_the_memory, _slower_on_a_busy_machine])
def test_a_restorer_that_takes_more_is_caught(world: World, change: Callable[[World], None]) -> None:
    stored = once(world)
    assert gate_speed(lambda: once(world), stored).kind == "same"  # type: ignore[arg-type, return-value]
    change(world)
    found = gate_speed(lambda: once(world), stored)  # type: ignore[arg-type, return-value]
    assert [one.metric for one in found.failures] == ["memory" if change is _twice_the_memory else "time"]


def test_remembering_what_was_restored_before_gains_nothing(world: World) -> None:
    stored = once(world)
    world.remembers = True
    assert gate_speed(lambda: once(world), stored).kind == "same"  # type: ignore[arg-type, return-value]


def test_what_does_not_restore_has_no_speed(world: World) -> None:
    world.broken = True
    with pytest.raises(RestorationFailed, match="nothing to time"):
        once(world)


def test_sound_gates_keep_every_law(tmp_path: Path) -> None:
    for law in laws.LAWS:
        law(tmp_path / law.__name__)
