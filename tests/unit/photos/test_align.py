"""The five-point alignment against closed forms and against landmarks that are no face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench.photos.align import TEMPLATE, corners_of, crop_face, scale_of, similarity
from gfpbench.types import BadInput
from tests.unit.photos import laws


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    turn=st.floats(-np.pi, np.pi),
    scale=st.floats(0.02, 4),
    x=st.floats(-300, 4000),
    y=st.floats(-300, 4000),
)
def test_a_known_transform_is_found_again(turn: float, scale: float, x: float, y: float) -> None:
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    landmarks = np.array(laws.TEMPLATE) @ linear.T + (x, y)
    matrix = similarity(landmarks)
    # OpenCV takes its points in float32: at 4000 px that is a quarter of a thousandth of a pixel of the photo.
    assert matrix[:, :2] @ linear == pytest.approx(np.eye(2), abs=2e-3 / scale / 100 + 1e-3)
    assert landmarks @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(np.array(laws.TEMPLATE), abs=0.05 + 1e-3 / scale)
    assert scale_of(matrix) == pytest.approx(1 / scale, rel=1e-3)


def test_the_template_is_the_published_one() -> None:
    assert TEMPLATE.tolist() == [list(point) for point in laws.TEMPLATE]


def test_a_face_already_aligned_is_cropped_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    matrix = similarity(TEMPLATE)
    assert np.abs(crop_face(image, matrix).astype(int) - image).max() <= 1
    assert corners_of(matrix) == pytest.approx(
        np.array([(-0.5, -0.5), (511.5, -0.5), (511.5, 511.5), (-0.5, 511.5)]), abs=1e-3
    )


def test_beyond_the_photo_is_the_published_grey() -> None:
    crop = crop_face(np.zeros((40, 40, 3), np.uint8), similarity(TEMPLATE))
    assert crop[-1, -1].tolist() == [132, 133, 135]  # upstream: (135, 133, 132) in BGR


@pytest.mark.parametrize(
    ("landmarks", "reason"),
    [
        (TEMPLATE[[1, 0, 2, 4, 3]], "swapped"),
        (np.tile(TEMPLATE[:1], (5, 1)), "no face"),
        (np.column_stack([np.arange(5.0), np.arange(5.0)]), "on a line"),
        (TEMPLATE[:4], "5 finite landmarks"),
        (np.full((5, 2), np.nan), "5 finite landmarks"),
    ],
)
def test_landmarks_that_are_no_face_are_refused(landmarks, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        similarity(landmarks)
