"""Names to restorers: everything listed loads, everything else is answered with what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from gfpbench import assets
from gfpbench.restorers import RESTORERS, SCHEMES, describe, is_ours, load
from gfpbench.restorers.plain import Bicubic
from gfpbench.types import AssetMissing, BadInput, Restorer

OFFLINE = tuple(name for name in RESTORERS if not assets.for_restorer(name))
"""Those that no row of the asset table names: they have to load here."""


@pytest.mark.parametrize("name", OFFLINE)
def test_what_is_listed_loads_under_its_name(name: str) -> None:
    restorer = load(name)
    assert isinstance(restorer, Restorer)
    assert restorer.name == name
    assert restorer.provenance()["restorer"] == name


def test_every_row_is_described_in_one_line() -> None:
    lines = describe()
    assert {"input", "bicubic", "classical", "nano"} <= set(OFFLINE)
    assert set(lines) == {*RESTORERS, *SCHEMES}
    assert all(20 < len(line) < 120 and line.endswith(".") for line in lines.values()), lines


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nanno", r"no restorer named 'nanno': did you mean 'nano'\? .*python:MODULE:ATTRIBUTE"),
        ("", "no restorer named ''"),
        ("pyhton:a:b", "no restorer named 'pyhton:a:b'"),
        ("outputs:", "lacks its argument: write outputs:DIR"),
        ("python:", "lacks its argument: write python:MODULE:ATTRIBUTE"),
        ("nano:", "no restorer named 'nano:': did you mean 'nano'"),
    ],
)
def test_other_names_are_answered_with_near_ones(spec: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load(spec)


@pytest.mark.parametrize("module", ["my_models", "gfpbenchmark.models", "gfpbench_extras", "models.gfpbench", None])
def test_a_class_is_ours_by_its_package(module: str | None) -> None:
    assert is_ours(load("bicubic"))
    assert not is_ours(type("Mine", (Bicubic,), {"__module__": module})())


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "", "cpu:x"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(BadInput, match="device"):
        load("input", device=device)


@pytest.mark.parametrize("name", [name for name in RESTORERS if name not in OFFLINE])
def test_what_needs_weights_asks_for_its_row_of_the_assets(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing) as missing:
        load(name)
    assert missing.value.asset in assets.for_restorer(name)
