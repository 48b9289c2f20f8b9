"""What an identity angle has to obey, and the same protocols written with other people's code alone."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from matplotlib import cbook
from PIL import Image
from skimage import data

from gfpbench.images import batch_from_uint8, to_rgb_arrays
from gfpbench.types import BadInput, ImageBatch

Score = Callable[[ImageBatch, ImageBatch], torch.Tensor]


def portraits(side: int = 128) -> ImageBatch:
    """Two people, from scikit-image and matplotlib, roughly cropped."""
    collins = data.astronaut()[10:250, 100:340]
    with Image.open(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))) as file:
        hopper = np.asarray(file.convert("RGB"))[20:340, 90:410]
    small: list[Any] = [
        cv2.resize(np.ascontiguousarray(face), (side, side), interpolation=cv2.INTER_AREA) for face in (collins, hopper)
    ]
    return batch_from_uint8(small, ("collins", "hopper"))


def changed(batch: ImageBatch, change: Any) -> ImageBatch:
    return batch_from_uint8([np.ascontiguousarray(change(rgb)) for rgb in to_rgb_arrays(batch)], batch.ids)


def blurred(batch: ImageBatch, sigma_px: float) -> ImageBatch:
    return changed(batch, lambda rgb: cv2.GaussianBlur(rgb, (0, 0), sigma_px))


def by_hand(restored: Path, truth: Path) -> float:
    """The same protocol written with dlib alone, from files."""
    import dlib

    found = importlib.util.find_spec("face_recognition_models")
    assert found is not None
    assert found.submodule_search_locations
    models = Path(found.submodule_search_locations[0]) / "models"
    predictor = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
    images = [dlib.load_rgb_image(str(path)) for path in (restored, truth)]
    box = dlib.get_frontal_face_detector()(images[1])[0]
    a, b = (np.array(network.compute_face_descriptor(image, predictor(image, box))) for image in images)
    return float(np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))))


def one_face_one_wall() -> ImageBatch:
    wall = np.full((128, 128, 3), 90, np.uint8)
    return batch_from_uint8([to_rgb_arrays(portraits())[0], wall], ("collins", "wall"))


def angles_of_known_vectors(angle: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
    a = torch.tensor([[1.0, 0], [1, 0], [2, 0], [3, 4], [1, 0]], dtype=torch.float64)
    b = torch.tensor([[0.0, 5], [-1, 0], [2, 2], [3, 4], [1, 1e-9]], dtype=torch.float64)
    assert angle(a, b).tolist() == pytest.approx([90, 180, 45, 0, np.degrees(1e-9)], rel=1e-9, abs=0)


def same_as_dlib_by_hand(score: Score, folder: Path) -> None:
    """From saved files, with dlib alone."""
    truth = portraits(160)
    restored = blurred(truth, 2.5)
    got = score(restored, truth)
    for index, face in enumerate(truth.ids):
        paths = [folder / f"{face}-{what}.png" for what in ("restored", "truth")]
        for path, batch in zip(paths, (restored, truth), strict=True):
            Image.fromarray(to_rgb_arrays(batch)[index]).save(path)
        assert float(got[index]) == pytest.approx(by_hand(*paths), abs=1e-4)
    assert bool((got > 3).all())


def beyond_recognition_keeps_its_score(score: Score) -> None:
    """The truth's box is used: nothing that looks like a face need be left of the restoration."""
    truth = portraits()
    grey = changed(truth, lambda rgb: np.full_like(rgb, 127))
    got = score(grey, truth)
    assert got.shape == (2,)
    assert bool((got > 15).all())


def a_lost_truth_is_named(score: Score) -> None:
    """No face in the truth: neither a number nor a shorter list."""
    empty = one_face_one_wall()
    with pytest.raises(BadInput, match="no face is found in the true image of wall"):
        score(empty, empty)


def same_as_vqfrs_script(score: Score, network: torch.nn.Module, folder: Path) -> None:
    """cv2.imread(path, 0), cv2.resize, (x - 127.5) / 127.5, arccos: its grey may be one step off ours."""
    truth = portraits(200)
    restored = blurred(truth, 3.0)
    got = score(restored, truth)
    for index in range(len(truth)):
        embeddings = []
        for batch in (restored, truth):
            Image.fromarray(to_rgb_arrays(batch)[index]).save(folder / "one.png")
            grey = cv2.imread(str(folder / "one.png"), 0)
            assert grey is not None
            small = cv2.resize(grey, (128, 128)).astype(np.float32)
            with torch.no_grad():
                embeddings.append(network(torch.from_numpy((small - 127.5) / 127.5)[None, None])[0].numpy())
        a, b = embeddings
        expected = np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
        assert float(got[index]) == pytest.approx(float(expected), rel=0.01)
