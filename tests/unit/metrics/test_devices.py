"""Metrics on a GPU give what they give on the CPU; what replaces OpenCV there is held against OpenCV everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

from gfpbench import assets
from gfpbench.images import moved, to_255, to_gray_255, to_luma_255, to_rounded_luma_255, to_uint8
from gfpbench.metrics import inception, load, piqe, ssim
from gfpbench.types import ImageBatch
from tests.unit.metrics import mediapipe_oracles
from tests.unit.metrics import network_oracles as networks
from tests.unit.metrics import per_image_laws as laws

# What is summed exactly has the same bits; double precision differs in its last digits, single in its sixth.
EXACT = ("psnr_rgb", "psnr_rgb_cap80", "niqe", "niqe_yiq")
PIXELS = {
    **dict.fromkeys(EXACT, 0.0),
    **dict.fromkeys(("psnr_y", "psnr_yiq_cap80", "psnr_rgb_fitted"), 1e-9),
    **dict.fromkeys(("ssim_rgb", "ssim_y", "ssim_yiq", "ssim_rgb_fitted", "ms_ssim", "gmsd"), 1e-10),
    **dict.fromkeys(("piqe", "colour_shift", "hallucination"), 1e-8),
}
NETWORKS = {
    "lpips_alex": 1e-5,
    "lpips_vgg": 1e-5,
    "lpips_vgg_bgr": 1e-5,
    "lpips_vgg_bgr_01": 1e-5,
    "dists": 1e-5,
    "deg_arcface": 1e-3,
    "deg_faceres": 1e-3,
    "rad_arcface_bgr": 2e-5,
    "cos_adaface": 1e-4,
    "lmd_awing": 0.2,
}


def same_on(device: str, name: str, restored: ImageBatch, truth: ImageBatch, bound: float) -> None:
    """The score of a metric on a device and on the CPU, its truth on either side."""
    (metric,) = load([name])
    expected = metric(restored, truth)
    there = moved(restored, device)
    for reference in (truth, moved(truth, device)):
        got = metric(there, reference)
        assert got.device.type == "cpu"
        assert got.dtype == torch.float64
        assert float((got - expected).abs().max()) <= bound, (name, got.tolist(), expected.tolist())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture
def _weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "vgg16": lambda: networks.backbone_weights("vgg", folder),
        "dists": lambda: networks.dists_weights(folder),
        "alexnet": lambda: networks.backbone_weights("alex", folder),
        "arcface-resnet18": lambda: networks.arcface_weights(folder),
        "faceres": lambda: networks.faceres_weights(folder),
        "mediapipe-mesh": lambda: mediapipe_oracles.weights_file("mesh", folder),
        "mediapipe-iris": lambda: mediapipe_oracles.weights_file("iris", folder),
        "awing-wflw98": lambda: networks.awing_weights(folder),
        "adaface-ir50": lambda: networks.adaface_weights(folder),
        "inception-fid": lambda: networks.inception_weights(folder),
    }
    monkeypatch.setattr(assets, "path", lambda name, needed_by="": files[name]())


@pytest.mark.gpu
@pytest.mark.parametrize("name", PIXELS)
def test_pixel_metrics_on_a_gpu(name: str) -> None:
    same_on("cuda", name, laws.restored(), laws.truth(), PIXELS[name])


@pytest.mark.gpu
@pytest.mark.usefixtures("_weights")
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_on_a_gpu(name: str) -> None:
    if name == "lmd_awing":
        pytest.importorskip("facexlib", reason="facexlib is not installed: the network is its")
    with _full_precision():
        same_on("cuda", name, networks.noisy(40.0, side=96), networks.photographs(96), NETWORKS[name])


@pytest.mark.gpu
@pytest.mark.usefixtures("_weights")
@pytest.mark.parametrize("resize", ["legacy", "clean"])
def test_features_of_fid_on_a_gpu(resize: inception.Resize) -> None:
    images = networks.photographs()
    with _full_precision():
        there = inception.features(moved(images, "cuda"), resize, needed_by="fid")
        here = inception.features(images, resize, needed_by="fid")
    assert there.device.type == "cpu"
    assert float((there - here).abs().max()) < 1e-4


@pytest.mark.gpu
def test_shared_views_on_a_gpu_have_the_same_bits() -> None:
    there = moved(laws.restored(), "cuda")
    for view in (to_uint8, to_255, to_gray_255, to_rounded_luma_255):
        assert torch.equal(view(there).cpu(), view(laws.restored())), view.__name__
    torch.testing.assert_close(to_luma_255(there).cpu(), to_luma_255(laws.restored()), rtol=0, atol=1e-12)


def _full_precision() -> Any:
    """TF32 off: it would round the convolutions of single precision to ten bits."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def test_windows_by_torch_are_windows_by_opencv() -> None:
    """What a GPU runs in place of OpenCV, on the CPU."""
    plane = to_255(laws.restored())[0, 0].contiguous()
    torch.testing.assert_close(ssim.weighted_mean_by_torch(plane), ssim.weighted_mean(plane), rtol=0, atol=1e-11)
    torch.testing.assert_close(piqe._smooth_by_torch(plane), piqe._smooth(plane), rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", [name for name in PIXELS if name.startswith(("ssim", "ms_ssim", "piqe"))])
def test_scores_with_windows_by_torch(name: str) -> None:
    (metric,) = load([name])
    expected = metric(laws.restored(), laws.truth())
    with (
        patch.object(ssim, "weighted_mean", ssim.weighted_mean_by_torch),
        patch.object(piqe, "_smooth", piqe._smooth_by_torch),
    ):
        assert float((metric(laws.restored(), laws.truth()) - expected).abs().max()) <= PIXELS[name]


def test_every_metric_of_images_is_listed() -> None:
    from gfpbench.metrics import METRICS

    by_dlib = {"deg_dlib", "lmd_dlib", "eye_mismatch", "lmd_mediapipe", "gaze_mismatch"}  # bytes, on the CPU
    by_pyiqa = {name for name in METRICS if name.startswith("pyiqa_")}  # its own code, on whichever device
    assert {*PIXELS, *NETWORKS, *by_dlib, *by_pyiqa, "deg_arcface_vqfr"} == set(METRICS)


@pytest.mark.gpu
def test_images_come_back_from_a_gpu_as_they_went() -> None:
    """Several times, as the page-locked memory that they cross by is used again."""
    here = laws.restored()
    for turn in range(3):
        batch = ImageBatch(here.pixels.roll(turn, 0).contiguous(), here.ids)
        there = moved(batch, "cuda")
        back = moved(there, "cpu")
        assert there.pixels.is_cuda
        assert not back.pixels.is_cuda
        assert not back.pixels.is_pinned()
        assert torch.equal(back.pixels, batch.pixels)
