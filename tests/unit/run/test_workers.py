"""Several processes that measure one run leave the bytes of one process, whatever happens to them meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gfpbench import run
from gfpbench.run import case, journal, key, messages, recorder, worker, workers
from gfpbench.run.child_process import ChildProcess
from gfpbench.types import BadInput, Case, GfpbenchError
from tests.unit.run.worker_threads import (
    OPTIONS,
    files_of,
    inputs_in,
    measured,
    threads_for_processes,
)

pytestmark = pytest.mark.usefixtures("forked_processes")
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with inputs_in(tmp_path_factory.mktemp("inputs")) as folder:
        yield folder


@pytest.fixture(autouse=True)
def kept_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal of a finished run is compared as well."""
    monkeypatch.setattr(journal.Journal, "end", lambda self: self.path.rename(self.path.with_name("journal")))


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with threads_for_processes(monkeypatch):
        yield


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("restorer", ["classical", "truth", "repeats", "reads"])
def test_the_files_are_those_of_one_process(tmp_path: Path, inputs: Path, restorer: str) -> None:
    if restorer in ("repeats", "reads"):
        restorer = f"python:worker_models:{restorer}"
    alone = measured(tmp_path / "one", inputs, restorer, None)
    if restorer.endswith("repeats"):
        failed = [row.failure for row in alone.rows if row.failure is not None]
        assert len(failed) >= 3
        assert len({failure.partition("for '")[2] for failure in failed}) > 1
    for count in (1, 2, 3):
        with run.Workers(count, OPTIONS) as pool:
            assert measured(tmp_path / str(count), inputs, restorer, pool) == alone
        assert files_of(tmp_path / str(count)) == files_of(tmp_path / "one")


