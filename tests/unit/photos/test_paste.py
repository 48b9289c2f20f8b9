"""Pasting: what may change, what may not, and that a face costs its own surroundings only."""

from __future__ import annotations

import numpy as np
import pytest

from gfpbench.photos.align import similarity
from gfpbench.photos.paste import enlarged, paste_back, placed, surroundings
from gfpbench.types import BadInput
from tests.unit.photos import scenes
from tests.unit.photos.scenes import Place

WHITE = np.full((512, 512, 3), 255, np.uint8)


def matrix_of(place, size=(300, 400)):
    height, width = size
    return similarity(scenes.scene(height, width, [place])[1][0].landmarks)


@pytest.mark.parametrize("upscale", [1, 2, 3])
@pytest.mark.parametrize("place", [Place((200, 150), 160, 30), Place((395, 5), 200, -70), Place((60, 60), 24)])
def test_a_face_touches_nothing_beyond_its_surroundings(place, upscale: int) -> None:
    photo = enlarged(np.zeros((300, 400, 3), np.uint8), upscale)
    matrix = matrix_of(place)
    out = paste_back(photo, [WHITE], [matrix], [np.ones((512, 512))], upscale)
    left, top, right, bottom = surroundings(matrix, upscale, photo.shape[:2])
    assert out[top:bottom, left:right].max() == 255
    # The square itself ends within the region that was worked on, unless that ends with the photo.
    rows, columns = np.nonzero(out[..., 0])
    assert columns.min() > left or left == 0
    assert rows.min() > top or top == 0
    assert columns.max() < right - 1 or right == photo.shape[1]
    assert rows.max() < bottom - 1 or bottom == photo.shape[0]
    assert photo.max() == 0, "the photo that was given was changed"


def test_a_mask_decides_what_is_shown() -> None:
    photo = np.full((300, 400, 3), 40, np.uint8)
    matrix = matrix_of(Place((200, 150), 200))
    hidden = paste_back(photo, [WHITE], [matrix], [np.zeros((512, 512))], 1)
    assert (hidden == photo).all()
    half = paste_back(photo, [WHITE], [matrix], [np.full((512, 512), 0.5)], 1)
    assert half[150, 200].tolist() == [147] * 3  # (255 + 40) / 2, cut to a whole number as upstream cuts it


def test_a_face_beyond_the_photo_changes_nothing() -> None:
    photo = np.full((300, 400, 3), 40, np.uint8)
    out = paste_back(photo, [WHITE], [matrix_of(Place((-900, -900), 160))], [None], 1)
    assert (out == photo).all()


def test_later_faces_lie_over_earlier_ones() -> None:
    photo = np.zeros((300, 400, 3), np.uint8)
    faces = [np.full((512, 512, 3), value, np.uint8) for value in (100, 200)]
    out = paste_back(photo, faces, [matrix_of(Place((200, 150), 200))] * 2, [None, None], 1)
    assert out[150, 200, 0] in (199, 200)


def test_half_a_pixel_in_an_enlarged_photo_as_upstream_has_it() -> None:
    matrix = matrix_of(Place((200, 150), 200))
    inverse = placed(matrix, 1)
    assert placed(matrix, 2)[:, 2] == pytest.approx(inverse[:, 2] * 2 + 1)


def test_other_faces_and_sizes_are_refused() -> None:
    with pytest.raises(BadInput, match=r"\(512, 512, 3\) uint8"):
        paste_back(np.zeros((9, 9, 3), np.uint8), [WHITE[:100]], [np.eye(2, 3)], [None], 1)
    with pytest.raises(BadInput, match="too long"):
        enlarged(np.broadcast_to(np.zeros(3, np.uint8), (2, 20_000, 3)), 2)
