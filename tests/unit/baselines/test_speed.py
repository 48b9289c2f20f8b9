"""Baselines of speed: a place for each device, the middle of three, and one line for what is missing or misplaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from gfpbench.baselines.speed import SPEED, create, other_releases, speed_of
from gfpbench.run.environment import device_key
from gfpbench.speed import record
from gfpbench.types import Case
from tests.unit.speed.machines import CASE, speed


def test_each_device_and_release_has_a_folder_of_its_own(tmp_path: Path) -> None:
    gpu = {"device": "cuda", "device_name": "NVIDIA H100 80GB HBM3", "torch": "2.15.0+cu132"}
    assert device_key(gpu) == "nvidia_h100_80gb_hbm3-torch2.15"
    assert SPEED.path(tmp_path, CASE, gpu) == tmp_path / "nvidia_h100_80gb_hbm3-torch2.15" / f"{CASE.id}.json"
    path, made = create(tmp_path, lambda: speed(environment=gpu))
    assert path == SPEED.path(tmp_path, CASE, gpu)
    assert SPEED.find(tmp_path, CASE, gpu) == (record.read(path), path)
    newer = gpu | {"torch": "2.16.1"}
    assert SPEED.find(tmp_path, CASE, newer) is None
    assert [one.environment for one in other_releases(tmp_path, CASE, newer)] == [gpu]
    assert other_releases(tmp_path, CASE, newer | {"device_name": "NVIDIA H100"}) == ()
    assert SPEED.find(tmp_path, CASE, speed().environment) is None
    assert made.pairs > 21


def test_a_baseline_is_the_middle_of_three_and_says_how_far_they_lay_apart(tmp_path: Path) -> None:
    ratios, peaks = iter([10.0, 13.0, 12.0]), iter([80.0, 70.0, 90.0])
    _, made = create(tmp_path, lambda: speed(ratio=(ratio := next(ratios)), ratios=(ratio,) * 11, peak_mib=next(peaks)))
    assert (made.ratio, made.low, made.high, made.pairs, made.peak_mib) == (12.0, 10.0, 13.0, 33, 80.0)
    assert made.noise == pytest.approx(0.2)


def test_a_misplaced_baseline_is_named(tmp_path: Path) -> None:
    path, _ = create(tmp_path, speed)
    assert SPEED.leftovers(tmp_path) == ()
    path.rename(path.with_name("renamed.json"))
    (tmp_path / "broken.json").write_text("{")
    found = SPEED.leftovers(tmp_path)
    assert len(found) == 2
    assert f"is not where the baseline of {CASE.id} on" in found[1]


def test_a_missing_baseline_says_how_it_is_made_and_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gfpbench.speed.measure.measure_speed", lambda *a, **k: pytest.fail("measured"))
    found = speed_of(Case("my faces", "paper", "nano", limit=3), tmp_path, batch_size=4)
    assert found.comparison is None
    command = (
        "gfpbench speed nano --faces 'my faces' --degradation paper --limit 3 --batch-size 4 --baseline-update-new"
    )
    assert found.missing.endswith(command)
