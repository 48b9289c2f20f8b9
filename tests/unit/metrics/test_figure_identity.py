"""Every metric says what it is computed by, and figures of unlike identity are compared nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gfpbench import assets, baselines, metrics, results, run
from gfpbench.assets import store
from gfpbench.metrics import set_measures
from gfpbench.metrics.figure_identity import own_identity, unlike
from gfpbench.run.measures import metric_record
from gfpbench.types import BadInput, Case
from tests.unit.baselines import sample
from tests.unit.metrics import figure_identity_laws as laws


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("said", laws.BEFORE)
def test_unlike_figures_are_not_compared(law: Callable[[str], None], said: str) -> None:
    law(said)


@pytest.mark.parametrize("name", metrics.METRICS)
def test_every_metric_has_an_identity(name: str) -> None:
    (metric,) = metrics.load([name])
    record = metric_record(metric)
    assert record["identity"]["package"] in ("gfpbench", "pyiqa")
    assert unlike(record, metric_record(metric)) == ""
    assert set(record["identity"].get("weights", {})) >= set(assets.needed_for(name))


@pytest.mark.parametrize("name", set_measures.SET_METRICS)
def test_every_set_metric_has_an_identity(name: str) -> None:
    record = set_measures.load([name])[0].record()
    assert set(record["identity"].get("weights", {})) >= set(assets.needed_for(name))


def test_another_definition_is_another_metric() -> None:
    (metric,) = metrics.load(["psnr_rgb"])
    raised = replace(metric, definition=2)  # type: ignore[type-var]
    assert unlike(metric_record(raised), metric_record(metric)) == "definition 2, not 1"


def test_weights_without_a_published_hash_are_those_first_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    asset = assets.find("ffhq-inception-stats-512")
    assert own_identity("fid_legacy_vs_ffhq50k")["weights"][asset.name] == "unknown"
    store.pin(asset, f"{asset.sha256}{'0' * 56}", 5, "a test")
    assert own_identity("fid_legacy_vs_ffhq50k")["weights"][asset.name] == f"f7b384ab{'0' * 56}"


def test_an_older_baseline_is_compared_and_says_so() -> None:
    now = laws.with_identity(sample.result(), laws.PYIQA)
    found = baselines.compare(now, sample.baseline())
    assert {one.kind for one in found.verdicts} == {"same"}
    assert [note for note in found.notes if "does not say which version" in note] == [
        "the baseline does not say which version of a metric it holds (it is older): taken for the same (error)"
    ]


def test_it_is_stored_and_read_back(tmp_path: Path) -> None:
    result = run.measure(Case("embedded", "paper", "bicubic", limit=1), store=tmp_path, metrics=["psnr_rgb"])
    assert result.metrics["psnr_rgb"]["identity"] == {"package": "gfpbench", "definition": 1}
    results.write([result], tmp_path / "one.json")
    assert results.read(tmp_path / "one.json")[0].metrics == result.metrics
    older = replace(
        result, metrics={"psnr_rgb": {k: v for k, v in result.metrics["psnr_rgb"].items() if k != "identity"}}
    )
    assert run.verify(older, store=None) == ()
    (problem,) = run.verify(
        laws.with_identity(result, {"package": "gfpbench", "definition": 0}, "psnr_rgb"), store=None
    )
    assert problem.reason == "was measured by another version of it: definition 0, not 1"
    text = (tmp_path / "one.json").read_text().replace('{"definition": 1, "package": "gfpbench"}', '"gfpbench"')
    (tmp_path / "one.json").write_text(text)
    with pytest.raises(BadInput, match=r"metrics\.psnr_rgb\.identity"):
        results.read(tmp_path / "one.json")
