"""Report folders and pairings that lose something, and the tests of the real ones that notice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gfpbench import baselines
from gfpbench.baselines import inputs, pairing, scores
from gfpbench.report import folder, strips
from gfpbench.types import Result
from tests.unit.baselines import test_command_and_plugin as use
from tests.unit.baselines import test_decide as decided
from tests.unit.report import test_folder as folders


def _last_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "earlier", lambda where: ())


def _vanished_unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    real = pairing.paired_cases
    monkeypatch.setattr(
        baselines, "paired_cases", lambda *paths: dataclasses.replace(real(*paths), vanished=(), notes=())
    )


def _images_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "kept_files", _of_the_first(strips.kept_files))


def _of_the_first(real: Callable[..., Any]) -> Callable[..., Any]:
    seen: dict[str, Any] = {}
    return lambda folder, names: seen.setdefault(folder.name, real(folder, names))


def _unreadable_unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "too_many_unreadable", lambda result, at_most: "")


def _one_image_up_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    real = scores._judged

    def judged(setting: Any, gain: Any, *rest: Any) -> Any:
        return ("better", "up") if gain.mean() > 0 else real(setting, gain, *rest)

    monkeypatch.setattr(scores, "_judged", judged)


def _labels_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    def unlabelled(read: Sequence[tuple[Path, Sequence[Result]]]) -> Any:
        return [one for _, found in read for one in found], {}

    monkeypatch.setattr(folders.report, "told_apart", unlabelled)


@pytest.mark.parametrize(
    ("sabotage", "law"),
    [
        (_last_wins, folders.test_other_cases_are_added_and_the_same_ones_replaced),
        (_last_wins, folders.test_runs_that_end_together_wait_for_each_other),
        (_vanished_unsaid, use.test_a_case_that_vanished_fails),
        (_images_of_the_first, folders.test_one_case_of_two_files_is_told_apart_everywhere),
        (_labels_dropped, folders.test_one_case_of_two_files_is_told_apart_everywhere),
    ],
)
def test_what_loses_something_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sabotage: Callable[..., None], law: Callable[..., None]
) -> None:
    sabotage(monkeypatch)
    with pytest.raises(AssertionError):
        law(tmp_path)


@pytest.mark.parametrize(
    ("sabotage", "law"),
    [
        (_unreadable_unsaid, decided.test_faces_that_cannot_be_read_fail_beyond_a_share),
        (_one_image_up_is_better, decided.test_every_image_up_on_the_same_model_is_better_though_few),
    ],
)
def test_a_verdict_that_is_too_kind_is_noticed(
    monkeypatch: pytest.MonkeyPatch, sabotage: Callable[..., None], law: Callable[..., None]
) -> None:
    sabotage(monkeypatch)
    with pytest.raises(AssertionError):
        law()
