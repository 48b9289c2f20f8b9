"""A case from beginning to end, with parts whose scores are known in closed form."""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from gfpbench import images, results, run
from gfpbench.run import journal
from gfpbench.types import AssetMissing, BadInput, Face, GfpbenchError, ImageBatch, Json, Parameters
from tests import child
from tests.unit.run import laws
from tests.unit.run.laws import CASE, Smooth, Toy, ToyFaces, ToyMetric, ToyNoise, mae


def test_scores_are_those_of_the_closed_form(tmp_path: Path) -> None:
    toy = Toy()
    result = toy.measure(tmp_path)
    assert result.image_ids == toy.faces.ids()
    for row in result.rows:
        assert row.scores == pytest.approx(laws.closed_form(toy, row.id), rel=1e-6)
        assert row.parameters == toy.degradation.draw(row.id, 0, (16, 16))
        assert row.face_sha256 == toy.faces.load(row.id).sha256
        assert (row.size_px, row.failure) == ((16, 16), None)


def test_what_is_returned_is_what_is_on_disk(tmp_path: Path) -> None:
    result = Toy().measure(tmp_path)
    assert results.read(tmp_path / CASE.id / "result.json") == (result,)
    assert not (tmp_path / CASE.id / journal.NAME).exists()
    assert result.environment["device"] == "cpu"
    assert len(result.environment["code_sha256"]) == 64


@pytest.mark.parametrize("batch_size", [1, 7, 50])
def test_the_batch_size_changes_no_score(tmp_path: Path, batch_size: int) -> None:
    one = Toy(batch_size=3).measure(tmp_path / "3")
    other = Toy(batch_size=batch_size).measure(tmp_path / "other")
    for a, b in zip(one.rows, other.rows, strict=True):
        assert (a.id, a.parameters, a.face_sha256) == (b.id, b.parameters, b.face_sha256)
        assert a.scores == pytest.approx(b.scores, rel=1e-12)


def test_a_limit_takes_the_first_faces_and_the_seed_changes_the_draw(tmp_path: Path) -> None:
    result = Toy(case=replace(CASE, limit=4)).measure(tmp_path)
    assert result.image_ids == ToyFaces().ids()[:4]
    other = Toy(case=replace(CASE, limit=4, seed=1)).measure(tmp_path)
    assert all(a.parameters != b.parameters for a, b in zip(result.rows, other.rows, strict=True))


def test_the_truth_against_itself_is_the_reference_row(tmp_path: Path) -> None:
    toy = Toy(case=replace(CASE, restorer=run.TRUTH), restorer=None)
    result = toy.measure(tmp_path)
    assert set(result.scores("psnr_rgb")) == {float("inf")}
    assert set(result.scores("mae_255")) == {0.0}
    assert toy.problems(result, tmp_path) == []


def test_images_of_several_sizes_keep_their_order(tmp_path: Path) -> None:
    toy = Toy(ToyFaces(23, sizes=((16, 16), (24, 12), (12, 20))))
    result = toy.measure(tmp_path)
    assert result.image_ids == toy.faces.ids()
    assert [row.size_px for row in result.rows[::5]] == [(16, 16), (24, 12), (12, 20), (16, 16), (24, 12)]
    assert toy.problems(result, tmp_path, count=None) == []


def test_a_degradation_draws_for_height_and_width(tmp_path: Path) -> None:
    class Sized(ToyNoise):
        def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
            return {**super().draw(face_id, seed, size), "height_px": size[0], "width_px": size[1]}

    result = Toy(ToyFaces(10, sizes=((24, 12), (12, 20))), degradation=Sized()).measure(tmp_path)
    assert [(row.parameters["height_px"], row.parameters["width_px"]) for row in result.rows[::5]] == [
        (24, 12),
        (12, 20),
    ]


@pytest.mark.parametrize("sizes", [((16, 16),), ((16, 16), (24, 12))], ids=["one size", "two sizes"])
def test_unreadable_faces_are_named_and_the_run_goes_on(tmp_path: Path, sizes: tuple[tuple[int, int], ...]) -> None:
    torn = frozenset({"face 0000", "face 0004", "face 0005", "face 0006", "face 0019"})
    toy = Toy(ToyFaces(unreadable=torn, sizes=sizes))
    result = toy.measure(tmp_path)
    assert result.image_ids == tuple(name for name in toy.faces.ids() if name not in torn)
    assert [(problem.stage, problem.subject) for problem in result.problems] == [
        ("faces", name) for name in sorted(torn)
    ]
    assert toy.problems(result, tmp_path) == []


