"""ARCHITECTURE.md describes the package as it is: its layers are enforced, and what it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAP = ROOT / "ARCHITECTURE.md"
PACKAGE = ROOT / "gfpbench"


def named_paths(text: str) -> list[str]:
    """Every path in backticks that lies in this repository."""
    return re.findall(r"`((?:gfpbench|tests|training|docs|fixtures|baselines)/[^`\s]*)`", text)


def absent(text: str) -> list[str]:
    return [path for path in named_paths(text) if not (ROOT / path).exists()]


def undescribed(text: str) -> list[str]:
    """Packages of gfpbench of which no file is named under "Where to change what" or in the run."""
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    described = {path.split("/")[1] for path in named_paths(text) if path.startswith("gfpbench/")}
    return sorted(packages - described)


def test_every_path_exists() -> None:
    text = MAP.read_text(encoding="utf-8")
    assert len(named_paths(text)) > 40
    assert absent(text) == []


def commands_paths(text: str) -> list[str]:
    """Every path below tests/ that a command of the text names."""
    return re.findall(r"\btests/[\w/]+\.py\b", text)


def test_every_test_that_contributing_names_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(commands_paths(text)) > 10
    assert [path for path in commands_paths(text) if not (ROOT / path).exists()] == []


def test_every_package_is_described() -> None:
    assert undescribed(MAP.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", ["ImageBatch", "Face", "Case", "Row", "Result", "Verdict", "Problem"])
def test_the_core_types_are_there(name: str) -> None:
    from gfpbench import types

    assert hasattr(types, name)


def test_a_path_that_is_gone_is_reported() -> None:
    text = MAP.read_text(encoding="utf-8").replace("gfpbench/run/key.py", "gfpbench/run/lock_and_key.py")
    assert absent(text) == ["gfpbench/run/lock_and_key.py"] * 2


def test_a_package_that_is_left_out_is_reported() -> None:
    text = MAP.read_text(encoding="utf-8").replace("gfpbench/photos/", "gfpbench/report/../photos/")
    assert undescribed(text) == ["photos"]
