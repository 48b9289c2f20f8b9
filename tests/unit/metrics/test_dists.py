"""DISTS equals pyiqa's implementation on the same seeded weights: layers, pooling, statistics and loading."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gfpbench import assets
from gfpbench.images import select
from gfpbench.metrics.dists import STAGES, _l2_pooled, dists, network
from gfpbench.types import AssetMissing, BadInput, Metric
from tests.unit.metrics import network_oracles as oracles


@pytest.fixture
def _here(seeded_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"vgg16": oracles.backbone_weights("vgg", seeded_folder), "dists": oracles.dists_weights(seeded_folder)}
    monkeypatch.setattr(assets, "path", lambda name, needed_by=None: files[name])


@pytest.mark.usefixtures("_here")
def test_it_equals_pyiqa(seeded_folder: Path) -> None:
    restored, truth = oracles.noisy(), oracles.photographs()
    expected = oracles.pyiqa_dists(
        oracles.backbone_weights("vgg", seeded_folder), oracles.dists_weights(seeded_folder)
    )(torch.round(restored.pixels * 255) / 255, torch.round(truth.pixels * 255) / 255)
    assert dists(restored, truth).tolist() == pytest.approx(expected.flatten().tolist(), abs=2e-6)


@pytest.mark.usefixtures("_here")
def test_equal_images_are_at_zero_and_neighbours_change_nothing() -> None:
    clean, noisy = oracles.photographs(64), oracles.noisy(side=64)
    assert dists(clean, clean).tolist() == [0.0, 0.0, 0.0]
    together = dists(noisy, clean)
    assert torch.equal(together, torch.cat([dists(select(noisy, [i]), select(clean, [i])) for i in range(3)]))
    assert bool((dists(oracles.noisy(40.0, 64), clean) > together).all())


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (16, 5)])
def test_pooling_is_a_strided_convolution_with_hannings_window(size: tuple[int, int]) -> None:
    maps = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    window = torch.tensor([0.25, 0.5, 0.25])
    kernel = (window[:, None] * window)[None, None].repeat(3, 1, 1, 1)
    expected = (torch.nn.functional.conv2d(maps**2, kernel, stride=2, padding=1, groups=3) + 1e-12).sqrt()
    assert torch.allclose(_l2_pooled(maps), expected, atol=1e-6)


def test_the_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert isinstance(dists, Metric)
    assert (dists.name, dists.better, dists.best) == ("dists", "lower", 0.0)
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing, match="dists needs the asset 'dists'"):
        dists(oracles.photographs(64), oracles.photographs(64))


def test_weights_of_another_network_are_refused(seeded_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not fit vgg16"):
        network(oracles.backbone_weights("alex", seeded_folder), oracles.dists_weights(seeded_folder))
    short = tmp_path / "short.pth"
    torch.save({"alpha": torch.ones(3), "beta": torch.ones(3)}, short)
    with pytest.raises(BadInput, match="1475 channels"):
        network(oracles.backbone_weights("vgg", seeded_folder), short)
    assert len([number for stage in STAGES for number in stage]) == 13
