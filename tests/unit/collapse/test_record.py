"""Collapse points on disk: back as they were, or one line that names the file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gfpbench import collapse
from gfpbench.types import BadInput
from tests.unit.collapse.sample import FOUND


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "points.json"
    others = (replace(FOUND, kind="never", severity=None, value=None, interval=(1.0, None), trained=None),)
    collapse.write([FOUND, *others], path)
    assert collapse.read(path) == (FOUND, *others)
    first = path.read_bytes()
    collapse.write(collapse.read(path), path)
    assert path.read_bytes() == first
    assert [item.name for item in path.parent.iterdir()] == ["points.json"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.update(schema=99),
        lambda data: data["collapses"][0].pop("kind"),
        lambda data: data["collapses"][0].update(extra=1),
        lambda data: data["collapses"][0]["question"].pop("axis"),
        lambda data: data["collapses"][0]["steps"][0].pop("case"),
        lambda data: data.update(collapses=5),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "points.json"
    collapse.write([FOUND], path)
    data = json.loads(path.read_text())
    spoil(data)
    path.write_text(json.dumps(data))
    with pytest.raises(BadInput, match=r"points\.json"):
        collapse.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent\.json: cannot be read: No such file"):
        collapse.read(tmp_path / "absent.json")


def test_nan_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        collapse.write([replace(FOUND, value=float("nan"))], tmp_path / "points.json")
    assert not (tmp_path / "points.json").exists()
