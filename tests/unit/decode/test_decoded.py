"""What the reader returns beside the pixels: the file's depth, alpha, profile and EXIF, and what was done to it."""

from __future__ import annotations

import hashlib
import io

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from gfpbench.decode import FACE_LIMITS, Limits, decode, decode_rgb
from gfpbench.types import UnreadableFace

RANDOM = np.random.default_rng(11)
RGB = RANDOM.integers(0, 256, (40, 50, 3), dtype=np.uint8)
ALPHA = RANDOM.integers(0, 256, (40, 50), dtype=np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encoded(values: np.ndarray, form: str, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, form, **options)
    return stream.getvalue()


def test_a_plain_image_has_nothing_done_to_it() -> None:
    data = encoded(RGB, "PNG")
    got = decode(data, "x")
    assert np.array_equal(got.rgb, RGB)
    assert np.array_equal(got.samples, RGB)
    assert (got.format, got.bits, got.treatment, got.frames, got.orientation) == ("PNG", 8, (), 1, 1)
    assert (got.alpha, got.icc_profile, got.exif) == (None, None, None)
    assert got.record() == {
        "format": "PNG",
        "bits": 8,
        "sha256": hashlib.sha256(data).hexdigest(),
        "treatment": [],
    }


def test_alpha_is_kept_beside_what_was_composited() -> None:
    got = decode(encoded(np.dstack([RGB, ALPHA]), "PNG"), "x")
    assert got.alpha is not None
    assert np.array_equal(got.alpha, ALPHA)
    assert np.array_equal(got.samples[..., :3], RGB), "the colours under the alpha are still there"
    assert got.treatment == ("alpha composited on white",)
    opaque = decode(encoded(np.dstack([RGB, np.full_like(ALPHA, 255)]), "PNG"), "x")
    assert opaque.treatment == (), "an opaque alpha changes nothing"


def test_16_bits_are_kept_beside_the_8() -> None:
    deep = RANDOM.integers(0, 65536, (40, 50, 3), dtype=np.uint16)
    stream = io.BytesIO()
    tifffile.imwrite(stream, deep, photometric="rgb", extratags=[(34675, "B", len(PROFILE), PROFILE, True)])
    tiff = decode(stream.getvalue(), "x")
    png = decode(cv2.imencode(".png", deep[..., ::-1])[1].tobytes(), "x")
    for got, form in ((png, "PNG"), (tiff, "TIFF")):
        assert np.array_equal(got.samples, deep)
        assert (got.format, got.bits) == (form, 16)
        assert "16 bits rounded to 8" in got.treatment
    assert tiff.icc_profile == PROFILE


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_profile_exif_and_orientation_come_along(form: str) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    got = decode(encoded(RGB, form, exif=exif, icc_profile=PROFILE), "x")
    assert got.icc_profile == PROFILE
    assert got.orientation == 6
    assert got.rgb.shape == got.samples.shape == (50, 40, 3), "upright"
    assert "turned upright" in got.treatment
    if form != "TIFF":  # a TIFF is EXIF itself: its tags are the file's own
        assert got.exif is not None
        again = Image.Exif()
        again.load(got.exif)
        assert again[0x010F] == "a maker"


def test_cmyk_and_a_second_view_are_named() -> None:
    cmyk = io.BytesIO()
    Image.fromarray(RGB).convert("CMYK").save(cmyk, "JPEG")
    assert decode(cmyk.getvalue(), "x").treatment == ("CMYK converted by the plain formula",)
    views = io.BytesIO()
    Image.fromarray(RGB).save(views, "MPO", save_all=True, append_images=[Image.fromarray(255 - RGB)])
    got = decode(views.getvalue(), "x")
    assert (got.frames, got.treatment) == (2, ("the first of 2 images",))


def test_other_limits_let_other_sizes_in() -> None:
    small, large = encoded(RGB[:8, :8], "PNG"), encoded(np.zeros((5_001, 5_000), np.uint8), "PNG")
    for data in (small, large):
        with pytest.raises(UnreadableFace, match=r"minimum side|above the limit of 25000000"):
            decode_rgb(data, "x", FACE_LIMITS)
    assert decode_rgb(small, "x", Limits(minimum_side_px=1)).shape == (8, 8, 3)
    assert decode_rgb(large, "x", Limits(maximum_pixels=100_000_000)).shape == (5_001, 5_000, 3)
    with pytest.raises(UnreadableFace, match="above the limit of 300 pixels"):
        decode_rgb(encoded(RGB, "PNG"), "x", Limits(maximum_pixels=300))
