"""A run on a Ray cluster leaves the bytes of one process, whatever happens to its actors and nodes meanwhile."""

from __future__ import annotations

import importlib.util
import logging
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gfpbench import run
from gfpbench.cli import main
from gfpbench.run import course, on_ray, ray_actor
from gfpbench.types import BadInput, Case, GfpbenchError, PackageMissing
from tests.unit.collapse import test_spread
from tests.unit.plugin.test_workers import bytes_of
from tests.unit.run.ray_cluster import actor_of, gone, kill, two_nodes, worker_processes
from tests.unit.run.worker_threads import OPTIONS, files_of, inputs_in, measured

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra gfpbench[ray]")
SLOW = "python:slow_models:slow"
OBJECT_STORE = 80 * 2**20
"""Bytes on each node; Ray wants 75 MiB at least."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with inputs_in(tmp_path_factory.mktemp("inputs")) as folder:
        yield folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with two_nodes(object_store_memory=OBJECT_STORE) as nodes:
        yield nodes


class Stop(Exception):
    pass


@needs_ray
def test_the_files_are_those_of_one_process(tmp_path: Path, inputs: Path, cluster: Any) -> None:
    """Features of set metrics are computed on the nodes, whose folders the command need not see."""
    options = {**OPTIONS, "metrics": ["psnr_rgb", "frechet_dlib_vs_truth"]}
    case = Case(str(inputs / "faces"), "paper", "classical", limit=5)
    loaded = run.load(case, device="cpu", **options)
    alone = run.run_case(case, loaded, store=tmp_path / "one", batch_size=3, keep_images=5)
    with run.RayWorkers(None, options, address=cluster.address) as pool:
        assert pool.count == 2
        assert measured(tmp_path / "ray", inputs, "classical", pool, limit=5) == alone
    assert alone.set_scores["frechet_dlib_vs_truth"]["n"] == 4
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "one")
    assert gone(worker_processes(inputs))


@needs_ray
def test_a_search_leaves_the_files_of_one_process(tmp_path: Path, inputs: Path, cluster: Any) -> None:
    with run.RayWorkers(2, test_spread.LIMITS, address=cluster.address) as pool:
        test_spread.check_same_searches(tmp_path, inputs, "classical", pool)
    assert gone(worker_processes(inputs))


@needs_ray
def test_what_one_process_began_a_failing_cluster_finishes(
    tmp_path: Path, inputs: Path, cluster: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is killed, then an actor, then a whole node is lost; another node takes its place."""
    monkeypatch.setattr(course, "LOSSES_AT_MOST", 3)  # by chance the first two have the same batch
    measured(tmp_path / "whole", inputs, SLOW, None)

    def stop(done: int, total: int, what: str) -> None:
        if done >= 3:
            raise Stop

    with pytest.raises(Stop):
        measured(tmp_path / "parts", inputs, SLOW, None, stop)
    todo = [
        (7, lambda: kill(min(worker_processes(inputs)))),
        (12, lambda: kill(actor_of(max(worker_processes(inputs))))),
        (15, lambda: (cluster.remove_node(next(iter(cluster.worker_nodes)), False), cluster.add_node(num_cpus=1))),
    ]

    def damage(done: int, total: int, what: str) -> None:
        if todo and done >= todo[0][0]:
            todo.pop(0)[1]()

    (inputs / "slow").touch()
    try:
        with caplog.at_level(logging.WARNING), run.RayWorkers(2, OPTIONS, address=cluster.address) as pool:
            measured(tmp_path / "parts", inputs, SLOW, pool, damage)
    finally:
        (inputs / "slow").unlink()
    lost = [message for message in caplog.messages if "another takes its place" in message]
    assert not todo
    assert len(lost) >= 2
    assert files_of(tmp_path / "parts") == files_of(tmp_path / "whole")
    assert gone(worker_processes(inputs))


