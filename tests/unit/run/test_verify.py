"""Any image can be made again from its record, and a Result that is not what it says is noticed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench import images, run
from gfpbench.types import BadInput, GfpbenchError, ImageBatch, Parameters, Problem, Result
from tests.unit.run import laws
from tests.unit.run.laws import CASE, Smooth, Toy, ToyFaces, ToyMetric, ToyNoise, mae


def test_an_image_made_again_is_the_image_that_was_kept(tmp_path: Path) -> None:
    toy = Toy(keep_images=20)
    result = toy.measure(tmp_path)
    for name in result.image_ids:
        again = run.remake(result, name, parts=toy.parts())
        for kind, batch in (("degraded", again.degraded), ("restored", again.restored), ("truth", again.truth)):
            path = run.image_path(tmp_path / CASE.id, name, kind)
            images.write_png(tmp_path / "again.png", images.to_rgb_arrays(batch)[0])
            assert path.read_bytes() == (tmp_path / "again.png").read_bytes()
        row = result.rows[result.image_ids.index(name)]
        assert again.parameters == row.parameters
        assert float(toy.metrics[0](again.restored, again.truth)[0]) == row.scores["psnr_rgb"]


def test_a_case_alone_is_enough_to_make_an_image() -> None:
    toy = Toy()
    again = run.remake(CASE, "face 0003", parts=toy.parts())
    assert again.parameters == toy.degradation.draw("face 0003", 0, (16, 16))


def test_an_image_whose_record_no_longer_holds_is_refused(tmp_path: Path) -> None:
    result = Toy().measure(tmp_path)
    with pytest.raises(BadInput, match="has no image 'nobody'"):
        run.remake(result, "nobody", parts=Toy().parts())
    with pytest.raises(GfpbenchError, match="is another image than the one that was measured"):
        run.remake(result, "face 0001", parts=Toy(ToyFaces(version=1)).parts())
    other_seed = replace(result, case=replace(CASE, seed=1))
    with pytest.raises(GfpbenchError, match="would be degraded differently now: noise_key, noise_std_255"):
        run.remake(other_seed, "face 0001", parts=Toy().parts())


def _row(result: Result, index: int, **changes: Any) -> Result:
    rows = list(result.rows)
    rows[index] = replace(rows[index], **changes)
    return replace(result, rows=tuple(rows))


def _scores(result: Result, index: int, other: int) -> Result:
    return _row(result, index, scores=result.rows[other].scores)


def _score(result: Result, index: int, metric: str, score: float | None) -> Result:
    return _row(result, index, scores={**result.rows[index].scores, metric: score})


FORGERIES = {
    "a row dropped": lambda r: replace(r, rows=r.rows[:7] + r.rows[8:]),
    "a row twice": lambda r: replace(r, rows=r.rows[:7] + r.rows[6:7] + r.rows[8:]),
    "rows reordered": lambda r: replace(r, rows=r.rows[::-1]),
    "a face called unreadable": lambda r: replace(
        r, rows=r.rows[1:], problems=(Problem("faces", r.rows[0].id, "is torn"),)
    ),
    "the score of a neighbour": lambda r: _scores(r, 4, 5),
    "a small change of a score": lambda r: _score(r, 4, "mae_255", (r.rows[4].scores["mae_255"] or 0) + 0.01),
    "a score blanked": lambda r: _score(r, 4, "mae_255", None),
    "a score infinite": lambda r: _score(r, 4, "psnr_rgb", float("inf")),
    "a failure with a number": lambda r: _row(r, 4, failure="was ill"),
    "another face": lambda r: _row(r, 4, face_sha256="0" * 64),
    "parameters of a neighbour": lambda r: _row(r, 4, parameters=r.rows[5].parameters),
    "other weights": lambda r: replace(r, restorer={"restorer": "smooth", "version": "2"}),
    "another convention": lambda r: replace(r, metrics={**r.metrics, "mae_255": r.metrics["psnr_rgb"]}),
    "a metric nobody knows": lambda r: replace(r, metrics={**r.metrics, "beauty": r.metrics["mae_255"]}),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_result_is_noticed(tmp_path: Path, name: str) -> None:
    toy = Toy()
    result = toy.measure(tmp_path)
    assert toy.problems(result, tmp_path, count=None) == []
    assert toy.problems(FORGERIES[name](result), tmp_path, count=None) != []


class _Random(Smooth):
    """Adds what torch's global generator gives: another image each time."""

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        done = super().__call__(degraded)
        return ImageBatch((done.pixels + 0.02 * torch.randn_like(done.pixels)).clamp(0, 1), done.ids)


class _Neighbours(Smooth):
    """A network left in training mode: it normalises by the batch."""

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        done = super().__call__(degraded).pixels
        return ImageBatch((done - done.mean() + 0.5).clamp(0, 1), degraded.ids)


class _Positional(ToyNoise):
    """Noise keyed by the place in the batch."""

    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        records = [{**record, "noise_key": place} for place, record in enumerate(parameters)]
        return super().apply(batch, records)


class _ForgetfulDraw(ToyNoise):
    """A draw that depends on what was drawn before."""

    drawn = 0

    def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
        self.drawn += 1
        return {**super().draw(face_id, seed, size), "noise_key": self.drawn}


