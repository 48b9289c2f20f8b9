"""Baselines of speed on disk, for each device: ``baselines/speed/<device>/<case id>.json``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from gfpbench.baselines.store import options
from gfpbench.run.environment import device_key
from gfpbench.speed.record import Speed, read, write
from gfpbench.statistics import median_interval
from gfpbench.types import BadInput, Case, GfpbenchError, Json

FOLDER = Path("baselines") / "speed"
"""Where baselines of speed lie in a project, seen from pytest's root folder."""

MEASUREMENTS = 3
"""A baseline is the middle one of so many; how far they lie apart is what the machine does by itself."""


def speed_path(root: Path, case: Case, environment: Mapping[str, Json]) -> Path:
    """Where the baseline of a case on a device lies."""
    return root / device_key(environment) / f"{case.id}.json"


def find(root: Path, case: Case, environment: Mapping[str, Json]) -> Speed | None:
    """The baseline of a case on this device and release of torch, None where there is none.

    Raises:
        BadInput: for a file that is broken or holds another case or device.
    """
    path = speed_path(root, case, environment)
    return _checked(path, root) if path.exists() else None


def other_releases(root: Path, case: Case, environment: Mapping[str, Json]) -> tuple[Speed, ...]:
    """Baselines of the same case on the same device under other releases of torch."""
    own = speed_path(root, case, environment)
    device = own.parent.name.rpartition("-torch")[0]
    paths = [folder / own.name for folder in sorted(root.glob(f"{device}-torch*")) if folder != own.parent]
    return tuple(_checked(path, root) for path in paths if path.exists())


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
    path = speed_path(root, baseline.case, baseline.environment)
    write(baseline, path)
    return path, baseline


def command_to_create(case: Case, batch_size: int | None = None) -> str:
    """The command that makes the baseline of a case on this device."""
    return f"{command(case, batch_size)} --baseline-update-new"


def command(case: Case, batch_size: int | None = None) -> str:
    """The command that measures a case and compares it."""
    words = options(case).split(" ", 1)[1]  # the name without its option
    return f"gfpbench speed {words}" + (f" --batch-size {batch_size}" if batch_size is not None else "")


def leftovers(root: Path) -> tuple[str, ...]:
    """Files that are no baseline of speed where they lie, each with the reason in one line."""
    found = []
    for path in sorted(root.rglob("*.json")):
        try:
            _checked(path, root)
        except GfpbenchError as error:
            found.append(str(error))
    return tuple(found)


def _checked(path: Path, root: Path) -> Speed:
    speed = read(path)
    if path != speed_path(root, speed.case, speed.environment):
        raise BadInput(
            f"{path}: holds the case {speed.case.id} on {device_key(speed.environment)}, whose place this is not: "
            "renamed by hand? remove it, or make it again with --baseline-update"
        )
    return speed
