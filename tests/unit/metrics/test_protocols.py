"""Every protocol against its script; the table against itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gfpbench import assets
from gfpbench.metrics import METRICS, load, protocols, set_measures
from gfpbench.metrics.fid import Fid
from gfpbench.types import AssetMissing, BadInput, PackageMissing
from tests.unit.metrics import protocol_laws as laws

PROOFS = laws.different_proofs()


@pytest.mark.parametrize(("protocol", "figure"), PROOFS, ids=[f"{figure} @ {name}" for name, figure in PROOFS])
def test_figure_is_what_the_script_gives(protocol: str, figure: str, seeded_folder: Path) -> None:
    laws.same_as_the_script(protocol, figure, seeded_folder)


def test_every_per_image_figure_has_its_script() -> None:
    assert sorted(laws.per_image_figures()) == sorted(laws.SCRIPTS)


def test_the_tables_fit_together() -> None:
    assert set(protocols.CONVENTIONS) <= {*METRICS, *set_measures.SET_METRICS}
    for name, protocol in protocols.PROTOCOLS.items():
        assert protocols.find(name).name == name
        assert protocol.steps
        assert len(protocol.source) > 20
        assert not set(protocol.figures) & set(protocol.absent)
    assert protocols.DEFAULT in protocols.PROTOCOLS


def test_one_metric_is_measured_once_for_all_protocols() -> None:
    names = protocols.metrics_of(["gfpgan-paper", "vqfr", "pyiqa-default"])
    assert len(set(names)) == len(names)
    assert {"psnr_rgb", "psnr_rgb_fitted", "psnr_yiq_cap80", "lpips_alex", "lpips_vgg"} <= set(names)


def test_a_gap_is_explained_by_the_steps_that_differ() -> None:
    assert protocols.differences("psnr_rgb", "psnr_rgb") == {}
    gap = protocols.differences("psnr_rgb", "psnr_rgb_fitted")
    assert list(gap) == ["colours"]
    assert "fitted" in gap["colours"][1]
    assert set(protocols.differences("lpips_vgg", "lpips_vgg_bgr_01")) == {"channel order", "range"}
    assert list(protocols.differences("fid_legacy_vs_ffhq50k", "fid_legacy_vs_truth")) == ["reference"]


def test_unknown_names_are_answered_with_near_ones() -> None:
    with pytest.raises(BadInput, match="gfpgan-paper"):
        protocols.find("gfpgan_paper")
    with pytest.raises(BadInput, match="fid_legacy_vs_truth"):
        set_measures.load(["fid_legacy_vs_thruth"])
    with pytest.raises(BadInput, match="named once"):
        protocols.metrics_of(["vqfr", "vqfr"])


SETS = {
    "ours": {"FID": "fid_clean_vs_truth", "KID": "kid_clean_vs_truth"},
    "gfpgan-paper": {"FID": "fid_legacy_vs_ffhq50k"},
    "vqfr": {"FID": "fid_legacy_vs_ffhq50k"},
    "restoreformer": {"FID": "fid_legacy_vs_ffhq50k"},
    "pmrf": {},
    "difface": {"FID": "fid_legacy_vs_truth"},
    "report-2021": {"FID": "fid_legacy_vs_truth"},
    "pyiqa-default": {"fid": "fid_clean_vs_truth"},
    "ntire-2025": {"FID": "fid_legacy_vs_ffhq50k"},
    "ntire-2026": {"FID": "fid_legacy_vs_ffhq50k"},
    "osdface": {},
    "spider": {},
}
"""Whose FID is against what, and by which resize: the steps that explain most of the published differences."""


def test_sets_are_measured_as_their_sources_do() -> None:
    held = {
        name: {figure: metric for figure, metric in one.figures.items() if metric in set_measures.SET_METRICS}
        for name, one in protocols.PROTOCOLS.items()
    }
    assert held == SETS
    assert protocols.PROTOCOLS["pmrf"].absent["FID"].startswith("needs the 70,000 images")


def test_what_we_recommend_has_the_networks_that_papers_report() -> None:
    ours = protocols.PROTOCOLS["ours"].figures
    assert (ours["LPIPS"], ours["Deg"]) == ("lpips_vgg", "deg_arcface")
    assert {"psnr_rgb", "ssim_rgb", "niqe", "piqe", "eye_mismatch", "hallucination", "colour_shift"} <= {*ours.values()}


def test_references_are_the_published_sets() -> None:
    """The files do not say how many images they were made from."""
    assert {name: (one.asset, one.n) for name, one in set_measures.REFERENCES.items()} == {
        "truth": (None, None),
        "ffhq50k": ("ffhq-inception-stats-512", 50_000),
        "ffhq70k": ("ffhq-clean-stats-512", 70_000),
    }
    for measure in set_measures.load(list(set_measures.SET_METRICS)):
        assert measure.reference is set_measures.REFERENCES[measure.name.rpartition("_vs_")[2]]


def test_set_measures_are_what_their_names_say() -> None:
    for measure in set_measures.load(list(set_measures.SET_METRICS)):
        metric, _, reference = measure.name.partition("_vs_")
        assert measure.metric.name == metric
        assert measure.against_truth == (reference == "truth")
        assert isinstance(measure.record()["reference"], str)
        if isinstance(measure.metric, Fid):
            assert measure.metric.resize in metric


def test_a_reference_that_is_not_here_says_which_asset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    measure = set_measures.load(["fid_legacy_vs_ffhq50k"])[0]
    with pytest.raises(AssetMissing, match="ffhq-inception-stats-512"):
        measure.reference.load(measure.name)
    with pytest.raises(BadInput, match="own truth"):
        set_measures.TRUTH.load("fid_legacy_vs_truth")


def test_every_metric_of_the_table_loads_under_its_name() -> None:
    assert [metric.name for metric in load(list(METRICS))] == list(METRICS)


def test_a_metric_without_its_weights_names_an_asset_that_names_the_metric(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`gfpbench fetch --for METRIC` gets what the metric asks for, and a fetched file serves whom the table says."""
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    image = laws.laws.batch([laws.laws.photographs()[0].astype(float)], ("face",))
    asked: dict[str, set[str]] = {}
    real = assets.path

    def ask(name: str, measure: Any) -> None:
        given: set[str] = set()

        def path(asset: str, needed_by: str | None = None) -> Path:
            return tmp_path / asset if asset in given else real(asset, needed_by)

        with monkeypatch.context() as patch:
            patch.setattr(assets, "path", path)
            while True:  # a metric of two files asks for one after the other
                try:
                    measure()
                except PackageMissing:
                    return
                except AssetMissing as error:
                    asked.setdefault(name, set()).add(error.asset)
                    given.add(error.asset)
                except BadInput:
                    return
                else:
                    return

    for metric in load(list(METRICS)):
        if metric.name not in load_without_weights:
            ask(metric.name, lambda metric=metric: metric(image, image))
    for measure in set_measures.load(list(set_measures.SET_METRICS)):
        ask(measure.name, lambda measure=measure: measure.metric.features(image))
        ask(measure.name, lambda measure=measure: measure.reference.load(measure.name))
    promised: dict[str, set[str]] = {}
    for asset in assets.ASSETS.values():
        for name in asset.needed_by:
            if name in {*METRICS, *set_measures.SET_METRICS}:
                promised.setdefault(name, set()).add(asset.name)
    assert asked == promised


load_without_weights = {
    name for name in METRICS if name.startswith(("psnr", "ssim", "niqe", "piqe", "gmsd", "ms_ssim"))
}
"""Known to need nothing; slow enough to leave out."""
