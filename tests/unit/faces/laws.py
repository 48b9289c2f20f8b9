"""Laws of aligned faces, as functions of the thing under test: the real tests and the saboteurs use the same ones."""

from __future__ import annotations

import cmath
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gfpbench.faces.align import crop, ffhq_square
from gfpbench.images import pixels_sha256

CropOf = Callable[[NDArray[np.uint8], Sequence[Sequence[float]], int], NDArray[np.uint8]]

# Means of each channel of the aligned embedded faces at 128 px, from scikit-image (see skimage_crop).
GOLDEN_MEANS = {"astronaut": (158.88, 140.25, 120.54), "grace_hopper": (129.24, 101.25, 101.42)}
GOLDEN_SHA256 = {
    "astronaut": "1d5606bc50aaf1cb9d0a364d84e8a41fd400e75a926203518cad93376c24208a",
    "grace_hopper": "f861a71328b32cfe894378bd9f0b8490d2407319a8cff9c3bd38023727d393f4",
}


def landmarks_of(eye_left: complex, eye_right: complex, mouth_left: complex, mouth_right: complex) -> list[list[float]]:
    """68 points of which only those that matter are set, as x + iy."""
    points = [0j] * 36 + [eye_left] * 6 + [eye_right] * 6 + [mouth_left] * 6 + [mouth_right] + [0j] * 13
    return [[point.real, point.imag] for point in points]


def expected_place(point: complex, landmarks: Sequence[Sequence[float]], size_px: int) -> complex:
    """Where FFHQ's recipe puts a point, worked out in the complex plane instead of with vectors."""
    z = [complex(*pair) for pair in landmarks]
    eye_left, eye_right = sum(z[36:42]) / 6, sum(z[42:48]) / 6
    eyes, mouth = (eye_left + eye_right) / 2, (z[48] + z[54]) / 2
    along, down = eye_right - eye_left, mouth - eyes
    half = max(2 * abs(along), 1.8 * abs(down))
    axis = along - 1j * down  # the eye line, and the eye-to-mouth line turned back a quarter, averaged
    unit = (point - (eyes + down / 10)) / (half * cmath.exp(1j * cmath.phase(axis)))
    return (unit + 1 + 1j) / 2 * size_px - (0.5 + 0.5j)


