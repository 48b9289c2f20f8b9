"""Records, baselines on disk, the reference workload, and memory measured for real."""

from __future__ import annotations

import dataclasses
import json
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench.baselines.speed import SPEED, create, other_releases, speed_of
from gfpbench.run.environment import device_key
from gfpbench.speed import Speed, record, stopwatch
from gfpbench.speed.memory import in_a_process
from gfpbench.speed.stopwatch import one_thread, wall_clock
from gfpbench.speed.workload import degraded_batch, ever_changing, load_restorer, reference_workload
from gfpbench.types import BadInput, Case, RestorationFailed
from tests.unit.speed.machines import CASE, LOADS, SOUND, Machine, measured


def speed(**changes: Any) -> Speed:
    return dataclasses.replace(measured(SOUND, Machine(LOADS["idle"], 0)), **changes)


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


@pytest.mark.parametrize(
    "spoilt", ["{", "[]", '{"schema": 9}', {"ratio": 0}, {"ratio": None}, {"case": 3}, {"peak_mib": "x"}, {"odd": 1}]
)
def test_a_broken_record_is_named(tmp_path: Path, spoilt: str | dict[str, object]) -> None:
    path = tmp_path / "speed.json"
    path.write_text(spoilt if isinstance(spoilt, str) else json.dumps(record.to_json(speed()) | spoilt))
    with pytest.raises(BadInput, match=r"speed\.json"):
        record.read(path)


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


def test_the_reference_is_the_same_work_each_time() -> None:
    with one_thread():
        first, second = reference_workload("cpu")(), reference_workload("cpu")()
        assert torch.get_num_threads() == 1
    assert isinstance(first, torch.Tensor)
    assert isinstance(second, torch.Tensor)
    assert torch.equal(first, second)
    assert 0.1 < float(first.std()) < 10  # neither vanishes nor explodes, which would change how long it takes


def test_one_thread_is_given_back() -> None:
    import cv2

    before = torch.get_num_threads(), cv2.getNumThreads()
    with pytest.raises(ValueError, match="stop"), one_thread():
        raise ValueError("stop")
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_standing_in_line_does_not_count_and_sleeping_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wall_clock(lambda: time.sleep(0.03)).seconds >= 0.029
    told = iter([5.0, 5.02])
    monkeypatch.setattr(stopwatch, "seconds_in_line", lambda: next(told))
    begun = time.perf_counter()
    counted = wall_clock(lambda: time.sleep(0.03)).seconds
    assert counted <= time.perf_counter() - begun - 0.02
    monkeypatch.undo()
    monkeypatch.setattr(stopwatch, "IN_LINE", Path("nowhere"))
    assert stopwatch.seconds_in_line() == 0.0


def test_the_clock_moves() -> None:
    lap = wall_clock(lambda: sum(range(1000)))
    assert lap.seconds > 0
    assert lap.processor_seconds >= 0


def test_no_image_is_given_twice() -> None:
    batch = degraded_batch(Case("embedded", "paper", "input", limit=2), 2)
    seen = {given.pixels.numpy().tobytes() for given in islice(ever_changing(batch), 600)}
    assert len(seen) == 600
    assert batch.pixels.min() >= 0


@pytest.mark.parametrize("name", ["truth", "outputs:somewhere"])
def test_what_restores_nothing_has_no_speed(name: str) -> None:
    with pytest.raises(BadInput, match="has no speed"):
        load_restorer(Case("embedded", "paper", name), "cpu")


def test_memory_is_that_of_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restorer that fills 200 MiB is seen to; one that dies is a failure with its last line."""
    (tmp_path / "hungry_model.py").write_text(
        "import numpy as np\n"
        "from gfpbench.types import ImageBatch\n"
        "def restorer(batch: ImageBatch) -> ImageBatch:\n"
        "    filled = np.ones(200 * 2**20, np.uint8)\n"
        "    return ImageBatch(batch.pixels * float(filled[7]) * 0.5, batch.ids)\n"
        "def dying(batch: ImageBatch) -> ImageBatch:\n"
        "    raise MemoryError('no room left')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("gfpbench.speed.memory.PROCESSES", 1)
    found = in_a_process(Case("embedded", "paper", "python:hungry_model:restorer", limit=1), 1)
    if found.peak_mib is None:
        pytest.skip(found.note)
    assert 195 < found.peak_mib < 260
    with pytest.raises(RestorationFailed, match="no room left"):
        in_a_process(Case("embedded", "paper", "python:hungry_model:dying", limit=1), 1)
