"""FID against closed forms, scipy's matrix root and other people's code; its interval and its extrapolation."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import linalg

from gfpbench.metrics import fid
from gfpbench.metrics.feature_sets import FeatureSet, Moments, gather
from gfpbench.statistics import bootstrap_mean
from gfpbench.types import AssetMissing, BadInput, ImageBatch, SetMetric
from tests.unit.metrics import set_laws as laws

normal = laws.normal


def by_moments(a: torch.Tensor, b: torch.Tensor) -> float:
    return fid.frechet_distance(gather([a]).moments, gather([b]).moments)


def by_sqrtm(a: torch.Tensor, b: torch.Tensor) -> float:
    """The definition, through scipy."""
    x, y = a.numpy(), b.numpy()
    root = linalg.sqrtm(np.cov(x, rowvar=False) @ np.cov(y, rowvar=False))
    step = x.mean(0) - y.mean(0)
    return float(step @ step + np.trace(np.cov(x, rowvar=False) + np.cov(y, rowvar=False) - 2 * root.real))


@pytest.mark.parametrize("law", laws.FRECHET, ids=lambda law: law.__name__)
def test_laws_by_features(law: Any) -> None:
    law(fid.frechet_from_features)


@pytest.mark.parametrize("law", laws.FRECHET, ids=lambda law: law.__name__)
def test_laws_by_moments(law: Any) -> None:
    law(by_moments, bound=1e-5)  # singular covariances cost this route half its digits; the other is there for them


@pytest.mark.parametrize(("n", "m", "d"), [(400, 300, 64), (300, 128, 64), (1100, 600, 200)])
def test_it_agrees_with_scipys_sqrtm(n: int, m: int, d: int) -> None:
    """200 dimensions are more than the blocks of BLAS and LAPACK, 600 images more than join the moments at once."""
    a, b = normal(n, 20, d=d), normal(m, 21, d=d, shift=0.2)
    expected = by_sqrtm(a, b)
    assert fid.frechet_from_features(a, b) == pytest.approx(expected, rel=1e-9)
    assert by_moments(a, b) == pytest.approx(expected, rel=1e-9)


@pytest.mark.filterwarnings("ignore")  # scipy speaks up about singular matrices: that is the point
def test_it_agrees_with_scipys_sqrtm_on_few_images() -> None:
    a, b = normal(20, 22, d=64), normal(30, 23, d=64, shift=0.2)
    assert fid.frechet_from_features(a, b) == pytest.approx(by_sqrtm(a, b), rel=1e-6)


def test_both_routes_agree_where_they_meet() -> None:
    for n in (23, 24, 25, 26, 40):
        a, b = normal(n, 24), normal(n + 1, 25, shift=0.2)
        assert fid.frechet_from_features(a, b) == pytest.approx(by_moments(a, b), rel=1e-7)


def test_it_agrees_with_torch_fidelity_and_pyiqa() -> None:
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    a, b = normal(200, 26, d=32), normal(150, 27, d=32, shift=0.4)
    ours = fid.frechet_from_features(a, b)
    stats = [{"mu": x.numpy().mean(0), "sigma": np.cov(x.numpy(), rowvar=False)} for x in (a, b)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyiqa.archs.fid_arch import frechet_distance as theirs

        pyiqa = theirs(stats[0]["mu"], stats[0]["sigma"], stats[1]["mu"], stats[1]["sigma"])
        fidelity = fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]
    assert ours == pytest.approx(float(pyiqa), rel=1e-9)
    assert ours == pytest.approx(float(fidelity), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(30, 1), (1, 30), (1, 1)])
def test_a_set_of_one_is_refused(n: int, m: int) -> None:
    a, b = normal(n, 28), normal(m, 29)
    with pytest.raises(BadInput, match="needs two images or more"):
        fid.fid_legacy.score(gather([a]), gather([b]))
    with pytest.raises(BadInput, match="too small"):
        fid.frechet_from_features(a, b)
    with pytest.raises(BadInput, match="two images or more, not 1"):
        by_moments(a, b)


def test_other_networks_and_broken_features_are_refused() -> None:
    with pytest.raises(BadInput, match="24 and 8 dimensions"):
        fid.frechet_from_features(normal(9, 1), normal(9, 1, d=8))
    with pytest.raises(BadInput, match="24 and 8 dimensions"):
        by_moments(normal(9, 1), normal(9, 1, d=8))
    broken = normal(9, 1)
    broken[3, 4] = float("nan")
    with pytest.raises(BadInput, match="NaN"):
        fid.frechet_from_features(broken, normal(9, 2))


def test_identical_images_have_a_defined_distance() -> None:
    one = normal(1, 30).expand(7, -1)
    other = one + 2
    assert fid.frechet_from_features(one, other) == pytest.approx(4 * laws.D)
    score = fid.fid_legacy.score(gather([one]), gather([other]))
    assert (score.low, score.high) == pytest.approx((score.value, score.value))


def finite_difference(restored: torch.Tensor, reference: torch.Tensor, index: int, by: float = 1e-4) -> float:
    """The derivative of the distance by one image's weight, from weighted moments."""

    def at(step: float) -> float:
        weights = torch.ones(len(restored), dtype=torch.float64)
        weights[index] += step * len(restored)
        weights /= weights.sum()
        mean = weights @ restored
        centred = restored - mean
        n = len(restored)
        covariance = (centred * weights[:, None]).T @ centred * n / (n - 1)
        return fid.frechet_distance(Moments.of(mean, covariance, n), gather([reference]).moments)

    return (at(by) - at(-by)) / (2 * by)


