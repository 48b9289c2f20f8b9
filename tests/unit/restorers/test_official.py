"""The published names: weights missing, weights here, whose settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gfpbench import assets
from gfpbench.images import quantized, resized, select, to_uint8
from gfpbench.restorers import RESTORERS, load
from gfpbench.types import AssetMissing, BadInput, ImageBatch, PackageMissing
from tests.unit.restorers import upstream_gfpgan as upstream

NAMES = (
    "gfpgan-1",
    "gfpgan-1.2",
    "gfpgan-1.3",
    "gfpgan-1.4",
    "restoreformer",
    "codeformer",
    "realesrgan-x4plus",
    "ffdnet",
    "waifu2x-photo",
)


@pytest.mark.parametrize("name", NAMES)
def test_missing_weights_name_the_command_that_brings_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing, match=f"run `gfpbench fetch {name}`") as caught:
        load(f"{name}?batch=2")
    assert not isinstance(caught.value, PackageMissing)
    assert assets.for_restorer(name) == assets.for_restorer(f"{name}?dtype=fp32") == [name]
    assert name in RESTORERS


def test_options_are_read_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(BadInput, match="batch=none"):
        load("gfpgan-1.4?batch=none")


@pytest.mark.parametrize(("name", "make"), [("gfpgan-1", upstream.original), ("gfpgan-1.3", upstream.clean)])
def test_a_name_runs_its_weights(
    name: str, make: object, degraded: ImageBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make(upstream.TINY)  # type: ignore[operator]
    path = upstream.saved(network, tmp_path / "weights.pth")
    monkeypatch.setattr(assets, "path", lambda asset, needed_by=None: path)
    face = quantized(resized(select(degraded, [0]), (32, 32)))
    restorer = load(name)
    assert restorer.name == name
    assert restorer.provenance()["restorer"] == name
    assert restorer.provenance()["weights"] == assets.find(name).filename
    with upstream.native_operations():
        wanted = upstream.by_functions(network, face, return_rgb=False, randomize_noise=False)
    apart = (to_uint8(restorer(face)).int() - to_uint8(wanted).int()).abs()
    assert apart.max() <= 1
    assert (apart > 0).float().mean() < 1e-3


def test_real_esrgan_enlarges_and_is_brought_back(
    degraded: ImageBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small seeded network: as spandrel calls it, then averaged down as every enlarged answer."""
    from spandrel.architectures.ESRGAN import ESRGAN

    torch.manual_seed(0)
    network = ESRGAN(num_filters=8, num_blocks=1, scale=4).eval()
    path = tmp_path / "weights.pth"
    torch.save({"params_ema": network.state_dict()}, path)
    monkeypatch.setattr(assets, "path", lambda asset, needed_by=None: path)
    face = quantized(resized(select(degraded, [0]), (32, 32)))
    restorer = load("realesrgan-x4plus")
    with torch.no_grad():
        large = network(face.pixels).clamp(0, 1)
    assert large.shape[-2:] == (128, 128)
    wanted = torch.nn.functional.avg_pool2d(large, 4)
    assert (restorer(face).pixels - wanted).abs().max() < 1e-5
    assert restorer.provenance()["source"] == "xinntao/Real-ESRGAN@v0.1.0"
    with pytest.raises(BadInput, match="batch=none"):
        load("realesrgan-x4plus?batch=none")

    smaller = load("realesrgan-x4plus?reduce=4")
    with torch.no_grad():
        wanted = network(torch.nn.functional.avg_pool2d(face.pixels, 4)).clamp(0, 1)
    assert wanted.shape == face.pixels.shape
    assert (smaller(face).pixels - wanted).abs().max() < 1e-5
    assert smaller.provenance()["reduced_first"] == 4
    assert "reduced_first" not in restorer.provenance()
    odd = quantized(resized(face, (31, 33)))
    assert smaller(odd).size == (31, 33)
    with pytest.raises(BadInput, match="reduce=8 would lose detail: the network enlarges 4 times"):
        load("realesrgan-x4plus?reduce=8")
    with pytest.raises(BadInput, match="reduce=0"):
        load("realesrgan-x4plus?reduce=0")


@pytest.mark.needs_asset("gfpgan-1.4")
def test_the_published_weights_restore_a_face(degraded: ImageBatch, truth: ImageBatch) -> None:
    one = select(degraded, [0])
    restored = load("gfpgan-1.4")(one)
    assert (restored.pixels - truth.pixels[:1]).square().mean() < 0.02
    assert torch.equal(load("gfpgan-1.4")(one).pixels, restored.pixels)