def test_nothing_readable_ends_the_run_with_a_reason(tmp_path: Path) -> None:
    toy = Toy(ToyFaces(3, unreadable=frozenset(ToyFaces(3).ids())))
    for _ in range(2):  # and the second time it is not mistaken for a run that can go on
        with pytest.raises(BadInput, match=r"not one of 3 can be read .face 0000: face 0000: is torn"):
            toy.measure(tmp_path)


@pytest.mark.parametrize(("count", "limit", "line"), [(0, None, "there are none"), (3, 0, "limit of 0")])
def test_no_faces_is_bad_input(tmp_path: Path, count: int, limit: int | None, line: str) -> None:
    with pytest.raises(BadInput, match=line):
        Toy(ToyFaces(count), case=replace(CASE, limit=limit)).measure(tmp_path)


def test_a_failed_restoration_has_no_number(tmp_path: Path) -> None:
    ill = frozenset({"face 0004", "face 0010"})
    toy = Toy(restorer=Smooth(ill))
    result = toy.measure(tmp_path)
    assert {row.id for row in result.rows if row.failure is not None} == ill
    for row in result.rows:
        assert (row.failure is None) == all(score is not None for score in row.scores.values())
    assert [(problem.stage, problem.subject) for problem in result.problems] == [
        ("restore", name) for name in sorted(ill)
    ]
    assert "make me ill" in result.problems[0].reason
    assert run.image_path(tmp_path / CASE.id, "face 0010", "degraded").exists()  # failed ones are among the worst
    assert not run.image_path(tmp_path / CASE.id, "face 0010", "restored").exists()
    assert toy.problems(result, tmp_path) == []


def test_one_image_for_two_inputs_is_noticed_across_batches_and_after_a_stop(tmp_path: Path) -> None:
    class Constant(Smooth):
        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            return ImageBatch(torch.linspace(0.2, 0.8, degraded.size[1]).expand_as(degraded.pixels), degraded.ids)

    toy = Toy(restorer=Constant(), batch_size=1)
    result = laws.stopped_and_resumed(toy, tmp_path / "stopped", 5)
    assert [row.failure is None for row in result.rows] == [True] + [False] * 19
    assert toy.problems(result, None) != []  # and the first one is found when the Result is verified
    laws.check_resuming_changes_nothing(toy, tmp_path, 5)


def test_the_truth_itself_is_no_restoration(tmp_path: Path) -> None:
    faces, looked_up = ToyFaces(), frozenset({"face 0002", "face 0009"})

    class LooksItUp(Smooth):
        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            done = super().__call__(degraded).pixels.clone()
            for place, name in enumerate(degraded.ids):
                if name in looked_up:
                    done[place] = faces.load(name).pixels
            return ImageBatch(done, degraded.ids)

    class Nothing(ToyNoise):
        def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
            return batch

    class Repairs(Smooth):
        """Undoes a loss that one can undo: a black corner of images that it knows to be flat there."""

        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            return ImageBatch(torch.stack([faces.load(name).pixels for name in degraded.ids]), degraded.ids)

    class Corner(Nothing):
        def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
            batch.pixels[:, :, :8, :8] = 0
            return batch

    toy = Toy(faces, restorer=LooksItUp())
    result = toy.measure(tmp_path)
    assert {row.id for row in result.rows if row.failure} == looked_up
    assert "true image to the last bit" in result.problems[0].reason
    assert toy.problems(result, tmp_path) == []
    small = Toy(faces, degradation=Corner(), restorer=Repairs(), metrics=(ToyMetric("mae_255", mae, best=0.0),))
    assert [row.failure for row in small.measure(tmp_path / "corner").rows] == [None] * 20


def test_an_image_that_cannot_be_degraded_costs_no_other(tmp_path: Path) -> None:
    class Picky(ToyNoise):
        def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
            if "face 0004" in batch.ids:
                raise BadInput("this one is too small")
            return super().apply(batch, parameters)

    result = Toy(degradation=Picky()).measure(tmp_path)
    assert [row.id for row in result.rows if row.failure is not None] == ["face 0004"]
    assert [problem.stage for problem in result.problems] == ["degrade"]
    assert result.rows[4].scores == {"psnr_rgb": None, "mae_255": None}


