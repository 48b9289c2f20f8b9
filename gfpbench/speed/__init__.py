"""How long a restorer takes and how much memory, against its baseline; never measured together with quality."""

from __future__ import annotations

from gfpbench.speed.compare import SpeedComparison, compare_speed, gate_speed
from gfpbench.speed.measure import measure_speed
from gfpbench.speed.record import Speed
from gfpbench.speed.store import (
    FOLDER,
    command_to_create,
    create,
    device_key,
    find,
    leftovers,
    other_releases,
    speed_path,
)

__all__ = [
    "FOLDER",
    "Speed",
    "SpeedComparison",
    "command_to_create",
    "compare_speed",
    "create",
    "device_key",
    "find",
    "gate_speed",
    "leftovers",
    "measure_speed",
    "other_releases",
    "speed_path",
]
