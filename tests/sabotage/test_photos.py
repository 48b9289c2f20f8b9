"""Small honest bugs in the handling of whole photos, each of which a law has to notice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gfpbench.photos import align, batch, output, paste, photo
from gfpbench.photos.canvas import Canvas
from gfpbench.types import BadInput
from tests.unit.photos import laws
from tests.unit.photos import test_batch as many
from tests.unit.photos import test_face_selection as choices
from tests.unit.photos import test_output as carried
from tests.unit.photos import test_photo as one

Patch = pytest.MonkeyPatch
# Kept before anything is patched: saboteurs wrap them.
similarity, crop_face, placed, paste_back = align.similarity, align.crop_face, paste.placed, paste.paste_back


def unchecked(landmarks):
    """The transform without looking whether left and right are swapped."""
    return np.asarray(cv2.estimateAffinePartial2D(landmarks, align.TEMPLATE, method=cv2.LMEDS)[0])


def shifted_by(pixels: float) -> Callable[..., Any]:
    def wrong(matrix, upscale):
        back = placed(matrix, upscale)
        back[:, 2] += pixels
        return back

    return wrong


def mirrored_points_are_taken(patch: Patch) -> None:
    patch.setattr(photo, "similarity", unchecked)


def not_feathered(patch: Patch) -> None:
    patch.setattr(paste, "feathered", lambda inside: inside)


def feather_of_three_pixels(patch: Patch) -> None:
    patch.setattr(paste, "feathered", lambda inside: cv2.GaussianBlur(cv2.erode(inside, np.ones((3, 3))), (3, 3), 0))


def half_a_pixel_off(patch: Patch) -> None:
    patch.setattr(paste, "placed", shifted_by(0.5))


def faces_swapped(patch: Patch) -> None:
    def wrong(canvas, faces, matrices, masks, upscale):
        return paste_back(canvas, faces[::-1], matrices, masks, upscale)

    patch.setattr(photo, "paste_back", wrong)


def bgr_to_the_restorer(patch: Patch) -> None:
    patch.setattr(photo, "crop_face", lambda rgb, matrix: np.ascontiguousarray(crop_face(rgb, matrix)[..., ::-1]))


def bgr_pasted(patch: Patch) -> None:
    def wrong(canvas, faces, matrices, masks, upscale):
        return paste_back(canvas, [np.ascontiguousarray(face[..., ::-1]) for face in faces], matrices, masks, upscale)

    patch.setattr(photo, "paste_back", wrong)


def template_of_1024(patch: Patch) -> None:
    patch.setattr(align, "TEMPLATE", align.TEMPLATE * 2)


def template_of_another_family(patch: Patch) -> None:
    # ArcFace's five points at 112 px, stretched to 512.
    arcface = np.array(
        [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
    )
    patch.setattr(align, "TEMPLATE", arcface * 512 / 112)


def grey_of_bgr(patch: Patch) -> None:
    patch.setattr(align, "BEYOND_RGB", align.BEYOND_RGB[::-1])


def border_replicated(patch: Patch) -> None:
    def wrong(rgb, matrix):
        return cv2.warpAffine(rgb, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)

    patch.setattr(photo, "crop_face", wrong)


def nearest_neighbour(patch: Patch) -> None:
    def wrong(rgb, matrix):
        return cv2.warpAffine(rgb, matrix, (512, 512), flags=cv2.INTER_NEAREST, borderValue=align.BEYOND_RGB)

    patch.setattr(photo, "crop_face", wrong)


def only_the_surest_face(patch: Patch) -> None:
    patch.setattr(photo, "detected", lambda detector, rgb, name: list(detector(rgb))[:1])


def pasted_beside_the_photo_twice_as_large(patch: Patch) -> None:
    patch.setattr(paste, "placed", lambda matrix, upscale: placed(matrix, 2 * upscale))


def whole_frame_blended(patch: Patch) -> None:
    def wrong(canvas, faces, matrices, masks, upscale):
        out = paste_back(canvas, faces, matrices, masks, upscale)
        return cv2.GaussianBlur(out, (3, 3), 0)

    patch.setattr(photo, "paste_back", wrong)


CASES = [
    (mirrored_points_are_taken, "check_mirrored_landmarks_are_refused"),
    (not_feathered, "check_edges_are_soft"),
    (feather_of_three_pixels, "check_edges_are_soft"),
    (half_a_pixel_off, "check_marks_land_where_they_belong"),
    (half_a_pixel_off, "check_like_facexlib"),
    (faces_swapped, "check_each_face_goes_back_to_its_own_place"),
    (faces_swapped, "check_identity"),
    (bgr_to_the_restorer, "check_identity"),
    (bgr_pasted, "check_identity"),
    (template_of_1024, "check_marks_land_where_they_belong"),
    (template_of_another_family, "check_marks_land_where_they_belong"),
    (grey_of_bgr, "check_like_facexlib"),
    (border_replicated, "check_like_facexlib"),
    (nearest_neighbour, "check_like_facexlib"),
    (only_the_surest_face, "check_each_face_goes_back_to_its_own_place"),
    (pasted_beside_the_photo_twice_as_large, "check_marks_land_where_they_belong"),
    (whole_frame_blended, "check_identity"),
]


@pytest.mark.parametrize(("sabotage", "law"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_is_caught(sabotage: Callable[[Patch], None], law: str, monkeypatch: Patch) -> None:
    if law == "check_like_facexlib":
        pytest.importorskip("facexlib", reason="the oracle is facexlib: pip install 'gfpbench[upstream]'")
    sabotage(monkeypatch)
    with pytest.raises((AssertionError, BadInput)):
        getattr(laws, law)()


def test_the_laws_hold_without_sabotage() -> None:
    for law in {law for _, law in CASES} - {"check_like_facexlib"}:
        getattr(laws, law)()


def test_a_detector_that_swaps_left_and_right_is_caught() -> None:
    """dlib's 68 landmarks read with the person's left for the viewer's."""
    from gfpbench.photos.dlib_hog import five_of_68

    upright = np.zeros((68, 2))
    upright[36:42], upright[42:48], upright[30], upright[48], upright[54] = (
        (40, 40),
        (80, 40),
        (60, 60),
        (45, 80),
        (75, 80),
    )
    assert align.scale_of(align.similarity(five_of_68(upright))) > 0
    with pytest.raises(BadInput, match="swapped"):
        align.similarity(five_of_68(upright)[[1, 0, 2, 4, 3]])


