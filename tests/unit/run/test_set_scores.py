"""Numbers of a whole set, through the engine: streamed, kept across a stop, scored once; protocols in one pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

from gfpbench import assets, images, results, run
from gfpbench.metrics import fid, inception, inception_network, protocols
from gfpbench.types import AssetMissing, BadInput, Case, GfpbenchError, ImageBatch, Result
from tests.unit.metrics import network_oracles
from tests.unit.run import laws
from tests.unit.run.laws import CASE, Smooth, Toy, ToyFaces, ToySet, ToyWithSets, measure_of


def by_hand(toy: Toy) -> float:
    """From the images themselves, made without the engine."""
    restored: list[torch.Tensor] = []
    truth: list[torch.Tensor] = []
    for name in toy.faces.ids():
        face = toy.faces.load(name)
        clean = ImageBatch(face.pixels[None], (name,))
        record = toy.degradation.draw(name, toy.case.seed, clean.size)
        degraded = toy.degradation.apply(clean, [record])
        assert toy.restorer is not None
        image = images.quantized(toy.restorer(degraded))
        for kept, batch in ((restored, image), (truth, clean)):
            kept.append(torch.nn.functional.adaptive_avg_pool2d(batch.pixels.double(), 2).flatten(1))
    return fid.frechet_from_features(torch.cat(restored), torch.cat(truth))


def check_score_is_that_of_all_images(toy: Toy, result: Result) -> None:
    """One score for the whole set, equal to that of its images, whatever the batches."""
    score = result.set_scores["quarters_vs_truth"]
    assert score["n"] == score["n_reference"] == len(toy.faces.ids())
    assert score["value"] == pytest.approx(by_hand(toy), rel=1e-6)
    assert score["low"] <= score["value"] <= score["high"]


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_a_set_is_scored_as_a_whole(tmp_path: Path, batch_size: int) -> None:
    toy = ToyWithSets(batch_size=batch_size)
    result = toy.measure(tmp_path)
    check_score_is_that_of_all_images(toy, result)
    score = result.set_scores["quarters_vs_truth"]
    assert (score["better"], score["features"]) == ("lower", "quarters")
    assert score["reference"] == "the truth of the same run"
    assert "quarters_vs_truth" not in result.metrics  # no row has it
    assert not (tmp_path / CASE.id / "features").exists()
    assert results.read(tmp_path / CASE.id / "result.json") == (result,)


@pytest.mark.parametrize("batches", [1, 4, 7])
def test_a_stopped_run_gives_the_same_set_score(tmp_path: Path, batches: int) -> None:
    laws.check_resuming_changes_nothing(ToyWithSets(), tmp_path, batches)


def test_features_of_committed_batches_are_not_computed_again(tmp_path: Path) -> None:
    metric = ToySet()
    laws.stopped_and_resumed(ToyWithSets(sets=(measure_of(metric),)), tmp_path, 5)
    first = ToyFaces().ids()[:3]
    assert sum(ids == first for ids in metric.calls) == 2  # restored and truth, once each


def test_lost_features_start_the_run_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    toy = ToyWithSets()
    with pytest.raises(laws.Stopped):
        toy.measure(tmp_path, progress=laws.stop_after(4))
    kept = sorted((tmp_path / CASE.id / "features").glob("*.npz"))
    assert len(kept) == 4
    kept[1].unlink()
    check_score_is_that_of_all_images(toy, toy.measure(tmp_path))
    assert "are gone" in caplog.text


def test_a_set_added_meanwhile_starts_the_run_over(tmp_path: Path) -> None:
    result = laws.stopped_and_resumed(Toy(), tmp_path, 4, ToyWithSets())
    check_score_is_that_of_all_images(ToyWithSets(), result)


def test_shared_features_are_computed_once(tmp_path: Path) -> None:
    metric = ToySet()
    toy = ToyWithSets(sets=(measure_of(metric), measure_of(metric, "again_vs_truth")), batch_size=50)
    result = toy.measure(tmp_path)
    assert len(metric.calls) == 2
    assert result.set_scores["again_vs_truth"]["value"] == result.set_scores["quarters_vs_truth"]["value"]


def test_the_truth_is_at_distance_0_from_itself(tmp_path: Path) -> None:
    metric = ToySet()
    toy = ToyWithSets(case=replace(CASE, restorer=run.TRUTH), restorer=None, sets=(measure_of(metric),), batch_size=50)
    score = toy.measure(tmp_path).set_scores["quarters_vs_truth"]
    assert abs(score["value"]) < 1e-9
    assert len(metric.calls) == 1


def test_failed_restorations_are_not_in_the_set_and_their_truth_is(tmp_path: Path) -> None:
    score = ToyWithSets(restorer=Smooth(frozenset({"face 0004"}))).measure(tmp_path).set_scores["quarters_vs_truth"]
    assert (score["n"], score["n_reference"]) == (19, 20)


def test_what_cannot_be_measured_says_why(tmp_path: Path) -> None:
    class WithoutWeights(ToySet):
        def features(self, batch: ImageBatch) -> torch.Tensor:
            raise AssetMissing("inception-fid", "fid_toy")

    sets = (
        measure_of(WithoutWeights(features_name="other"), "fid_toy_vs_truth"),
        measure_of(ToySet(minimum_side_px=64, features_name="large"), "large_vs_truth"),
        measure_of(ToySet(minimum_images=99, features_name="many"), "many_vs_truth"),
    )
    result = ToyWithSets(sets=sets).measure(tmp_path)
    assert result.set_scores == {}
    assert "gfpbench fetch inception-fid" in result.not_measured["fid_toy_vs_truth"]
    assert "below 64 px" in result.not_measured["large_vs_truth"]
    assert "needs two images" in result.not_measured["many_vs_truth"]
    assert all(score is not None for row in result.rows for score in row.scores.values())


@pytest.mark.parametrize(
    "wrong", [torch.zeros(2, 4, dtype=torch.float64), torch.zeros(3, 4), torch.full((3, 4), float("nan")).double()]
)
def test_features_that_break_the_contract_end_the_run(tmp_path: Path, wrong: torch.Tensor) -> None:
    class Wrong(ToySet):
        def features(self, batch: ImageBatch) -> torch.Tensor:
            return wrong

    with pytest.raises(GfpbenchError, match="'quarters_vs_truth' must give finite float64 features"):
        ToyWithSets(sets=(measure_of(Wrong()),)).measure(tmp_path)


def test_fid_of_a_real_run_with_random_weights(
    tmp_path: Path, seeded_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real faces, the FID Inception with seeded weights: the number is that of the kept images."""
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "home"))  # what is not measured depends on what was fetched
    weights = network_oracles.inception_weights(seeded_folder)
    here = assets.path

    def path(name: str, needed_by: str = "") -> Path:
        return Path(weights) if name == "inception-fid" else here(name, needed_by)

    case = Case("embedded", "paper", "bicubic", size_px=64, draws=2)
    with patch.object(assets, "path", path):
        result = run.measure(case, store=tmp_path, protocols=["difface", "gfpgan-paper"], batch_size=3)
        network = inception_network.fid_inception(Path(weights))
        images = [
            torch.cat(
                [inception.extract(network, _kept(tmp_path / case.id, row.id, kind), "legacy") for row in result.rows]
            )
            for kind in ("restored", "truth")
        ]
    score = result.set_scores["fid_legacy_vs_truth"]
    assert score["value"] == pytest.approx(fid.frechet_from_features(*images), rel=1e-4)
    assert "2048 dimensions" in score["note"]
    assert "ffhq-inception-stats-512" in result.not_measured["fid_legacy_vs_ffhq50k"]
    assert "vgg16" in result.not_measured["lpips_vgg"]
    assert "not published" in result.not_measured["IDS @ difface"]
    assert result.protocols["gfpgan-paper"] == dict(protocols.find("gfpgan-paper").figures)
    assert {"psnr_rgb", "ssim_rgb", "niqe"} <= set(result.metrics)