@pytest.mark.parametrize(("n", "m"), [(60, 90), (10, 90), (60, 12)])
def test_influence_is_the_derivative_by_an_images_weight(n: int, m: int) -> None:
    restored, reference = normal(n, 31, shift=0.2), normal(m, 32)
    pulls = fid.influence(restored, gather([reference]))
    assert float(pulls.sum()) == pytest.approx(0, abs=1e-8)
    for index in (0, 3, 7):
        assert float(pulls[index]) == pytest.approx(finite_difference(restored, reference, index), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(("n", "d", "shift"), [(60, 16, 0.3), (40, 48, 0.3), (60, 16, 0.0)])
def test_the_interval_covers_what_as_many_other_images_would_give(n: int, d: int, shift: float) -> None:
    reference = gather([normal(1000, 33, d=d)])
    sets = [normal(n, 1000 + trial, d=d, shift=shift) for trial in range(120)]
    values = [fid.distance(gather([rows]), reference) for rows in sets]
    expected = float(np.mean(values))
    hits = 0
    for trial, (rows, value) in enumerate(zip(sets, values, strict=True)):
        spread = bootstrap_mean(fid.influence(rows, reference).numpy(), seed=trial, resamples=400)
        hits += value + spread.low <= expected <= value + spread.high
    assert 0.88 <= hits / 120 <= 1.0


def test_the_interval_is_not_a_formality() -> None:
    reference = gather([normal(1000, 33, d=16)])
    values = [fid.distance(gather([normal(60, 1000 + i, d=16, shift=0.3)]), reference) for i in range(120)]
    score = fid.fid_legacy.score(gather([normal(60, 1000, d=16, shift=0.3)]), reference)
    assert score.low is not None
    assert score.high is not None
    assert score.low < score.value < score.high
    spread = bootstrap_mean(
        fid.influence(normal(60, 1000, d=16, shift=0.3), reference).numpy()
    )  # whose coverage is known
    assert (score.low, score.high) == pytest.approx((score.value + spread.low, score.value + spread.high))
    assert 2 * np.std(values) < score.high - score.low < 8 * np.std(values)


def test_the_extrapolation_removes_most_of_the_bias() -> None:
    """Known Gaussians: the distance of infinitely many images is that of the moments they were drawn from."""
    d = 16
    rng = np.random.default_rng(34)
    truth = Moments.of(torch.zeros(d), torch.eye(d), 10**9)
    scale, shift = 1.3, 0.2
    infinite = d * shift**2 + d * (scale - 1) ** 2
    reference = FeatureSet(truth, None)
    biased, extrapolated = [], []
    for seed in range(12):
        held = gather([torch.from_numpy(rng.normal(shift, scale, (150, d)))])
        score = fid.fid_legacy.score(held, reference)
        assert score.extrapolated is not None
        biased.append(score.value - infinite)
        extrapolated.append(score.extrapolated - infinite)
        assert fid.fid_infinity(held, reference, seed=seed) == fid.fid_infinity(held, reference, seed=seed)
    assert np.mean(biased) > 0.4
    assert abs(np.mean(extrapolated)) < 0.25 * np.mean(biased)


def test_small_samples_are_named() -> None:
    few = fid.fid_legacy.score(gather([normal(10, 35)]), gather([normal(100, 36)]))
    assert "10 restored images for 24 dimensions" in few.note
    assert few.extrapolated is None
    enough = fid.fid_legacy.score(gather([normal(100, 35)]), gather([normal(100, 36)]))
    assert enough.note == ""
    assert enough.extrapolated is not None


def test_moments_alone_give_the_value_and_no_interval() -> None:
    restored, reference = normal(60, 37), normal(70, 38, shift=0.1)
    whole = fid.fid_legacy.score(gather([restored]), gather([reference]))
    bare = fid.fid_legacy.score(gather([restored], keep=0), gather([reference], keep=0))
    assert bare.value == pytest.approx(whole.value, rel=1e-9)
    assert (bare.low, bare.high, bare.extrapolated) == (None, None, None)
    half = fid.fid_legacy.score(gather([restored]), gather([reference], keep=0))
    assert half.low == pytest.approx(whole.low, rel=1e-6)


def test_statistics_from_a_file_are_as_good_as_features() -> None:
    """More images than dimensions and fewer: the extrapolation knows the reference by its moments alone."""
    held, reference = gather([normal(90, 42)]), gather([normal(70, 43, shift=0.3)], keep=0)
    root = fid._symmetric_root(reference.moments.covariance)
    assert held.features is not None
    for n in (10, 24, 90):
        part = held.features[:n]
        found = fid._distance_to_fixed(part, reference.moments.mean, root)
        assert found == pytest.approx(fid.frechet_distance(gather([part]).moments, reference.moments), rel=1e-6)


def test_scores_do_not_depend_on_batches() -> None:
    rows, reference = normal(60, 39), gather([normal(70, 40)])
    one = fid.fid_legacy.score(fid.fid_legacy.statistics([rows]), reference)
    many = fid.fid_legacy.score(fid.fid_legacy.statistics(torch.split(rows, 7)), reference)
    for field in ("value", "low", "high", "extrapolated"):
        assert getattr(many, field) == pytest.approx(getattr(one, field), rel=1e-10)


def test_the_metrics_keep_the_contract() -> None:
    for metric, name in ((fid.fid_legacy, "fid_legacy"), (fid.fid_clean, "fid_clean")):
        assert isinstance(metric, SetMetric)
        assert metric.name == name
        assert metric.source
        assert metric.features_name == f"inception_{metric.resize}"


def test_without_weights_the_asset_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing, match="fid_clean needs the asset 'inception-fid'"):
        fid.fid_clean.features(ImageBatch(torch.rand(1, 3, 32, 32), ("a",)))


@pytest.mark.parametrize(
    ("restored", "reference", "kept", "is_extrapolated"),
    [
        (100, 100, True, True),
        (19, 100, True, False),
        (20, 100, True, True),
        (100, 19, True, False),
        (100, 19, False, True),  # statistics of few images: nothing of them can be left out
    ],
)
def test_what_is_too_few_to_extrapolate_from(restored: int, reference: int, kept: bool, is_extrapolated: bool) -> None:
    known = gather([normal(reference, 41, d=4)], keep=10**9 if kept else 0)
    found = fid.fid_infinity(gather([normal(restored, 40, d=4)]), known)
    assert (found is not None) == is_extrapolated