# Many photos, and what their files carry


def reused_by_name(patch: Patch) -> None:
    patch.setattr(batch._Batch, "_still_holds", lambda self, source, _: (self.out / source.output).exists())


def reused_whatever_the_photo(patch: Patch) -> None:
    holds = batch._Batch._still_holds
    patch.setattr(batch._Batch, "_still_holds", lambda self, source, earlier: holds(self, source, like(self, source)))

    def like(self, source):
        return {**self.record.find(source.name), "input_sha256": batch._sha256_of(source.path)}


def reused_whatever_the_restored_photo(patch: Patch) -> None:
    holds = batch._Batch._still_holds

    def wrong(self, source, earlier):
        return holds(self, source, {**earlier, "output_sha256": batch._sha256_of(self.out / source.output)})

    patch.setattr(batch._Batch, "_still_holds", wrong)


def reused_whatever_the_pipeline(patch: Patch) -> None:
    patch.setattr(batch, "_made_by", lambda pipeline, surroundings: "something")


def stale_photos_stay(patch: Patch) -> None:
    patch.setattr(batch._Batch, "_without_stale", lambda self, source, entry, earlier: entry)


def somebody_elses_files_are_removed(patch: Patch) -> None:
    def wrong(self, source, entry, earlier):
        (self.out / source.output).unlink(missing_ok=True)
        return entry

    patch.setattr(batch._Batch, "_without_stale", wrong)


def only_our_own_errors_are_survived(patch: Patch) -> None:
    new = batch._Batch._new

    def wrong(self, source):
        entry = new(self, source)
        if not entry["ok"] and "Error: " in entry["line"]:
            raise RuntimeError(entry["line"])
        return entry

    patch.setattr(batch._Batch, "_new", wrong)


