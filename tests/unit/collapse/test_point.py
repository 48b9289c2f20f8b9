"""The question answered through the engine: embedded faces, toy restorers whose answer is known, kills and restarts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench import collapse, faces, results, run
from gfpbench.collapse import Collapse, Question, collapse_point
from gfpbench.collapse.measuring import axis_name
from gfpbench.types import BadInput
from tests.unit.collapse.toys import Constant, MeanFace, Refusing, Smoother

SMALL: dict[str, Any] = {"size_px": 64, "draws": 2}
ASKED = Question("toy", "noise", resolution=16, **SMALL)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Collapse]:
    """One undisturbed search."""
    store = tmp_path_factory.mktemp("whole")
    return store, collapse_point(ASKED, store=store, restorer=Smoother())


def test_the_answer_adds_up(tmp_path: Path) -> None:
    toy = Smoother()
    told: list[tuple[int, int, str]] = []
    found = collapse_point(ASKED, store=tmp_path, restorer=toy, progress=lambda *what: told.append(what))
    assert found.question.axis == "noise+middle"
    assert found.kind == "collapses"
    assert found.severity is not None
    assert found.value == pytest.approx(120 * found.severity)
    assert found.images == 4
    assert found.faces == 2
    assert found.restorations == toy.images == 4 * len(found.steps)
    assert found.grid_restorations == 4 * 17
    assert [step.severity for step in found.steps] == sorted({step.severity for step in found.steps})
    assert told[-1][0] == told[-1][1]
    low, high = found.interval
    assert low <= found.severity <= (high if high is not None else 1.0)
    assert "2 faces" in " ".join(found.notes)


def test_the_curve_is_that_of_ordinary_runs(whole: tuple[Path, Collapse]) -> None:
    """Its means are those of the Results that the engine stored: nothing is measured on the side."""
    store, found = whole
    for step in found.steps:
        (own,) = results.read(store / step.case / "result.json")
        scores = [score for score in own.scores("ssim_rgb") if score is not None]
        assert step.restored == pytest.approx(sum(scores) / 4, rel=1e-12)
        assert {row.parameters["axis_severity"] for row in own.rows} == {step.severity}
        assert own.image_ids == ("astronaut~0", "grace_hopper~0", "astronaut~1", "grace_hopper~1")


def test_a_killed_search_goes_on_and_ends_in_the_same_bytes(
    whole: tuple[Path, Collapse], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = run.run_case, []

    def dies(*arguments: object, **options: Any) -> object:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "run_case", dies)
    with pytest.raises(KeyboardInterrupt):
        collapse_point(ASKED, store=tmp_path / "killed", restorer=Smoother())
    monkeypatch.undo()
    toy = Smoother()
    again = collapse_point(ASKED, store=tmp_path / "killed", restorer=toy)
    assert toy.images < whole[1].restorations  # what was measured is not measured again
    for folder, found in (("whole", whole[1]), ("killed", again)):
        collapse.write([found], tmp_path / folder / "collapse.json")
    assert (tmp_path / "whole" / "collapse.json").read_bytes() == (tmp_path / "killed" / "collapse.json").read_bytes()
    third = Smoother()
    collapse_point(ASKED, store=tmp_path / "killed", restorer=third)
    assert third.images == 0


def test_another_restorer_of_the_same_name_is_measured_anew(whole: tuple[Path, Collapse], tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(whole[0], store)
    other = MeanFace(faces.load("embedded", size_px=64, draws=1).load("astronaut").pixels)
    found = collapse_point(ASKED, store=store, restorer=other)
    assert other.images == found.restorations
    assert found.kind == "at once"


def test_the_input_itself_is_no_better_than_itself(tmp_path: Path) -> None:
    found = collapse_point(Question("input", "noise", resolution=16, **SMALL), store=tmp_path)
    assert found.kind == "at once"
    assert found.fails == ("input",)
    assert found.severity is None
    assert found.interval == (0.0, 0.0)


def test_the_input_stays_a_face_for_a_while(tmp_path: Path) -> None:
    asked = Question("input", "noise", criteria=("face",), resolution=16, **SMALL)
    found = collapse_point(asked, store=tmp_path)
    assert found.kind == "collapses"
    assert found.fails == ("face",)


def test_a_constant_answer_counts_as_failed(tmp_path: Path) -> None:
    found = collapse_point(ASKED, store=tmp_path, restorer=Constant())
    assert found.kind == "at once"
    assert all(step.failed >= 3 for step in found.steps)  # at severity 0 two copies of a face are one input
    assert all(step.restored is None for step in found.steps)
    assert "failed" in " ".join(found.notes)


def test_an_image_that_fails_is_left_out_and_named(tmp_path: Path) -> None:
    asked = Question("toy", "noise", resolution=16, size_px=64, draws=3)
    found = collapse_point(asked, store=tmp_path, restorer=Refusing("hopper~2"))
    assert found.images == 5
    assert "grace_hopper~2" in " ".join(found.notes)
    assert all(step.failed == 1 for step in found.steps)


def test_failing_for_everybody_is_a_collapse(tmp_path: Path) -> None:
    found = collapse_point(ASKED, store=tmp_path, restorer=Refusing(above=0.038))
    assert found.kind == "collapses"
    assert any(step.failed == 4 for step in found.steps)
    assert any(step.failed == 0 for step in found.steps)
    assert found.fails == ("input", "face")


def test_scenes_keep_their_truth(tmp_path: Path) -> None:
    """Turning head and truth alike is no degradation: the input is as close to its truth as before."""
    found = collapse_point(Question("toy", "roll", resolution=4, **SMALL), store=tmp_path, restorer=Smoother())
    given = [step.given for step in found.steps if step.given is not None]
    assert max(given) - min(given) < 0.1


def test_another_metric_and_seed(tmp_path: Path) -> None:
    """PSNR has no finite best value, so only the comparison with the input is left; it says so."""
    asked = Question("toy", "noise", "psnr_rgb", resolution=16, seed=3, **SMALL)
    found = collapse_point(asked, store=tmp_path, restorer=Smoother())
    assert found.question.criteria == ("input",)
    assert "face" in found.notes[0]


def test_bad_questions_are_refused(tmp_path: Path) -> None:
    for asked, words in (
        (Question("input", "nois"), "noise"),
        (Question("input", "noise", criteria=("inptu",)), "input"),
        (Question("input", "noise", "psnr_rgb", criteria=("face",)), "finite"),
        (Question("input", "noise", criteria=("identity",)), "deg_dlib"),
        (Question("input", "noise", resolution=60), "power of two"),
        (Question("input", "noise", limit=1), "one face"),
    ):
        with pytest.raises(BadInput, match=words):
            collapse_point(asked, store=tmp_path)


def test_axes_for_a_search() -> None:
    assert collapse.axis_of("noise").base == "middle"
    assert collapse.axis_of("noise+none").base == "none"
    assert collapse.axis_of("all").base == "none"
    assert collapse.axis_of("yaw").base == "middle"
    for name in ("noise", "noise+none", "noise+middle", "all", "yaw", "yaw+none"):
        axis = collapse.axis_of(name)
        assert collapse.axis_of(axis_name(axis)) == axis
    assert len({collapse.axis_of(name).name for name in collapse.DEFAULT_AXES}) == len(collapse.DEFAULT_AXES)


def test_threads_do_not_move_the_point(whole: tuple[Path, Collapse], tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if before > 1 else min(2, os.cpu_count() or 1))
        found = collapse_point(ASKED, store=tmp_path, restorer=Smoother())
    finally:
        torch.set_num_threads(before)
    assert found.severity == whole[1].severity
    assert found.interval == whole[1].interval
