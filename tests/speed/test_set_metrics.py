"""Seconds for one Frechet distance, beside scipy's matrix root; for intervals; for an image's features.

The default sizes take a second; ``slow`` has the real ones: 2048 dimensions, 300 and 5,000 images.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from scipy import linalg

from gfpbench.images import batch_from_uint8
from gfpbench.metrics.feature_sets import FeatureSet, Moments, gather
from gfpbench.metrics.fid import frechet_distance, frechet_from_features, influence
from gfpbench.metrics.identity import deg_dlib
from gfpbench.metrics.inception import extract
from gfpbench.metrics.inception_network import FidInception
from gfpbench.statistics import bootstrap_mean

SIZES = [
    pytest.param((512, 100), id="512d-100"),
    pytest.param((512, 1200), id="512d-1200"),
    pytest.param((2048, 300), id="2048d-300", marks=pytest.mark.slow),
    pytest.param((2048, 5000), id="2048d-5000", marks=pytest.mark.slow),
]


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Dimensions and images; an eighth of both where nothing is timed, as what is asserted holds at every size."""
    d, n = request.param
    return (d // 8, n // 8) if request.config.getoption("benchmark_disable") else (d, n)


@cache
def pair(d: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(d)
    mix = torch.randn(d, d, generator=generator, dtype=torch.float64) / d**0.5
    return tuple(torch.randn(n, d, generator=generator, dtype=torch.float64) @ mix + shift for shift in (0, 0.1))


@cache
def moments(d: int, n: int) -> tuple[FeatureSet, FeatureSet]:
    a, b = pair(d, n)
    return gather([a]), gather([b])


def scipys(a: Moments, b: Moments) -> float:
    """As pytorch-fid, BasicSR and clean-fid compute it, from moments."""
    return frechet_by_sqrtm(a.mean.numpy(), a.covariance.numpy(), b)


def frechet_by_sqrtm(mean: Any, covariance: Any, b: Moments) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # singular where images are few: that is what is measured
        root = linalg.sqrtm(covariance @ b.covariance.numpy())
    step = mean - b.mean.numpy()
    return float(step @ step + np.trace(covariance + b.covariance.numpy() - 2 * root.real))


STREAMS = [
    pytest.param((2048, 5_000), id="2048d-5000", marks=pytest.mark.slow),
    pytest.param((2048, 50_000), id="2048d-50000", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("size", STREAMS)
@pytest.mark.parametrize("way", ["ours", "numpy's cov and scipy's sqrtm"])
def test_features_against_stored_statistics(
    benchmark: Any, size: tuple[int, int], way: str, request: pytest.FixtureRequest
) -> None:
    """From features in batches of 8, as a run makes them, to the distance from a reference whose moments are known.

    The others hold all features in one array. An eighth of the dimensions and a 16th of the images where nothing is
    timed.
    """
    d, n = (size[0] // 8, size[1] // 16) if request.config.getoption("benchmark_disable") else size
    benchmark.group = f"FID against stored statistics, {d} dimensions, {n} images in batches of 8"
    features, (_, reference) = torch.cat([pair(d, 5_000)[0]] * -(-n // 5_000))[:n], moments(d, 5_000)

    def ours() -> float:
        return frechet_distance(gather(features.split(8), keep=0).moments, reference.moments)

    def theirs() -> float:
        array = features.numpy()
        return frechet_by_sqrtm(array.mean(0), np.cov(array, rowvar=False), reference.moments)

    value = benchmark.pedantic(ours if way == "ours" else theirs, rounds=1)
    if n <= 5_000:
        assert value == pytest.approx(theirs() if way == "ours" else ours(), rel=1e-6)


def rounds(d: int) -> dict[str, Any]:
    return {"rounds": 1 if d == 2048 else 5, "iterations": 1, "warmup_rounds": 0 if d == 2048 else 1}


def test_distance_from_features(benchmark: Any, size: tuple[int, int]) -> None:
    d, n = size
    benchmark.group = f"FID, {d} dimensions, {n} images"
    value = benchmark.pedantic(frechet_from_features, pair(d, n), rounds=5, iterations=1, warmup_rounds=1)
    a, b = moments(d, n)
    # The other route is exact for many images; for few, its rank-deficient roots cost half the digits.
    assert value == pytest.approx(frechet_distance(a.moments, b.moments), rel=1e-9 if n > d else 1e-5)


def test_distance_from_moments(benchmark: Any, size: tuple[int, int]) -> None:
    d, n = size
    benchmark.group = f"FID, {d} dimensions, {n} images"
    a, b = moments(d, n)
    benchmark.pedantic(frechet_distance, (a.moments, b.moments), rounds=5, iterations=1, warmup_rounds=1)


def test_distance_by_scipys_sqrtm(benchmark: Any, size: tuple[int, int]) -> None:
    d, n = size
    benchmark.group = f"FID, {d} dimensions, {n} images"
    a, b = moments(d, n)
    value = benchmark.pedantic(scipys, (a.moments, b.moments), **rounds(d))
    assert value == pytest.approx(frechet_from_features(*pair(d, n)), rel=1e-6)


def test_influence(benchmark: Any, size: tuple[int, int]) -> None:
    d, n = size
    benchmark.group = "intervals"
    restored, reference = moments(d, n)
    benchmark.pedantic(influence, (restored.features, reference), rounds=3, iterations=1, warmup_rounds=1)


@pytest.mark.parametrize("n", [20, 3000])
def test_bootstrap_of_2000_resamples(benchmark: Any, n: int) -> None:
    benchmark.group = "intervals"
    benchmark(bootstrap_mean, np.random.default_rng(0).normal(size=n))


def test_inception_features_per_image(benchmark: Any) -> None:
    benchmark.group = "networks, one image"
    image = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    network = FidInception().eval()
    benchmark.pedantic(extract, (network, batch_from_uint8([image], ("one",)), "legacy"), rounds=3, warmup_rounds=1)


def test_dlib_angle_with_the_truth_known(benchmark: Any) -> None:
    from skimage import data

    benchmark.group = "networks, one image"
    face = batch_from_uint8([np.ascontiguousarray(data.astronaut()[10:250, 100:340])], ("one",))
    benchmark.pedantic(deg_dlib, (face, face), rounds=3, warmup_rounds=1)
