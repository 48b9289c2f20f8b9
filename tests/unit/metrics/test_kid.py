"""KID against its definition, torch-fidelity, torchmetrics and pyiqa; it has no bias, and its interval covers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench.metrics import kid
from gfpbench.metrics.feature_sets import gather
from gfpbench.statistics import bootstrap_mean
from gfpbench.types import AssetMissing, BadInput, ImageBatch, SetMetric
from tests.unit.metrics import set_laws as laws

normal = laws.normal


@pytest.mark.parametrize("law", laws.KERNEL, ids=lambda law: law.__name__)
def test_laws(law: Any) -> None:
    law(kid.squared_mmd)


def test_it_agrees_with_torch_fidelity_torchmetrics_and_pyiqa() -> None:
    from torch_fidelity.metric_kid import kernel_mmd
    from torchmetrics.image.kid import poly_mmd

    a, b = normal(50, 1), normal(50, 2, shift=0.3)
    ours = kid.kid_from_features(a, b)
    theirs = kernel_mmd(
        a.numpy(),
        b.numpy(),
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1,
    )
    assert ours == pytest.approx(float(theirs), rel=1e-12)
    assert ours == pytest.approx(float(poly_mmd(a, b)), rel=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyiqa.archs.fid_arch import mmd_polynomial_kernel
    assert ours == pytest.approx(mmd_polynomial_kernel(a.numpy(), b.numpy(), num_subsets=1), rel=1e-10)


def test_subsets_agree_with_the_whole_within_their_noise() -> None:
    a, b = normal(300, 3), normal(260, 4, shift=0.3)
    whole = kid.squared_mmd(a, b)
    cut = kid.kid_from_features(a, b, subset_size=50, subsets=100)
    assert cut == pytest.approx(whole, rel=0.1)
    assert cut != whole
    assert cut == kid.kid_from_features(a, b, subset_size=50, subsets=100)
    assert cut != kid.kid_from_features(a, b, subset_size=50, subsets=100, seed=1)
    assert kid.kid_from_features(a, b, subset_size=260) == whole


def test_rows_at_once_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = normal(50, 5), normal(40, 6, shift=0.3)
    whole = kid.squared_mmd(a, b)
    monkeypatch.setattr(kid, "_ROWS_AT_ONCE", 7)
    assert kid.squared_mmd(a, b) == pytest.approx(whole, rel=1e-12)


def test_pseudo_values_are_those_of_leaving_one_out() -> None:
    a, b = normal(12, 7), normal(9, 8, shift=0.3)
    whole = kid.squared_mmd(a, b)
    values = kid.pseudo_values(a, b)
    assert float(values.mean()) == pytest.approx(whole, rel=1e-10)
    for index in range(12):
        without = kid.squared_mmd(torch.cat([a[:index], a[index + 1 :]]), b)
        assert float(values[index]) == pytest.approx(12 * whole - 11 * without, rel=1e-9)


@pytest.mark.parametrize("shift", [0.3, 0.0])
def test_the_interval_covers_what_as_many_other_images_would_give(shift: float) -> None:
    reference = normal(500, 9, d=16)
    sets = [normal(40, 1000 + trial, d=16, shift=shift) for trial in range(120)]
    expected = float(np.mean([kid.squared_mmd(rows, reference) for rows in sets]))
    hits = 0
    for trial, rows in enumerate(sets):
        hits += expected in bootstrap_mean(kid.pseudo_values(rows, reference).numpy(), seed=trial, resamples=400)
    assert 0.88 <= hits / 120 <= 1.0


def test_the_score_says_what_it_is() -> None:
    score = kid.kid_legacy.score(gather([normal(40, 10, shift=0.3)]), gather([normal(60, 11)]))
    assert score.low is not None
    assert score.high is not None
    assert score.low < score.value < score.high
    assert (score.n, score.n_reference) == (40, 60)
    assert score.note == "40 images: one subset of all, not 1000"
    spread = bootstrap_mean(kid.pseudo_values(normal(40, 10, shift=0.3), normal(60, 11)).numpy())
    assert (score.low, score.high) == pytest.approx((spread.low, spread.high))
    assert (kid.kid_legacy.subset_size, kid.kid_legacy.subsets) == (1000, 100)  # the published way
    few = kid.kid_legacy.score(gather([normal(20, 10)]), gather([normal(60, 11)]))
    assert "20 images" in few.note
    assert "fewer than the 24 dimensions" in few.note
    two = kid.kid_legacy.score(gather([normal(2, 10)]), gather([normal(60, 11)]))
    assert (two.low, two.high) == (None, None)


def test_the_metrics_keep_the_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    for metric, name in ((kid.kid_legacy, "kid_legacy"), (kid.kid_clean, "kid_clean")):
        assert isinstance(metric, SetMetric)
        assert metric.name == name
        with pytest.raises(AssetMissing, match=f"{name} needs the asset 'inception-fid'"):
            metric.features(ImageBatch(torch.rand(1, 3, 32, 32), ("a",)))
    parts = kid.kid_clean.statistics(torch.split(normal(20, 12), 6))
    assert parts.features is not None
    assert torch.equal(parts.features, normal(20, 12))


def test_bad_input_is_refused() -> None:
    with pytest.raises(BadInput, match="set of 1 is too small"):
        kid.squared_mmd(normal(1, 1), normal(9, 2))
    with pytest.raises(BadInput, match="set of 2 is too small"):
        kid.pseudo_values(normal(2, 1), normal(9, 2))
    with pytest.raises(BadInput, match="24 and 8 dimensions"):
        kid.squared_mmd(normal(9, 1), normal(9, 2, d=8))
    with pytest.raises(BadInput, match="1 of 1"):
        kid.kid_from_features(normal(9, 1), normal(9, 2), subset_size=1, subsets=1)
    with pytest.raises(BadInput, match="only moments"):
        kid.kid_legacy.score(gather([normal(9, 1)]), gather([normal(9, 2)], keep=0))
