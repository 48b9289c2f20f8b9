"""FaceRes: its angles by TensorFlow.js itself, what tells people apart, and files that are another network's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gfpbench import assets, faces
from gfpbench.metrics import faceres
from gfpbench.types import AssetMissing, BadInput, ImageBatch
from tests.unit.metrics import identity_laws as laws
from tests.unit.metrics import network_oracles as networks


def embedded() -> ImageBatch:
    opened = faces.load("embedded", draws=1)
    loaded = [opened.load(name) for name in opened.ids()]
    return ImageBatch(torch.stack([face.pixels for face in loaded]), tuple(face.id for face in loaded))


@pytest.mark.needs_asset("faceres")
def test_features_are_those_of_tensorflow_js() -> None:
    """Of the embedded faces by @tensorflow/tfjs-converter 4.22 and its CPU backend, from the package's own files."""
    network = faceres.network(assets.path("faceres", "deg_faceres"))
    with torch.inference_mode():
        found = network(faceres.prepared(embedded()))
    assert found[0, [0, 100, 500, 900]].tolist() == pytest.approx([0.0, 1.67367, 1.19839, 1.01078], abs=2e-5)
    assert found.double().sum(1).tolist() == pytest.approx([214.4778, 238.0565], abs=2e-3)
    assert int((found[0] > 0).sum()) == 684


@pytest.mark.needs_asset("faceres")
def test_two_people_are_as_far_apart_as_tensorflow_js_says() -> None:
    pair = embedded()
    angles = faceres.deg_faceres(ImageBatch(pair.pixels.flip(0), pair.ids), pair)
    assert angles.tolist() == pytest.approx([66.82824, 66.82824], abs=2e-4)
    mild = faceres.deg_faceres(laws.blurred(pair, 0.7), pair)
    assert bool((mild > 5).all())
    assert bool((mild < 45).all())


def test_without_the_file_the_line_says_what_to_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing, match=r"deg_faceres needs the asset 'faceres'.*gfpbench fetch faceres"):
        faceres.deg_faceres(embedded(), embedded())


@pytest.mark.parametrize("damage", ["lacks", "another shape"])
def test_a_file_of_another_network_is_refused(damage: str, tmp_path: Path) -> None:
    weights = load_file(networks.faceres_weights(tmp_path))
    if damage == "lacks":
        del weights["conv_dw_7.scale"]
    else:
        weights["conv_dw_7.scale"] = torch.ones(3)
    save_file(weights, tmp_path / "other.safetensors")
    with pytest.raises(
        BadInput, match=r"does not fit FaceRes: conv_dw_7.scale is \(512,\), and the file (lacks it|has \(3,\))"
    ):
        faceres.network(tmp_path / "other.safetensors")
