"""A search that several processes measure leaves the bytes of one process, whatever happens to them meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gfpbench import cli, run
from gfpbench.collapse import Question, collapse_points, loaded, measuring, text_of
from gfpbench.run.course import Task
from gfpbench.types import Case, GfpbenchError, Progress
from tests.unit.run.worker_threads import files_of, inputs_in, threads_for_processes

pytestmark = pytest.mark.usefixtures("forked_processes")
LIMITS: dict[str, Any] = {"isolate": False, "seconds_per_image": None}
REFUSES = "python:worker_models:refuses"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with inputs_in(tmp_path_factory.mktemp("inputs")) as folder:
        yield folder


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with threads_for_processes(monkeypatch):
        yield


def searched(
    store: Path,
    inputs: Path,
    restorer: str,
    pool: run.Workers | None,
    progress: Progress | None = None,
    *,
    limit: int = 5,
    axes: Sequence[str] = ("noise",),
) -> str:
    """The records of searches, in batches of three."""
    faces: dict[str, Any] = {"faces": str(inputs / "faces"), "limit": limit}
    asked = [Question(restorer, axis, criteria=("input",), resolution=4, **faces) for axis in axes]
    known = loaded(asked, load=lambda name: run.guarded(name, "cpu", **LIMITS))
    how: dict[str, Any] = {"batch_size": 3, "restorers": known, "workers": pool, "progress": progress}
    return text_of(tuple(collapse_points(asked, store=store, **how)))


def check_same_searches(folder: Path, inputs: Path, restorer: str, pool: run.Workers) -> None:
    """Several processes leave what one leaves, and say the same."""
    axes = "noise", "roll"  # which moves the faces themselves
    alone = searched(folder / "one", inputs, restorer, None, axes=axes)
    assert searched(folder / "several", inputs, restorer, pool, axes=axes) == alone
    assert files_of(folder / "several") == files_of(folder / "one")


@pytest.mark.usefixtures("threads")
def test_the_files_are_those_of_one_process(tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restorers are loaded once in each process. What a search looks at in any case is measured before it is asked for,
    of the search that comes after it too."""
    names, ahead = list[str](), list[Case]()
    guarded, expect = run.guarded, run.Workers.expect

    def loading(name: str, *given: Any, **named: Any) -> Any:
        names.append(name)
        return guarded(name, *given, **named)

    def expecting(self: run.Workers, task: Task) -> None:
        ahead.append(task.case)
        expect(self, task)

    monkeypatch.setattr(run, "guarded", loading)
    monkeypatch.setattr(run.Workers, "expect", expecting)
    with run.Workers(3, LIMITS) as pool:
        check_same_searches(tmp_path, inputs, REFUSES, pool)
    assert 3 <= len(names) <= 5  # once for each of the two runs, and in the processes
    assert len(set(ahead)) == len(ahead) == 2 * 2 * 5  # of two searches the restorer and its input, at five severities


@pytest.mark.usefixtures("threads")
def test_a_search_that_was_stopped_goes_on_with_any_number(tmp_path: Path, inputs: Path) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int, what: str) -> None:
        if done == 3:
            raise Stop

    whole = searched(tmp_path / "whole", inputs, "classical", None)
    for name, first, then in (("there", 0, 2), ("back", 3, 0)):
        for count, progress in ((first, stop), (then, None)):
            pool = run.Workers(count, LIMITS) if count else None
            try:
                assert searched(tmp_path / name, inputs, "classical", pool, progress) == whole
            except Stop:
                assert progress is stop
            finally:
                if pool is not None:
                    pool.close()
        assert files_of(tmp_path / name) == files_of(tmp_path / "whole")


@pytest.mark.usefixtures("threads")
def test_a_lost_process_is_replaced_and_two_with_one_batch_end_the_search(
    tmp_path: Path, inputs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    restorer = "python:worker_models:dies_once"
    alone = searched(tmp_path / "one", inputs, restorer, None, limit=14)
    (inputs / "kill").touch()
    with run.Workers(2, LIMITS) as pool:
        assert searched(tmp_path / "two", inputs, restorer, pool, limit=14) == alone
    assert not (inputs / "kill").exists()
    assert [line for line in caplog.messages if "signal 9 (Killed); another takes its place" in line]
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")
    (inputs / "kill").touch()
    line = r"begins at face 13: .* signal 9 .*2 times; .* --isolate"
    with run.Workers(2, LIMITS) as pool, pytest.raises(GfpbenchError, match=line):
        searched(tmp_path / "two", inputs, "python:worker_models:dies", pool, limit=14)
    (inputs / "kill").unlink()


@pytest.mark.usefixtures("threads")
def test_a_process_that_measures_something_else_is_refused(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = measuring._Loader.parts
    monkeypatch.setattr(measuring._Loader, "parts", lambda *a, **k: original(*a, **{**k, "severity": 0.5}))
    line = r"'input' is not the same in a worker process \(.*degradation.*\): measure it without --workers"
    with run.Workers(1, LIMITS) as pool, pytest.raises(GfpbenchError, match=line):
        searched(tmp_path, inputs, "classical", pool)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("at", [(), ("--at", "20")])
def test_the_command_says_the_same_with_processes(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch, at: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["collapse", "--restorer", "classical", "--faces", str(inputs / "faces"), "--limit", "4", "--device", "cpu"]
    words += ["--criterion", "input", "--resolution", "4", *at]
    said = {}
    for count in (1, 2):
        done = CliRunner().invoke(cli.app, [*words, "--workers", str(count)])
        assert done.exit_code == 0, done.output
        said[count] = done.stdout
        shutil.move("report", str(count))
    assert said[1] == said[2]
    one, two = (files_of(tmp_path / str(count)) for count in (1, 2))
    assert [name for name in one.keys() | two.keys() if one.get(name) != two.get(name)] == []
