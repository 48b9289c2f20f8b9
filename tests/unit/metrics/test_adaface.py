"""AdaFace IR-50: layers under the published names, the published alignment, and files that hold something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from skimage import data

from gfpbench import assets
from gfpbench.decode.point_lists import PointList
from gfpbench.images import batch_from_uint8
from gfpbench.metrics import adaface as network
from gfpbench.metrics import cos_adaface
from gfpbench.types import BadInput, ImageBatch
from tests.unit.metrics import network_oracles as oracles
from tests.unit.metrics import protocol_laws as scripts

FIVE = ((182.3, 231.7), (300.1, 247.9), (251.4, 318.6), (190.8, 371.2), (288.5, 389.4))
"""A face that is turned, so that no part of the alignment is the identity."""
LISTED = PointList("test_face.csv", "0" * 64, {"166752": {"CelebA": FIVE}, "0412": {"Wider-Test": FIVE}})


@pytest.fixture(scope="module")
def weights(seeded_folder: Path) -> Path:
    return oracles.adaface_weights(seeded_folder)


def face(name: str = "166752") -> tuple[ImageBatch, ImageBatch]:
    """Two images of 512 px that are far apart."""
    rgb = data.astronaut()
    other = np.ascontiguousarray(255 - rgb[::-1, ::-1])
    return batch_from_uint8([other], (name,)), batch_from_uint8([rgb], (name,))


def test_layers_have_the_published_names_and_shapes() -> None:
    with torch.device("meta"):
        ours = network.IR50().state_dict()
    counters = {name for name in ours if name.endswith("num_batches_tracked")}
    assert {
        name: tuple(value.shape) for name, value in ours.items() if name not in counters
    } == oracles.adaface_shapes()
    # The published file has 175 MB: 43.6 million numbers of four bytes.
    assert sum(int(np.prod(shape)) for shape in oracles.adaface_shapes().values()) * 4 == pytest.approx(
        175e6, rel=0.005
    )


def test_the_network_is_the_published_one(weights: Path) -> None:
    crops = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)
    with torch.inference_mode():
        ours, theirs = network.adaface(weights)(crops), oracles.adaface_by_hand(weights, crops)
    assert float(theirs.abs().max()) > 0.1
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_files_with_other_names_before_the_layers_are_read_and_others_refused(weights: Path, tmp_path: Path) -> None:
    held = {name.removeprefix("model.net."): value for name, value in load_file(weights).items()}
    expected = network.adaface(weights).state_dict()["output_layer.3.bias"]
    for prefix in ("", "net.", "model."):
        path = tmp_path / f"{prefix or 'none'}safetensors"
        head = {"head.kernel": torch.zeros(2)} if prefix == "model." else {}  # of AdaFace's own checkpoint
        save_file(
            {**{f"{prefix}{name}": value for name, value in held.items()}, **head}, path.with_suffix(".safetensors")
        )
        found = network.adaface(path.with_suffix(".safetensors")).state_dict()
        assert torch.equal(found["output_layer.3.bias"], expected)
        path.with_suffix(".safetensors").unlink()
    for wrong, said in (
        ({"body.0.res_layer.1.weight": None}, "lacks body.0.res_layer.1.weight"),
        ({"body.24.res_layer.0.weight": torch.zeros(3)}, "has body.24.res_layer.0.weight"),
        ({"input_layer.0.weight": torch.zeros(64, 1, 3, 3)}, "does not fit AdaFace IR-50"),
    ):
        path = tmp_path / "wrong.safetensors"
        save_file({name: value for name, value in {**held, **wrong}.items() if value is not None}, path)
        with pytest.raises(BadInput, match=said):
            network.adaface(path)
        network.adaface.cache_clear()
        path.unlink()


def test_points_of_a_list_align_as_the_script_does(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "path", lambda name, needed_by=None: weights)
    restored, truth = face()
    pixels = [np.ascontiguousarray((one.pixels[0] * 255).round().byte().permute(1, 2, 0).numpy()) for one in face()]
    ours = cos_adaface.aligned(pixels[1], FIVE)
    assert np.abs(ours.astype(int) - scripts.adaface_crop(pixels[1], FIVE)).max() <= 1
    metric = cos_adaface.adaface_metric(LISTED)
    assert metric.name == "cos_adaface"
    assert "test_face.csv (sha256 000000000000)" in metric.source
    assert metric.identity() != cos_adaface.cos_adaface.identity()  # figures by other points are not compared
    expected = scripts.adaface_cosine(pixels[0], pixels[1], weights.parent, FIVE)
    assert float(metric(restored, truth)) == pytest.approx(expected, abs=2e-5)
    # The mean points of FFHQ are another alignment, and another number.
    assert abs(float(cos_adaface.cos_adaface(restored, truth)) - expected) > 1e-3
    assert float(metric(truth, truth)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "side", "said"),
    [
        ("Wider-Test/0412", 512, ""),
        ("CelebA/0412", 512, "has 0412 in Wider-Test, where the image lies in CelebA"),
        ("others/0412", 512, ""),
        ("0413", 512, "test_face.csv has no row for 0413"),
        ("0412", 256, "the points of test_face.csv are of 512 px, and these images are 256 x 256"),
    ],
)
def test_images_without_points_are_refused_in_words(
    name: str, side: int, said: str, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "path", lambda asset, needed_by=None: weights)
    monkeypatch.setattr(cos_adaface, "embeddings", lambda network, batch, points: torch.ones(len(batch), 1))
    metric: Any = cos_adaface.adaface_metric(LISTED)
    image = ImageBatch(torch.rand(1, 3, side, side), (name,))
    if not said:
        assert float(metric(image, image)) == 1
        return
    with pytest.raises(BadInput, match=said):
        metric(image, image)


def test_points_that_are_one_point_align_nothing() -> None:
    with pytest.raises(BadInput, match="one point"):
        cos_adaface.similarity(((3.0, 4.0),) * 5)
