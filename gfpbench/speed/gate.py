"""The speed gate: finds the baseline of a case, measures, and compares or creates the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from gfpbench import devices
from gfpbench.run.environment import device_key, environment
from gfpbench.speed import measure as measuring
from gfpbench.speed.compare import SpeedComparison, compare_speed, gate_speed
from gfpbench.speed.record import Speed
from gfpbench.speed.store import command_to_create, create, find, other_releases, speed_path
from gfpbench.types import Case

Update: TypeAlias = Literal["never", "new", "always"]


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
        update: whether the baseline is made: ``never``, ``new`` (where there is none) or ``always``.
    """
    device = devices.resolve(device)
    here = environment(device)
    stored = find(root, case, here)
    size = stored.batch_size if stored is not None and batch_size is None else batch_size

    def measured() -> Speed:
        return measuring.measure_speed(case, device=device, batch_size=size)

    if update == "always" or (update == "new" and stored is None):
        path, made = create(root, measured)
        return SpeedOf(case, compare_speed(made, made), "", path)
    if stored is None:
        return SpeedOf(case, None, _missing(root, case, here, size), None)
    return SpeedOf(case, gate_speed(measured, stored), "", None)


def _missing(root: Path, case: Case, here: dict[str, object], batch_size: int | None) -> str:
    others = [str(speed.environment.get("torch")) for speed in other_releases(root, case, here)]
    known = f" (there is one under torch {', '.join(others)})" if others else ""
    return (
        f"missing: no baseline of speed for {case.id} on this device, {device_key(here)}{known} "
        f"({speed_path(root, case, here)}); on a quiet machine, make it: {command_to_create(case, batch_size)}"
    )