@pytest.mark.usefixtures("threads")
def test_what_is_the_worst_only_once_another_has_failed_keeps_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst face but one was given before, which a process that compares with nothing is told too late."""
    honest = worker._Loaded.measure
    whole: list[int] = []

    def measure(self: worker._Loaded, start: int, *arguments: Any, **named: Any) -> None:
        if named["whole"]:
            whole.append(start)
            self._last = -1  # as in a process that did not measure this batch before
        honest(self, start, *arguments, **named)

    monkeypatch.setattr(worker._Loaded, "measure", measure)
    for name, limit in (("MANY", 2), ("BEST", 1), ("SAMPLE", 0)):
        monkeypatch.setattr(recorder, name, limit)
    for module in (case, worker):
        monkeypatch.setattr(module, "KEPT_WORST", 1)
    rng = np.random.default_rng(0)
    for folder in ("faces", "outputs"):
        (tmp_path / folder).mkdir()
    given: dict[int, np.ndarray] = {}
    for number in range(6):
        truth = rng.integers(60, 190, (32, 32, 3), np.uint8)
        noise = 40 if number == 5 else 3
        given[number] = given[1] if number == 4 else truth + rng.integers(-noise, noise, truth.shape).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "faces" / f"{number}.png"), truth)
        cv2.imwrite(str(tmp_path / "outputs" / f"{number}.png"), given[number])
    asked = Case(str(tmp_path / "faces"), "paper", f"outputs:{tmp_path / 'outputs'}")
    parts = run.load(asked, device="cpu", **OPTIONS)
    run.run_case(asked, parts, store=tmp_path / "one", batch_size=1, keep_images=1)
    with run.Workers(1, OPTIONS) as pool:
        run.run_case(asked, parts, store=tmp_path / "several", workers=pool, batch_size=1, keep_images=1)
    assert next((tmp_path / "one").glob("*/images/5.restored.png"))
    assert sorted(files_of(tmp_path / "several")) == sorted(files_of(tmp_path / "one"))
    assert files_of(tmp_path / "several") == files_of(tmp_path / "one")
    assert whole == [5], "no other batch is measured once more for its images"


@pytest.mark.usefixtures("threads")
def test_set_metrics_are_those_of_one_process(tmp_path: Path, inputs: Path) -> None:
    """Features are written where they are computed; the score is of all of them, in the order of the run."""
    options = {**OPTIONS, "metrics": ["psnr_rgb", "frechet_dlib_vs_truth"]}
    with run.Workers(1, options) as pool:
        alone = measured(tmp_path / "one", inputs, "classical", pool, limit=5)
    assert alone.set_scores["frechet_dlib_vs_truth"]["n"] == 4
    with run.Workers(3, options) as pool:
        measured(tmp_path / "three", inputs, "classical", pool, limit=5)
    assert files_of(tmp_path / "three") == files_of(tmp_path / "one")


@pytest.mark.usefixtures("threads")
def test_cases_of_the_same_faces_are_measured_by_the_same_processes(tmp_path: Path, inputs: Path) -> None:
    """Who has decoded and degraded a batch for one restorer does not decode it again for the next."""
    with run.Workers(2, OPTIONS) as pool:
        for restorer in ("input", "bicubic"):
            measured(tmp_path / "one", inputs, restorer, None)
            measured(tmp_path / "two", inputs, restorer, pool)
        (cuts,) = pool._cuts.values()
    assert sorted(cuts.stops) == sorted(cuts.by) == [0, 3, 7, 10, 12, 15, 17, 20]
    assert set(cuts.by.values()) == {0, 1}
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")


@pytest.mark.usefixtures("threads")
def test_one_batch_may_not_kill_them_all(tmp_path: Path, inputs: Path) -> None:
    """What was measured before it is kept, and another number of processes goes on from there."""
    restorer = "python:worker_models:dies"
    measured(tmp_path / "one", inputs, restorer, None)
    (inputs / "kill").touch()
    line = r"begins at face 13: .* signal 9 .*2 times; .* --isolate"
    with run.Workers(2, OPTIONS) as pool, pytest.raises(GfpbenchError, match=line) as error:
        measured(tmp_path / "other", inputs, restorer, pool)
    (inputs / "kill").unlink()
    assert "\n" not in str(error.value)
    measured(tmp_path / "other", inputs, restorer, None)
    assert resumed(tmp_path / "other") == 4
    assert files_of(tmp_path / "other") == files_of(tmp_path / "one")


def resumed(store: Path, case_id: str = "*") -> int:
    """How many batches of an earlier run were kept."""
    found: int = json.loads(next(store.glob(f"{case_id}/timing.json")).read_text())["resumed_batches"]
    return found


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("stopped_after", [3, 15])
def test_what_one_process_began_others_finish(tmp_path: Path, inputs: Path, stopped_after: int) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int, what: str) -> None:
        if done >= stopped_after:
            raise Stop

    restorer = "python:worker_models:repeats"
    measured(tmp_path / "whole", inputs, restorer, None)
    for name, first, then in (("there", 0, 3), ("back", 2, 0), ("on", 3, 2)):
        for count, progress in ((first, stop), (then, None)):
            pool = run.Workers(count, OPTIONS) if count else None
            try:
                measured(tmp_path / name, inputs, restorer, pool, progress)
            except Stop:
                assert progress is stop
            if pool is not None:
                pool.close()
        assert resumed(tmp_path / name) >= 1
        assert files_of(tmp_path / name) == files_of(tmp_path / "whole")


@pytest.mark.usefixtures("threads")
def test_another_restorer_in_the_process_is_refused(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key that each process finds has to be the one that the results are recorded under."""
    original = key.key_of
    monkeypatch.setattr("gfpbench.run.case.key_of", lambda *a, **k: {**original(*a, **k), "packages": {"torch": "0"}})
    line = r"'bicubic' is not the same in a worker process \(packages.*torch"
    with run.Workers(1, OPTIONS) as pool, pytest.raises(GfpbenchError, match=line):
        measured(tmp_path, inputs, "bicubic", pool)


