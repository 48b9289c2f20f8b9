"""dlib's network in torch gives dlib's numbers, on the chips that dlib cuts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench import faces
from gfpbench.images import batch_from_uint8, to_rgb_arrays, to_signed
from gfpbench.metrics.identity import dlib_embedder
from gfpbench.types import BadInput, ImageBatch
from training import dlib_network
from training.data import Faces, Steps

dlib = pytest.importorskip("dlib", reason="needs dlib: pip install gfpbench[identity]")


@pytest.fixture(scope="module")
def portraits() -> Faces:
    found = faces.load("embedded", size_px=128, draws=1)
    loaded = [found.load(name).pixels for name in found.ids()]
    images = [to_rgb_arrays(ImageBatch(pixels[None], ("face",)))[0] for pixels in loaded]
    return Faces(np.stack(images), found.ids(), {})


@pytest.fixture(scope="module")
def network() -> Any:
    return dlib_network.read_dlib(dlib_network.model_path())


def test_embeddings_are_dlibs(network: Any, portraits: Faces) -> None:
    embedder = dlib_embedder()
    for image in portraits.images:
        shape = embedder.landmarks(image, embedder.find(image))
        chip = dlib.get_face_chip(image, shape, 150, 0.25)
        _, ours = network(to_signed(batch_from_uint8([chip], ("face",))))
        assert np.allclose(ours[0].numpy(), embedder.embed(image, embedder.find(image)), atol=1e-5)


def test_chips_are_dlibs_but_for_rounding(network: Any, portraits: Faces) -> None:
    """dlib resamples in 8 bits: within a grey level or two, and next to no change of the embedding."""
    embedder = dlib_embedder()
    for image in portraits.images:
        shape = embedder.landmarks(image, embedder.find(image))
        theirs = to_signed(batch_from_uint8([dlib.get_face_chip(image, shape, 150, 0.25)], ("face",)))
        points = dlib_network.five_landmarks(embedder, image)
        assert points is not None
        ours = dlib_network.chips(to_signed(batch_from_uint8([image], ("face",))), points[None])
        assert float((ours - theirs).abs().mean()) * 127.5 < 2
        assert float((network(ours)[1] - network(theirs)[1]).norm()) < 0.03  # strangers: 0.6 and more


def test_landmarks_move_with_the_image(portraits: Faces) -> None:
    """A face that was mirrored and turned has the embedding of a face, not of a chip cut beside it."""
    aligned = dlib_network.AlignedDlib(portraits, "cpu")
    straight = Steps(portraits, 8, 0, False, None)[0]
    _, embeddings = aligned(straight.truth, straight)
    for face in set(straight.index.tolist()):
        same = embeddings[torch.from_numpy(straight.index == face)]
        assert float(torch.cdist(same, same).max()) < 0.4  # mirror images of one person
    turned = Steps(portraits, 8, 0, True, None)[0]
    _, moved = aligned(turned.truth, turned)
    for index, embedding in zip(turned.index, moved, strict=True):
        distances = {
            face: float((embeddings[torch.from_numpy(straight.index == face)] - embedding).norm(dim=1).min())
            for face in set(straight.index.tolist())
        }
        assert min(distances, key=distances.__getitem__) == int(index)


def test_a_gradient_reaches_the_image(network: Any, portraits: Faces) -> None:
    aligned = dlib_network.AlignedDlib(portraits, "cpu")
    pairs = Steps(portraits, 2, 0, True, None)[0]
    images = pairs.truth.clone().requires_grad_(True)
    aligned(images, pairs)[1].square().sum().backward()
    assert images.grad is not None
    assert bool(images.grad.any())


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.dat"
    path.write_bytes(dlib_network.model_path().read_bytes()[:100_000])
    with pytest.raises(BadInput, match=r"model.dat is not dlib's face recognition network"):
        dlib_network.read_dlib(path)


def test_a_similarity_is_found_again() -> None:
    points = np.random.default_rng(0).normal(size=(5, 2)) * 10
    turn, scale, shift = 0.4, 1.7, np.array([3.0, -2.0])
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    found = dlib_network.similarity(points, points @ matrix.T + shift)
    assert np.allclose(found, np.hstack([matrix, shift[:, None]]))
