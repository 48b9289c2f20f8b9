"""Small honest bugs put into the engine: verifying a Result, or the laws of a run, have to notice each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from gfpbench import baselines, degrade, faces, images, metrics, restorers
from gfpbench.restorers import adapt, outputs
from gfpbench.run import assembly, batches, case, engine, journal, key, parts, recorder, resume, shared
from gfpbench.types import BadInput, GfpbenchError, ImageBatch, Row
from tests.unit.cli import test_app
from tests.unit.run import damage, laws, test_finished, test_handed_over, test_parts, test_shared
from tests.unit.run.laws import Smooth, Toy, ToyFaces

Bug = Callable[[pytest.MonkeyPatch], None]


def _around(module: Any, name: str, bug: Callable[..., Any]) -> Bug:
    """A bug that wraps a function: it is given the original and the arguments."""

    def put_in(patch: pytest.MonkeyPatch) -> None:
        original = getattr(module, name)
        patch.setattr(module, name, lambda *arguments: bug(original, *arguments))

    return put_in


def _rolled(batch: ImageBatch | None) -> ImageBatch | None:
    return None if batch is None else ImageBatch(batch.pixels.roll(1, 0), batch.ids)


def _truth_to_the_restorer(original: Any, degradation: Any, truth: ImageBatch, drawn: Any) -> ImageBatch:
    original(degradation, truth, drawn)
    return truth


def _unquantized(patch: pytest.MonkeyPatch) -> None:
    # Only where the restored image is rounded: the degraded one is compared with its rounded self as well.
    restore = engine.restore

    def unrounded(*arguments: Any) -> ImageBatch | None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(images, "quantized", lambda batch: batch)
            return restore(*arguments)

    patch.setattr(engine, "restore", unrounded)


def _kept_degraded_scored(original: Any, batch: Any, parts: Any, *rest: Any) -> Any:
    """Scores of the degraded images, beside the images of the restored ones."""
    measured = original(batch, parts, *rest)
    truth, degraded = measured.truth, measured.degraded
    scores = engine.score_all(parts.metrics, degraded, truth, engine._Notes([]))
    rows = tuple(replace(row, scores={name: scores[name][row.id] for name in scores}) for row in measured.rows)
    return replace(measured, rows=rows)


def _failed_as_number(original: Any, *arguments: Any) -> Any:
    """An image that could not be restored is scored as it was degraded."""
    measured = original(*arguments)
    parts, notes = arguments[1], engine._Notes([])
    scores = engine.score_all(parts.metrics, measured.degraded, measured.truth, notes)
    rows = tuple(
        replace(row, failure=None, scores={name: scores[name][row.id] for name in scores}) if row.failure else row
        for row in measured.rows
    )
    return replace(measured, rows=rows)


def _zero_for_failed(original: Any, *arguments: Any) -> Any:
    measured = original(*arguments)
    rows = tuple(replace(row, scores=dict.fromkeys(row.scores, 0.0)) if row.failure else row for row in measured.rows)
    return replace(measured, rows=rows)


def _rows(change: Callable[[tuple[Row, ...]], tuple[Row, ...]]) -> Bug:
    return _around(engine, "measure_batch", lambda f, *a: (lambda m: replace(m, rows=change(m.rows)))(f(*a)))


def _next_draw(original: Any, degradation: Any, truth: ImageBatch, drawn: dict[str, Any]) -> ImageBatch:
    names = [*truth.ids[1:], truth.ids[0]]
    return original(degradation, truth, {name: drawn[other] for name, other in zip(truth.ids, names, strict=True)})


def _by_place(original: Any, degradation: Any, truth: ImageBatch, drawn: dict[str, Any]) -> ImageBatch:
    places = {name: {**drawn[name], "noise_key": place} for place, name in enumerate(truth.ids)}
    return original(degradation, truth, places)


ENGINE: dict[str, Bug] = {
    "restored images shifted by one": _around(engine, "restore", lambda f, *a: _rolled(f(*a))),
    "truth shifted by one": _around(engine, "score_all", lambda f, m, r, t, *rest: f(m, r, _rolled(t), *rest)),
    "pairs by place, not by name": _around(
        engine, "only", lambda f, b, ids: ImageBatch(b.pixels[: len(ids)], tuple(ids))
    ),
    "one image dropped": _rows(lambda rows: rows[1:]),
    "one image dropped at the end": _around(batches, "batches", lambda f, x, ids, *rest: f(x, ids[:-1], *rest)),
    "rows reordered": _rows(lambda rows: rows[::-1]),
    "scores of the neighbour": _rows(
        lambda rows: tuple(replace(row, scores=rows[index - 1].scores) for index, row in enumerate(rows))
    ),
    "parameters of the neighbour recorded": _rows(
        lambda rows: tuple(replace(row, parameters=rows[index - 1].parameters) for index, row in enumerate(rows))
    ),
    "degraded by another image's draw": _around(engine, "apply", _next_draw),
    "noise by place in the batch": _around(engine, "apply", _by_place),
    "truth handed to the restorer": _around(engine, "apply", _truth_to_the_restorer),
    "restored images not rounded": _unquantized,
    "scores of the degraded images": _around(engine, "measure_batch", _kept_degraded_scored),
    "failed images scored as degraded": _around(engine, "measure_batch", _failed_as_number),
    "failed images score zero": _around(engine, "measure_batch", _zero_for_failed),
    "restored and truth exchanged in the files": _around(
        recorder.Kept, "write", lambda f, kept, rows, shown: f(kept, rows, {**shown, "restored": shown["truth"]})
    ),
    "images of another image kept": _around(
        recorder.Kept,
        "write",
        lambda f, kept, rows, shown: f(kept, rows, {**shown, "restored": _rolled(shown["restored"])}),
    ),
    "the seed ignored": _around(
        engine, "measure_batch", lambda f, batch, parts, seed, *a: f(batch, parts, seed + 1, *a)
    ),
}
TOY = Toy(ToyFaces(18), restorer=Smooth(frozenset({"face 0002", "face 0009"})))


def test_the_sound_engine_passes_the_same_checks(tmp_path: Path) -> None:
    laws.check_sound(TOY, tmp_path)


@pytest.mark.parametrize("name", ENGINE)
def test_a_bug_in_the_engine_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ENGINE[name](monkeypatch)
    if name == "one image dropped at the end":
        monkeypatch.setattr(case, "batches", batches.batches)
    with pytest.raises((AssertionError, GfpbenchError)):
        laws.check_sound(TOY, tmp_path)


def _repeats(self: journal.Journal, line: Any) -> None:
    _APPEND(self, line)
    if line["start"] == 9:
        _APPEND(self, line)


def _loses(self: journal.Journal, line: Any) -> None:
    if line["start"] != 9:
        _APPEND(self, line)


def _forgets_one(self: journal.Journal, header: Any) -> int | None:
    count = _RESUME(self, header)
    return count - 1 if count else count  # the last batch is measured and appended once more


def _any_header(self: journal.Journal, header: Any) -> int | None:
    if not self.path.exists():
        return None
    return _RESUME(self, json.loads(self.path.read_text().splitlines()[0]))


_RESUME, _APPEND = journal.Journal.resume, journal.Journal.append
RESUMING = {
    "a batch repeated": ("append", _repeats),
    "a batch lost": ("append", _loses),
    "the last batch forgotten": ("resume", _forgets_one),
}


def test_resuming_is_sound_before_it_is_sabotaged(tmp_path: Path) -> None:
    laws.check_resuming_changes_nothing(TOY, tmp_path, 3)


@pytest.mark.parametrize("name", RESUMING)
def test_a_bug_in_resuming_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(journal.Journal, *RESUMING[name])
    with pytest.raises((AssertionError, GfpbenchError)):
        laws.check_resuming_changes_nothing(TOY, tmp_path, 3)


def test_ignoring_the_header_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal.Journal, "resume", _any_header)
    later = replace(TOY, restorer=Smooth(frozenset({"face 0001"}), version="2"))
    with pytest.raises(AssertionError):
        laws.check_resuming_changes_nothing(TOY, tmp_path, 3, later=later)


def test_images_left_lying_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder.Kept, "prune", lambda self: None)
    later = replace(TOY, keep_images=1)  # fewer images are wanted after the stop than were kept before it
    with pytest.raises(AssertionError):
        laws.check_resuming_changes_nothing(replace(TOY, keep_images=18), tmp_path, 6, later=later)


def test_a_global_generator_in_the_degradation_is_noticed(tmp_path: Path) -> None:
    class Global(laws.ToyNoise):
        def apply(self, batch: ImageBatch, parameters: Any) -> ImageBatch:
            noisy = batch.pixels + 0.05 * torch.randn_like(batch.pixels)
            return images.quantized(ImageBatch(noisy.clamp(0, 1), batch.ids))

    with pytest.raises(AssertionError):
        laws.check_sound(Toy(degradation=Global()), tmp_path)
    with pytest.raises(AssertionError):
        laws.check_resuming_changes_nothing(Toy(degradation=Global()), tmp_path / "stopped", 3)


def _lines_are_believed(patch: pytest.MonkeyPatch) -> None:
    def believed(line: bytes, last: str, what: str) -> tuple[Any, str]:
        found = json.loads(line)
        return json.dumps(found["batch"]), found["sha256"]

    patch.setattr(journal, "_checked", believed)


def _features_are_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recorder.Features, "_content", lambda self, start, sha256: self.path(start).read_bytes())


def _images_are_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recorder.Kept, "changed", lambda self, written: None)


BELIEVED: dict[str, tuple[str, Bug]] = {
    "a line as it is": ("one digit of a score", _lines_are_believed),
    "features as they are": ("features altered", _features_are_believed),
    "features of their name": ("features of another batch", _features_are_believed),
    "kept images as they are": ("an image altered", _images_are_believed),
}


@pytest.mark.parametrize("name", BELIEVED)
def test_believing_what_lies_on_the_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    what, bug = BELIEVED[name]
    damage.damage_changes_nothing(tmp_path / "sound", what)
    bug(monkeypatch)
    with pytest.raises((AssertionError, GfpbenchError)):
        damage.damage_changes_nothing(tmp_path / "believing", what)


def test_forgetting_the_code_of_metrics_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key, "code_of", lambda metrics: {})
    with pytest.raises(AssertionError):
        test_finished.test_a_metric_of_ones_own_that_was_edited_is_measured_again(tmp_path, monkeypatch)


def test_files_that_were_read_and_are_not_looked_at_again_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage.write_answers(tmp_path / "answers")
    monkeypatch.syspath_prepend(str(tmp_path / "answers"))
    monkeypatch.setattr(resume, "changed_since", lambda files: None)
    with pytest.raises(AssertionError):
        damage.answer_exchanged(tmp_path, tmp_path / "answers", "face 0004")
    sys.modules.pop("stale_lookup", None)


def test_outputs_by_their_names_and_sizes_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs.Outputs, "provenance", lambda self: {"restorer": "outputs", "files": len(self.files)})
    with pytest.raises(AssertionError):
        damage.outputs_exchanged(tmp_path, "face 0001")


def _whatever_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shared.SharedInputs.degraded
    monkeypatch.setattr(shared.SharedInputs, "degraded", lambda self, how, seed, *rest: real(self, how, 0, *rest))


def _whatever_the_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shared.SharedInputs.opened
    monkeypatch.setattr(shared.SharedInputs, "opened", lambda self, named, load: real(self, (), load))


def _never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.SharedInputs, "_forget_degraded", lambda self: None)


@pytest.mark.parametrize(
    ("bug", "change"),
    [
        (_whatever_the_seed, {"seed": 1}),
        (_whatever_the_faces, {"size_px": 32}),
        (_never_forgotten, {"degradation": "none"}),
        (_never_forgotten, {"seed": 1}),
    ],
)
def test_inputs_of_another_case_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: Bug, change: dict[str, Any]
) -> None:
    faces = test_shared.folder_of_faces(tmp_path / "faces")
    bug(monkeypatch)
    with pytest.raises((AssertionError, GfpbenchError)):
        test_shared.nothing_false_is_shared(faces, tmp_path, change)


def test_a_metric_that_nobody_looks_at_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "refuse_undeclared", lambda metrics: None)
    with pytest.raises(BaseException, match="DID NOT RAISE"):
        test_parts.test_a_metric_says_about_itself_what_it_has_to("side text")


def _unread(patch: pytest.MonkeyPatch) -> None:
    for module in (restorers, adapt, metrics, faces, degrade, parts):
        patch.setattr(module, "refuse_unreadable", lambda *given: None)


@pytest.mark.parametrize("module", ["run.engine", "restorers.checked", "run.key", "run.parts", "run.assembly"])
def test_an_error_of_a_restorer_s_that_is_passed_on_is_noticed(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[f"gfpbench.{module}"], "called", lambda what, function, *given: function(*given))
    with pytest.raises((AssertionError, KeyError, TypeError)):
        test_parts.test_what_a_part_fails_to_say_is_one_line(tmp_path)


@pytest.mark.parametrize("error", [ValueError("boom"), AttributeError("boom")], ids=repr)
@pytest.mark.parametrize("part", test_handed_over.TAKEN)
def test_attributes_that_nobody_reads_are_noticed(part: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    _unread(monkeypatch)
    with pytest.raises(BaseException, match=r"boom|DID NOT RAISE|has no attribute|lacks"):
        test_handed_over.test_a_property_that_raises_is_one_line(part, error)


@pytest.mark.parametrize("module", ["parity.measuring", "photos.as_restorer"])
def test_restorers_that_are_taken_as_they_are_are_noticed(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken_by = sys.modules[f"gfpbench.{module}"]
    monkeypatch.setattr(taken_by, "handed_over", lambda given: given)
    for name in ("load_detector", "load_mask"):  # whose weights may not be here
        monkeypatch.setattr(taken_by, name, lambda *given, **named: None, raising=False)
    with pytest.raises(BaseException, match=r"boom|DID NOT RAISE"):
        test_handed_over.test_a_property_that_raises_is_one_line("restorer", ValueError("boom"))


@pytest.mark.parametrize("attribute", test_handed_over.UNFIT)
def test_types_that_nobody_looks_at_are_noticed(attribute: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(restorers._WANTED, attribute)
    with pytest.raises(BaseException, match=r"JSON|DID NOT RAISE|NoneType|name"):
        test_handed_over.test_an_attribute_of_a_restorer_s_that_is_of_another_type_is_one_line(attribute)


@pytest.mark.parametrize(("module", "check"), [(key, "plain"), (assembly, "refuse_other_names")])
def test_what_a_restorer_s_method_returns_and_nobody_looks_at_is_noticed(
    module: ModuleType, check: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, check, lambda given, what: given)
    with pytest.raises((AssertionError, TypeError, BadInput)):
        test_parts.test_what_a_part_fails_to_say_is_one_line(tmp_path)


def test_a_run_that_is_content_with_a_broken_metric_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "metrics_without_a_score", lambda results: ())
    with pytest.raises(AssertionError):
        test_app.test_a_metric_that_can_score_no_image_fails_the_run(tmp_path)
