"""Several cases as one run: what was finished before a stop is kept while all that it came from is unchanged."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gfpbench import completion, results
from gfpbench.run import key
from gfpbench.types import ImageBatch
from tests.unit.run import laws
from tests.unit.run.laws import CASE, Smooth, Toy, ToyFaces, ToyMetric, mae


class Counting(Smooth):
    def __init__(self, version: str = "1") -> None:
        super().__init__(version=version)
        self.images = 0

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        self.images += len(degraded)
        return super().__call__(degraded)


FIRST, SECOND = CASE, replace(CASE, seed=1)


def both(store: Path, toy: Toy, stop_after: int | None = None) -> int:
    """Two cases as one run, as the command measures them. Stops after some batches of the second. Returns how many
    images were restored."""
    stopped = completion.is_unfinished(store)
    completion.begin(store)
    restorer = Counting(toy.restorer.version if toy.restorer is not None else "1")
    toy.but(case=FIRST, restorer=restorer).measure(store, reuse=stopped)
    more = {} if stop_after is None else {"progress": laws.stop_after(stop_after)}
    toy.but(case=SECOND, restorer=restorer).measure(store, reuse=stopped, **more)
    completion.complete(store)
    return restorer.images


def test_what_was_finished_is_not_measured_again(tmp_path: Path) -> None:
    toy = Toy(ToyFaces(12))
    assert both(tmp_path / "undisturbed", toy) == 24
    with pytest.raises(laws.Stopped):
        both(tmp_path / "stopped", toy, stop_after=2)
    assert both(tmp_path / "stopped", toy) == 9  # none of the first case; of the second, the last batch and the rest
    for case in (FIRST, SECOND):
        laws.check_same(tmp_path / "undisturbed" / case.id, tmp_path / "stopped" / case.id)
    assert both(tmp_path / "stopped", toy) == 24  # a run that came to its end is measured anew


CHANGES: dict[str, Mapping[str, object]] = {
    "weights": {"restorer": Smooth(version="2")},
    "a face": {"faces": ToyFaces(12, version=1)},
    "a face torn": {"faces": ToyFaces(12, unreadable=frozenset({"face 0001"}))},
    "metrics": {"metrics": (ToyMetric("mae_255", mae),)},
    "batch size": {"batch_size": 4},
    "images kept": {"keep_images": 1},
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_came_from_something_else_is_measured_again(tmp_path: Path, name: str) -> None:
    with pytest.raises(laws.Stopped):
        both(tmp_path / "stopped", Toy(ToyFaces(12)), stop_after=2)
    changed = Toy(ToyFaces(12)).but(**CHANGES[name])
    assert both(tmp_path / "stopped", changed) == both(tmp_path / "undisturbed", changed)
    for case in (FIRST, SECOND):
        laws.check_same(tmp_path / "undisturbed" / case.id, tmp_path / "stopped" / case.id)


OWN_METRIC = """
from gfpbench.metrics.per_image import PerImageMetric

def score(restored, truth):
    return {factor} * (restored.pixels - truth.pixels).abs().mean((1, 2, 3)).double()

mine = PerImageMetric(
    name="mine", unit="", better="lower", best=0.0, tolerance=1e-6, tolerance_reason="none", minimum_side_px=1,
    needs_truth=True, source="mine", score=score,
)
"""


def test_a_metric_of_ones_own_that_was_edited_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the record that it had, and gives other numbers."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = []
    for factor in (1, 2, 2):
        (tmp_path / "own_metric.py").write_text(OWN_METRIC.format(factor=factor))
        monkeypatch.delitem(sys.modules, "own_metric", raising=False)
        key._files_of_module.cache_clear()  # as in another process
        module = importlib.import_module("own_metric")
        restorer = Counting()
        toy = Toy(ToyFaces(4)).but(restorer=restorer, metrics=(module.mine,))
        score = toy.measure(tmp_path / "store", reuse=True).rows[0].scores["mine"]
        found.append((score, restorer.images > key.PROBED_FACES))
    assert found[0][0]
    assert found == [(found[0][0], True), (2 * found[0][0], True), (2 * found[0][0], False)]
    monkeypatch.delitem(sys.modules, "own_metric")


def test_a_compiled_function_names_no_file_of_a_metric() -> None:
    """Some of them have None in place of a module's name."""
    assert [].append.__module__ is None
    mine, compiled = ToyMetric("mae_255", mae), cast(Any, SimpleNamespace(score=[].append))
    assert key.code_of([compiled, mine, compiled]) == key.code_of([mine])