def test_too_small_an_image_leaves_a_blank_with_a_reason(tmp_path: Path) -> None:
    large = ToyMetric("mae_255", mae, better="lower", minimum_side_px=16)
    result = Toy(ToyFaces(sizes=((16, 16), (24, 12))), metrics=(large,)).measure(tmp_path)
    assert [score is None for score in result.scores("mae_255")] == [index // 5 % 2 == 1 for index in range(20)]
    assert result.not_measured == {"mae_255": "undefined below 16 px on the shorter side; 10 of 20 images are smaller"}


def test_an_image_that_a_metric_cannot_score_costs_no_other(tmp_path: Path) -> None:
    picky = ToyMetric("mae_255", mae, better="lower", refuses=frozenset({"face 0004"}))
    result = Toy(metrics=(picky,)).measure(tmp_path)
    assert [row.id for row in result.rows if row.scores["mae_255"] is None] == ["face 0004"]
    assert [(p.stage, p.subject, p.reason) for p in result.problems] == [
        ("metric", "face 0004", "mae_255: one of these is flat")
    ]
    assert result.not_measured == {}


def test_a_metric_that_scores_nothing_is_not_measured(tmp_path: Path) -> None:
    def missing(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        raise AssetMissing("lpips-vgg", "lpips")

    refusing = ToyMetric("a", mae, refuses=frozenset(ToyFaces().ids()))
    result = Toy(metrics=(refusing, ToyMetric("b", missing))).measure(tmp_path)
    assert "could not score a single image" in result.not_measured["a"]
    assert "gfpbench fetch lpips-vgg" in result.not_measured["b"]
    assert set(result.scores("a")) == set(result.scores("b")) == {None}


@dataclass
class Breach:
    """A part that breaks its contract, and the line that has to say so."""

    change: Mapping[str, object]
    line: str


def _metric(value: object) -> Mapping[str, object]:
    return {"metrics": (ToyMetric("odd", lambda restored, truth: value(restored)),)}  # type: ignore[operator]


class _OtherFace(ToyFaces):
    def load(self, face_id: str) -> Face:
        return super().load("face 0001")


class _WrongHash(ToyFaces):
    def load(self, face_id: str) -> Face:
        return replace(super().load(face_id), sha256="0" * 64)


class _FineFace(ToyFaces):
    def load(self, face_id: str) -> Face:
        face = super().load(face_id)
        return replace(face, pixels=face.pixels * 0.999)


class _Fine(ToyNoise):
    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        return ImageBatch(super().apply(batch, parameters).pixels * 0.999, batch.ids)


class _Shorter(ToyNoise):
    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        done = super().apply(batch, parameters)
        return ImageBatch(done.pixels[1:], done.ids[1:])


class _Shuffled(ToyNoise):
    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        done = super().apply(batch, parameters)
        return ImageBatch(done.pixels.flip(0), done.ids[::-1])


class _Smaller(ToyNoise):
    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        done = super().apply(batch, parameters)
        return ImageBatch(done.pixels[..., 1:].contiguous(), done.ids)


class _Crash(ToyNoise):
    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        raise ZeroDivisionError("oops")


class _NotJson(ToyNoise):
    def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
        return {"noise_std_255": float("nan")}


def _write(restored: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return mae(restored, truth)


def _generator_exit(images: torch.Tensor) -> torch.Tensor:
    raise GeneratorExit


def _two_lines(images: torch.Tensor) -> torch.Tensor:
    raise ValueError("one\ntwo")


class _Writes(ToyMetric):
    def __call__(self, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        truth.pixels.mul_(0.5)
        return super().__call__(restored, truth)


class _ReadsThenWrites(ToyMetric):
    """The shared view was made before: it still shows the right image, and the pixels beneath do not."""

    def __call__(self, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        images.to_255(restored)
        value = super().__call__(restored, truth)
        restored.pixels.mul_(0.5)
        return value


class _WritesToTheView(ToyMetric):
    def __call__(self, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        images.to_255(truth).mul_(0.5)
        return super().__call__(restored, truth)


BREACHES = {
    "another face": Breach({"faces": _OtherFace()}, "asked for 'face 0000' and got 'face 0001'"),
    "wrong hash": Breach({"faces": _WrongHash()}, "is not the image that its sha256 says"),
    "face not 8-bit": Breach({"faces": _FineFace()}, "'face 0000' does not hold 8-bit values"),
    "degraded not 8-bit": Breach({"degradation": _Fine()}, "values that are not 8-bit"),
    "degraded fewer": Breach({"degradation": _Shorter()}, "must return the images it was given"),
    "degraded shuffled": Breach({"degradation": _Shuffled()}, "must return the images it was given"),
    "degraded smaller": Breach({"degradation": _Smaller()}, "16x16 px, not .* 16x15 px"),
    "degradation crashes": Breach({"degradation": _Crash()}, "degradation 'noise' failed: ZeroDivisionError: oops"),
    "draw is not JSON": Breach({"degradation": _NotJson()}, "parameters that degradation 'noise' drew must hold JSON"),
    "metric NaN": Breach(_metric(lambda x: x.mean((1, 2, 3)) * float("nan")), "'odd' returned NaN for face 0000"),
    "metric float32": Breach(_metric(lambda x: x.mean((1, 2, 3)).float()), r"must return \(3,\) float64, not \(3,\)"),
    "metric one number": Breach(_metric(lambda x: x.mean()), r"must return \(3,\) float64, not \(\)"),
    "metric not a tensor": Breach(_metric(lambda x: [1.0] * len(x)), "must return .* not list"),
    "metric ends the process": Breach(
        _metric(lambda x: os._exit(0)), r"metric 'odd' failed: SystemExit: os._exit\(0\)"
    ),
    "metric closes its generator": Breach(_metric(_generator_exit), "metric 'odd' failed: GeneratorExit: no message"),
    "metric exits": Breach(_metric(lambda x: sys.exit(0)), "metric 'odd' failed: SystemExit: 0"),
    "metric skips the test": Breach(_metric(lambda x: pytest.skip("no")), "metric 'odd' failed: Skipped: no"),
    "metric in two lines": Breach(_metric(_two_lines), "metric 'odd' failed: ValueError: one two"),
    "metric crashes": Breach(_metric(lambda x: x.nothing), "metric 'odd' failed: AttributeError"),
    "metric writes": Breach({"metrics": (_Writes("odd", mae),)}, "odd wrote to the images"),
    "metric reads, then writes": Breach({"metrics": (_ReadsThenWrites("odd", mae),)}, "odd wrote to the images"),
    "metric writes to the view": Breach({"metrics": (_WritesToTheView("odd", mae),)}, "odd wrote to the images"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_broken_part_ends_the_run_with_one_clear_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(GfpbenchError, match=BREACHES[name].line) as caught:
        Toy().but(**BREACHES[name].change).measure(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_degradation_that_writes_to_the_truth_does_no_harm(tmp_path: Path) -> None:
    class InPlace(ToyNoise):
        def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
            batch.pixels.copy_(super().apply(batch, parameters).pixels)
            return batch

    assert Toy(degradation=InPlace()).measure(tmp_path / "a").rows == Toy().measure(tmp_path / "b").rows


def test_outputs_that_belong_to_no_image_are_named(tmp_path: Path) -> None:
    class Outputs(Smooth):
        def unused(self, face_ids: Sequence[str]) -> tuple[str, ...]:
            assert tuple(face_ids) == ToyFaces().ids()  # all of them, not only the limit
            return ("left over.png",)

    result = Toy(restorer=Outputs(), case=replace(CASE, limit=2)).measure(tmp_path)
    assert [(problem.stage, problem.subject) for problem in result.problems] == [("restore", "left over.png")]


def test_progress_counts_every_face_to_the_end(tmp_path: Path) -> None:
    calls: list[tuple[int, int, str]] = []
    Toy(ToyFaces(8)).measure(tmp_path, progress=lambda done, total, what: calls.append((done, total, what)))
    assert calls == [(3, 8, CASE.id), (6, 8, CASE.id), (8, 8, CASE.id)]


def test_the_first_and_the_worst_images_are_kept(tmp_path: Path) -> None:
    result = Toy(ToyFaces(40), keep_images=3).measure(tmp_path)
    worst = sorted(result.rows, key=lambda row: row.scores["psnr_rgb"] or 0.0)[:8]
    expected = {row.id for row in worst} | set(result.image_ids[:3])
    folder = tmp_path / CASE.id
    kinds = ("degraded", "restored", "truth")
    paths = {run.image_path(folder, name, kind) for name in expected for kind in kinds}
    assert set((folder / "images").iterdir()) == paths


def test_names_become_safe_and_distinct_file_names(tmp_path: Path) -> None:
    names = ["a/b", "a_b", "../../etc/passwd", "ä", "a b", "a?b", "\udcff", "x" * 300, ".", ""]
    paths = [run.image_path(tmp_path, name, "truth") for name in names]
    assert len(set(paths)) == len(names)
    assert {path.parent for path in paths} == {tmp_path / "images"}
    assert all(len(path.name) < 100 and path.name.isascii() and not path.name.startswith(".") for path in paths)


@pytest.mark.parametrize("batches", [1, 2, 6, 7])
def test_a_stopped_run_ends_with_the_same_bytes(tmp_path: Path, batches: int) -> None:
    toy = Toy(ToyFaces(unreadable=frozenset({"face 0003", "face 0019"})), restorer=Smooth(frozenset({"face 0008"})))
    laws.check_resuming_changes_nothing(toy, tmp_path, batches)


def test_a_journal_cut_at_any_byte_ends_with_the_same_bytes(tmp_path: Path) -> None:
    toy = Toy(ToyFaces(9))
    toy.measure(tmp_path / "undisturbed")
    with pytest.raises(laws.Stopped):
        toy.measure(tmp_path / "cut", progress=laws.stop_after(3))
    folder = tmp_path / "cut" / CASE.id
    whole = (folder / journal.NAME).read_bytes()
    ends = [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    cuts = [
        0,
        1,
        ends[0] - 1,
        ends[0],
        ends[0] + 1,
        ends[1] - 1,
        ends[1],
        (ends[1] + ends[2]) // 2,
        ends[3] - 1,
        ends[3],
    ]
    for cut in cuts:
        (folder / journal.NAME).write_bytes(whole[:cut])
        toy.measure(tmp_path / "cut")
        laws.check_same(tmp_path / "undisturbed" / CASE.id, folder)
    (folder / journal.NAME).write_bytes(whole[: ends[1]] + b'{"half of a l\n' + whole[ends[1] :])
    toy.measure(tmp_path / "cut")
    laws.check_same(tmp_path / "undisturbed" / CASE.id, folder)


def test_a_resumed_run_measures_only_what_is_missing(tmp_path: Path) -> None:
    asked: list[str] = []

    class Counting(Smooth):
        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            asked.extend(degraded.ids)
            return super().__call__(degraded)

    toy = Toy(ToyFaces(12), restorer=Counting())
    laws.stopped_and_resumed(toy, tmp_path, 3)
    names = toy.faces.ids()
    assert asked == [
        *names[:9],
        *names[6:9],
        *names[9:],
    ]  # the last batch before the stop again, to compare


def test_a_finished_case_is_measured_anew(tmp_path: Path) -> None:
    Toy().measure(tmp_path)
    changed = Toy(restorer=Smooth(frozenset({"face 0001"})))  # a model that changed without saying so
    assert changed.measure(tmp_path).rows[1].failure is not None


class _ToldMore(ToyFaces):
    """Of a face in the first batch more is known than before."""

    def load(self, face_id: str) -> Face:
        face = super().load(face_id)
        return replace(face, attributes={**face.attributes, "age": 30}) if face_id == "face 0001" else face


class _Redrawn(ToyNoise):
    """Draws otherwise for a face in the first batch, as for a published image that another one was put in place of."""

    def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
        return super().draw(face_id, seed + (face_id == "face 0001"), size)


CHANGES: dict[str, Mapping[str, object]] = {
    "weights": {"restorer": Smooth(version="2")},
    "batch size": {"batch_size": 4},
    "metrics": {"metrics": (ToyMetric("mae_255", mae),)},
    "images kept": {"keep_images": 1},
    "another face": {"faces": ToyFaces(version=1)},
    "a face torn": {"faces": ToyFaces(unreadable=frozenset({"face 0001"}))},
    "a face told more of": {"faces": _ToldMore()},
    "a face drawn for otherwise": {"degradation": _Redrawn()},
    "model changed in secret": {"restorer": Smooth(frozenset({"face 0007"}))},
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_unfinished_run_of_something_else_starts_over_and_says_so(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "gfpbench"):
        laws.check_resuming_changes_nothing(Toy(), tmp_path, 3, later=Toy().but(**CHANGES[name]))
    assert "starting over" in caplog.text


def test_another_environment_starts_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(laws.Stopped):
        Toy().measure(tmp_path, progress=laws.stop_after(3))
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with caplog.at_level(logging.WARNING, "gfpbench"):
            Toy().measure(tmp_path)
    finally:
        torch.set_num_threads(threads)
    assert "environment.torch_threads" in caplog.text


@pytest.mark.usefixtures("forked_processes")
def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    killed, left = map(int, child.run("tests.unit.run.laws", "killed_at_random", tmp_path, timeout=120).split())
    assert killed >= left >= 1, "no kill came while batches were committed, so nothing was proved"
    laws.check_same(tmp_path / "undisturbed" / CASE.id, tmp_path / "killed" / CASE.id)


def test_what_a_kill_leaves_between_writing_and_renaming_is_removed(tmp_path: Path) -> None:
    Toy().measure(tmp_path / "undisturbed")
    with pytest.raises(laws.Stopped):
        Toy().measure(tmp_path / "killed", progress=laws.stop_after(2))
    for name in (".result.json.1.part", ".rows.jsonl.1.part", ".timing.json.1.part", "images/.a.truth.png.1.part"):
        (tmp_path / "killed" / CASE.id / name).write_text("half of it")
    Toy().measure(tmp_path / "killed")
    laws.check_same(tmp_path / "undisturbed" / CASE.id, tmp_path / "killed" / CASE.id)


def test_two_runs_of_one_case_do_not_mix(tmp_path: Path) -> None:
    def second(done: int, total: int, what: str) -> None:
        with pytest.raises(GfpbenchError, match="another run is measuring this case"):
            Toy().measure(tmp_path)

    Toy().measure(tmp_path, progress=second)
    Toy().measure(tmp_path)  # and the lock is gone afterwards


def test_what_the_disk_refuses_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GfpbenchError, match="cannot be written: Not a directory"):
        Toy().measure(tmp_path / "file")

    def full(self: journal.Journal, line: Json) -> None:
        raise OSError(28, "No space left on device", str(self.path))

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "append", full)
        with pytest.raises(GfpbenchError, match=r"rows.jsonl: cannot be written: No space left on device; free some"):
            Toy().measure(tmp_path / "store")
    laws.check_sound(Toy(), tmp_path / "store")


def test_memory_does_not_grow_with_the_number_of_faces(tmp_path: Path) -> None:
    """Rows are held at the end, a few KB each; images (a 16-px one takes 3 KB as float32, thrice) are not."""
    peaks = {}
    for count in (100, 1000):
        toy = Toy(ToyFaces(count), batch_size=50, keep_images=2)
        tracemalloc.start()
        toy.measure(tmp_path / str(count))
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (peaks[1000] - peaks[100]) / 900 < 8_000, peaks


def test_tensors_do_not_pile_up(tmp_path: Path) -> None:
    """What torch allocates is not seen by tracemalloc: 600 faces of 128 px would take 118 MB a copy."""

    def peak_kb() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    Toy(ToyFaces(24, sizes=((128, 128),)), batch_size=8).measure(tmp_path / "few")
    before = peak_kb()
    Toy(ToyFaces(600, sizes=((128, 128),)), batch_size=8, keep_images=2).measure(tmp_path / "many")
    assert peak_kb() - before < 60_000


def test_random_numbers_are_not_consumed(tmp_path: Path) -> None:
    state = torch.get_rng_state()
    Toy().measure(tmp_path)
    assert torch.equal(torch.get_rng_state(), state)


def test_torch_settings_are_given_back(tmp_path: Path) -> None:
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic, torch.is_grad_enabled()
    Toy().measure(tmp_path)
    assert (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic, torch.is_grad_enabled()) == before


def test_timing_is_kept_apart(tmp_path: Path) -> None:
    Toy().measure(tmp_path)
    timing = json.loads((tmp_path / CASE.id / "timing.json").read_text())
    assert timing["seconds"] >= 0
    assert timing["images"] == 20
    assert "seconds" not in (tmp_path / CASE.id / "result.json").read_text()


@pytest.mark.parametrize(("seconds", "waits"), [(0.0, 3), (60.0, 0)])
def test_the_disk_is_waited_for_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, waits: int
) -> None:
    monkeypatch.setattr(journal, "SECONDS_AT_RISK", seconds)
    lines = journal.Journal(tmp_path)
    lines.begin({})
    calls, real = list[int](), os.fsync

    def counted(descriptor: int) -> None:
        calls.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    for number in range(3):
        lines.append({"start": number})
        # Whatever becomes of this process now, another one reads all of it.
        assert journal.Journal(tmp_path).resume({}) == number + 1
    assert len(calls) == waits
