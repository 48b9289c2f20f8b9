"""LPIPS equals the lpips package on the same weights and images: range, order and loading, without the real ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from gfpbench import assets
from gfpbench.images import select
from gfpbench.metrics import lpips
from gfpbench.types import AssetMissing, BadInput, ImageBatch, Metric, PackageMissing
from tests.unit.metrics import network_oracles as oracles


@pytest.fixture
def _here(seeded_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The assets are files of seeded random weights."""
    names = {"alexnet": "alex", "vgg16": "vgg"}
    monkeypatch.setattr(
        assets, "path", lambda name, needed_by=None: oracles.backbone_weights(names[name], seeded_folder)
    )


METRICS = {"alex": lpips.lpips_alex, "vgg": lpips.lpips_vgg}


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_it_equals_the_lpips_package(backbone: str, seeded_folder: Path) -> None:
    oracles.same_as_the_lpips_package(METRICS[backbone], backbone, seeded_folder)


@pytest.mark.usefixtures("_here")
def test_equal_images_are_at_zero_and_the_order_of_a_pair_does_not_matter() -> None:
    clean, noisy = oracles.photographs(64), oracles.noisy(side=64)
    assert lpips.lpips_alex(clean, clean).tolist() == [0.0, 0.0, 0.0]
    assert torch.allclose(lpips.lpips_alex(noisy, clean), lpips.lpips_alex(clean, noisy), rtol=1e-5)
    assert bool((lpips.lpips_alex(oracles.noisy(30.0, 64), clean) > lpips.lpips_alex(noisy, clean)).all())


@pytest.mark.usefixtures("_here")
def test_neighbours_in_a_batch_change_nothing() -> None:
    restored, truth = oracles.noisy(side=64), oracles.photographs(64)
    together = lpips.lpips_alex(restored, truth)
    apart = torch.cat([lpips.lpips_alex(select(restored, [i]), select(truth, [i])) for i in range(3)])
    assert torch.equal(together, apart)
    backwards = lpips.lpips_alex(select(restored, [2, 1, 0]), select(truth, [2, 1, 0]))
    assert torch.equal(together.flip(0), backwards)


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_the_smallest_size_works_and_the_next_is_refused(backbone: str) -> None:
    metric = METRICS[backbone]
    side = metric.minimum_side_px
    small = ImageBatch(torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)), ("a",))
    assert torch.isfinite(metric(small, small)).all()
    smaller = ImageBatch(small.pixels[..., :-1].contiguous(), ("a",))
    with pytest.raises(BadInput, match="undefined below"):
        metric(smaller, smaller)
    with pytest.raises(RuntimeError, match="too small"):  # the network itself: the bound is not higher than it must be
        metric.score(smaller, smaller)


def test_the_contract() -> None:
    for backbone, metric in METRICS.items():
        assert isinstance(metric, Metric)
        assert metric.name == f"lpips_{backbone}"
        assert (metric.better, metric.best, metric.needs_truth) == ("lower", 0.0, True)


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing, match="lpips_vgg needs the asset 'vgg16'"):
        lpips.lpips_vgg(oracles.photographs(64), oracles.photographs(64))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, seeded_folder: Path) -> None:
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(PackageMissing, match=r"lpips_alex needs the package 'lpips'.*pip install lpips"):
        lpips.network("alex", seeded_folder / "never-read.pth")


def test_weights_of_another_network_are_refused(seeded_folder: Path) -> None:
    with pytest.raises(BadInput, match="does not fit alexnet"):
        lpips.network("alex", oracles.backbone_weights("vgg", seeded_folder))