def centroid(image: NDArray[np.uint8], channel: int) -> complex:
    weight = image[..., channel].astype(float)
    y, x = np.indices(weight.shape)
    return complex((x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum())


def dotted(size: tuple[int, int], dots: Sequence[complex]) -> NDArray[np.uint8]:
    """A black image with a soft dot in red, green and blue at three places."""
    y, x = np.indices(size)
    planes = [200 * np.exp(-((x - dot.real) ** 2 + (y - dot.imag) ** 2) / (2 * 4.0**2)) for dot in dots]
    return np.rint(np.stack(planes, axis=-1)).astype(np.uint8)


def check_places(crop_of: CropOf) -> None:
    """Eyes and mouth lie where the closed form says, within a tenth of a pixel; the eyes of a level face lie level."""
    for angle in (0, 25, -70, 180, 140):
        turn = cmath.exp(1j * np.deg2rad(angle))
        for scale in (1.0, 2.2):
            place = [complex(200, 190) + turn * scale * (part - (80 + 60j)) for part in (60 + 50j, 101 + 50j, 81 + 88j)]
            left, right, mouth = place
            landmarks = landmarks_of(left, right, mouth - 9 * scale * turn, mouth + 9 * scale * turn)
            cropped = crop_of(dotted((380, 420), place), landmarks, 128)
            for channel, point in enumerate(place):
                away = abs(centroid(cropped, channel) - expected_place(point, landmarks, 128))
                assert away < 0.1, f"turned {angle} degrees, part {channel} lies {away:.3f} px from where it should"


def check_turned(crop_of: CropOf, image: NDArray[np.uint8], landmarks: Sequence[Sequence[float]]) -> None:
    """An image on its side or upside down gives the same crop: every pixel within one grey level."""
    points = np.asarray(landmarks, dtype=float)
    straight = crop_of(image, points.tolist(), 64).astype(int)
    for quarters in (1, 2, 3):
        image = np.ascontiguousarray(np.rot90(image))
        points = np.stack([points[:, 1], image.shape[0] - 1 - points[:, 0]], axis=1)
        turned = crop_of(image, points.tolist(), 64).astype(int)
        worst = np.abs(turned - straight).max()
        assert worst <= 1, f"turned by {quarters} quarters, the crop differs by up to {worst} grey levels"


def skimage_crop(image: NDArray[np.uint8], landmarks: Sequence[Sequence[float]], size_px: int) -> NDArray[np.uint8]:
    """The crop as scikit-image warps it: the same cubic kernel, 8 x 8 samples for each pixel of the crop."""
    from skimage.transform import warp

    over = 8
    origin, unit = expected_place(0j, landmarks, size_px), expected_place(1 + 0j, landmarks, size_px)
    back = 1 / (unit - origin) / over  # one step of the fine grid, in the image
    start = (0.5 / over - 0.5 - 0.5j + 0.5j / over - origin) / (unit - origin)
    matrix = np.array([[back.real, -back.imag, start.real], [back.imag, back.real, start.imag], [0, 0, 1]])
    side = (size_px * over, size_px * over)
    fine = warp(
        image.astype(float), matrix, output_shape=side, order=3, mode="reflect", clip=False, preserve_range=True
    )
    mean = fine.reshape(size_px, over, size_px, over, 3).mean(axis=(1, 3))
    return np.rint(np.clip(mean, 0, 255)).astype(np.uint8)


def check_like_skimage(crop_of: CropOf, image: NDArray[np.uint8], landmarks: Sequence[Sequence[float]]) -> None:
    """The crop is what scikit-image makes of the same square: mean difference under a fifth of a grey level."""
    for size_px in (64, 160):
        difference = crop_of(image, landmarks, size_px).astype(float) - skimage_crop(image, landmarks, size_px)
        mean = float(np.abs(difference).mean())
        assert mean < 0.2, f"at {size_px} px the crop is {mean:.2f} grey levels from scikit-image's"


def check_embedded(faces: Any) -> None:
    """The embedded faces at 128 px are the ones that baselines were made with."""
    assert faces.ids() == tuple(sorted(GOLDEN_MEANS))
    source = {face["id"]: face for face in faces.source()["faces"]}
    for face_id, means in GOLDEN_MEANS.items():
        face = faces.load(face_id)
        assert tuple(face.pixels.shape) == (3, 128, 128)
        got = [float(value) * 255 for value in face.pixels.mean(dim=(1, 2))]
        assert max(abs(a - b) for a, b in zip(got, means, strict=True)) < 0.3, f"{face_id}: channel means {got}"
        if source[face_id]["decoded_as_recorded"]:  # a JPEG decoder that rounds otherwise cannot give the same bytes
            assert face.sha256 == GOLDEN_SHA256[face_id], f"{face_id}: other pixels than the recorded ones"
        assert source[face_id]["decoded_as_recorded"] or face_id != "astronaut", "a PNG has one decoding only"


def check_crops_are_of_what_is_given(aligned: Callable[[Any, Any, int], Any], entry: Any, image: Any) -> None:
    """Other pixels, another size or other landmarks are another crop, in whatever order they are asked for."""
    shifted = replace(entry, landmarks=tuple((x + 9, y) for x, y in entry.landmarks))
    for one, rgb, size_px in [
        (entry, image, 40),
        (entry, 255 - image, 40),
        (entry, image, 48),
        (shifted, image, 40),
    ] * 2:
        expected = crop(rgb, ffhq_square(one.landmarks), size_px)
        assert aligned(one, rgb, size_px).sha256 == pixels_sha256(expected)


def check_apart(make: Callable[[], Any]) -> None:
    """What is done to the face of one set is not seen in another set made later."""
    first = make()
    face = first.load(first.ids()[0])
    before = face.pixels.clone()
    face.pixels.zero_()
    assert torch.equal(make().load(face.id).pixels, before)


def check_order(ids: Sequence[str]) -> None:
    """Names are in code-point order, each once."""
    assert list(ids) == sorted(set(ids))
