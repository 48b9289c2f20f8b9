"""Files that are no images: each is refused in one clear line; nothing crashes, waits, warns or prints."""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from gfpbench.decode import decode_rgb, read_rgb
from gfpbench.faces.folder import Folder
from gfpbench.types import UnreadableFace

RGB = np.random.default_rng(3).integers(0, 256, (64, 48, 3), dtype=np.uint8)


def encoded(values: np.ndarray, form: str, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, form, **options)
    return stream.getvalue()


def tif(values: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_header(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that says it is so large, with next to nothing in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def tiff_header(
    width: int, height: int, bits: int, *, width_count: int = 1, rows_per_strip: int | None = None
) -> bytes:
    """A TIFF that says it is so large, with one strip of 100 bytes in it."""
    rows = height if rows_per_strip is None else rows_per_strip
    tags = [(256, 3 if width_count > 1 else 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, 1)]
    tags += [(273, 4, 8), (277, 3, 1), (278, 4, rows), (279, 4, 100)]
    body = b"".join(
        struct.pack("<HHII", tag, kind, width_count if tag == 256 else 1, value) for tag, kind, value in tags
    )
    return b"II*\0" + struct.pack("<I", 108) + b"\0" * 100 + struct.pack("<H", len(tags)) + body + b"\0" * 4


def frames(form: str) -> bytes:
    stream = io.BytesIO()
    other = Image.fromarray(255 - RGB)
    Image.fromarray(RGB).save(stream, form, save_all=True, append_images=[other, Image.fromarray(RGB)])
    return stream.getvalue()


def jpeg2000_of(bits: int) -> bytes:
    """A JPEG 2000 codestream whose header says that its samples have so many bits."""
    data = bytearray(encoded(RGB, "JPEG2000"))
    at = data.index(b"\xff\x4f\xff\x51") + 42
    for component in range(3):
        data[at + 3 * component] = bits - 1
    at = data.index(b"ihdr") + 14
    data[at] = bits - 1
    return bytes(data)


def not_finite(value: float) -> bytes:
    values = (RGB / 255).astype(np.float32)
    values[5, 5, 1] = value
    return tif(values, photometric="rgb")


NOTHING = "no image of a kind that is read"
HOSTILE = {
    "empty.png": (b"", "empty"),
    "text.jpg": (b"not an image at all\n" * 50, NOTHING),
    "page.png": (b"<!doctype html><html></html>", NOTHING),
    "eps.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "another program would have to draw"),
    "heic.jpg": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 500, "HEIC, which Pillow reads with a plugin"),
    "film.jpg": (b"\0\0\0\x18ftypisom" + b"\0" * 500, "a video"),
    "layers.png": (b"8BPS\0\1" + b"\0" * 500, "an editor's file of layers"),
    "icon.png": (encoded(RGB, "ICO"), NOTHING),
    "headless.tga": (encoded(RGB, "TGA")[:-26], NOTHING),
    "sixteen.sgi": (encoded(RGB, "SGI", bpc=2), "SGI image of 16 bits"),
    "slow.qoi": (b"qoif" + struct.pack(">IIBB", 2500, 2500, 3, 0) + b"\xfd" * 9999, "4000000 pixels for QOI"),
    "slow.ppm": (b"P3\n2500 2500\n255\n" + b"1 " * 99, "4000000 pixels for PPM"),
    "twelve.jp2": (jpeg2000_of(12), "JPEG 2000 of 12 bits"),
    "signed.jp2": (jpeg2000_of(0x80 | 8), "signed samples or of several depths"),
    "signature-only.png": (b"\x89PNG\r\n\x1a\n", "damaged"),
    "jpeg-start-only.jpg": (b"\xff\xd8\xff\xe0", "damaged"),
    "one-pixel.png": (encoded(RGB[:1, :1], "PNG"), "1x1, under the minimum side of 32 px"),
    "one-pixel.tif": (tif(RGB[:1, :1, 0].astype(np.uint16)), "1x1, under the minimum side"),
    "sliver.png": (encoded(RGB[:, :31], "PNG"), "31x64, under"),
    "fifty-megapixel.png": (png_header(10_000, 5_000), "10000x5000, above the limit of 25000000 pixels"),
    "bomb.png": (png_header(60_000, 60_000), "above the limit|more than the limit"),
    "absurd.png": (png_header(2**31 - 1, 2**31 - 1), "limit"),
    "bomb16.tif": (tiff_header(60_000, 60_000, 16), "60000x60000, above the limit"),
    "bomb8.tif": (tiff_header(60_000, 60_000, 8), "60000x60000, above the limit"),
    "no-data.png": (png_header(64, 64), "truncated|damaged"),
    "short.tif": (tiff_header(64, 64, 8), "truncated|damaged"),
    "two-widths.tif": (tiff_header(64, 1_000_000_000, 16, width_count=2), "its size is not a number"),
    "missing-strips.tif": (tiff_header(40, 64, 16, rows_per_strip=1), "truncated"),
    "missing-strips8.tif": (tiff_header(40, 64, 8, rows_per_strip=1), "truncated"),
    "nan.tif": (not_finite(float("nan")), "NaN or infinity"),
    "inf.tif": (not_finite(float("inf")), "NaN or infinity"),
    "out-of-range.tif": (not_finite(1.5), r"floats from .* to 1.5, only \[0, 1\]"),
    "negative.tif": (not_finite(-0.1), r"floats from -0.1 to"),
    "whole-numbers.tif": (tif(RGB.astype(np.int32), photometric="rgb"), "int32"),
    "deep32.tif": (tif(RGB.astype(np.uint32), photometric="rgb"), "uint32"),
    "complex.tif": (tif(RGB[..., 0].astype(np.complex64)), "complex64"),
    "pages.tif": (frames("TIFF"), "several pages|3 images"),
    "pages16.tif": (tif(np.zeros((3, 64, 64), np.uint16), photometric="minisblack"), "several pages"),
    "animated.png": (frames("PNG"), "holds 3 images"),
    "animated.webp": (frames("WEBP"), "holds 3 images"),
    "animated.gif": (frames("GIF"), "holds 3 images"),
    "animated.avif": (frames("AVIF"), "holds 3 images"),
    "invisible.png": (encoded(np.dstack([RGB, RGB[..., 0] * 0]), "PNG"), "entirely transparent"),
}


@pytest.fixture(autouse=True)
def _silent(capfd: pytest.CaptureFixture[str]):
    yield
    assert capfd.readouterr() == ("", "")


def refusal(path: Path) -> str:
    """The line that refuses a file."""
    with pytest.raises(UnreadableFace) as caught:
        read_rgb(path)
    line = str(caught.value)
    assert line.startswith(str(path))
    assert "\n" not in line
    assert len(line) < len(str(path)) + 500
    return line


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    data, reason = HOSTILE[name]
    path = tmp_path / name
    path.write_bytes(data)
    assert re.search(reason, refusal(path)), refusal(path)


GOOD = {
    "png": encoded(RGB, "PNG"),
    "jpg": encoded(RGB, "JPEG", quality=90),
    "progressive.jpg": encoded(RGB, "JPEG", quality=90, progressive=True),
    "webp": encoded(RGB, "WEBP", lossless=True),
    "lossy.webp": encoded(RGB, "WEBP", quality=90),
    "bmp": encoded(RGB, "BMP"),
    "tif": encoded(RGB, "TIFF"),
    "lzw.tif": encoded(RGB, "TIFF", compression="tiff_lzw"),
    "gif": encoded(RGB, "GIF"),
    "avif": encoded(RGB, "AVIF", quality=90),
    "jp2": encoded(RGB, "JPEG2000"),
    "ppm": encoded(RGB, "PPM"),
    "qoi": encoded(RGB, "QOI"),
    "sgi": encoded(RGB, "SGI"),
    "pcx": encoded(RGB, "PCX"),
    "tga": encoded(RGB, "TGA"),
    "deep.jp2": cv2.imencode(".jp2", RGB.astype(np.uint16) * 257)[1].tobytes(),
    "deep.png": cv2.imencode(".png", RGB.astype(np.uint16) * 257)[1].tobytes(),
    "deep.tif": tif(RGB.astype(np.uint16) * 257, photometric="rgb"),
    "deep-zlib.tif": tif(RGB.astype(np.uint16) * 257, photometric="rgb", compression="zlib"),
    "deep-lzw.tif": cv2.imencode(".tif", RGB.astype(np.uint16) * 257)[1].tobytes(),
    "float.tif": tif((RGB / 255).astype(np.float32), photometric="rgb"),
}


@pytest.mark.parametrize("kind", GOOD)
def test_a_truncated_file_is_refused_wherever_it_was_cut(kind: str) -> None:
    data = GOOD[kind]
    assert decode_rgb(data, "whole").shape == RGB.shape
    for part in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9):
        with pytest.raises(UnreadableFace, match="cut"):
            decode_rgb(data[: int(len(data) * part)], "cut")


