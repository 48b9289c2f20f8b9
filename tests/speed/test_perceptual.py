"""LPIPS and DISTS of three 256-px images, beside the lpips package and pyiqa; seeded weights, which take as long.

Where nothing is timed, images of 64 px stand in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench import assets, images
from gfpbench.metrics import load
from gfpbench.types import ImageBatch
from tests.unit.metrics import network_oracles as oracles

BACKBONES = {"lpips_alex": "alex", "lpips_vgg": "vgg"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


def pairs(benchmark: Any) -> tuple[ImageBatch, ImageBatch]:
    side = 64 if benchmark.disabled else 256
    return oracles.noisy(side=side), oracles.photographs(side)


@pytest.mark.parametrize("name", [*BACKBONES, "dists"])
def test_gfpbench(benchmark: Any, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark.group = name
    files = {
        "alexnet": oracles.backbone_weights("alex", folder),
        "vgg16": oracles.backbone_weights("vgg", folder),
        "dists": oracles.dists_weights(folder),
    }
    monkeypatch.setattr(assets, "path", lambda asset, needed_by=None: files[asset])
    (metric,) = load([name])
    values = benchmark.pedantic(metric, pairs(benchmark), rounds=3, warmup_rounds=1)
    assert torch.isfinite(values).all()


@pytest.mark.parametrize("name", BACKBONES)
def test_lpips_package(benchmark: Any, name: str, folder: Path) -> None:
    benchmark.group = name
    network = oracles.lpips_network(BACKBONES[name], folder)
    restored, truth = (images.to_signed(one) for one in pairs(benchmark))

    def distances() -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = network(restored, truth)
        return found

    assert torch.isfinite(benchmark.pedantic(distances, rounds=3, warmup_rounds=1)).all()


def test_pyiqa_dists(benchmark: Any, folder: Path) -> None:
    benchmark.group = "dists"
    network = oracles.pyiqa_dists(oracles.backbone_weights("vgg", folder), oracles.dists_weights(folder), double=False)
    restored, truth = (one.pixels for one in pairs(benchmark))
    assert torch.isfinite(benchmark.pedantic(network, (restored, truth), rounds=3, warmup_rounds=1)).all()