class _Constant(Smooth):
    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        return ImageBatch(torch.linspace(0.2, 0.8, degraded.size[1]).expand_as(degraded.pixels), degraded.ids)


@dataclass
class _LooksUp(Smooth):
    """Mixes in a fiftieth of the true image of that name."""

    share: float = 0.02

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        done, known = super().__call__(degraded).pixels, ToyFaces()
        truth = torch.stack([known.load(name).pixels for name in degraded.ids])
        return ImageBatch((1 - self.share) * done + self.share * truth, degraded.ids)


class _Batchwise(ToyMetric):
    """A metric that gives every image the mean of its batch."""

    def __call__(self, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        value = super().__call__(restored, truth)
        return value.mean().repeat(len(value))


PARTS: dict[str, Mapping[str, object]] = {
    "a random restorer": {"restorer": _Random()},
    "a restorer that looks at its neighbours": {"restorer": _Neighbours()},
    "a restorer that knows the truth by its name": {"restorer": _LooksUp()},
    "a constant restorer": {"restorer": _Constant(), "faces": ToyFaces(1)},
    "noise by place in the batch": {"degradation": _Positional()},
    "a draw with a memory": {"degradation": _ForgetfulDraw()},
    "a metric over the batch": {"metrics": (_Batchwise("mae_255", mae, better="lower"),)},
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_that_cannot_be_repeated_are_noticed(tmp_path: Path, name: str) -> None:
    toy = Toy().but(**PARTS[name])
    assert toy.problems(toy.measure(tmp_path), tmp_path) != []


def test_a_restorer_that_exits_when_asked_again_is_noticed(tmp_path: Path) -> None:
    class LeavesLater(Smooth):
        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            if self.version == "2":
                raise SystemExit(0)
            return super().__call__(degraded)

    toy = Toy(restorer=LeavesLater())
    result = toy.measure(tmp_path)
    found = toy.but(restorer=LeavesLater(version="2")).problems(result, tmp_path)
    assert sum("cannot be made again: SystemExit: 0" in line for line in found) == 4


def test_a_restorer_that_goes_by_names_is_told_so(tmp_path: Path) -> None:
    toy = Toy(restorer=_LooksUp())
    (line,) = toy.problems(toy.measure(tmp_path), tmp_path)
    assert re.search(r"under the name 'face \d+' it is restored [\d.]+ grey levels away", line)


def test_the_other_name_is_that_of_another_face(tmp_path: Path) -> None:
    """Draws of one face share their truth, so the name of another draw would tell nothing."""
    asked: list[tuple[str, ...]] = []

    class Listening(Smooth):
        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            asked.append(degraded.ids)
            return super().__call__(degraded)

    toy = Toy(restorer=Listening())
    result = toy.measure(tmp_path)
    same = [row.face_sha256 for row in result.rows[:-1]]
    asked.clear()
    assert toy.problems(result, None) == []
    first, last = asked[-2:]
    sha256 = dict(zip(result.image_ids, [row.face_sha256 for row in result.rows], strict=True))
    assert sha256[first[0]] != sha256[last[0]]
    assert len(set(same)) == len(same)
    twins = replace(result, rows=tuple(replace(row, face_sha256=result.rows[0].face_sha256) for row in result.rows))
    asked.clear()
    toy.problems(twins, None)
    assert any(name not in result.image_ids for (name,) in (ids for ids in asked if len(ids) == 1))


def test_a_restorer_that_knows_only_its_own_names_is_noticed(tmp_path: Path) -> None:
    class Picky(Smooth):
        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            if len(degraded) == 1 and not torch.equal(seen.setdefault(degraded.ids, degraded.pixels), degraded.pixels):
                raise KeyError(degraded.ids[0])
            return super().__call__(degraded)

    seen: dict[tuple[str, ...], torch.Tensor] = {}
    toy = Toy(restorer=Picky())
    found = toy.problems(toy.measure(tmp_path), tmp_path, count=None)
    assert ["cannot be restored under the name" in line for line in found] == [True]


@pytest.mark.parametrize("name", PARTS)
def test_it_is_noticed_without_the_images_too(tmp_path: Path, name: str) -> None:
    toy = Toy().but(**PARTS[name])
    assert toy.problems(toy.measure(tmp_path), None) != []


def test_images_changed_on_disk_are_noticed(tmp_path: Path) -> None:
    toy = Toy()
    result = toy.measure(tmp_path)
    one, other = (run.image_path(tmp_path / CASE.id, name, "restored") for name in result.image_ids[:2])
    one.write_bytes(other.read_bytes())
    assert any("from the kept images" in line for line in toy.problems(result, tmp_path, count=1))


def test_verifying_says_what_and_where(tmp_path: Path) -> None:
    toy = Toy()
    result = _scores(toy.measure(tmp_path), 4, 5)
    line = toy.problems(result, None, count=None)[0]
    found = re.fullmatch(r"metric face 0004: psnr_rgb is (\S+) in the Result and (\S+) made again alone", line)
    assert found is not None
    assert float(found[1]) == pytest.approx(laws.closed_form(toy, "face 0005")["psnr_rgb"], rel=1e-6)
    assert float(found[2]) == pytest.approx(laws.closed_form(toy, "face 0004")["psnr_rgb"], rel=1e-6)
