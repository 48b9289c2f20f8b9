"""Precision and recall against torch-fidelity and torchmetrics-style brute force, and on sets drawn by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench.metrics import precision_recall
from gfpbench.metrics.feature_sets import gather
from gfpbench.metrics.precision_recall import PrecisionRecall, inside, precision_legacy, recall_legacy
from gfpbench.types import AssetMissing, BadInput, ImageBatch, SetMetric
from tests.unit.metrics import set_laws as laws

normal = laws.normal


@pytest.mark.parametrize("law", laws.MANIFOLD, ids=lambda law: law.__name__)
def test_laws(law: Any) -> None:
    law(inside)


@pytest.mark.parametrize("neighbours", [1, 3, 5])
@pytest.mark.parametrize("shift", [0.0, 0.6])
def test_it_agrees_with_torch_fidelity(neighbours: int, shift: float) -> None:
    from torch_fidelity.metric_prc import prc_features_to_metric

    restored, real = normal(70, 1, shift=shift), normal(90, 2)
    theirs = prc_features_to_metric(
        restored, real, prc_neighborhood=neighbours, prc_batch_size=50, save_cpu_ram=False, verbose=False
    )
    sets = gather([restored]), gather([real])
    precision = PrecisionRecall("precision", neighbours=neighbours).score(*sets)
    recall = PrecisionRecall("recall", neighbours=neighbours).score(*sets)
    assert (precision.value, recall.value) == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-6)
    assert precision.value != recall.value


def test_rows_at_once_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = normal(50, 3, shift=0.3), normal(40, 4)
    whole = inside(a, b)
    monkeypatch.setattr(precision_recall, "_ROWS_AT_ONCE", 7)
    assert torch.equal(inside(a, b), whole)


def test_a_common_shift_changes_nothing() -> None:
    a, b = normal(50, 3, shift=0.3), normal(40, 4)
    assert torch.equal(inside(a + 1e5, b + 1e5), inside(a, b))


def test_the_interval_is_over_the_images_that_are_counted() -> None:
    restored, real = gather([normal(50, 5, shift=0.4)]), gather([normal(200, 6)])
    precision, recall = precision_legacy.score(restored, real), recall_legacy.score(restored, real)
    for score in (precision, recall):
        assert score.low is not None
        assert score.high is not None
        assert 0 <= score.low < score.value < score.high <= 1
        assert (score.n, score.n_reference) == (50, 200)
    equal = precision_legacy.score(real, real)
    assert (equal.low, equal.value, equal.high) == (1.0, 1.0, 1.0)


def test_bad_input_is_refused() -> None:
    with pytest.raises(BadInput, match="set of 3 is too small: this score needs 4"):
        recall_legacy.score(gather([normal(9, 1)]), gather([normal(3, 2)]))
    with pytest.raises(BadInput, match="set of 3 is too small: this score needs 4"):
        recall_legacy.score(gather([normal(3, 1)]), gather([normal(9, 2)]))
    with pytest.raises(BadInput, match="24 and 8 dimensions"):
        inside(normal(9, 1), normal(9, 2, d=8))
    with pytest.raises(BadInput, match="first neighbour"):
        inside(normal(9, 1), normal(9, 2), neighbours=0)
    with pytest.raises(BadInput, match="only moments"):
        recall_legacy.score(gather([normal(9, 1)], keep=0), gather([normal(9, 2)]))


def test_the_metrics_keep_the_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    for metric, name in ((precision_legacy, "precision_legacy"), (recall_legacy, "recall_legacy")):
        assert isinstance(metric, SetMetric)
        assert metric.name == name
        assert metric.minimum_images == 4
        with pytest.raises(AssetMissing, match=f"{name} needs the asset 'inception-fid'"):
            metric.features(ImageBatch(torch.rand(1, 3, 32, 32), ("a",)))
