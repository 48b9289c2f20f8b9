"""Records of speed on disk: back as they were, or one line that names the file."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gfpbench.speed import record
from gfpbench.types import BadInput
from tests.unit.speed.machines import speed


def test_a_record_survives_the_disk_in_lines_a_person_can_compare(tmp_path: Path) -> None:
    made = speed()
    record.write(made, tmp_path / "a" / "speed.json")
    read = record.read(tmp_path / "a" / "speed.json")
    numbers = ("ratio", "low", "high", "seconds", "reference_seconds", "processor_ratio", "peak_mib")
    rounded: dict[str, Any] = {name: float(f"{getattr(made, name):.5g}") for name in numbers}
    assert read == dataclasses.replace(made, ratios=(), **rounded)
    text = (tmp_path / "a" / "speed.json").read_text()
    assert sum(line.strip().startswith('"ratio"') for line in text.splitlines()) == 1
    assert list(tmp_path.rglob("*.part")) == []


def test_what_a_killed_process_left_half_written_is_swept(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    abandoned = tmp_path / f".speed.json.{child.pid}.part"
    abandoned.write_text("{")
    os.utime(abandoned, (0, 0))
    record.write(speed(), tmp_path / "speed.json")
    assert [path.name for path in tmp_path.iterdir()] == ["speed.json"]


@pytest.mark.parametrize(
    "spoilt", ["{", "[]", '{"schema": 9}', {"ratio": 0}, {"ratio": None}, {"case": 3}, {"peak_mib": "x"}, {"odd": 1}]
)
def test_a_broken_record_is_named(tmp_path: Path, spoilt: str | dict[str, object]) -> None:
    path = tmp_path / "speed.json"
    path.write_text(spoilt if isinstance(spoilt, str) else json.dumps(record.to_json(speed()) | spoilt))
    with pytest.raises(BadInput, match=r"speed\.json"):
        record.read(path)
