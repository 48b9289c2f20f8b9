"""The alignment against a closed form, against scikit-image, and against itself on turned images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gfpbench.decode import decode_rgb
from gfpbench.faces.align import Square, crop, ffhq_square, in_crop
from gfpbench.faces.embedded import file_bytes
from gfpbench.faces.manifest import read_manifest
from gfpbench.types import BadInput
from tests.unit.faces import laws


def crop_of(image: NDArray[np.uint8], landmarks: Sequence[Sequence[float]], size_px: int) -> NDArray[np.uint8]:
    return crop(image, ffhq_square(landmarks), size_px)


def test_eyes_and_mouth_lie_where_the_closed_form_says() -> None:
    laws.check_places(crop_of)


@pytest.mark.parametrize("entry", read_manifest(), ids=lambda entry: entry.name)
def test_real_faces(entry) -> None:
    image = decode_rgb(file_bytes(entry), entry.name)
    laws.check_turned(crop_of, image, entry.landmarks)
    laws.check_like_skimage(crop_of, image, entry.landmarks)


def test_level_face_in_numbers() -> None:
    # Eyes 40 apart, mouth 50 below: half a side is 1.8 x 50 = 90, its middle 5 below the eyes.
    landmarks = laws.landmarks_of(100 + 100j, 140 + 100j, 110 + 150j, 130 + 150j)
    square = ffhq_square(landmarks)
    assert square.centre == pytest.approx((120, 105))
    assert square.right == pytest.approx((90, 0))
    assert square.down == pytest.approx((0, 90))
    assert square.side_px == pytest.approx(180)
    places = in_crop(square, [(100, 100), (140, 100), (120, 105)], 180)
    assert places.tolist() == [pytest.approx(p) for p in ((69.5, 84.5), (109.5, 84.5), (89.5, 89.5))]


def test_wide_eyes_set_the_side() -> None:
    square = ffhq_square(laws.landmarks_of(100 + 100j, 160 + 100j, 110 + 130j, 150 + 130j))
    assert square.side_px == pytest.approx(2 * 2.0 * 60)


def test_a_flat_image_stays_flat_and_the_border_is_mirrored() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    flat = crop(np.full((60, 70, 3), 93, np.uint8), Square((0.0, 0.0), (40.0, 9.0), (-9.0, 40.0)), 50)
    assert (flat == 93).all(), "weights that do not sum to 1 brighten or darken"
    mirrored = np.pad(image, ((50, 50), (50, 50), (0, 0)), mode="reflect")
    beyond = crop(image, Square((4.0, 5.0), (20.0, 7.0), (-7.0, 20.0)), 64)
    inside = crop(mirrored, Square((54.0, 55.0), (20.0, 7.0), (-7.0, 20.0)), 64)
    assert np.abs(beyond.astype(int) - inside).max() <= 1


def test_shrinking_averages_instead_of_aliasing() -> None:
    board = np.indices((400, 400)).sum(0) % 2 * 255
    small = crop(
        np.repeat(board[..., None], 3, 2).astype(np.uint8), Square((200.0, 200.0), (150.0, 40.0), (-40.0, 150.0)), 40
    )
    assert small.std() < 4, "one-pixel checks must become an even grey"
    assert abs(small.mean() - 127.5) < 1


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    angle=st.floats(-180, 180),
    scale=st.floats(0.3, 20),
    shift=st.complex_numbers(max_magnitude=500, allow_nan=False),
    mouth_px=st.floats(20, 80),
    slant_px=st.floats(-8, 8),
)
def test_a_moved_turned_or_scaled_face_gives_the_same_places(angle, scale, shift, mouth_px, slant_px) -> None:
    turn = scale * np.exp(1j * np.deg2rad(angle))
    parts = (-20 + 0j, 20 + 0j, complex(slant_px - 8, mouth_px), complex(slant_px + 8, mouth_px))
    straight, moved = laws.landmarks_of(*parts), laws.landmarks_of(*(complex(turn * part + shift) for part in parts))
    before = in_crop(ffhq_square(straight), straight, 128)
    after = in_crop(ffhq_square(moved), moved, 128)
    assert np.abs(before - after)[36:55].max() < 1e-6
    z = complex(*straight[48])
    assert abs(complex(*before[48]) - laws.expected_place(z, straight, 128)) < 1e-9


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (laws.landmarks_of(140 + 100j, 100 + 100j, 110 + 150j, 130 + 150j), "swapped"),
        (laws.landmarks_of(100 + 100j, 140 + 100j, 110 + 50j, 130 + 50j), "swapped"),
        (laws.landmarks_of(100 + 100j, 140 + 100j, 110 + 100j, 130 + 100j), "on a line"),
        (laws.landmarks_of(1j, 1j, 1j, 1j), "on a line"),
        ([[0.0, 0.0]] * 67, "68"),
        ([[float("nan"), 0.0]] * 68, "68 finite"),
    ],
)
def test_impossible_landmarks_are_refused(landmarks, message) -> None:
    with pytest.raises(BadInput, match=message):
        ffhq_square(landmarks)


def test_other_images_are_refused() -> None:
    square = ffhq_square(laws.landmarks_of(100 + 100j, 140 + 100j, 110 + 150j, 130 + 150j))
    wrong: tuple[Any, ...]
    wrong = (
        np.zeros((50, 50), np.uint8),
        np.zeros((50, 50, 3), np.float32),
        np.zeros((1, 50, 3), np.uint8),
    )
    for image in wrong:
        with pytest.raises(BadInput, match="uint8 image"):
            crop(image, square, 64)
