"""waifu2x out of ncnn's files: seeded ones beside arithmetic in numpy, and the true ones beside ncnn itself."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gfpbench import assets
from gfpbench.assets import converters
from gfpbench.photos.background import load_background
from gfpbench.restorers import load
from gfpbench.restorers.face_network import FaceNetwork
from gfpbench.types import AssetMissing, BadInput, ImageBatch
from tests.packaged import fetched

WIDTHS = (3, 16, 32, 64, 128, 128, 256)
Layers = list[tuple[NDArray[Any], NDArray[Any]]]


def layers(seed: int) -> Layers:
    """Kernels in ncnn's order (out, in, h, w), and biases, of values that keep an image an image."""
    rng = np.random.default_rng(seed)
    shapes = [(wide, narrow, 3, 3) for narrow, wide in pairwise(WIDTHS)] + [(3, 256, 4, 4)]
    return [
        (
            (rng.standard_normal(shape) * (1.6 / np.prod(shape[1:])) ** 0.5).astype(np.float16).astype(np.float32),
            ((0.5 if shape[0] == 3 else 0) + 0.1 * rng.standard_normal(shape[0])).astype(np.float32),
        )
        for shape in shapes
    ]


def files(network: Layers, kinds: tuple[str, ...] = ("Convolution",) * 6 + ("Deconvolution",)) -> tuple[bytes, bytes]:
    """ncnn's graph and weights."""
    lines, weights = ["7767517", "8 8", "Input input 0 1 data 0=156 1=156 2=3"], b""
    for number, (kind, (kernel, bias)) in enumerate(zip(kinds, network, strict=True)):
        channels, _, side, _ = kernel.shape
        lines.append(f"{kind} conv{number} 1 1 {number} {number + 1} 0={channels} 1={side} 5=1 6={kernel.size} 9=2")
        weights += converters.NCNN_HALF.to_bytes(4, "little") + kernel.astype(np.float16).tobytes() + bias.tobytes()
    return "\n".join(lines).encode(), weights


def by_hand(network: Layers, image: NDArray[np.float32]) -> NDArray[Any]:
    """(3, H, W) to (3, 2H, 2W): every product in numpy; the last layer lays a 4 x 4 patch at every second pixel."""
    x = np.pad(image, ((0, 0), (7, 7), (7, 7)), mode="edge").astype(np.float64)
    for kernel, bias in network[:-1]:
        x = np.einsum("chwij,ocij->ohw", sliding_window_view(x, (3, 3), (1, 2)), kernel) + bias[:, None, None]
        x = np.where(x > 0, x, 0.1 * x)
    kernel, bias = network[-1]
    laid = np.zeros((3, 2 * x.shape[1] + 2, 2 * x.shape[2] + 2))
    for row, column in np.ndindex(x.shape[1:]):
        laid[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += np.einsum(
            "c,ocij->oij", x[:, row, column], kernel
        )
    return laid[:, 3:-3, 3:-3] + bias[:, None, None]


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Layers]:
    """A seeded network for each level of noise, through the converter into the file that the restorer reads."""
    made = {level: layers(seed) for seed, level in enumerate(converters.WAIFU2X_NOISE)}
    path = tmp_path / "waifu2x.safetensors"
    path.write_bytes(converters.waifu2x_of_ncnn(*(file for network in made.values() for file in files(network))))
    monkeypatch.setattr(assets, "path", lambda asset, needed_by=None: path)
    return made


@pytest.mark.parametrize(("name", "level"), [("waifu2x-photo", "3"), ("waifu2x-photo?noise=none", "none")])
def test_the_chosen_network_is_ncnns(name: str, level: str, networks: dict[str, Layers]) -> None:
    image = np.random.default_rng(7).random((3, 5, 8)).astype(np.float32)
    restorer = load(name)
    assert isinstance(restorer, FaceNetwork)
    with torch.no_grad():
        answer = restorer._forward(torch.from_numpy(image)[None])[0].numpy()
    assert answer.shape == (3, 10, 16)
    assert np.abs(answer - by_hand(networks[level], image)).max() < 1e-4
    assert np.abs(answer - by_hand(networks["1"], image)).max() > 1e-2, "another level is another network"
    assert restorer.provenance()["noise_reduction"] == level
    assert (restorer.scale, restorer.provenance()["licence"]) == (2, "MIT")


@pytest.mark.usefixtures("networks")
def test_it_is_brought_back_to_its_size_and_enlarges_a_background() -> None:
    face = ImageBatch(torch.rand(1, 3, 12, 15, generator=torch.Generator().manual_seed(0)), ("a",))
    assert load("waifu2x-photo?reduce=2")(face).size == load("waifu2x-photo")(face).size == (12, 15)
    photo = (255 * face.pixels[0].permute(1, 2, 0).numpy()).astype(np.uint8)
    assert load_background("waifu2x-photo?noise=1").enlarged(photo, 2).shape == (24, 30, 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda: [*files(layers(0), ("Convolution",) * 7)] * 5, "a Convolution where conv7 is expected"),
        (lambda: [*files(layers(0)[:6], ("Convolution",) * 6)] * 5, "6 convolutions, expected 7"),
        (lambda: [*files(layers(0), ("Deconvolution",) * 7)] * 5, "a Deconvolution where conv1 is expected"),
    ],
)
def test_graphs_of_another_network_are_one_line(given: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        converters.waifu2x_of_ncnn(*given())


@pytest.mark.parametrize(("options", "said"), [("noise=4", "noise=3|none|0|1|2"), ("reduce=x", "reduce=1..16")])
def test_options_are_read_before_weights_are_asked_for(
    options: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(BadInput) as refused:
        load(f"waifu2x-photo?{options}")
    assert said in str(refused.value)
    with pytest.raises(AssetMissing, match="gfpbench fetch waifu2x-photo"):
        load("waifu2x-photo?reduce=2")


RECORDED = {
    "none": (0.087663, 0.49174, 0.339881, 0.895797, 1.004349, 0.127546, 0.271465, 0.076513),
    "0": (0.225661, 0.651933, 0.391791, 0.733614, 0.969295, 0.190087, 0.369285, 0.314607),
    "1": (0.181907, 0.541943, 0.389292, 0.734216, 0.902678, 0.21926, 0.297676, 0.314134),
    "2": (0.127573, 0.642245, 0.434084, 0.650242, 0.936269, 0.059565, 0.394524, 0.285894),
    "3": (0.448367, 0.624156, 0.61672, 0.531177, 0.887169, 0.291692, 0.297789, 0.576672),
}
"""What ncnn 1.0.20261020 makes of the package's files in single precision, of an image continued by its edge: red, row
20, every sixth column."""


@pytest.mark.parametrize("level", RECORDED)
def test_ncnn_gives_the_same(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched(monkeypatch, "waifu2x-photo")
    image = np.random.default_rng(0).random((3, 20, 24)).astype(np.float32)
    restorer = load(f"waifu2x-photo?noise={level}")
    assert isinstance(restorer, FaceNetwork)
    with torch.no_grad():
        answer = restorer._forward(torch.from_numpy(image)[None])
    assert answer[0, 0, 20, ::6].numpy() == pytest.approx(RECORDED[level], abs=2e-5)
