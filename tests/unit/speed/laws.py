"""What a gate of speed owes its user, as checks that the tests and the saboteurs share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import count
from pathlib import Path

from gfpbench.baselines import speed_comparison as compare
from gfpbench.baselines.speed import SpeedComparison, create
from gfpbench.speed import Speed, record
from tests.unit.speed.machines import LOADS, SOUND, Machine, Model, measured

RUNS = 25

SLOWER = {
    "computes everything twice": Model(computes=2 * SOUND.computes),
    "sleeps as long as it computes": Model(sleeps=SOUND.computes),
    "takes longer with every call": Model(grows=0.1),
}


def baseline(folder: Path, load: str = "idle", model: Model = SOUND) -> Speed:
    """A stored baseline, read back from its file."""
    seeds = count(1000)
    path, _ = create(folder, lambda: measured(model, Machine(LOADS[load], next(seeds))))
    return record.read(path)


def gated(model: Model, stored: Speed, load: str, seed: int) -> SpeedComparison:
    """What the gate says of a model on a machine, looked up as a user's test would."""
    seeds = count(100 * seed)
    return compare.gate_speed(lambda: measured(model, Machine(LOADS[load], next(seeds))), stored)


def never_cries_wolf(folder: Path) -> None:
    """The same restorer passes on an idle machine, on a busy one, and wherever its baseline was made."""
    alarms = [
        (made_on, load, run)
        for made_on in LOADS
        for stored in [baseline(folder / made_on.replace(" ", "-"), made_on)]
        for load in LOADS
        for run in range(RUNS)
        if gated(SOUND, stored, load, run).kind != "same"
    ]
    assert alarms == [], f"{len(alarms)} false alarms in {RUNS * len(LOADS) ** 2} runs: {alarms[:5]}"


def slower_is_caught(folder: Path, loads: tuple[str, ...] = tuple(LOADS)) -> None:
    """Twice the time is caught in every run, with both cores taken by others too."""
    stored = baseline(folder)
    for name, model in SLOWER.items():
        for load in loads:
            if model.sleeps and load != "idle":
                continue  # a sleep takes no longer on a busy machine: it is a smaller share of the time there
            for run in range(RUNS):
                found = gated(model, stored, load, run)
                assert [one.metric for one in found.failures] == ["time"], f"{name}, {load}, run {run}: {found.kind}"
                assert found.measured == 3


def a_noisy_baseline_still_sees_twice(folder: Path) -> None:
    """However far the measurements of a baseline lay apart, twice the time is seen."""
    stored = dataclasses.replace(baseline(folder), noise=2.0)
    for run in range(RUNS):
        assert gated(SLOWER["computes everything twice"], stored, "idle", run).kind == "worse"
        assert gated(Model(computes=1.45 * SOUND.computes), stored, "idle", run).kind == "same"


def what_it_looks_like_is_told(folder: Path) -> None:
    """Computing more and waiting are told apart."""
    stored = baseline(folder)
    assert "more is computed" in gated(SLOWER["computes everything twice"], stored, "idle", 0).likely
    assert "it waits" in gated(SLOWER["sleeps as long as it computes"], stored, "idle", 0).likely


def more_memory_is_caught(folder: Path) -> None:
    """Twice the memory is caught, half is named as better, and a few MiB are nothing."""
    stored = baseline(folder)
    for load in LOADS:
        found = gated(Model(peak_mib=600.0), stored, load, 0)
        assert [(one.metric, one.kind) for one in found.failures] == [("memory", "worse")]
        assert "memory" in found.likely
        assert gated(Model(peak_mib=150.0), stored, load, 0).stale
    small = baseline(folder / "small", model=Model(peak_mib=5.0))
    assert gated(Model(peak_mib=12.0), small, "idle", 0).kind == "same"
    assert [one.metric for one in gated(Model(peak_mib=None), stored, "idle", 0).failures] == ["memory"]


def faster_is_stale_and_passes(folder: Path) -> None:
    """Half the time passes, and the baseline is named as stale."""
    stored = baseline(folder)
    for run in range(RUNS):
        found = gated(Model(computes=SOUND.computes / 2), stored, "idle", run)
        assert (found.passed, found.stale) == (True, True)


def a_suspicion_is_measured_again(folder: Path) -> None:
    """A machine that stalls during one measurement does not fail the test, and the stall is told."""
    stored = baseline(folder)
    seeds = count(7)
    models = iter([SLOWER["computes everything twice"], SOUND])

    def once_stalled() -> Speed:
        return measured(next(models), Machine(LOADS["idle"], next(seeds)))

    found = compare.gate_speed(once_stalled, stored)
    assert (found.kind, found.measured) == ("same", 2)
    assert "not found again" in found.verdicts[0].reason


def other_measurements_do_not_compare(folder: Path) -> None:
    """Another batch size, other images or another reference are said, not compared."""
    stored = baseline(folder)
    for changes in ({"batch_size": 4}, {"size_px": (256, 256)}, {"reference": "conv-0"}):
        other = dataclasses.replace(stored, **changes)
        found = compare.gate_speed(lambda other=other: other, stored)  # type: ignore[misc]
        assert [(one.metric, one.kind) for one in found.failures] == [("speed", "changed")]
        assert found.measured == 1


LAWS: tuple[Callable[[Path], None], ...] = (
    never_cries_wolf,
    slower_is_caught,
    a_noisy_baseline_still_sees_twice,
    what_it_looks_like_is_told,
    more_memory_is_caught,
    faster_is_stale_and_passes,
    a_suspicion_is_measured_again,
    other_measurements_do_not_compare,
)