DAMAGED = {
    "no JSON": lambda text: text[:-9],
    "nothing": lambda text: "",
    "a list": lambda text: f"[{text}]",
    "too deep": lambda text: "[" * 100_000,
    "a name twice": lambda text: text.replace('"read"', '"read": {}, "read"', 1),
    "no number": lambda text: text.replace('"read": {', '"read": {"a": NaN', 1),
    "a field of another type": lambda text: text.replace('"read": {', '"read": [{', 1).replace("}}", "}]}", 1),
    "a field more": lambda text: text.replace('"read"', '"written": 1, "read"', 1),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_key_has_the_case_measured_again(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    toy = Toy(ToyFaces(4))
    undisturbed = toy.measure(tmp_path)
    path = tmp_path / CASE.id / "key.json"
    sound = path.read_text(encoding="utf-8")
    path.write_text(DAMAGED[name](sound), encoding="utf-8")
    restorer = Counting()
    with caplog.at_level("INFO", "gfpbench"):
        assert toy.but(restorer=restorer).measure(tmp_path, reuse=True) == undisturbed
    assert "measured again: key.json is damaged" in caplog.text
    assert path.read_text(encoding="utf-8") == sound
    assert restorer.images >= 4


def test_files_that_were_left_out_are_told_as_they_are_now(tmp_path: Path) -> None:
    class Folder(ToyFaces):
        left_out = 0

        def source(self) -> Mapping[str, object]:
            return {**super().source(), "left_out": {"no image": self.left_out}}

    faces = Folder(6)
    toy = Toy(faces)
    toy.measure(tmp_path)
    faces.left_out = 2
    for _ in range(2):
        restorer = Counting()
        found = toy.but(restorer=restorer).measure(tmp_path, reuse=True)
        assert found.faces["left_out"] == {"no image": 2}
        assert results.read(tmp_path / CASE.id / "result.json") == (found,)
        assert restorer.images == 0


def _command(report: Path) -> list[str]:
    asked = ["--restorer", "nano", "--limit", "6", "--draws", "3", "--metric", "psnr_rgb", "--batch-size", "1"]
    return [sys.executable, "-m", "gfpbench", "run", *asked, "--device", "cpu", "--report", str(report)]


@pytest.mark.usefixtures("forked_processes")
def test_a_killed_command_goes_on_with_the_case_it_was_in(tmp_path: Path) -> None:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(_command(tmp_path / "undisturbed"), check=True, **quiet)  # type: ignore[call-overload]
    killed = tmp_path / "killed"
    process = subprocess.Popen(_command(killed), **quiet)  # type: ignore[call-overload]
    deadline = time.monotonic() + 100
    while not any((killed / "cases").glob("nano-*/rows.jsonl")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (finished,) = (killed / "cases").glob("input-*/timing.json")
    before = finished.stat().st_mtime_ns
    subprocess.run(_command(killed), check=True, **quiet)  # type: ignore[call-overload]
    assert finished.stat().st_mtime_ns == before
    assert (killed / "results.json").read_bytes() == (tmp_path / "undisturbed" / "results.json").read_bytes()
    assert not (killed / ".unfinished").exists()
    assert json.loads((killed / "results.json").read_text())["results"]
    subprocess.run(_command(killed), check=True, **quiet)  # type: ignore[call-overload]
    assert finished.stat().st_mtime_ns > before
    shutil.rmtree(killed)
