"""Baselines of speed, one for each device and release of torch: find it, measure and compare, or make it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gfpbench import devices
from gfpbench.baselines.speed_comparison import SpeedComparison, command, compare_speed, gate_speed
from gfpbench.baselines.store import Store, Update, is_due
from gfpbench.run.environment import device_key, environment
from gfpbench.speed import measure as measuring
from gfpbench.speed import record
from gfpbench.speed.record import Speed
from gfpbench.statistics import median_interval
from gfpbench.types import Case, Json

__all__ = [
    "SPEED",
    "SpeedComparison",
    "SpeedOf",
    "compare_speed",
    "create",
    "gate_speed",
    "other_releases",
    "speed_of",
]

MEASUREMENTS = 3
"""A baseline is the middle one of so many; how far they lie apart is what the machine does by itself."""

SPEED: Store[Speed] = Store(
    "speed",
    "Speed",
    lambda path: (record.read(path),),
    lambda speed: speed.case,
    lambda speed: speed.environment,
    devices="all",
)


@dataclass(frozen=True, slots=True)
class SpeedOf:
    """What is known of the speed of a case on this device.

    Args:
        comparison: with the baseline; None where there is none.
        missing: where there is no baseline, what is missing and the command that makes it; else empty.
        written: the baseline's file where it was made now.
    """

    case: Case
    comparison: SpeedComparison | None
    missing: str
    written: Path | None


def speed_of(
    case: Case, root: Path, *, device: str = "cpu", batch_size: int | None = None, update: Update = "never"
) -> SpeedOf:
    """Measure the speed of a case and compare it with the baseline of this device; nothing is measured without one.

    Args:
        root: the folder of the baselines of speed.
        batch_size: images in a call; as in the baseline where None, else as ``measure_speed`` chooses.
        update: whether the baseline is made.
    """
    device = devices.resolve(device)
    here = environment(device)
    found = SPEED.find(root, case, here)
    size = found[0].batch_size if found is not None and batch_size is None else batch_size

    def measured() -> Speed:
        return measuring.measure_speed(case, device=device, batch_size=size)

    if is_due(update, SPEED.path(root, case, here)):
        path, made = create(root, measured)
        return SpeedOf(case, compare_speed(made, made), "", path)
    if found is None:
        return SpeedOf(case, None, _missing(root, case, here, size), None)
    return SpeedOf(case, gate_speed(measured, found[0]), "", None)


def create(root: Path, measure: Callable[[], Speed]) -> tuple[Path, Speed]:
    """Measure a restorer several times and write the baseline: the middle one, with how far they lie apart."""
    found = sorted((measure() for _ in range(MEASUREMENTS)), key=lambda speed: speed.ratio)
    middle = found[len(found) // 2]
    peaks = sorted(speed.peak_mib for speed in found if speed.peak_mib is not None)
    ratios = tuple(ratio for speed in found for ratio in speed.ratios)
    low, high = median_interval(ratios)
    baseline = dataclasses.replace(
        middle,
        low=low,
        high=high,
        pairs=len(ratios),
        peak_mib=peaks[len(peaks) // 2] if peaks else None,
        noise=max(found[-1].ratio / middle.ratio, middle.ratio / found[0].ratio) - 1,
    )
    path = SPEED.path_of(root, baseline)
    record.write(baseline, path)
    return path, baseline


def other_releases(root: Path, case: Case, here: Mapping[str, Json]) -> tuple[Speed, ...]:
    """Baselines of the same case on the same device under other releases of torch."""
    own = SPEED.path(root, case, here)
    device = own.parent.name.rpartition("-torch")[0]
    paths = [folder / own.name for folder in sorted(root.glob(f"{device}-torch*")) if folder != own.parent]
    return tuple(SPEED.at(root, path, case) for path in paths if path.exists())


def _missing(root: Path, case: Case, here: Mapping[str, Json], batch_size: int | None) -> str:
    others = [str(speed.environment.get("torch")) for speed in other_releases(root, case, here)]
    known = f" (there is one under torch {', '.join(others)})" if others else ""
    return (
        f"missing: no baseline of speed for {case.id} on this device, {device_key(here)}{known} "
        f"({SPEED.path(root, case, here)}); on a quiet machine, make it: {command(case, batch_size)} "
        "--baseline-update-new"
    )
