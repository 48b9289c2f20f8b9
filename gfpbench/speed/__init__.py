"""How long a restorer takes and how much memory, against its baseline; never measured together with quality."""

from __future__ import annotations

from gfpbench.run.environment import device_key
from gfpbench.speed.compare import SpeedComparison, compare_speed, comparison_from_json, gate_speed
from gfpbench.speed.gate import SpeedOf, Update, speed_of
from gfpbench.speed.measure import measure_speed
from gfpbench.speed.record import Speed, from_json, to_json
from gfpbench.speed.store import (
    FOLDER,
    command_to_create,
    create,
    find,
    leftovers,
    other_releases,
    speed_path,
)

__all__ = [
    "FOLDER",
    "Speed",
    "SpeedComparison",
    "SpeedOf",
    "Update",
    "command_to_create",
    "compare_speed",
    "comparison_from_json",
    "create",
    "device_key",
    "find",
    "from_json",
    "gate_speed",
    "leftovers",
    "measure_speed",
    "other_releases",
    "speed_of",
    "speed_path",
    "to_json",
]
