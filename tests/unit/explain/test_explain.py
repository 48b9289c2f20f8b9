"""A row made by a known mistake is explained by that mistake, and a broken search is seen."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gfpbench import explain as package
from gfpbench import faces, metrics
from gfpbench.cli.explaining import explained
from gfpbench.explain import HYPOTHESES, Explanation, Pipeline, chosen, explain, ranking
from gfpbench.explain.pipeline import load, measured
from gfpbench.explain.ranking import figure_of, finding, scales_of
from gfpbench.report.explanation import explanation_json, explanation_lines, explanation_markdown
from gfpbench.types import BadInput

MEASURES = {"PSNR": "psnr_rgb", "SSIM": "ssim_rgb", "FID": "fid_legacy_vs_truth"}
USED = {figure: metrics.load([MEASURES[figure]])[0] for figure in ("PSNR", "SSIM")}
SILENT = {"few-images", "fid-against-own-truth"}  # they move no mean
MOVING = [hypothesis.name for hypothesis in HYPOTHESES if hypothesis.name not in SILENT]
FEW = ["noise-255-times", "small-on-black", "channels-swapped", "mispaired", "few-images"]
SET = faces.load("embedded", size_px=96, draws=5)


def published_by(*names: str, seed: int = 1) -> dict[str, float]:
    """A row as somebody would have published it who made these mistakes, with other random draws than ours."""
    pipeline = Pipeline()
    for hypothesis in chosen(names):
        pipeline = hypothesis.change(pipeline)
    scores = measured(pipeline, load(SET, None), USED, seed)
    return {figure: float(np.mean(values)) for figure, values in scores.items()}


@pytest.fixture(scope="module")
def every() -> dict[str, dict[str, list[float]]]:
    """Every mistake's scores, face by face, and those of the row as described."""
    loaded = load(SET, None)
    pipelines = {name: hypothesis.change(Pipeline()) for name in MOVING for hypothesis in chosen([name])}
    return {name: measured(pipeline, loaded, USED, 0) for name, pipeline in {"": Pipeline(), **pipelines}.items()}


@pytest.mark.parametrize("name", MOVING)
def test_a_row_made_by_a_mistake_ranks_it_first(name: str, every: dict[str, dict[str, list[float]]]) -> None:
    row = {figure: float(np.mean(values)) for figure, values in every[name].items()}
    scales = scales_of(row, {figure: figure_of(values, 3000) for figure, values in every[""].items()})
    told = [finding((one,), "", scores, row, scales, 3000) for one, scores in every.items()]
    told.sort(key=lambda one: one.distance)
    assert told[0].names == (name,)
    assert told[0].distance == pytest.approx(0, abs=1e-9)
    assert told[0].reaches
    assert told[1].distance > 0.005


@pytest.mark.parametrize("name", ["mispaired", "noise-255-times", "small-on-black"])
def test_the_whole_way_does_so_under_other_draws(name: str) -> None:
    told = explain(published_by(name, seed=1), MEASURES, SET, hypotheses=chosen(FEW), together=False)
    assert told.findings[0].names == (name,)
    assert told.findings[0].distance_low < 0.1
    assert [one.distance for one in told.findings] == sorted(one.distance for one in told.findings)
    assert told.combined == ()


def test_two_mistakes_are_found_where_one_does_not_reach() -> None:
    wanted = ["channels-swapped", "shifted-10-percent", "noise-vanished", "scaled-2-percent", "degraded-twice"]
    row = published_by("channels-swapped", "shifted-10-percent", seed=0)
    told = explain(row, MEASURES, SET, hypotheses=chosen(wanted))
    assert not any(one.reaches for one in told.findings)
    assert set(told.combined[0].names) == {"channels-swapped", "shifted-10-percent"}
    assert told.combined[0].reaches


def test_a_row_that_nothing_gives_is_reached_by_nothing() -> None:
    told = explain({"PSNR": 55.0, "SSIM": 0.2}, MEASURES, SET, hypotheses=chosen(["mispaired", "channels-swapped"]))
    assert not any(one.reaches for one in (told.described, *told.findings, *told.combined))


