"""The FID Inception gives the features that basicsr's own network gives, from the same file and images."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from gfpbench import assets
from gfpbench.images import batch_from_uint8, select, to_rgb_arrays
from gfpbench.metrics import fid, inception, inception_network
from gfpbench.types import AssetMissing, BadInput, ImageBatch
from tests.unit.metrics import network_oracles as oracles


@pytest.fixture(scope="module")
def weights(seeded_folder: Path) -> Path:
    path: Path = oracles.inception_weights(seeded_folder)
    return path


def test_features_equal_basicsrs_from_the_same_file(weights: Path) -> None:
    network = inception_network.fid_inception(weights)
    oracles.same_features_as_basicsr(lambda batch: inception.extract(network, batch, "legacy"), weights)


def test_the_three_oddities_of_the_graph_matter(weights: Path) -> None:
    """Torchvision's own network, with the same weights, gives other features: the patch is not idle."""
    from torchvision.models import inception_v3

    plain = inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
    plain.load_state_dict(torch.load(weights, weights_only=True), strict=False)
    plain.fc = torch.nn.Identity()
    prepared = inception.prepare(oracles.photographs(), "legacy")
    with torch.no_grad():
        unpatched = plain.eval()(prepared)
        patched = inception_network.fid_inception(weights)(prepared)
    assert float((unpatched - patched).abs().max()) > 1e-2


def test_clean_resizing_equals_pyiqas(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyiqa.archs.fid_arch import ResizeDataset
    for side in (128, 400):  # enlarged, reduced
        batch = batch_from_uint8([data.astronaut()[:side, 100 : 100 + side]], ("face",))
        prepared = inception.prepare(batch, "clean")
        for index, rgb in enumerate(to_rgb_arrays(batch)):
            Image.fromarray(rgb).save(tmp_path / "one.png")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow dislikes how it names a mode
                theirs = ResizeDataset([tmp_path / "one.png"], mode="clean")[0]
            assert float((prepared[index] - (theirs / 127.5 - 1)).abs().max()) < 1e-6


def test_large_images_are_where_the_two_resizes_differ() -> None:
    """Stripes of one pixel: antialiasing turns them grey, the legacy resize keeps some of them."""
    stripes = (torch.arange(900) % 2).float().expand(1, 3, 900, 900).contiguous()
    batch = ImageBatch(stripes, ("stripes",))
    assert float(inception.prepare(batch, "clean")[..., 5:-5].abs().max()) < 0.2
    assert float(inception.prepare(batch, "legacy")[..., 5:-5].abs().max()) > 0.9


def test_batches_and_neighbours_change_nothing(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, batch = inception_network.fid_inception(weights), oracles.photographs()
    together = inception.extract(network, batch, "legacy")
    apart = torch.cat([inception.extract(network, select(batch, [index]), "legacy") for index in range(3)])
    assert float((together - apart).abs().max()) < 1e-5
    monkeypatch.setattr(inception, "_AT_ONCE", 2)
    assert float((together - inception.extract(network, batch, "legacy")).abs().max()) < 1e-5


def test_features_are_of_the_8_bit_image(weights: Path) -> None:
    network, batch = inception_network.fid_inception(weights), oracles.photographs()
    nudged = ImageBatch((batch.pixels + 0.4 / 255).clamp(0, 1), batch.ids)
    assert torch.equal(inception.extract(network, batch, "legacy"), inception.extract(network, nudged, "legacy"))


def test_the_metric_finds_its_weights_by_the_name_of_the_asset(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def path(name: str, needed_by: str | None = None) -> Path:
        asked.append((name, needed_by))
        return weights

    monkeypatch.setattr(assets, "path", path)
    features = fid.fid_legacy.features(oracles.photographs())
    assert asked == [("inception-fid", "fid_legacy")]
    assert torch.equal(
        features, inception.extract(inception_network.fid_inception(weights), oracles.photographs(), "legacy")
    )
    assert np.isfinite(
        fid.fid_legacy.score(fid.fid_legacy.statistics([features]), fid.fid_legacy.statistics([features])).value
    )


def test_missing_weights_are_never_made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing, match="gfpbench fetch inception-fid"):
        inception.features(oracles.photographs(), "legacy", needed_by="fid_legacy")


def test_other_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    held = torch.load(weights, weights_only=True)
    torch.save({name: value for name, value in held.items() if not name.startswith("Mixed_7c")}, tmp_path / "part.pth")
    with pytest.raises(BadInput, match=r"part\.pth does not fit the FID Inception: it lacks Mixed_7c"):
        inception_network.fid_inception(tmp_path / "part.pth")
    torch.save(held | {"Mixed_8a.bn.bias": torch.zeros(3)}, tmp_path / "more.pth")
    with pytest.raises(BadInput, match=r"has Mixed_8a\.bn\.bias"):
        inception_network.fid_inception(tmp_path / "more.pth")
    torch.save(held | {"Conv2d_1a_3x3.bn.bias": torch.zeros(3)}, tmp_path / "size.pth")
    with pytest.raises(BadInput, match=r"size\.pth does not fit"):
        inception_network.fid_inception(tmp_path / "size.pth")
    with pytest.raises(BadInput, match="'legacy' or 'clean'"):
        inception.prepare(oracles.photographs(), "bilinear")  # type: ignore[arg-type]
