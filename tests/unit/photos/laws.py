"""What holds for any way of restoring a photo; each law takes the one under test, so that saboteurs use it too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import torch

from gfpbench.photos import PhotoResult, Pipeline, restore_photo
from tests.unit.photos import scenes
from tests.unit.photos.scenes import Place

Restore = Callable[..., PhotoResult]

CROWD = (
    Place((200, 250), 300, 15),
    Place((520, 230), 180, -30, 1),
    Place((20, 600), 200),  # at the left border
    Place((800, 450), 360, 160, 1),  # upside down
    Place((560, 620), 90, 5),
)
"""Two people, five faces, apart from each other."""


def inverted(pixels: torch.Tensor) -> torch.Tensor:
    return 1 - pixels


def check_like_facexlib(restore: Restore = restore_photo, upscale: int = 1) -> None:
    """Crops are upstream's byte for byte; the pasted photo within 2 levels, in under 0.5 % of the values."""
    photo, found = scenes.scene(700, 1000, CROWD)
    painter = scenes.Painter(inverted)
    ours = restore(photo, Pipeline(painter, scenes.Known(found), upscale=upscale))
    bgr = np.ascontiguousarray(photo[..., ::-1])
    helper = scenes.upstream_helper(upscale, bgr, [face.landmarks for face in found])
    helper.align_warp_face()
    crops = [np.rint(crop.permute(1, 2, 0).numpy() * 255) for batch in painter.seen for crop in batch.pixels]
    assert len(crops) == len(helper.cropped_faces)
    for ours_rgb, theirs_bgr in zip(crops, helper.cropped_faces, strict=True):
        assert (ours_rgb == theirs_bgr[..., ::-1]).all(), "the aligned crops differ from upstream's"
        helper.add_restored_face(255 - theirs_bgr)
    helper.get_inverse_affine()
    theirs = helper.paste_faces_to_input_image()[..., ::-1]
    assert ours.restored is not None
    assert ours.restored.shape == theirs.shape
    apart = np.abs(ours.restored.astype(int) - theirs.astype(int))
    assert apart.max() <= 2, f"the pasted photo differs from upstream's by {apart.max()} levels"
    assert (apart > 0).mean() < 0.005, f"the pasted photo differs from upstream's in {(apart > 0).mean():.2%}"


def check_identity(restore: Restore = restore_photo) -> None:
    """Restored to themselves and pasted back, faces are nearly what they were, and the rest exactly.

    Within: sampled twice, linearly, which loses some of the finest grain; on average under 2 levels, 40 dB. Nothing may
    move or change colour.
    """
    photo, found = scenes.scene(700, 1000, CROWD)
    inside = touched(photo, found)
    same = scenes.Painter(lambda pixels: pixels + 2 / 255)  # a restorer may not return its input: two levels brighter
    result = restore(photo, Pipeline(same, scenes.Known(found)))
    assert result.restored is not None
    assert [face.state for face in result.faces] == ["restored"] * len(found)
    apart = result.restored.astype(float) - photo
    assert (apart[~inside] == 0).all(), "the photo changed outside the faces"
    for face in found:
        one = touched(photo, [face])
        changed = float(np.abs(apart[one]).mean(0).max())
        assert changed < 2.5, f"a face restored to itself changed by {changed:.2f} levels"


def touched(photo, found):
    """Where the photo may change: the aligned squares and a tenth around, by geometry and not by what was pasted."""
    area = np.zeros(photo.shape[:2], np.uint8)
    for face in found:
        corners = square_corners(face.landmarks)
        cv2.fillConvexPoly(area, np.rint(corners + 0.1 * (corners - corners.mean(0))).astype(np.int32), 1)
    return area > 0


def square_corners(landmarks):
    """Corners of the crop in the photo, by least squares over complex numbers: place = a x template + b.

    Upstream takes the least median of squares, which weighs the points otherwise: the squares are near, not equal.
    """
    template = np.array(TEMPLATE) @ (1, 1j)
    design = np.column_stack([template, np.ones(5)])
    (turn, shift), *_ = np.linalg.lstsq(design, landmarks @ (1, 1j), rcond=None)
    corners = turn * np.array([0, 511, 511 + 511j, 511j]) + shift
    return np.column_stack([corners.real, corners.imag])


TEMPLATE = (
    (192.98138, 239.94708),
    (318.90277, 240.1936),
    (256.63416, 314.01935),
    (201.26117, 371.41043),
    (313.08905, 371.15118),
)


def template_faces():
    """A photo whose landmarks are the template, turned, scaled and moved by known amounts: the transform is known."""
    photo = scenes.ground(600, 800, seed=3)
    found, known = [], []
    for centre, side, degrees in (((200, 200), 256, 0), ((560, 180), 200, 25), ((400, 420), 240, -40)):
        turn = np.deg2rad(degrees)
        linear = side / 512 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shift = np.array(centre) - linear @ np.array([256.0, 256.0])
        landmarks = np.array(TEMPLATE) @ linear.T + shift
        (left, top), (right, bottom) = landmarks.min(0).tolist(), landmarks.max(0).tolist()
        found.append(scenes.Found((left, top, right, bottom), landmarks, 0.9))
        known.append((linear, shift))
    return photo, found, known