def test_what_cannot_be_measured_is_named() -> None:
    told = explain({"PSNR": 20.0, "FID": 100.0, "LPIPS": 0.5}, MEASURES, SET, hypotheses=HYPOTHESES[-2:])
    assert set(told.published) == {"PSNR"}
    assert {"FID", "LPIPS", "fid-against-own-truth"} <= set(told.untested)
    with pytest.raises(BadInput, match=r"nothing of this row can be measured here \(FID"):
        explain({"FID": 100.0}, MEASURES, SET)
    with pytest.raises(BadInput, match="infinite"):
        explain({"PSNR": float("inf")}, MEASURES, SET)
    with pytest.raises(BadInput, match="5 are needed"):
        explain({"PSNR": 20.0}, MEASURES, SET, limit=4)


def test_the_interval_holds_the_mean_of_so_many_images() -> None:
    """Of many published means of 100 images, about 95 in 100 lie inside the interval made from 30 others."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        figure = figure_of(rng.normal(20, 3, 30).tolist(), 100)
        inside += float(rng.normal(20, 3, 100).mean()) in figure
    assert 0.91 <= inside / 400 <= 0.98


def test_fewer_images_widen_the_interval_and_move_nothing() -> None:
    few, many = figure_of([1.0, 2.0, 3.0], 100), figure_of([1.0, 2.0, 3.0], 3000)
    assert few.mean == many.mean == 2.0
    assert few.low < many.low < many.high < few.high


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Explanation, Path]:
    folder = tmp_path_factory.mktemp("explained")
    wanted = ["mispaired", "channels-swapped", "fid-against-own-truth"]
    row = "report-2021/celeba/Input"
    told, page = explained(row, ["embedded"], folder, size_px=48, limit=8, seed=0, wanted=wanted)
    return told.explanations[0], page


def test_one_image_for_each_and_text_that_a_machine_reads(written: tuple[Explanation, Path]) -> None:
    told, page = written
    assert told.published == {"PSNR": 14.400068, "SSIM": 0.531505}
    every = (told.described, *told.findings, *told.combined)
    for one in every:
        assert one.image is not None
        assert getattr(cv2.imread(str(one.image)), "shape", None) == (48, 96, 3)
        assert f"images/{one.image.name}" in page.read_text()
    data = json.loads((page.parent / "explain.json").read_text())
    assert data == explanation_json(told)
    assert [one["hypotheses"] for one in data["findings"]] == [list(one.names) for one in told.findings]
    lines = explanation_lines(told)
    assert any("mispaired" in line for line in lines)
    assert "not tested" in explanation_markdown(told, "t")
    assert not list(page.parent.glob(".*.part"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("report-2021/celeba/Output", "a row of degraded input"),
        ("report-2021/celeba/Inputs", "did you mean"),
        ("PSNR=many", "write figures as"),
    ],
)
def test_a_row_that_cannot_be_explained_is_refused(row: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=said):
        explained(row, ["embedded"], tmp_path, size_px=48, limit=8, seed=0, wanted=None)


def first_for(name: str) -> tuple[str, ...]:
    return explain(published_by(name, seed=0), MEASURES, SET, hypotheses=chosen(FEW), together=False).findings[0].names


def test_a_search_that_measures_one_figure_only_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mispaired and swapped images can share a PSNR: without SSIM the ranking loses what tells them apart."""
    honest = ranking._distance

    def psnr_only(means: np.ndarray, goal: np.ndarray, scale: np.ndarray) -> np.ndarray:
        return honest(means[:1] * 0, goal[:1] * 0, scale[:1])

    assert all(first_for(name) == (name,) for name in ("mispaired", "channels-swapped"))
    monkeypatch.setattr(ranking, "_distance", psnr_only)
    assert not all(first_for(name) == (name,) for name in ("mispaired", "channels-swapped"))


def test_a_hypothesis_that_is_ignored_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    row = published_by("mispaired", seed=0)
    monkeypatch.setattr(package._Search, "pipeline", lambda self, parts: self.start)
    told = explain(row, MEASURES, SET, hypotheses=chosen(["mispaired", "channels-swapped"]))
    assert not told.findings[0].reaches
