"""Decoding with Pillow under limits: allowed formats, size checked first, high bit depth not truncated."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from gfpbench.decode.decoded import Samples, UndecodableError
from gfpbench.decode.formats import offered, why_not_read
from gfpbench.decode.high_bit_depth import deep_jpeg2000, png16

MAXIMUM_SLOW_PIXELS = 4_000_000
"""Of what Pillow decodes in Python (QOI, PPM as text, runs in BMP): some 3 seconds for each million."""

CMYK_CONVERTED = "CMYK converted by the plain formula"

CheckSize = Callable[[int, int], None]


def with_pillow(data: bytes, check_size: CheckSize) -> Samples:
    """Decode the bytes of one image with one frame.

    Args:
        data: the whole file.
        check_size: called with width and height before anything is decoded; raises for a size not wanted.

    Raises:
        UndecodableError: of another format, animated or of several pages, of samples that Pillow would cut.
        Exception: whatever Pillow raises for a damaged file.
    """
    tolerance = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # another library may have switched it on
    try:
        return _opened(data, check_size)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerance


def _opened(data: bytes, check_size: CheckSize) -> Samples:
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=offered(data))
    except UnidentifiedImageError as error:
        raise UndecodableError(why_not_read(data)) from error
    with image:
        check_size(*image.size)
        _refuse_slow(image)
        frames = getattr(image, "n_frames", 1)
        # Telephones append a depth map or a second view to a JPEG and call it MPO; its first image is the photograph.
        if frames > 1 and image.format != "MPO":
            raise UndecodableError(f"holds {frames} images (animation or pages), give one file per image")
        stored, bits = image.mode, _bits(image, data)
        turned = _orientation(image) if image.format == "TIFF" else 1  # Pillow turns a TIFF upright while loading it
        image.load()
        values = _values(image, data, bits)
        return Samples(
            values,
            _orientation(image),
            format=image.format or "",
            bits=bits or 8 * values.dtype.itemsize,
            frames=frames,
            turned=turned,
            converted=CMYK_CONVERTED if stored == "CMYK" else None,
            icc_profile=_bytes(image.info.get("icc_profile")),
            exif=_bytes(image.info.get("exif")),
        )


def _values(image: Image.Image, data: bytes, bits: int | None) -> NDArray[Any]:
    if image.format == "PNG" and _is_deep_colour_png(data):
        return png16(data)  # Pillow cuts these to 8 bits instead of rounding
    if image.format == "JPEG2000" and bits is not None and bits > 8:
        return deep_jpeg2000(data, bits)  # Pillow lets the brightest colours overflow to black
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return np.asarray(image).astype(np.uint16)
    if image.mode == "F" and image.format == "PPM":
        return np.asarray(image)
    if image.mode in ("I", "F"):
        raise UndecodableError(f"holds samples of a kind not known here (Pillow mode {image.mode})")
    return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def _refuse_slow(image: Image.Image) -> None:
    slow = any(tile[0] in Image.DECODERS for tile in getattr(image, "tile", ()))
    if slow and image.width * image.height > MAXIMUM_SLOW_PIXELS:
        raise UndecodableError(
            f"is {image.width}x{image.height}, above the limit of {MAXIMUM_SLOW_PIXELS} pixels for {image.format} of "
            "this kind, which is decoded slowly: save as PNG"
        )


def _bits(image: Image.Image, data: bytes) -> int | None:
    """Bits of a sample where Pillow's mode does not tell them; None where it does."""
    if image.mode == "1":
        return 1
    if image.format == "SGI" and data[3] == 2:
        raise UndecodableError("is an SGI image of 16 bits, of which the decoder drops the lower ones: save as PNG")
    if image.format == "AVIF":
        return _avif_bits(data)
    if image.format == "JPEG2000":
        return _jpeg2000_bits(data)
    if image.format == "PPM":
        tiles = getattr(image, "tile", None)
        arguments = tiles[0][3] if tiles else None
        largest = arguments[-1] if isinstance(arguments, tuple) else None
        return 16 if isinstance(largest, int) and largest > 255 else None
    return None


def _avif_bits(data: bytes) -> int | None:
    """From the first `pixi` box (ISO/IEC 23008-12, 6.5.6): version and flags, a count of channels, bits of each."""
    at = data.find(b"pixi", 0, 1 << 16)
    return max(data[at + 9 : at + 9 + data[at + 8]], default=None) if 0 <= at < len(data) - 9 else None


def _jpeg2000_bits(data: bytes) -> int | None:
    """From the SIZ marker (ISO/IEC 15444-1, A.5.1) of the codestream: the precision of each component, less one.

    Raises:
        UndecodableError: for signed samples, and components of different precision.
    """
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0 or at + 42 > len(data):
        return None
    (count,) = struct.unpack(">H", data[at + 40 : at + 42])
    precisions = set(data[at + 42 : at + 42 + 3 * count : 3])
    if len(precisions) != 1 or max(precisions) > 127:
        raise UndecodableError("is JPEG 2000 of signed samples or of several depths, which is not known here")
    return int(precisions.pop()) + 1


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) and value else None


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - a damaged EXIF block says nothing of rotation, and the pixels are sound
        return 1
    return value if isinstance(value, int) else 1


def _is_deep_colour_png(data: bytes) -> bool:
    """Whether a PNG has 16 bits per sample and more than one channel, which Pillow cuts down to 8 bits."""
    return data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) > 25 and data[24] == 16 and data[25] in (2, 4, 6)
