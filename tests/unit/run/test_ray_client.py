"""Through Ray's client a run leaves the bytes of one process, whatever happens to the command and the actors."""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gfpbench import run
from gfpbench.run import ray_actor
from gfpbench.types import BadInput
from tests.unit.plugin.test_workers import bytes_of
from tests.unit.run.ray_cluster import actor_of, for_clients, gone, kill, relays, worker_processes
from tests.unit.run.worker_threads import OPTIONS, files_of, inputs_in

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra gfpbench[ray]")
GRACE = {"RAY_CLIENT_RECONNECT_GRACE_PERIOD": "2"}
"""Seconds for which the cluster keeps what a client leaves, in case it comes back."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with inputs_in(tmp_path_factory.mktemp("inputs")) as folder:
        (folder / "slow").touch()
        yield folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with for_clients(object_store_memory=80 * 2**20) as nodes:
        yield nodes


class Command:
    """``gfpbench run`` of a slow restorer."""

    def __init__(self, inputs: Path, report: Path, *words: str) -> None:
        self.inputs, self.report, self._said = inputs, report, report.with_suffix(".said")
        what = ("--restorer", "python:slow_models:slow", "--faces", str(inputs / "faces"), "--metric", "psnr_rgb")
        program = "from gfpbench.cli import main; main()"
        where = f"{inputs}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        with self._said.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, "run", *what, "--device", "cpu", *words, "--report", str(report)],
                start_new_session=True,
                env={**os.environ, **GRACE, "PYTHONPATH": where, "OMP_NUM_THREADS": "1"},
                stdout=output,
                stderr=output,
            )

    def said(self) -> str:
        return self._said.read_text()

    def measures(self) -> set[int]:
        """Wait until two workers measure. Returns their processes."""
        end = time.monotonic() + 120
        while len(there := worker_processes(self.inputs)) < 2 or not list(self.report.glob("cases/*/rows.jsonl")):
            assert time.monotonic() < end, self.said()
            assert self.process.poll() is None, self.said()
            time.sleep(0.05)
        return there

    def ended(self) -> int:
        """Its exit code; nothing of it stays."""
        code = self.process.wait(120)
        assert gone(worker_processes(self.inputs) | relays())
        return code


def through_a_client(inputs: Path, report: Path, cluster: Any) -> Command:
    return Command(inputs, report, "--draws", "12", "--engine", "ray", "--address", cluster.client_address)


def test_the_files_are_those_of_one_process(tmp_path: Path, inputs: Path, cluster: Any) -> None:
    """The first command is killed, the second one finishes, and loses an actor meanwhile."""
    alone = Command(inputs, tmp_path / "alone", "--draws", "12", "--workers", "1")
    assert alone.ended() == 1, alone.said()  # a face is torn
    first = through_a_client(inputs, tmp_path / "report", cluster)
    first.measures()
    kill(first.process.pid)
    assert first.ended() == -signal.SIGKILL
    assert first.said() == ""
    second = through_a_client(inputs, tmp_path / "report", cluster)
    lost = actor_of(min(second.measures()))
    kill(lost)
    assert second.ended() == 1, second.said()
    assert second.said().count("another takes its place") == 1
    assert "The actor died" in second.said()
    assert files_of(tmp_path / "report") == files_of(tmp_path / "alone")


def test_ctrl_c_leaves_no_actor(tmp_path: Path, inputs: Path, cluster: Any) -> None:
    command = through_a_client(inputs, tmp_path / "report", cluster)
    there = command.measures()
    there |= {actor_of(pid) for pid in there} | relays()
    assert len(there) == 5
    command.process.send_signal(signal.SIGINT)
    assert command.ended() == 130, command.said()
    assert gone(there)
    assert command.said().count("\n") == 1


def test_a_relay_that_is_lost_ends_the_run_with_a_line(tmp_path: Path, inputs: Path, cluster: Any) -> None:
    command = through_a_client(inputs, tmp_path / "report", cluster)
    command.measures()
    kill(*relays())
    assert command.ended() == 2, command.said()
    last = command.said().splitlines()[-1]
    assert "the Ray cluster is lost (" in last
    assert "what was measured is kept, and the same command goes on" in last


def test_another_version_of_ray_is_bad_input(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_actor.package(), "__version__", "2.0.0")
    with pytest.raises(BadInput, match=r"no cluster at ray://\S+: Version mismatch: .* Ray: 2\.0\.0 ") as error:
        run.RayWorkers(1, OPTIONS, address=cluster.client_address)
    assert "\n" not in str(error.value)
    assert not ray_actor.package().is_initialized()


def test_another_port_of_the_cluster_is_bad_input(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = importlib.import_module("ray.util.client.worker")
    for seconds in ("INITIAL_TIMEOUT_SEC", "MAX_TIMEOUT_SEC"):
        monkeypatch.setattr(worker, seconds, 1)
    with pytest.raises(BadInput, match=r"no cluster at ray://\S+: ") as error:
        run.RayWorkers(1, OPTIONS, address=f"ray://{cluster.address}")
    assert "\n" not in str(error.value)


def test_a_pytest_session_leaves_the_files_of_one_process(pytester: pytest.Pytester, cluster: Any) -> None:
    pytester.makepyfile("def test_rows(restoration, degraded_input):\n    assert restoration.image_ids\n")
    options = ["-p", "no:cacheprovider", "-W", "error", "--device", "cpu", "--protocol", "report-2021"]
    options += ["--limit", "9", "--size", "64", "--restorer", "bicubic"]
    for where in (("--report", "alone"), ("--report", "many", "--engine", "ray", "--address", cluster.client_address)):
        session = pytester.runpytest_subprocess(*options, "--workers", "1", *where)
        session.assert_outcomes(passed=1)
    assert bytes_of(pytester.path / "many") == bytes_of(pytester.path / "alone")
    assert gone(relays())