@pytest.mark.usefixtures("threads")
def test_what_cannot_be_loaded_there_is_told_as_here(tmp_path: Path, inputs: Path) -> None:
    with run.Workers(1, OPTIONS) as pool:

        def misspelt(done: int, total: int, what: str) -> None:
            pool.options = {**OPTIONS, "metrics": ["psnr_rbg"]}

        with pytest.raises(BadInput, match="psnr_rbg"):
            measured(tmp_path, inputs, "bicubic", pool, misspelt)


def test_killed_processes_cost_nothing(tmp_path: Path, inputs: Path) -> None:
    """One of two real processes is killed, then the command: the others end, and one process goes on from what was
    committed, to the same bytes."""
    words = ["run", "--restorer", "python:slow_models:slow", "--faces", str(inputs / "faces"), "--draws", "4"]
    words += ["--batch-size", "3", "--keep", "5", "--metric", "psnr_rgb", "--metric", "ssim_rgb", "--device", "cpu"]
    words += ["--workers", "2", "--report", str(tmp_path / "report")]
    program = "import sys; from gfpbench.cli import main; main()"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment["PYTHONPATH"] = os.pathsep.join([str(inputs), environment.get("PYTHONPATH", "")])
    (inputs / "slow").touch()
    said = tmp_path / "said"
    with said.open("w") as errors:
        command = subprocess.Popen(
            [sys.executable, "-c", program, *words], start_new_session=True, env=environment, stderr=errors
        )
    try:

        def workers_there() -> set[int]:
            children = Path(f"/proc/{command.pid}/task").glob("*/children")
            return {int(pid) for path in children for pid in path.read_text().split()}

        def until(happened: Callable[[], bool]) -> None:
            end = time.monotonic() + 120
            while not happened():
                assert time.monotonic() < end, said.read_text()
                assert command.poll() is None, said.read_text()
                time.sleep(0.005)

        def committed() -> int:
            return sum(path.stat().st_size for path in (tmp_path / "report").glob("cases/python*/rows.jsonl"))

        until(lambda: committed() > 30_000)
        first = workers_there()
        assert len(first) == 2
        os.kill(min(first), signal.SIGKILL)
        until(lambda: len(workers_there() - first) == 1)
        pids, before = first | workers_there(), committed()
        until(lambda: committed() > before)
    finally:
        command.kill()
        command.wait(60)
        (inputs / "slow").unlink()
    assert "ended by signal 9" in said.read_text()
    end = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < end, f"{pids} outlived the process that had started them"
        time.sleep(0.05)
    case = Case(str(inputs / "faces"), "paper", "python:slow_models:slow", draws=4)
    options = {**OPTIONS, "seconds_per_image": 120.0}  # the command's
    for store in (tmp_path / "report" / "cases", tmp_path / "whole"):
        parts = run.load(case, device="cpu", **options)
        run.run_case(case, parts, store=store, batch_size=3, keep_images=5)
    assert resumed(tmp_path / "report" / "cases", case.id) >= 2
    assert files_of(tmp_path / "report" / "cases" / case.id) == files_of(tmp_path / "whole" / case.id)


def test_nobody_to_measure_is_bad_input() -> None:
    with pytest.raises(BadInput, match="0 worker"):
        run.Workers(0, OPTIONS)


def test_threads_are_pinned_unless_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        workers.pin_threads()
        assert torch.get_num_threads() == 2
        monkeypatch.delenv("OMP_NUM_THREADS")
        workers.pin_threads()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_a_process_that_never_served_is_told_by_its_status() -> None:
    heard: list[object] = []
    child = ChildProcess("textwrap", heard.append)  # which has no `serve`
    try:
        assert child.ended_with() == 1
        assert "status 1" in child.how_it_ended()
        until = time.monotonic() + 10
        while not heard:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert isinstance(heard[0], messages.BrokenMessage)
    finally:
        child.end()