def check_marks_land_where_they_belong(restore: Restore = restore_photo) -> None:
    """A mark drawn at a place of the crop is found where that place is in the photo, within 0.15 px.

    The crop's transform is known in closed form, since the landmarks are the template itself, moved.
    """
    photo, found, known = template_faces()
    photo[:] = 60  # flat, so that what is drawn is all that changes
    marks = np.array([(140.0, 200.0), (360.0, 180.0), (256.0, 380.0)])
    columns, rows = np.meshgrid(np.arange(512.0), np.arange(512.0))
    for mark in marks:
        blob = torch.from_numpy(0.6 * np.exp(-((columns - mark[0]) ** 2 + (rows - mark[1]) ** 2) / (2 * 9**2))).float()
        painter = scenes.Painter(partial(torch.add, blob))
        result = restore(photo, Pipeline(painter, scenes.Known(found)))
        assert result.restored is not None
        added = np.clip(result.restored[..., 1].astype(float) - 60, 0, None)
        added[added < 3] = 0
        for linear, shift in known:
            expected = linear @ mark + shift
            left, top = (int(value) - 25 for value in expected)
            window = added[top : top + 51, left : left + 51]
            assert window.sum() > 1000, f"nothing is drawn around {expected}"
            y, x = np.mgrid[top : top + 51, left : left + 51]
            centre = np.array([(window * x).sum(), (window * y).sum()]) / window.sum()
            away = float(np.linalg.norm(centre - expected))
            assert away < 0.15, f"a mark lies {away:.2f} px from its place"


def check_each_face_goes_back_to_its_own_place(restore: Restore = restore_photo) -> None:
    """Every face is inverted where it was: nobody gets another's face."""
    photo, found = scenes.scene(700, 1000, CROWD)
    for number, face in enumerate(found):  # in different light, so that one person's two images differ
        one = touched(photo, [face])
        photo[one] = (photo[one] * (1 - 0.17 * number)).astype(np.uint8)
    result = restore(photo, Pipeline(scenes.Painter(inverted), scenes.Known(found), batch_size=2))
    assert result.restored is not None
    for number, face in enumerate(found):
        x, y = face.landmarks.mean(0)
        reach = max(4, int(np.linalg.norm(face.landmarks[1] - face.landmarks[0]) / 2))
        window = (slice(max(0, int(y) - reach), int(y) + reach), slice(max(0, int(x) - reach), int(x) + reach))
        apart = np.abs(255.0 - photo[window] - result.restored[window]).mean()
        assert apart < 10, f"face {number} is not the inverse of itself: {apart:.0f} levels off"


def check_edges_are_soft(restore: Restore = restore_photo) -> None:
    """A face that turns red fades into a black photo: no step between neighbouring pixels above 40 levels."""
    photo, found, _ = template_faces()
    photo[:] = 0

    def painted(pixels: torch.Tensor) -> torch.Tensor:
        """Full red, just below saturation; green and blue vary, as an image of one colour is no restoration."""
        red = torch.full_like(pixels[:, :1], 253.4 / 255) - 1e-3 * torch.rand(len(pixels), 1, 1, 1)
        return torch.cat([red, *[torch.linspace(0, 1, pixels.shape[3]).expand_as(red)] * 2], dim=1)

    white = scenes.Painter(painted)
    for face in found:
        result = restore(photo, Pipeline(white, scenes.Known([face])))
        assert result.restored is not None
        values = result.restored[..., 0].astype(int)
        assert values.max() >= 253, "the middle of the face is not the restored face"
        step = max(np.abs(np.diff(values, axis=axis)).max() for axis in (0, 1))
        assert step <= 40, f"a face ends in a step of {step} levels"


def check_mirrored_landmarks_are_refused(restore: Restore = restore_photo) -> None:
    """A face whose left and right are swapped is left out with a reason; its neighbours are restored."""
    photo, found = scenes.scene(700, 1000, CROWD)
    mirrored = [1, 0, 2, 4, 3]
    wrong = scenes.Found(found[1].box, found[1].landmarks[mirrored], 0.9)
    result = restore(photo, Pipeline(scenes.Painter(inverted), scenes.Known([found[0], wrong, found[4]])))
    assert [face.state for face in result.faces] == ["restored", "left out", "restored"]
    assert "swapped" in (result.faces[1].reason or "")
    x, y = found[1].landmarks[2].astype(int)
    assert result.restored is not None
    assert (result.restored[y - 20 : y + 20, x - 20 : x + 20] == photo[y - 20 : y + 20, x - 20 : x + 20]).all()
