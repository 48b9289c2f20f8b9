"""Milliseconds per 512-px image, ours beside everybody else's; one group for each metric.

``cold`` makes the shared views (8-bit, luma, grey) too; ``warm`` finds them made, as every metric but the first does.
"""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.io
import torch
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from gfpbench import images
from gfpbench.metrics import DEFAULT, load
from gfpbench.types import ImageBatch
from tests.unit.metrics import oracles

SMALL_PX = 192
"""Where nothing is timed: the least that every metric measures."""


@pytest.fixture(autouse=True)
def _small(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if benchmark.disabled:
        monkeypatch.setattr(f"{__name__}.pair", lambda: _pair(SMALL_PX))


def pair() -> tuple[ImageBatch, ImageBatch]:
    return _pair(512)


@cache
def _pair(side_px: int) -> tuple[ImageBatch, ImageBatch]:
    """One photograph, blurred and noisy, and as it was."""
    truth = np.ascontiguousarray(data.astronaut()[:side_px, :side_px])
    noise = np.random.default_rng(0).normal(0, 8, truth.shape)
    restored = np.clip(np.rint(cv2.GaussianBlur(truth, (0, 0), 2) + noise), 0, 255).astype(np.uint8)
    return images.batch_from_uint8([restored], ("one",)), images.batch_from_uint8([truth], ("one",))


@cache
def basicsr() -> Any:
    return oracles.basicsr()


@pytest.mark.parametrize("name", DEFAULT)
def test_gfpbench_warm(benchmark: Any, name: str) -> None:
    benchmark.group = name
    (metric,) = load([name])
    assert torch.isfinite(benchmark(metric, *pair())).all()


@pytest.mark.parametrize("name", DEFAULT)
def test_gfpbench_cold(benchmark: Any, name: str) -> None:
    benchmark.group = name
    (metric,) = load([name])

    def fresh() -> tuple[tuple[ImageBatch, ...], dict[str, Any]]:
        return tuple(ImageBatch(one.pixels, one.ids) for one in pair()), {}

    assert torch.isfinite(benchmark.pedantic(metric, setup=fresh, rounds=10, warmup_rounds=1)).all()


BASICSR = {
    "psnr_rgb": ("calculate_psnr", {}),
    "psnr_y": ("calculate_psnr", {"test_y_channel": True}),
    "ssim_rgb": ("calculate_ssim", {}),
    "ssim_y": ("calculate_ssim", {"test_y_channel": True}),
}


@pytest.mark.parametrize("name", BASICSR)
def test_basicsr(benchmark: Any, name: str) -> None:
    benchmark.group = name
    function, options = BASICSR[name]
    restored, truth = (images.to_bgr_arrays(one)[0] for one in pair())
    assert benchmark(getattr(basicsr(), function), restored, truth, crop_border=0, **options) > 0


def test_basicsr_niqe(benchmark: Any) -> None:
    benchmark.group = "niqe"
    restored = images.to_bgr_arrays(pair()[0])[0]
    assert benchmark.pedantic(basicsr().calculate_niqe, (restored, 0), rounds=5, warmup_rounds=1) > 0


def test_skimage_psnr(benchmark: Any) -> None:
    benchmark.group = "psnr_rgb"
    restored, truth = (images.to_rgb_arrays(one)[0] for one in pair())
    assert benchmark(peak_signal_noise_ratio, truth, restored, data_range=255) > 0


def test_skimage_ssim(benchmark: Any) -> None:
    benchmark.group = "ssim_rgb"
    restored, truth = (images.to_rgb_arrays(one)[0] for one in pair())
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    assert benchmark(structural_similarity, restored, truth, channel_axis=2, **options) > 0


PYIQA = {
    "psnr_rgb": ("psnr", {}),
    "psnr_y": ("psnry", {"color_space": "ycbcr"}),
    "ssim_rgb": ("ssimc", {}),
    "ssim_y": ("ssim", {"color_space": "ycbcr"}),
    "ms_ssim": ("ms_ssim", {}),
    "gmsd": ("gmsd", {}),
    "niqe": ("niqe", {"color_space": "ycbcr"}),
    "piqe": ("piqe", {}),
}


def pyiqa_metric(name: str, folder: Path) -> Any:
    theirs, options = PYIQA[name]
    if name == "niqe":
        from gfpbench.metrics.niqe import pristine

        path = folder / "pristine.mat"
        scipy.io.savemat(path, {"mu_prisparam": pristine().mean[None], "cov_prisparam": pristine().covariance})
        options = options | {"pretrained_model_path": str(path)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyiqa

        return pyiqa.create_metric(theirs, device="cpu", **options)


def pyiqa_arguments(name: str) -> list[torch.Tensor]:
    return [one.pixels for one in pair()][: 1 if name in ("niqe", "piqe") else 2]


@pytest.mark.parametrize("name", PYIQA)
def test_pyiqa(benchmark: Any, name: str, tmp_path: Path) -> None:
    benchmark.group = name
    metric = pyiqa_metric(name, tmp_path)
    assert torch.isfinite(benchmark.pedantic(metric, pyiqa_arguments(name), rounds=5, warmup_rounds=1)).all()


def test_all_offline_metrics_of_a_pair(benchmark: Any) -> None:
    """From images whose shared views nobody has made yet, as a run meets them."""
    benchmark.group = "all offline metrics of a 512-px pair"
    metrics = load()

    def fresh() -> tuple[tuple[ImageBatch, ...], dict[str, Any]]:
        return tuple(ImageBatch(one.pixels, one.ids) for one in pair()), {}

    def measure(restored: ImageBatch, truth: ImageBatch) -> list[float]:
        return [metric(restored, truth).item() for metric in metrics]

    assert np.isfinite(benchmark.pedantic(measure, setup=fresh, rounds=10, warmup_rounds=1)).all()


def test_pyiqa_one_by_one(benchmark: Any, tmp_path: Path) -> None:
    """The same metrics of the same pair."""
    benchmark.group = "all offline metrics of a 512-px pair"
    assert set(PYIQA) == set(DEFAULT)
    metrics = [(pyiqa_metric(name, tmp_path), pyiqa_arguments(name)) for name in PYIQA]

    def measure() -> list[float]:
        return [metric(*arguments).item() for metric, arguments in metrics]

    assert np.isfinite(benchmark.pedantic(measure, rounds=2)).all()
