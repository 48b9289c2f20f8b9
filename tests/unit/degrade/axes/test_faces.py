"""The truth of scene axes as a face set: same names, changed images, landmarks that move along."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gfpbench.degrade.axes import AXES, faces_to_restore, load_axis
from gfpbench.faces import load as load_faces
from gfpbench.run.batches import load_face
from gfpbench.types import FaceSet

SCENES = sorted(name for name in AXES if load_axis(name).acts_on == "scene")


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    return load_faces("embedded", size_px=64, draws=2)


@pytest.mark.parametrize("name", SCENES)
def test_faces_pass_the_engines_checks(name: str, faces: FaceSet) -> None:
    changed = faces_to_restore(load_axis(name), faces, 0.6, 0)
    assert isinstance(changed, FaceSet)
    assert changed.ids() == faces.ids()
    for face_id in changed.ids():
        one = load_face(changed, face_id)
        assert not torch.equal(one.pixels, faces.load(face_id).pixels)
        assert one.attributes["subject"] == faces.load(face_id).attributes["subject"]
    assert changed.source()["scene"]["severity"] == 0.6
    assert changed.source()["count"] == faces.source()["count"]


@pytest.mark.parametrize("name", SCENES)
def test_severity_0_is_the_clean_face(name: str, faces: FaceSet) -> None:
    changed = faces_to_restore(load_axis(name), faces, 0.0, 3)
    for face_id in faces.ids():
        clean, one = faces.load(face_id), changed.load(face_id)
        assert torch.equal(one.pixels, clean.pixels)
        assert one.sha256 == clean.sha256
        for place, point in clean.attributes["landmarks_px"].items():
            assert np.allclose(one.attributes["landmarks_px"][place], point, atol=1e-3)


def test_a_fault_of_the_image_leaves_the_faces_alone(faces: FaceSet) -> None:
    assert faces_to_restore(load_axis("noise"), faces, 1.0, 0) is faces


def test_landmarks_turn_with_the_head(faces: FaceSet) -> None:
    axis = load_axis("roll")
    face_id = faces.ids()[0]
    clean, one = faces.load(face_id).attributes["landmarks_px"], faces_to_restore(axis, faces, 1.0, 0).load(face_id)
    turned = one.attributes["landmarks_px"]
    x, y = clean["eye_left"]
    clockwise = one.attributes["scene"]["roll_deg"] > 0
    assert np.allclose(turned["eye_left"], (63 - y, x) if clockwise else (y, 63 - x), atol=1e-3)


def test_copies_of_a_face_are_changed_differently(faces: FaceSet) -> None:
    changed = faces_to_restore(load_axis("misalignment"), faces, 1.0, 0)
    assert not torch.equal(changed.load("astronaut~0").pixels, changed.load("astronaut~1").pixels)
