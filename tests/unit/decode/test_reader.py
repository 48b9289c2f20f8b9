"""Every kind of image file, against what was put into it or against Pillow's own reading."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from gfpbench.decode import decode_rgb, read_rgb
from gfpbench.types import UnreadableFace

RANDOM = np.random.default_rng(7)
RGB = RANDOM.integers(0, 256, (40, 50, 3), dtype=np.uint8)
GREY = RGB[..., 0]
DEEP = RANDOM.integers(0, 65536, (40, 50, 3), dtype=np.uint16)
SMOOTH = np.stack([np.add.outer(np.arange(40) * a, np.arange(50) * b) % 256 for a, b in ((3, 1), (1, 2), (2, 2))], -1)
SMOOTH = cv2.GaussianBlur(SMOOTH.astype(np.uint8), (0, 0), 4)


@pytest.fixture(autouse=True)
def _silent(capfd: pytest.CaptureFixture[str]):
    """No library may print, whatever it is given."""
    yield
    assert capfd.readouterr() == ("", "")


def encoded(image: Image.Image | np.ndarray, form: str, **options) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(stream, form, **options)
    return stream.getvalue()


def deep_png(values: np.ndarray) -> bytes:
    done, data = cv2.imencode(
        ".png", values[..., [2, 1, 0, *range(3, values.shape[2])]] if values.ndim == 3 else values
    )
    assert done
    return data.tobytes()


def tif(values: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


def rounded(values: np.ndarray) -> np.ndarray:
    """16 to 8 bits in whole numbers: the nearest of v / 257."""
    return ((values.astype(np.int64) + 128) // 257).astype(np.uint8)


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """What Pillow shows of a transparent image on white."""
    image = Image.fromarray(np.dstack([colour, alpha]))
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image.convert("RGBA")).convert("RGB"))


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("PNG", {"compress_level": 0}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "packbits"}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_lossless_formats_give_back_what_was_written(form, options) -> None:
    assert np.array_equal(decode_rgb(encoded(RGB, form, **options), "x"), RGB)


@pytest.mark.parametrize(("form", "bound"), [("JPEG", 3), ("WEBP", 6)])
def test_lossy_formats_come_close(form, bound) -> None:
    got = decode_rgb(encoded(SMOOTH, form, quality=95), "x")
    assert got.shape == SMOOTH.shape
    assert np.abs(got.astype(int) - SMOOTH).mean() < bound


def test_jpeg_is_what_opencv_reads() -> None:
    data = encoded(SMOOTH, "JPEG", quality=80)
    theirs: Any = cv2.imdecode(np.frombuffer(data, np.uint8), 1)
    assert np.abs(decode_rgb(data, "x").astype(int) - theirs[..., ::-1]).max() <= 2


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "JPEG", "WEBP"])
def test_grey_is_repeated(form) -> None:
    got = decode_rgb(encoded(GREY, form, **({"lossless": True} if form == "WEBP" else {})), "x")
    assert np.array_equal(got[..., 0], got[..., 1])
    assert np.array_equal(got[..., 0], got[..., 2])
    if form != "JPEG":
        assert np.array_equal(got[..., 0], GREY)


def test_black_and_white_palette_and_cmyk() -> None:
    bits = Image.fromarray(GREY).convert("1")
    assert np.array_equal(decode_rgb(encoded(bits, "PNG"), "x")[..., 0], np.asarray(bits) * np.uint8(255))
    palette = Image.fromarray(RGB).quantize(16)
    for form in ("PNG", "BMP", "TIFF"):
        assert np.array_equal(decode_rgb(encoded(palette, form), "x"), np.asarray(palette.convert("RGB")))
    cmyk = Image.fromarray(SMOOTH).convert("CMYK")
    assert np.abs(decode_rgb(encoded(cmyk, "JPEG", quality=98), "x").astype(int) - SMOOTH).mean() < 3


def test_transparency_shows_white() -> None:
    alpha = RANDOM.integers(0, 256, GREY.shape, dtype=np.uint8)
    for form, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})):
        got = decode_rgb(encoded(np.dstack([RGB, alpha]), form, **options), "x")
        assert np.abs(got.astype(int) - over_white(RGB, alpha)).max() <= 1
    got = decode_rgb(encoded(np.dstack([GREY, alpha]), "PNG"), "x")
    assert np.abs(got.astype(int) - over_white(np.dstack([GREY] * 3), alpha)).max() <= 1
    got = decode_rgb(encoded(np.dstack([RGB, np.full_like(GREY, 255)]), "PNG"), "x")
    assert np.array_equal(got, RGB), "an opaque alpha changes nothing"


def test_a_transparent_colour_shows_white() -> None:
    image = RGB.copy()
    image[:5] = (1, 2, 3)
    got = decode_rgb(encoded(image, "PNG", transparency=(1, 2, 3)), "x")
    assert (got[:5] == 255).all()
    assert np.array_equal(got[5:], image[5:])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_png_is_rounded(channels) -> None:
    alpha = np.full((40, 50, 1), 65535, np.uint16)
    values = {1: DEEP[..., 0], 3: DEEP, 4: np.dstack([DEEP, alpha])}[channels]
    got = decode_rgb(deep_png(values), "x")
    expected = rounded(DEEP if channels > 1 else np.dstack([DEEP[..., 0]] * 3))
    assert np.array_equal(got, expected)


def test_a_colour_profile_that_libpng_dislikes_stays_silent() -> None:
    import struct
    import zlib

    data = deep_png(DEEP)
    body = b"iCCP" + b"bad\0\0" + zlib.compress(b"no profile at all" * 20)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    assert np.array_equal(decode_rgb(data[:33] + chunk + data[33:], "x"), rounded(DEEP))


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_16_bit_tiff_is_rounded(compression, planes) -> None:
    values = np.moveaxis(DEEP, -1, 0) if planes == "separate" else DEEP
    data = tif(values, photometric="rgb", planarconfig=planes, compression=compression)
    assert np.array_equal(decode_rgb(data, "x"), rounded(DEEP))


def test_16_bit_lzw_tiff_is_rounded() -> None:
    lzw = cv2.imencode(".tif", DEEP[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tobytes()
    with tifffile.TiffFile(io.BytesIO(lzw)) as file:
        assert file.pages[0].aspage().compression == tifffile.COMPRESSION.LZW  # tifffile cannot read it on its own
    assert np.array_equal(decode_rgb(lzw, "x"), rounded(DEEP))


def test_16_bit_tiff_grey_inverted_alpha_and_big_endian() -> None:
    grey = DEEP[..., 0]
    as_rgb = np.dstack([rounded(grey)] * 3)
    assert np.array_equal(decode_rgb(tif(grey), "x"), as_rgb)
    assert np.array_equal(decode_rgb(tif(grey, byteorder=">"), "x"), as_rgb)
    assert np.array_equal(decode_rgb(tif(DEEP, photometric="rgb", byteorder=">"), "x"), rounded(DEEP))
    assert np.array_equal(decode_rgb(tif(65535 - grey, photometric="miniswhite"), "x"), as_rgb)
    alpha = RANDOM.integers(1, 65536, (40, 50, 1), dtype=np.uint16)
    got = decode_rgb(tif(np.dstack([DEEP, alpha]), photometric="rgb", extrasamples=["unassalpha"]), "x")
    assert np.abs(got.astype(int) - over_white(rounded(DEEP), rounded(alpha))).max() <= 2
    times = (DEEP.astype(np.float64) * alpha / 65535).round().astype(np.uint16)
    premultiplied = decode_rgb(tif(np.dstack([times, alpha]), photometric="rgb", extrasamples=["assocalpha"]), "x")
    assert np.abs(premultiplied.astype(int) - got).max() <= 1


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_float_tiff_in_0_1(kind) -> None:
    values = (RGB / 255).astype(kind)
    assert np.array_equal(decode_rgb(tif(values, photometric="rgb"), "x"), RGB)
    assert np.array_equal(decode_rgb(tif(values[..., 0]), "x"), np.dstack([GREY] * 3))


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 65535), min_size=1, max_size=1000))
def test_16_to_8_bits_is_the_nearest_value(values) -> None:
    grey = np.resize(np.array(values, np.uint16), (32, 32))
    got = decode_rgb(deep_png(grey), "x")[..., 0]
    assert np.abs(got.astype(float) * 257 - grey).max() <= 128.5
    assert np.array_equal(decode_rgb(deep_png(got.astype(np.uint16) * 257), "x")[..., 0], got)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_pillows(form, orientation) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(SMOOTH, form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    got = decode_rgb(data, "x")
    assert got.shape == ((40, 50, 3) if orientation < 5 else (50, 40, 3))
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_images_are_turned_too(orientation) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    shallow = decode_rgb(encoded(rounded(DEEP), "TIFF", exif=exif), "x")
    extra = [(274, "H", 1, orientation, True)]
    assert np.array_equal(decode_rgb(tif(DEEP, photometric="rgb", extratags=extra), "x"), shallow)


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode_rgb(encoded(RGB, "PNG", exif=exif), "x"), RGB)


def test_damaged_exif_turns_nothing() -> None:
    data = encoded(SMOOTH, "JPEG", quality=90)
    body = b"Exif\0\0MM\0*\0\0\xff\xffnonsense"
    broken = data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:]
    assert np.array_equal(decode_rgb(broken, "x"), decode_rgb(data, "x"))


def test_content_counts_not_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "png.JPG"
    path.write_bytes(encoded(RGB, "PNG"))
    assert np.array_equal(read_rgb(path), RGB)


def test_a_photograph_with_a_second_view_gives_the_first() -> None:
    first = Image.fromarray(SMOOTH)
    data = encoded(first, "MPO", save_all=True, append_images=[Image.fromarray(255 - SMOOTH)], quality=95)
    assert np.abs(decode_rgb(data, "x").astype(int) - SMOOTH).mean() < 3


def test_truncated_files_stay_refused_where_somebody_tolerates_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFile

    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(UnreadableFace):
        decode_rgb(encoded(RGB, "PNG")[:2000], "x")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