def eight_bits_on_white(patch: Patch) -> None:
    patch.setattr(batch, "canvas_of", lambda decoded: Canvas(decoded.rgb))


def mixed_with_white_twice(patch: Patch) -> None:
    patch.setattr(Canvas, "below_white", lambda self, face, matrix: face)


def profile_forgotten(patch: Patch) -> None:
    chunks = output._chunks
    patch.setattr(output, "_chunks", lambda profile, exif: chunks(None, exif))


def any_profile_attached(patch: Patch) -> None:
    chunks = output._chunks
    patch.setattr(output, "_chunks", lambda profile, exif: chunks(profile or carried.PROFILE, exif))


def turned_twice(patch: Patch) -> None:
    patch.setattr(output, "upright_exif", lambda exif, size: exif and exif.removeprefix(b"Exif\0\0"))


def the_surest_is_the_largest(patch: Patch) -> None:
    patch.setattr(photo, "chosen", lambda face, candidates, size: frozenset(list(candidates)[:1]))


def an_empty_face_is_a_face(patch: Patch) -> None:
    patch.setattr(sys.modules["gfpbench.restorers.checked"], "why_degenerate", lambda images, _: [None] * len(images))


@pytest.mark.parametrize(
    ("sabotage", "check"),
    [
        (reused_by_name, lambda folder, path: changed(many.changed_photo, ["a#0"], folder, path)),
        (reused_whatever_the_photo, lambda folder, path: changed(many.changed_photo, ["a#0"], folder, path)),
        (reused_whatever_the_restored_photo, lambda folder, path: changed(many.changed_output, ["a#0"], folder, path)),
        (reused_whatever_the_pipeline, lambda folder, path: changed(many.changed_restorer, many.BOTH, folder, path)),
        (reused_whatever_the_pipeline, lambda folder, path: changed(many.changed_upscale, many.BOTH, folder, path)),
        (stale_photos_stay, lambda *given: many.test_the_restored_photo_of_a_photo_that_fails_now_is_removed(*given)),
        (somebody_elses_files_are_removed, lambda *given: many.test_a_file_from_elsewhere_is_named_and_left(*given)),
        (only_our_own_errors_are_survived, lambda *given: many.test_a_detector_that_says_nan_costs_one_photo(*given)),
        (eight_bits_on_white, lambda _, path: carried.test_sixteen_bits_stay_sixteen(path, "png")),
        (eight_bits_on_white, lambda _, path: alpha_is_kept(path)),
        (mixed_with_white_twice, lambda _, path: alpha_is_kept(path)),
        (profile_forgotten, lambda _, path: carried.test_the_colour_profile_is_kept(path, "jpg")),
        (any_profile_attached, lambda _, path: carried.test_no_profile_is_invented(path)),
        (turned_twice, lambda _, path: carried.test_a_turned_photo_is_turned_once(path, 6)),
        (an_empty_face_is_a_face, lambda *_: one.test_an_image_without_a_face_in_it_is_no_restored_face("black", 1)),
        (the_surest_is_the_largest, lambda *_: choices.test_only_the_chosen_face_changes("largest", 1)),
    ],
    ids=lambda value: getattr(value, "__name__", value).strip("<>"),
)
def test_is_caught_among_many(
    sabotage: Callable[[Patch], None], check: Callable[[Path, Path], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    for run in ("sound", "broken"):
        root = tmp_path / run
        folder = many.photos_below(root / "in")
        if run == "sound":
            check(folder, root)
            continue
        sabotage(monkeypatch)
        with pytest.raises((AssertionError, KeyError, RuntimeError)):
            check(folder, root)


def changed(change: Callable[..., object], again: list[str], folder: Path, path: Path) -> None:
    many.test_what_came_from_something_else_is_restored_again(change, again, folder, path)


def alpha_is_kept(path: Path) -> None:
    carried.test_alpha_is_kept_and_the_face_shows_through_it_as_restored(path, np.uint8)