def _kept(folder: Path, image_id: str, kind: str) -> ImageBatch:
    import cv2

    bgr = cv2.imread(str(run.image_path(folder, image_id, kind)))
    assert bgr is not None
    return images.from_bgr_arrays([np.asarray(bgr)], (image_id,))


def test_several_protocols_measure_a_shared_metric_once(tmp_path: Path) -> None:
    case = Case("embedded", "paper", "bicubic", size_px=64, limit=2)
    parts = run.load(case, device="cpu", protocols=["gfpgan-paper", "vqfr", "pyiqa-default"])
    names = [metric.name for metric in parts.metrics]
    assert len(set(names)) == len(names)
    assert {"psnr_rgb", "psnr_rgb_fitted", "psnr_rgb_cap80", "psnr_yiq_cap80"} <= set(names)
    both = run.load(case, device="cpu", metrics=["gmsd", "psnr_rgb"], protocols=["report-2021"])
    assert [metric.name for metric in both.metrics] == ["gmsd", "psnr_rgb", "ssim_rgb"]
    assert [measure.name for measure in both.sets] == ["fid_legacy_vs_truth"]
    with pytest.raises(BadInput, match="gfpgan-paper"):
        run.load(case, device="cpu", protocols=["gfpgan_papers"])


@pytest.mark.parametrize(
    ("field_name", "value", "line"),
    [
        ("value", None, "value: is missing"),
        ("n", 2.5, "n: expected a whole number"),
        ("low", "much", "low: expected a number"),
        ("value", float("nan"), "quarters_vs_truth"),
    ],
)
def test_a_damaged_set_score_is_refused(tmp_path: Path, field_name: str, value: object, line: str) -> None:
    result = ToyWithSets(faces=ToyFaces(5)).measure(tmp_path)
    broken = {**result.set_scores["quarters_vs_truth"], field_name: value}
    with pytest.raises(BadInput, match=line):
        results.write([replace(result, set_scores={"quarters_vs_truth": broken})], tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()


def test_a_metric_without_its_weights_verifies_as_blank(tmp_path: Path) -> None:
    class WithoutWeights(laws.ToyMetric):
        def __call__(self, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
            raise AssetMissing("vgg16", "lpips_toy")

    toy = Toy(metrics=(*laws.toy_metrics(), WithoutWeights("lpips_toy", laws.mae)))
    result = toy.measure(tmp_path)
    assert "vgg16" in result.not_measured["lpips_toy"]
    assert toy.problems(result, tmp_path) == []
    invented = replace(result, rows=tuple(replace(r, scores={**r.scores, "lpips_toy": 0.1}) for r in result.rows))
    assert any("lpips_toy is 0.1 in the Result and None" in line for line in toy.problems(invented, None))
