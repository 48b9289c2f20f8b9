"""The gate stops every broken part and no innocent change: on the baseline's machine, and on another."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path

import pytest

from gfpbench import baselines
from gfpbench.types import Result

if "gate_saboteurs" not in sys.modules:
    spec = importlib.util.spec_from_file_location("gate_saboteurs", Path(__file__).with_name("saboteurs.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules["gate_saboteurs"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["gate_saboteurs"])

import gate_saboteurs as saboteurs
from gate_saboteurs import INNOCENT, SABOTEURS, Saboteur


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The baseline: the sound case, with its envelope."""
    result = saboteurs.measured(tmp_path_factory.mktemp("sound"))
    return dataclasses.replace(result, envelope=baselines.measure_envelope(result))


@pytest.mark.parametrize("saboteur", SABOTEURS, ids=lambda row: row.name)
def test_a_saboteur_is_caught(sound: Result, tmp_path: Path, saboteur: Saboteur) -> None:
    found = saboteurs.measured_with(saboteur, tmp_path)
    assert saboteurs.caught(found, sound)
    assert saboteurs.caught(found, saboteurs.elsewhere(sound))


@pytest.mark.parametrize("change", INNOCENT, ids=lambda row: row.name)
def test_an_innocent_change_passes(sound: Result, tmp_path: Path, change: Saboteur) -> None:
    found = saboteurs.measured_with(change, tmp_path)
    assert saboteurs.caught(found, sound) == ""
    assert saboteurs.caught(found, saboteurs.elsewhere(sound)) == ""


def test_the_names_of_the_saboteurs_are_distinct() -> None:
    names = [row.name for row in (*SABOTEURS, *INNOCENT)]
    assert len(set(names)) == len(names)
