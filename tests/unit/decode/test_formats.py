"""Every format that is read gives back what was put into it; every other is named for what it is."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from gfpbench.decode import SUFFIXES, decode
from gfpbench.decode.formats import FORMATS, NOT_READ, readable, why_left_out

RANDOM = np.random.default_rng(5)
RGB = RANDOM.integers(0, 256, (40, 50, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (40, 50, 3), dtype=np.uint16)
EXACT: dict[str, dict[str, Any]] = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "BMP": {},
    "DIB": {},
    "TIFF": {},
    "GIF": {},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "JPEG2000": {},
    "PPM": {},
    "QOI": {},
    "SGI": {},
    "PCX": {},
    "TGA": {},
}


def encoded(image: Image.Image | np.ndarray, form: str, **options) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(stream, form, **options)
    return stream.getvalue()


def rounded(values: np.ndarray) -> np.ndarray:
    return ((values.astype(np.int64) + 128) // 257).astype(np.uint8)


def test_the_installed_pillow_reads_all_of_them() -> None:
    assert {*readable(), "TGA"} == set(FORMATS) == {*EXACT, "JPEG"}


@pytest.mark.parametrize("form", EXACT)
def test_what_was_written_is_read(form: str) -> None:
    image = Image.fromarray(RGB)
    image = image.quantize(64, dither=Image.Dither.NONE) if form == "GIF" else image
    expected = np.asarray(image.convert("RGB")).astype(int)
    got = decode(encoded(image, form, **EXACT[form]), "x")
    # AVIF stores another colour space: some levels are lost even at full quality.
    assert np.abs(got.rgb - expected).max() <= (4 if form == "AVIF" else 0)
    assert (got.format, got.bits, got.treatment) == (form, 8, ())


@pytest.mark.parametrize("form", ["GIF", "AVIF", "JPEG2000", "SGI", "TGA"])
def test_transparency_shows_white_in_the_newer_formats_too(form: str) -> None:
    rgb, alpha = np.full((40, 50, 3), 90, np.uint8), np.zeros((40, 50), np.uint8)
    alpha[:, :25] = 255
    got = decode(encoded(np.dstack([rgb, alpha]), form), "x")
    assert np.abs(got.rgb[:, :20].astype(int) - 90).max() <= 2
    assert (got.rgb[:, 30:] == 255).all()
    assert got.treatment == ("alpha composited on white",)


def test_16_bit_jpeg_2000_is_rounded_where_pillow_overflows() -> None:
    for values in (DEEP, DEEP[..., 0]):
        data = cv2.imencode(
            ".jp2", values[..., ::-1] if values.ndim == 3 else values, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
        )[1].tobytes()
        got = decode(data, "x")
        expected = rounded(values if values.ndim == 3 else np.dstack([values] * 3))
        assert np.array_equal(got.rgb, expected)
        assert (got.bits, got.treatment) == (16, ("16 bits rounded to 8",))
        assert np.array_equal(got.samples.squeeze(), values)


def test_16_bit_ppm_is_rounded_and_text_and_floats_are_read() -> None:
    head = b"\n50 40\n65535\n"
    assert np.array_equal(decode(b"P6" + head + DEEP.astype(">u2").tobytes(), "x").rgb, rounded(DEEP))
    grey = decode(b"P5" + head + DEEP[..., 0].astype(">u2").tobytes(), "x")
    assert np.array_equal(grey.rgb[..., 1], rounded(DEEP[..., 0]))
    assert (grey.bits, grey.treatment) == (16, ("16 bits rounded to 8",))
    text = b"P3\n50 40\n255\n" + b" ".join(str(value).encode() for value in RGB.ravel())
    assert np.array_equal(decode(text, "x").rgb, RGB)
    floats = decode(b"Pf\n50 40\n-1.0\n" + (RGB[::-1, :, 0] / 255).astype("<f4").tobytes(), "x")
    assert np.array_equal(floats.rgb[..., 0], RGB[..., 0])
    assert floats.treatment == ("32-bit floating point rounded to 8",)


def test_avif_of_10_bits_says_so() -> None:
    bgr = DEEP[..., ::-1] >> 6
    done, data = cv2.imencode(".avif", bgr, [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100])
    assert done
    got = decode(data.tobytes(), "x")
    assert (got.format, got.bits, got.treatment) == ("AVIF", 10, ("10 bits rounded to 8",))


def test_content_counts_not_the_suffix_for_every_format() -> None:
    for form in EXACT:
        assert decode(encoded(RGB, form), "x.jpg").format == form


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.HEIC", "HEIC, which Pillow reads with a plugin only"),
        ("a.NEF", "raw file"),
        ("a.eps", "another program"),
        ("a.psd", "layers"),
        ("a.mp4", "video"),
        ("a.exr", "high dynamic range"),
        ("a.ico", "another image format"),
        ("a.txt", "not an image by its suffix"),
        ("a.png.bak", "not an image by its suffix"),
        ("README", "no suffix"),
        ("png", "no suffix"),
        ("a.", "no suffix"),
        (".png", "hidden"),
        ("._a.jpg", "hidden"),
    ],
)
def test_every_file_that_is_not_taken_has_its_reason(name: str, reason: str) -> None:
    assert reason in str(why_left_out(name))


def test_suffixes_in_any_case_are_taken_and_none_is_both_taken_and_not() -> None:
    for suffix in SUFFIXES:
        assert why_left_out(f"a.b{suffix}") is None
        assert why_left_out(f"A{suffix.upper()}") is None
    assert not SUFFIXES & set(NOT_READ)
    assert {".gif", ".avif", ".jp2", ".ppm", ".jfif", ".jpe"} <= SUFFIXES
