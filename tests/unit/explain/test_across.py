"""What holds on several sets of faces ranks first, and what holds on one of them only says so."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gfpbench import explain as package
from gfpbench import images
from gfpbench.cli.explaining import explained
from gfpbench.explain import Across, Hypothesis, OverSets, Pipeline, across, chosen, explain, explain_over
from gfpbench.explain.across import conclusions
from gfpbench.faces import load as load_faces
from gfpbench.images import pixels_sha256
from gfpbench.report.explanation import explanation_json, explanation_lines
from gfpbench.report.explanation_sets import found_json, found_lines, found_markdown, write_explanation
from gfpbench.types import BadInput, Face, ImageBatch

MEASURES = {"PSNR": "psnr_rgb"}
COUNT = 12


@dataclass
class Toy:
    """Smooth random images around mid-grey: the standard deviation says how far two of them are apart."""

    name: str
    std_levels: float
    seed: int = 0
    default_draws: int = 1

    def ids(self) -> tuple[str, ...]:
        return tuple(f"{self.name}{number}" for number in range(COUNT))

    def load(self, face_id: str) -> Face:
        rng = np.random.default_rng([self.seed, int(face_id.removeprefix(self.name)), int(self.std_levels)])
        small = rng.normal(128, self.std_levels, (3, 3, 3)).astype(np.float32)
        rgb = cv2.resize(small, (48, 48), interpolation=cv2.INTER_CUBIC).clip(0, 255).round().astype(np.uint8)
        return Face(face_id, images.from_uint8(rgb), {}, pixels_sha256(rgb))

    def source(self) -> dict[str, str]:
        return {"name": self.name}


def darker(pipeline: Pipeline) -> Pipeline:
    """Every image against itself made darker: as far from its truth whoever is on it."""

    def compared(degraded: ImageBatch, truth: ImageBatch, other: ImageBatch) -> tuple[ImageBatch, ImageBatch]:
        by = 0.14 + 0.01 * float(degraded.pixels.mean())
        return ImageBatch((truth.pixels - by).clamp(0, 1), truth.ids), truth

    return replace(pipeline, compared=compared)


DARKER = Hypothesis("darker", "made darker", "compare", darker)
TRIED = (*chosen(["mispaired"]), DARKER)
ALIKE, UNLIKE = Toy("alike", 30), Toy("unlike", 70)


def row_of(hypothesis: Hypothesis, faces: Toy) -> dict[str, float]:
    """The row that somebody would have published who made this mistake on these faces."""
    told = explain({"PSNR": 15.0}, MEASURES, faces, hypotheses=[hypothesis], together=False)
    return {"PSNR": told.findings[0].figures["PSNR"].mean}


@pytest.fixture(scope="module")
def row() -> dict[str, float]:
    """Made by wrong pairs of faces that look alike; ``darker`` comes near it on any faces."""
    return row_of(TRIED[0], ALIKE)


def over(row: dict[str, float], *sets: Toy) -> OverSets:
    return explain_over(row, MEASURES, sets, hypotheses=TRIED, together=False)


@pytest.fixture(scope="module")
def found(row: dict[str, float]) -> OverSets:
    return over(row, ALIKE, UNLIKE)


def named(found: OverSets, name: str) -> Across:
    return next(one for one in found.findings if one.names == (name,))


def test_what_one_set_ranks_first_is_last_where_other_faces_are_farther_apart(found: OverSets) -> None:
    alike, unlike = found.explanations
    assert alike.findings[0].names == ("mispaired",)
    assert alike.findings[0].reaches
    assert unlike.findings[-1].names == ("mispaired",)
    assert not unlike.findings[-1].reaches
    assert found.findings[0].names == ("darker",)
    assert named(found, "mispaired").reach_depends
    assert not named(found, "mispaired").reaches


def test_worst_distance_and_spread_by_hand(found: OverSets) -> None:
    one = named(found, "mispaired")
    assert [f.names for f in one.findings] == [("mispaired",)] * 2
    assert one.distance == max(f.distance for f in one.findings) == one.findings[1].distance
    assert one.interval == (one.findings[1].distance_low, one.findings[1].distance_high)
    low, high = one.spread("PSNR")
    assert (low, high) == (one.findings[1].figures["PSNR"].mean, one.findings[0].figures["PSNR"].mean)
    assert high - low > 3


def test_each_set_is_explained_as_it_is_alone(found: OverSets, row: dict[str, float]) -> None:
    for faces, one in zip((ALIKE, UNLIKE), found.explanations, strict=True):
        assert one == explain(row, MEASURES, faces, hypotheses=TRIED, together=False)


def test_sets_of_one_source_agree() -> None:
    """The spread of chance is not taken for a dependence on the faces."""
    row = row_of(DARKER, ALIKE)
    told = over(row, Toy("b", 30, seed=1), Toy("c", 30, seed=2))
    assert not any(one.reordered for one in told.findings)


def crafted(distances: list[tuple[float, float]], name: str, found: OverSets) -> list[package.Finding]:
    template = found.findings[0].findings[0]
    return [
        replace(template, names=(name,), distance=(low + high) / 2, distance_low=low, distance_high=high)
        for low, high in distances
    ]


@pytest.mark.parametrize(
    ("a", "b", "differs"),
    [
        ([(0.1, 0.2), (0.6, 0.7)], [(0.3, 0.4), (0.3, 0.4)], True),
        ([(0.1, 0.2), (0.6, 0.7)], [(0.15, 0.4), (0.3, 0.4)], False),  # intervals touch on the first set
        ([(0.1, 0.2), (0.1, 0.2)], [(0.3, 0.4), (0.3, 0.4)], False),
    ],
)
def test_order_depends_only_where_intervals_are_apart_both_ways(
    a: list[tuple[float, float]], b: list[tuple[float, float]], differs: bool, found: OverSets
) -> None:
    rows = across._across([crafted(a, "a", found), crafted(b, "b", found)])
    assert [bool(one.reordered) for one in rows] == [differs, differs]


def test_what_a_set_cannot_measure_is_left_out_of_the_ranking(found: OverSets) -> None:
    row = crafted([(0.1, 0.2), (0.1, 0.2)], "a", found)
    assert across._across([[row[0], None]]) == ()


def test_conclusions_name_the_sets(found: OverSets) -> None:
    told = conclusions(found)
    assert "mispaired reaches the row on alike, not on unlike: depends on the faces" in told
    assert any(one.startswith("nearest alone: mispaired on alike, darker on unlike") for one in told)
    nothing = explain_over({"PSNR": 55.0}, MEASURES, [ALIKE, UNLIKE], hypotheses=TRIED, together=False)
    assert "nothing tried reaches the row on any set" in conclusions(nothing)


def test_pairs_are_the_same_on_every_set() -> None:
    tried = chosen(["channels-swapped", "shifted-10-percent", "noise-vanished"])
    told = explain_over({"PSNR": 55.0}, MEASURES, [ALIKE, UNLIKE], hypotheses=tried)
    assert len(told.combined) == 3
    assert all(len(one.findings) == 2 for one in told.combined)
    assert all(
        {one.names for one in each.combined} == {row.names for row in told.combined} for each in told.explanations
    )


def test_written_with_figures_of_each_set(found: OverSets, tmp_path: Path) -> None:
    page = write_explanation(found, tmp_path, "What gives it?")
    data = json.loads((tmp_path / "explain.json").read_text())
    assert data == found_json(found)
    assert [one["faces"] for one in data["sets"]] == ["alike", "unlike"]
    assert data["findings"][-1]["hypotheses"] == ["mispaired"]
    assert data["findings"][-1]["reaches_on"] == [True, False]
    assert data["findings"][-1]["depends_on_the_faces"] is True
    assert (
        "depends on the faces: whether it reaches the row"
        in page.read_text()
        == found_markdown(found, "What gives it?")
    )
    assert any("mispaired" in line and "depends on the faces" in line for line in found_lines(found))
    alone = over({"PSNR": 15.0}, ALIKE)
    assert found_json(alone) == explanation_json(alone.explanations[0])


def test_each_set_has_its_images(row: dict[str, float], tmp_path: Path) -> None:
    told = explain_over(
        row, MEASURES, [ALIKE, UNLIKE], hypotheses=chosen(["mispaired"]), together=False, sheets=tmp_path
    )
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")} == {
        f"set-{number}/{name}.png" for number in (1, 2) for name in ("as-described", "mispaired")
    }
    assert "(images/set-2/mispaired.png)" in found_markdown(told, "t")


def test_the_same_faces_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="share no face"):
        explain_over({"PSNR": 15.0}, MEASURES, [ALIKE, replace(ALIKE)], hypotheses=TRIED, together=False)
    with pytest.raises(BadInput, match="given twice"):
        explained("PSNR=15", ["embedded", "embedded"], tmp_path, size_px=48, limit=8, seed=0, wanted=None)


def test_faces_that_cannot_be_read_are_answered_with_the_reason(tmp_path: Path) -> None:
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((25, 25, 3), np.uint8))
    with pytest.raises(BadInput, match=r"0 can be read, and 5 are needed.*minimum side"):
        explain_over({"PSNR": 15.0}, MEASURES, [load_faces(str(tmp_path))], hypotheses=TRIED)


def test_a_face_that_cannot_be_read_is_named_beside_the_others(tmp_path: Path) -> None:
    for number, face_id in enumerate(ALIKE.ids()):
        images.write_png(tmp_path / f"{number:02d}.png", images.to_rgb_arrays(batch_of(ALIKE.load(face_id)))[0])
    (tmp_path / "broken.png").write_bytes(b"no image")
    told = explain({"PSNR": 15.0}, MEASURES, load_faces(str(tmp_path)), hypotheses=TRIED, together=False)
    assert told.count == COUNT
    assert "broken" in told.untested
    assert any("not tested: broken" in line for line in explanation_lines(told))


def batch_of(face: Face) -> ImageBatch:
    return ImageBatch(face.pixels[None], (face.id,))


def test_a_ranking_by_the_best_set_is_seen(row: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Across, "distance", property(lambda self: min(one.distance for one in self.findings)))
    with pytest.raises(AssertionError):
        test_what_one_set_ranks_first_is_last_where_other_faces_are_farther_apart(over(row, ALIKE, UNLIKE))


def test_one_set_that_speaks_for_all_is_seen(row: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores of the first set are given for every set."""
    shown: Any = package  # its own imports, which mypy takes for private
    honest, first = shown.measured, shown.load(ALIKE, None)
    monkeypatch.setattr(package, "measured", lambda pipeline, faces, *rest: honest(pipeline, first, *rest))
    with pytest.raises(AssertionError):
        test_what_one_set_ranks_first_is_last_where_other_faces_are_farther_apart(over(row, ALIKE, UNLIKE))
