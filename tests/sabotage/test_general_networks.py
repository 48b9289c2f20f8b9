"""Ways to run FFDNet and waifu2x wrongly that give a plausible image: the arithmetic beside them has to notice each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gfpbench import assets
from gfpbench.assets import converters
from gfpbench.restorers import checkpoint_file, ffdnet, load, waifu2x
from gfpbench.restorers.face_network import FaceNetwork
from tests.unit.restorers import test_ffdnet as of_ffdnet
from tests.unit.restorers import test_waifu2x as of_waifu2x

Patch = pytest.MonkeyPatch
IMAGE = np.random.default_rng(3).random((3, 6, 8)).astype(np.float32)


def answered(name: str) -> torch.Tensor:
    restorer = load(name)
    assert isinstance(restorer, FaceNetwork)
    with torch.no_grad():
        return restorer._forward(torch.from_numpy(IMAGE)[None])


def sigma_in_levels(patch: Patch) -> None:
    forward = ffdnet.FFDNet.forward
    patch.setattr(ffdnet.FFDNet, "forward", lambda self, pixels, sigma: forward(self, pixels, 255 * sigma))


def colours_last(patch: Patch) -> None:
    whole = F.pixel_unshuffle
    patch.setattr(F, "pixel_unshuffle", lambda x, by: whole(x, by).unflatten(1, (3, 4)).transpose(1, 2).flatten(1, 2))


def strength_comes_first(patch: Patch) -> None:
    whole = torch.cat
    patch.setattr(torch, "cat", lambda parts, dim: whole(parts[::-1], dim))


@pytest.mark.parametrize("sabotage", [None, sigma_in_levels, colours_last, strength_comes_first])
def test_ffdnet(sabotage: Callable[[Patch], None] | None, tmp_path: Path, monkeypatch: Patch) -> None:
    torch.manual_seed(0)
    weights = {name: 0.05 * torch.randn_like(tensor) for name, tensor in ffdnet.FFDNet().state_dict().items()}
    torch.save(weights, tmp_path / "ffdnet.pth")
    monkeypatch.setattr(assets, "path", lambda asset, needed_by=None: tmp_path / "ffdnet.pth")
    wanted = of_ffdnet.by_hand(weights, torch.from_numpy(IMAGE)[None], 15)
    if sabotage is not None:
        sabotage(monkeypatch)
    assert torch.allclose(answered("ffdnet"), wanted, atol=1e-5) == (sabotage is None)


def black_beyond_the_edge(patch: Patch) -> None:
    whole = F.pad
    patch.setattr(F, "pad", lambda x, sides, mode: whole(x, sides))


def another_slope(patch: Patch) -> None:
    whole = F.leaky_relu
    patch.setattr(F, "leaky_relu", lambda x, slope: whole(x, 0.2))


def kernels_upside_down(patch: Patch) -> None:
    whole = checkpoint_file.find_weights

    def turned(path: Path) -> object:
        found = whole(path)
        for name, tensor in found.weights.items():
            if tensor.ndim == 4:
                found.weights[name] = tensor.flip(2)
        return found

    patch.setattr(waifu2x, "find_weights", turned)


@pytest.mark.parametrize("sabotage", [None, black_beyond_the_edge, another_slope, kernels_upside_down])
def test_waifu2x(sabotage: Callable[[Patch], None] | None, tmp_path: Path, monkeypatch: Patch) -> None:
    network = of_waifu2x.layers(0)
    (tmp_path / "w.safetensors").write_bytes(converters.waifu2x_of_ncnn(*of_waifu2x.files(network) * 5))
    monkeypatch.setattr(assets, "path", lambda asset, needed_by=None: tmp_path / "w.safetensors")
    wanted = of_waifu2x.by_hand(network, IMAGE)
    if sabotage is not None:
        sabotage(monkeypatch)
    assert np.allclose(answered("waifu2x-photo")[0].numpy(), wanted, atol=1e-4) == (sabotage is None)