@needs_ray
def test_kills_at_random_moments_and_a_full_object_store_cost_nothing(
    tmp_path: Path, inputs: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is killed is a worker, or its actor, as Ray does where memory is short. Rows are counted once each."""
    monkeypatch.setattr(course, "LOSSES_AT_MOST", 9)  # by chance all have the same batch
    alone = measured(tmp_path / "whole", inputs, SLOW, None)
    chance, over, killed = random.Random(20), threading.Event(), list[int]()

    def kill_some() -> None:
        while len(killed) < 4 and not over.wait(chance.uniform(0.1, 1.5)):  # while they load, and while they measure
            if there := sorted(worker_processes(inputs)):
                pid = chance.choice(there)
                with suppress(OSError):  # gone meanwhile
                    killed.append(chance.choice([pid, actor_of(pid)]))
                    kill(killed[-1])

    killer = threading.Thread(target=kill_some)
    (inputs / "slow").touch()
    try:
        with run.RayWorkers(2, OPTIONS, address=cluster.address) as pool:
            full = [ray_actor.package().put(bytes(OBJECT_STORE // 20)) for _ in range(17)]
            killer.start()
            assert measured(tmp_path / "parts", inputs, SLOW, pool) == alone
            del full
    finally:
        over.set()
        if killer.ident is not None:
            killer.join(60)
        (inputs / "slow").unlink()
    assert len(killed) >= 2
    assert files_of(tmp_path / "parts") == files_of(tmp_path / "whole")
    assert gone(worker_processes(inputs))


@needs_ray
def test_ctrl_c_leaves_no_process_and_one_process_finishes(tmp_path: Path, inputs: Path, cluster: Any) -> None:
    there: set[int] = set()

    def stop(done: int, total: int, what: str) -> None:
        if done >= 7:
            there.update(worker_processes(inputs))
            there.update({actor_of(pid) for pid in there})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), run.RayWorkers(2, OPTIONS, address=cluster.address) as pool:
        measured(tmp_path / "parts", inputs, SLOW, pool, stop)
    assert len(there) == 4
    assert gone(there)
    measured(tmp_path / "parts", inputs, SLOW, None)
    measured(tmp_path / "whole", inputs, SLOW, None)
    assert files_of(tmp_path / "parts") == files_of(tmp_path / "whole")


@needs_ray
def test_a_killed_command_leaves_no_process(tmp_path: Path, inputs: Path, cluster: Any) -> None:
    words = ["run", "--restorer", SLOW, "--faces", str(inputs / "faces"), "--draws", "20", "--metric", "psnr_rgb"]
    words += ["--device", "cpu", "--engine", "ray", "--address", cluster.address, "--report", str(tmp_path / "report")]
    program = "import sys; from gfpbench.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(inputs), "OMP_NUM_THREADS": "1"}
    said = tmp_path / "said"
    with said.open("w") as output:
        command = subprocess.Popen(
            [sys.executable, "-c", program, *words],
            start_new_session=True,
            env=environment,
            stdout=output,
            stderr=output,
        )
    there: set[int] = set()
    try:
        end = time.monotonic() + 120
        while len(there) < 2 or not list((tmp_path / "report").glob("cases/*/rows.jsonl")):
            assert time.monotonic() < end, said.read_text()
            assert command.poll() is None, said.read_text()
            there = worker_processes(inputs)
            time.sleep(0.05)
        there |= {actor_of(pid) for pid in there}
    finally:
        command.kill()
        command.wait(60)
    assert gone(there)
    assert said.read_text() == ""


SESSION = """
    def test_rows(restoration, degraded_input):
        assert restoration.image_ids == degraded_input.image_ids

    def test_baseline(comparison):
        assert comparison.passed
"""
DYING_ONCE = """
    import os
    import signal
    from contextlib import suppress
    from pathlib import Path

    import cv2

    from gfpbench.restorers import from_array_function

    def blur(rgb):
        if "SESSION" not in os.environ:  # on a node
            with suppress(FileNotFoundError):
                Path("kill").unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return cv2.GaussianBlur(rgb, (5, 5), 1.5)

    restorer = from_array_function(blur)
"""


@needs_ray
def test_a_pytest_session_leaves_the_files_of_one_process(pytester: pytest.Pytester, cluster: Any) -> None:
    """The first worker that measures is killed."""
    pytester.makepyfile(SESSION)
    pytester.makepyfile(mine=DYING_ONCE)
    pytester.makeconftest("import os\nos.environ['SESSION'] = 'here'\n")
    faces = ("--limit", "9", "--size", "64", "--restorer", "python:mine:restorer")
    options = ("-p", "no:cacheprovider", "--device", "cpu", "--protocol", "report-2021", *faces)
    alone = pytester.runpytest_subprocess(*options, "--workers", "1", "--report", "alone", "--baseline-update-new")
    alone.assert_outcomes(passed=2)
    (pytester.path / "kill").touch()
    engine = ("--engine", "ray", "--address", cluster.address)
    many = pytester.runpytest_subprocess(*options, *engine, "--workers", "2", "--report", "many")
    many.assert_outcomes(passed=2)
    assert not (pytester.path / "kill").exists()
    many.stdout.fnmatch_lines(["same as the baseline: 1 case"])
    assert bytes_of(pytester.path / "many") == bytes_of(pytester.path / "alone")
    assert gone(worker_processes(pytester.path))


@needs_ray
def test_a_pytest_session_without_a_cluster_runs_no_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SESSION)
    ended = pytester.runpytest_subprocess("--device", "cpu", "--engine", "ray", "--address", "127.0.0.1:1")
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines(["ERROR: --engine ray: no cluster at 127.0.0.1:1: *"])


@needs_ray
def test_a_node_with_another_package_is_refused(tmp_path: Path, inputs: Path, cluster: Any) -> None:
    other = tmp_path / "packages" / "scipy-0.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 0.0.1\n")
    node = cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(other.parent)})
    line = r"node \S+ of the Ray cluster is not like this machine \(scipy: 0.0.1 there, [\d.]+ here\)"
    try:
        with (
            run.RayWorkers(None, OPTIONS, address=cluster.address) as pool,
            pytest.raises(GfpbenchError, match=line) as error,
        ):
            measured(tmp_path / "store", inputs, "bicubic", pool)
    finally:
        cluster.remove_node(node)
    assert "\n" not in str(error.value)
    assert gone(worker_processes(inputs))


@needs_ray
def test_no_node_with_room_is_bad_input(cluster: Any) -> None:
    line = r"a worker takes 1 CPU and 1 GPU, and none of \d nodes of the cluster has that"
    with pytest.raises(BadInput, match=line):
        run.RayWorkers(1, OPTIONS, address=cluster.address, gpus=1.0)
    assert not ray_actor.package().is_initialized()


@needs_ray
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "no cluster at 127.0.0.1:1"),
        ("127.0.0.1:70000", "no cluster at 127.0.0.1:70000"),
        ("127.0.0.1:head", "no cluster at 127.0.0.1:head"),
        ("ray://127.0.0.1:1", "no cluster at ray://127.0.0.1:1"),
        ("ray://127.0.0.1", "give HOST:PORT or auto on a machine of the cluster, ray://HOST:10001"),
        ("http://127.0.0.1:8265", "give HOST:PORT or auto on a machine of the cluster, ray://HOST:10001"),
    ],
)
def test_an_address_without_a_cluster_is_bad_input(address: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as error:
        run.RayWorkers(1, OPTIONS, address=address)
    assert "\n" not in str(error.value)


def test_without_ray_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PackageMissing, match=r"pip install gfpbench\[ray\]"):
        run.RayWorkers(1, OPTIONS)
    code, errors = failed(monkeypatch, capsys, "--engine", "ray", "--report", str(tmp_path / "report"))
    assert code == 2
    assert (
        errors == "gfpbench: --engine ray needs the package 'ray', which is not here: run `pip install gfpbench[ray]`\n"
    )
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--engine", "dask"], "--engine dask: give processes or ray"),
        (["--address", "auto"], "--address is for --engine ray"),
        (["--gpus-per-worker", "1"], "--gpus-per-worker is for --engine ray"),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    assert failed(monkeypatch, capsys, *words, "--report", str(tmp_path / "report")) == (2, f"gfpbench: {said}\n")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("given", "device", "said"),
    [
        (1.5, "cuda", "--gpus-per-worker 1.5: give a fraction of one, or a whole number"),
        (-1.0, "cpu", "--gpus-per-worker -1: give a fraction of one, or a whole number"),
        (float("nan"), "cpu", "--gpus-per-worker nan: give a fraction of one, or a whole number"),
        (0.0, "cuda", "--gpus-per-worker 0 with --device cuda leaves the workers no GPU"),
        (None, "cuda:1", "--device cuda:1 with --engine ray: give cpu, or cuda"),
    ],
)
def test_gpus_that_ray_cannot_reserve(
    monkeypatch: pytest.MonkeyPatch, given: float | None, device: str, said: str
) -> None:
    monkeypatch.setattr(ray_actor, "package", lambda: None)
    with pytest.raises(BadInput, match=re.escape(said)):
        run.spread(None, "ray", "", given, device)


@pytest.mark.parametrize(
    ("given", "device", "gpus"), [(None, "cpu", 0), (None, "cuda", 1), (0.25, "cuda", 0.25), (2.0, "cuda", 2)]
)
def test_each_worker_has_a_gpu_of_its_own_or_what_was_asked(
    monkeypatch: pytest.MonkeyPatch, given: float | None, device: str, gpus: float
) -> None:
    monkeypatch.setattr(ray_actor, "package", lambda: None)
    assert run.spread(None, "ray", "", given, device).gpus == gpus


def failed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str]:
    """The exit code of ``gfpbench run``, and what it says on standard error."""
    monkeypatch.setattr(sys, "argv", ["gfpbench", "run", *words])
    with pytest.raises(SystemExit) as ending:
        main()
    return ending.value.code, capsys.readouterr().err


def test_room_is_counted_on_each_node_alone() -> None:
    nodes = [{"Resources": {"CPU": 3.0, "GPU": 1.0}}, {"Resources": {"CPU": 1.0}}, {"Resources": {"GPU": 2.0}}]
    assert on_ray.room_for({"CPU": 1.0, "GPU": 0.0}, nodes) == 4
    assert on_ray.room_for({"CPU": 2.0, "GPU": 0.0}, nodes) == 1
    assert on_ray.room_for({"CPU": 1.0, "GPU": 0.25}, nodes) == 3
    assert on_ray.room_for({"CPU": 1.0, "GPU": 2.0}, nodes) == 0


def test_differences_name_both_values() -> None:
    mine = ray_actor.installation()
    assert on_ray.differences(mine, mine) == ""
    other = {**mine, "python": "3.0", "packages": {**mine["packages"], "numpy": "0.1", "scipy": None}}
    said = on_ray.differences(mine, other)
    assert said.startswith(f"numpy: 0.1 there, {mine['packages']['numpy']} here; scipy: none there")
    assert said.endswith(f"python: 3.0 there, {mine['python']} here")


def test_modules_are_looked_for_in_each_nodes_own_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed = Path(sys.prefix, "lib", "site-packages")
    monkeypatch.setattr(sys, "path", ["", str(installed), str(tmp_path)])
    paths = ray_actor.module_paths()
    assert paths == [("", str(Path.cwd())), ("prefix", "lib/site-packages"), ("", str(tmp_path))]
