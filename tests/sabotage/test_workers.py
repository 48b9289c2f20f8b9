"""Small honest bugs put into the processes that share a run: what they leave is no longer what one process leaves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gfpbench.collapse import measuring
from gfpbench.plugin import processes
from gfpbench.restorers.checked import Seen
from gfpbench.run import Spread, recorder, worker
from gfpbench.run.workers import Workers
from gfpbench.types import Case, GfpbenchError
from tests.unit.collapse import test_spread
from tests.unit.plugin.test_workers import check_on_ray, check_started_anew
from tests.unit.run import test_workers as laws
from tests.unit.run.worker_threads import check_same_files, inputs_in, threads_for_processes

pytestmark = pytest.mark.usefixtures("forked_processes")
Bug = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with inputs_in(tmp_path_factory.mktemp("inputs")) as folder:
        yield folder


class Forgetful(Seen):
    """Knows of no earlier image."""

    @property
    def images(self) -> dict[str, tuple[str, str]]:
        return {}

    @images.setter
    def images(self, _: object) -> None: ...


def _each_batch_for_itself(patch: pytest.MonkeyPatch) -> None:
    original = Workers.measured
    patch.setattr(
        Workers, "measured", lambda self, task, begin, seen, *how: original(self, task, begin, Forgetful(), *how)
    )


def _as_they_come(patch: pytest.MonkeyPatch) -> None:
    """Answers are written down in the order of their arrival; the later batch of two is asked for first."""
    original = Workers.measured

    def swapped(self: Workers, *arguments: Any) -> Iterator[Any]:
        found = list(original(self, *arguments))
        found[1:3] = found[2:0:-1]
        yield from found

    patch.setattr(Workers, "measured", swapped)


def _no_images(patch: pytest.MonkeyPatch) -> None:
    """A process sends the images that are among its own worst, and forgets the first ones."""
    original = recorder.Kept.ids.fget  # type: ignore[attr-defined]
    patch.setattr(
        worker, "Kept", type("Worst", (recorder.Kept,), {"ids": property(lambda self: original(self) - self._first)})
    )


def _no_files(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(worker, "read_by", lambda restorer: {})


def _another_seed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(worker, "Case", lambda **named: replace(Case(**named), seed=1))


def _another_seed_unnoticed(patch: pytest.MonkeyPatch) -> None:
    _another_seed(patch)
    patch.setattr(Workers, "_compare", lambda *_: None)


BUGS: dict[str, tuple[str, Bug]] = {
    "duplicates are looked for within a batch": ("python:worker_models:repeats", _each_batch_for_itself),
    "batches are written down as they come": ("bicubic", _as_they_come),
    "what a restorer reads is not told": ("python:worker_models:reads", _no_files),
    "a process draws from another seed": ("bicubic", _another_seed),
    "a process draws from another seed, and its key is believed": ("bicubic", _another_seed_unnoticed),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_in_the_processes_is_noticed(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    restorer, bug = BUGS[name]
    bug(monkeypatch)
    with threads_for_processes(monkeypatch), pytest.raises((AssertionError, GfpbenchError)):
        check_same_files(tmp_path, inputs, restorer)


def _never_asked_for(patch: pytest.MonkeyPatch) -> None:
    honest = recorder.Kept.lacks
    patch.setattr(recorder.Kept, "lacks", lambda self, *given: honest(self, *given) and False)


def _sent_as_ever(patch: pytest.MonkeyPatch) -> None:
    honest = worker._Loaded.measure
    patch.setattr(worker._Loaded, "measure", lambda *given, whole: honest(*given, whole=False))


IMAGES: dict[str, Bug] = {
    "the first images are sent when asked for only": _no_images,
    "images that are missing are not asked for": _never_asked_for,
    "images that are asked for are not sent": _sent_as_ever,
}


@pytest.mark.parametrize("name", IMAGES)
def test_a_bug_in_what_images_are_sent_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    IMAGES[name](monkeypatch)
    with threads_for_processes(monkeypatch), pytest.raises(AssertionError):
        laws.test_what_is_the_worst_only_once_another_has_failed_keeps_its_images(tmp_path, monkeypatch)


def _another_severity(patch: pytest.MonkeyPatch) -> None:
    original = measuring._Loader.parts
    patch.setattr(measuring._Loader, "parts", lambda *a, **k: original(*a, **{**k, "severity": k["severity"] / 2}))


def _another_severity_unnoticed(patch: pytest.MonkeyPatch) -> None:
    _another_severity(patch)
    patch.setattr(Workers, "_compare", lambda *_: None)


SEARCHES: dict[str, Bug] = {
    "a process measures another severity": _another_severity,
    "a process measures another severity, and its key is believed": _another_severity_unnoticed,
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_bug_in_the_processes_of_a_search_is_noticed(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    SEARCHES[name](monkeypatch)
    with (
        threads_for_processes(monkeypatch),
        Workers(2, test_spread.LIMITS) as pool,
        pytest.raises((AssertionError, GfpbenchError)),
    ):
        test_spread.check_same_searches(tmp_path, inputs, "classical", pool)


SESSIONS: dict[str, Bug] = {
    "workers keep the environment they were started in": lambda patch: patch.setattr(
        processes, "_surroundings", lambda options: dict(options)
    ),
    "workers load with the options of the first case": lambda patch: patch.setattr(
        processes, "_surroundings", lambda options: dict(os.environ).get("WHAT_A_MODEL_READS")
    ),
    "every case has workers of its own": lambda patch: patch.setattr(
        processes, "_surroundings", lambda options: object()
    ),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_bug_in_the_processes_of_a_session_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    SESSIONS[name](monkeypatch)
    with pytest.raises(AssertionError):
        check_started_anew(monkeypatch)


ON_RAY: dict[str, Bug] = {
    "one worker is this process on Ray too": lambda patch: patch.setattr(
        Spread, "is_here", property(lambda self: self.workers in (None, 1))
    ),
    "workers are always processes of this machine": lambda patch: patch.setattr(
        Spread, "started", lambda self, options: Workers(2, options)
    ),
    "this process has other threads than those of a cluster": lambda patch: patch.setattr(
        Spread, "pins_threads", property(lambda self: False)
    ),
    "an address without a cluster fails one test only": lambda patch: patch.setattr(
        processes.Processes, "_started", lambda self, spread, options: spread.started(options)
    ),
}


@pytest.mark.parametrize("name", ON_RAY)
def test_a_bug_in_what_the_options_say_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ON_RAY[name](monkeypatch)
    with pytest.raises((AssertionError, GfpbenchError)):
        check_on_ray(monkeypatch)


def test_without_a_bug_nothing_is_noticed(tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with threads_for_processes(monkeypatch):
        for restorer in sorted({restorer for restorer, _ in BUGS.values()}):
            check_same_files(tmp_path / restorer.replace(":", "-"), inputs, restorer)
