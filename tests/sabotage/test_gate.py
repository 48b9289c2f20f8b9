"""The gate stops every broken part and no innocent change: on the baseline's machine, and on another."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from gfpbench import baselines, run
from gfpbench.baselines import decide, inputs, repeatability, scores
from gfpbench.types import Result
from tests.sabotage import innocent, saboteurs
from tests.sabotage.argued import ARGUED
from tests.sabotage.harder_images import IMAGES
from tests.sabotage.harder_measurement import MEASUREMENT
from tests.sabotage.harder_models import MODELS
from tests.sabotage.saboteurs import CASE, INNOCENT, SABOTEURS, Saboteur
from tests.unit.baselines import test_decide, test_repeatability

HARDER = tuple(row for row in (*IMAGES, *MODELS, *MEASUREMENT) if row.name not in ARGUED)
SHOWN = tuple(
    dataclasses.replace(row, case=CASE)
    for row in HARDER
    if row.case == saboteurs.FULL and row.kind not in ("partial", "cheating", "precision")
)[::9]
"""A few of the harder ones, on four images; all of them, on sixteen, are in the table (``tox run -e sabotage``)."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The baseline: the sound case, with its envelope."""
    result = saboteurs.measured(tmp_path_factory.mktemp("sound"))
    return dataclasses.replace(result, envelope=baselines.measure_envelope(result))


@pytest.mark.parametrize("saboteur", SABOTEURS, ids=lambda row: row.name)
def test_a_saboteur_is_caught(sound: Result, tmp_path: Path, saboteur: Saboteur) -> None:
    found = saboteurs.measured_with(saboteur, tmp_path)
    assert saboteurs.caught(found, sound)
    assert saboteurs.caught(found, saboteurs.elsewhere(sound))


@pytest.fixture(scope="module")
def along_exact(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """What an older gfpbench stored: the same case along the path `exact`, with that path not recorded."""
    case = dataclasses.replace(CASE, degradation="paper?path=exact")
    made = saboteurs.measured(tmp_path_factory.mktemp("exact"), case)
    older = {name: value for name, value in made.degradation.items() if name != "path"}
    return dataclasses.replace(made, case=CASE, degradation=older)


OF_OTHER_PATHS = ("contrast up by 1 %", "weights rounded to bf16", "mouth smeared", "JPEG at quality - 5, not recorded")


@pytest.mark.parametrize("name", OF_OTHER_PATHS)
def test_a_saboteur_is_caught_beside_a_baseline_of_another_path(
    sound: Result, along_exact: Result, tmp_path: Path, name: str
) -> None:
    """Whatever the path moves hides nothing."""
    saboteur = next(row for row in SABOTEURS if row.name == name)
    before = dataclasses.replace(along_exact, envelope=sound.envelope)
    assert saboteurs.caught(saboteurs.measured_with(saboteur, tmp_path), before)


def test_another_path_alone_passes(sound: Result, along_exact: Result) -> None:
    for envelope in (sound.envelope, {}):
        assert saboteurs.caught(sound, dataclasses.replace(along_exact, envelope=envelope)) == ""


@pytest.mark.parametrize("saboteur", SHOWN, ids=lambda row: row.name)
def test_a_harder_saboteur_is_caught(sound: Result, tmp_path: Path, saboteur: Saboteur) -> None:
    assert saboteurs.caught(saboteurs.measured_with(saboteur, tmp_path), sound)


def test_a_gate_that_takes_failures_for_a_standard_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a baseline whose restorations all failed, any model is better."""
    monkeypatch.setattr(inputs, "nothing_measured", lambda baseline: "")
    with pytest.raises(BaseException, match="DID NOT RAISE"):
        test_decide.test_a_baseline_without_a_measured_value_is_refused()


def test_a_gate_that_takes_a_broken_metric_for_one_that_lacks_something_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A metric that gives NaN for every image was not measured, and that passed."""
    monkeypatch.setattr(decide, "scores", lambda *given: ((), []))
    with pytest.raises(ValueError, match="not enough values"):
        test_decide.test_a_metric_that_can_score_no_image_any_more_is_missing()


def test_a_gate_that_takes_a_number_for_a_blank_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric that scores what it could not, on the same bytes, was compared by its other images alone."""
    monkeypatch.setattr(scores, "same_images", lambda context: np.zeros(len(context.pairs), dtype=np.bool_))
    with pytest.raises(AssertionError):
        test_decide.test_a_score_of_the_same_bytes_where_there_was_none_is_a_change_of_the_metric()


def test_batches_that_are_never_full_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restored again in no more images at once than a run of 16 has, a restorer that is wrong with 8 passes."""
    law = test_repeatability.test_answers_that_depend_on_more_than_the_input_are_seen
    monkeypatch.setattr(repeatability, "INPUTS", 7)
    with pytest.raises(ValueError, match="not enough values"):  # no verdict
        law(test_repeatability.over_its_buffer, tmp_path)


def test_a_restorer_that_mixes_in_the_truth_is_told_by_its_names(tmp_path: Path) -> None:
    """It is better than its baseline, so the gate lets it pass; made again under another name it is another image."""
    cheat = next(row for row in IMAGES if row.name == "a tenth of the truth, by name")
    with pytest.MonkeyPatch.context() as patch:
        cheat.apply(patch)
        (problem,) = run.verify(saboteurs.measured(tmp_path))
    assert "names tell the restorer something" in problem.reason


@pytest.mark.parametrize("change", INNOCENT, ids=lambda row: row.name)
def test_an_innocent_change_passes(sound: Result, tmp_path: Path, change: Saboteur) -> None:
    found = saboteurs.measured_with(change, tmp_path)
    assert saboteurs.caught(found, sound) == ""
    assert saboteurs.caught(found, saboteurs.elsewhere(sound)) == ""


@pytest.mark.parametrize("name", ["float32 products at 'high'", "killed after one batch and resumed", "saved as TIFF"])
def test_a_change_of_the_process_passes(sound: Result, tmp_path: Path, name: str) -> None:
    change = next(change for change in innocent.INNOCENT if change.name == name)
    with pytest.MonkeyPatch.context() as patch:
        found = change.measure(patch, CASE, tmp_path)
    assert saboteurs.caught(found, sound) == ""
    assert saboteurs.caught(found, saboteurs.elsewhere(sound)) == ""


def test_the_names_of_the_saboteurs_are_distinct() -> None:
    names = [row.name for row in (*SABOTEURS, *INNOCENT, *IMAGES, *MODELS, *MEASUREMENT)]
    assert len(set(names)) == len(names)
