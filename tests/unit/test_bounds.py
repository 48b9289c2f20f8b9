"""Docstrings state the bounds that a search found, and the worst inputs that it found keep to them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench.degrade import resample
from gfpbench.images import Floats
from tests.bounds import search
from tests.bounds.of_degradation import Drawn
from tests.bounds.scenes import Scene
from tests.bounds.searches import SEARCHES, Search, plain, rounded_up, sentences, stored

ROOT = Path(__file__).parents[2]
FOUND = stored()
INPUTS = [(name, deviation) for name in SEARCHES for deviation in SEARCHES[name].bounds]


@pytest.mark.parametrize("name", SEARCHES)
def test_docstrings_state_what_was_found(name: str) -> None:
    for file, sentence in sentences(name, FOUND[name]):
        text = re.sub(r"\s+(# )?", " ", (ROOT / file).read_text(encoding="utf-8")).replace('" "', "")
        assert sentence in text, f"{file} has to say: {sentence}"


@pytest.mark.parametrize("name", SEARCHES)
def test_what_was_found_is_within_its_bound(name: str) -> None:
    worst = FOUND[name]["worst"]
    assert set(worst) == set(SEARCHES[name].bounds)
    for deviation, found in worst.items():
        assert 0 <= found["value"] <= SEARCHES[name].bounds[deviation], f"{name}, {deviation}"


@pytest.mark.parametrize(("name", "deviation"), INPUTS, ids=" ".join)
def test_the_worst_inputs_keep_to_the_bound(name: str, deviation: str) -> None:
    """On another processor sums have another order: the value need not be the stored one, the bound holds."""
    one = SEARCHES[name]
    sample = one.read(FOUND[name]["worst"][deviation]["input"])
    value = one.measured(sample)[deviation]
    assert value is not None
    assert value <= one.bounds[deviation], f"{name}, {deviation}: {value}: {sample}"


@pytest.mark.parametrize("name", ["fast", "tensor"])
def test_positions_in_single_precision_exceed_the_bound(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight that is off by 3e-5 at 500 px is seen, as the fast and the tensor path had it."""
    sample = Drawn(Scene("noise", 1, 333, 501), 41, 0.6, 0.6, 0.0, 6.7, 1.0, 80, 1)
    bound = SEARCHES[name].bounds["before JPEG"]
    assert (SEARCHES[name].measured(sample)["before JPEG"] or 0) <= bound
    exact = resample.taps

    def rounded(source_px: int, target_px: int) -> tuple[resample.Indices, resample.Indices, Floats]:
        first, second, weight = exact(source_px, target_px)
        return first, second, (first + weight.astype(np.float64)).astype(np.float32) - first.astype(np.float32)

    monkeypatch.setattr(resample, "taps", rounded)
    assert (SEARCHES[name].measured(sample)["before JPEG"] or 0) > bound


def test_a_search_finds_what_exceeds_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A deviation that is above its bound on tall images alone; what is found is stored and read again."""
    ssim = SEARCHES["ssim"]
    tall = Search(
        ssim.samples, lambda scene: {"height": float(scene.height), "none": None}, {"height": 250}, ssim.read, {}
    )
    monkeypatch.setattr(search, "SEARCHES", {"tall": tall})
    monkeypatch.setattr(search, "FOUND", tmp_path / "found.json")
    monkeypatch.setattr(search, "stored", lambda: {})
    assert search.main(["--examples", "60", "--write"]) == 1
    # Which inputs hypothesis tries depends on the modules that were imported before, whatever the seed.
    assert re.search(r"height: \d+, bound 250 EXCEEDED", capsys.readouterr().out)
    assert (tmp_path / "found.json").exists()
    monkeypatch.setattr(
        search, "SEARCHES", {"tall": Search(tall.samples, tall.measured, {"height": 300}, tall.read, {})}
    )
    assert search.main(["--examples", "60"]) == 0


def test_what_was_worse_before_stays() -> None:
    scenes: list[Any] = [SEARCHES["ssim"].read(FOUND["ssim"]["worst"]["ssim"]["input"])] * 2
    before = search.merged({}, 10, {"a": (2.0, scenes[0]), "b": (1.0, scenes[0])}, 0)
    after = search.merged(before, 5, {"a": (1.0, scenes[1]), "b": (3.0, scenes[1])}, 7)
    assert {name: found["value"] for name, found in after["worst"].items()} == {"a": 2.0, "b": 3.0}
    assert after["worst"]["b"]["input"] == plain(scenes[1])
    assert after["seeds"] == {"0": 10, "7": 5}
    assert search.merged(after, 10, {}, 0)["seeds"] == after["seeds"]


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (0.000213, "0.00022"), (28.0, "28"), (0.101, "0.11"), (6.16e-14, "6.2e-14"), (1, "1")],
)
def test_worst_is_rounded_up(value: float, said: str) -> None:
    assert rounded_up(value) == said