@pytest.mark.parametrize("kind", GOOD)
def test_flipped_bytes_give_an_image_or_one_clear_line(kind: str) -> None:
    random = np.random.default_rng(sum(kind.encode()))
    for _ in range(120):
        data = np.frombuffer(GOOD[kind], np.uint8).copy()
        # Mostly in the head, where the structure is.
        places = random.integers(0, min(len(data), 300 if random.random() < 0.7 else len(data)), random.integers(1, 8))
        data[places] = random.integers(0, 256, len(places))
        try:
            image = decode_rgb(data.tobytes(), "flipped")
        except UnreadableFace as error:
            refused = str(error)
        else:
            refused = ""
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3
        assert refused == "" or refused.startswith("flipped: ")
        assert "\n" not in refused


def test_the_size_is_judged_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFile

    def decoded(self: object) -> None:
        raise AssertionError("decoded")

    large = np.zeros((5_001, 5_000), np.uint8)
    files = [encoded(large, form) for form in ("PNG", "JPEG", "WEBP", "TIFF")]
    files += [tif(large.astype(np.uint16), compression="zlib")]
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", decoded)
    for data in files:
        with pytest.raises(UnreadableFace, match="5000x5001, above the limit"):
            decode_rgb(data, "large")


def test_no_regular_file_no_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone")
    (tmp_path / "itself.png").symlink_to(tmp_path / "itself.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "good.png").write_bytes(GOOD["png"])
    folder = Folder(tmp_path)
    reasons = {
        "pipe": "no regular file",
        "folder": "is a folder",
        "nowhere": "link to nothing",
        "itself": "cannot be read",
        "device": "no regular file",
    }
    assert set(folder.ids()) == {*reasons, "good"}
    assert folder.load("good").pixels.shape == (3, 64, 48)
    for face_id, reason in reasons.items():
        with pytest.raises(UnreadableFace, match=reason):
            folder.load(face_id)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(GOOD["png"])
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read it all the same

        def refused(self: Path) -> bytes:
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "read_bytes", refused)
    assert "cannot be read: Permission denied" in refusal(path)
    path.chmod(stat.S_IRUSR)


def test_a_file_that_vanished_since_it_was_listed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(GOOD["png"])
    folder = Folder(tmp_path)
    (tmp_path / "a.png").unlink()
    with pytest.raises(UnreadableFace, match=r"a\.png: cannot be read: No such file"):
        folder.load("a")


def test_a_very_long_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    with path.open("wb") as file:
        file.truncate(2**40)  # takes no room on the disk
    assert f"has {2**40} bytes, above the limit" in refusal(path)
