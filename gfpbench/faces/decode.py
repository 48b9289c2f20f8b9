"""Any picture file to 8-bit RGB, or one clear line saying why not."""

from __future__ import annotations

import io
import logging
import stat
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from gfpbench.faces.deep import Samples, UndecodableError, is_deep_colour_png, png16, stderr_shut, tiff
from gfpbench.images import Bytes
from gfpbench.types import UnreadableFace

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
MINIMUM_SIDE_PX = 32
"""A smaller picture holds no face that could be measured."""
MAXIMUM_PIXELS = 25_000_000
"""A larger picture is a photograph or an attack, not a face crop: 25 million take 300 MB as float32."""
MAXIMUM_FILE_BYTES = 256 * 2**20

# Pillow tries no other decoder, whatever a file says it is (some of them start other programs).
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
# Warning filters and Pillow's tolerance of truncated files are global to the process: one file at a time.
_one_at_a_time = threading.Lock()
logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else Python prints its warnings to stderr


def read_rgb(path: Path) -> Bytes:
    """Read one picture file as (H, W, 3) uint8 RGB. See ``decode_rgb`` for what becomes of each kind.

    Raises:
        UnreadableFace: also for a folder, pipe or device, a dangling link, and a file that may not be read.
    """
    try:
        kind = path.stat()
        if stat.S_ISDIR(kind.st_mode):
            raise UndecodableError("is a folder, not a picture, and holds none that could be listed")
        if not stat.S_ISREG(kind.st_mode):  # a pipe would wait for ever
            raise UndecodableError("is no regular file")
        if kind.st_size > MAXIMUM_FILE_BYTES:
            raise UndecodableError(f"has {kind.st_size} bytes, above the limit of {MAXIMUM_FILE_BYTES}")
        data = path.read_bytes()
    except UndecodableError as error:
        raise UnreadableFace(f"{_line(path)}: {error}") from None
    except OSError as error:
        missing = "is a link to nothing" if path.is_symlink() and isinstance(error, FileNotFoundError) else None
        raise UnreadableFace(f"{_line(path)}: {missing or f'cannot be read: {error.strerror or error}'}") from error
    return decode_rgb(data, str(path))


def decode_rgb(data: bytes, name: str) -> Bytes:
    """Decode the bytes of a PNG, JPEG, WebP, BMP or TIFF file to (H, W, 3) uint8 RGB, going by content, not by name.

    Grey is repeated, a palette looked up, CMYK converted by Pillow's plain formula; embedded colour profiles are not
    applied (the authors' OpenCV reader does not either). Transparent pixels show white, as a viewer shows them. EXIF
    (and TIFF) orientation is applied. 16-bit values become round(v / 257), floating point in [0, 1] round(255 v).

    Args:
        data: the whole file.
        name: what error lines call it.

    Raises:
        UnreadableFace: truncated, not a picture, animated or of several pages, a side under 32 px, over 25 million
            pixels (known before decoding), NaN or floats outside [0, 1], entirely transparent.
    """
    try:
        with _one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _to_rgb(_samples(data))
    except UndecodableError as error:
        raise UnreadableFace(f"{_line(name)}: {error}") from error
    except Image.DecompressionBombError as error:
        raise UnreadableFace(f"{_line(name)}: has more than the limit of {MAXIMUM_PIXELS} pixels") from error
    except Exception as error:
        # Decoders given hostile bytes raise anything at all; what they raise is the reason, never a crash.
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise UnreadableFace(
            f"{_line(name)}: cannot be decoded, it is damaged or unsupported ({_line(reason)})"
        ) from error


def _line(text: object) -> str:
    return "".join(c if c.isprintable() else " " for c in " ".join(str(text).split()))[:400]


def check_size(width: int, height: int) -> None:
    """Refuse a size no face crop has, before anything is decoded."""
    if width * height > MAXIMUM_PIXELS:
        raise UndecodableError(f"is {width}x{height}, above the limit of {MAXIMUM_PIXELS} pixels")
    if min(width, height) < MINIMUM_SIDE_PX:
        raise UndecodableError(f"is {width}x{height}, under the minimum side of {MINIMUM_SIDE_PX} px")


def _samples(data: bytes) -> Samples:
    if not data:
        raise UndecodableError("is empty (0 bytes)")
    if data[:4] in (b"II*\0", b"MM\0*"):
        deep = tiff(data, check_size)
        if deep is not None:
            return deep
        with stderr_shut():
            return _intolerant(data)
    return _intolerant(data)


def _intolerant(data: bytes) -> Samples:
    tolerance = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # another library may have switched it on
    try:
        return _with_pillow(data)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerance


def _with_pillow(data: bytes) -> Samples:
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise UndecodableError(
            "is no PNG, JPEG, WebP, BMP or TIFF picture, whatever its name says, or is damaged"
        ) from error
    with image:
        check_size(*image.size)
        pictures = getattr(image, "n_frames", 1)
        # Telephones append a depth map or a second view to a JPEG and call it MPO; its first picture is the photograph.
        if pictures > 1 and image.format != "MPO":
            raise UndecodableError(f"holds {pictures} pictures (animation or pages), give one file per picture")
        image.load()
        orientation = _orientation(image)
        values: NDArray[Any]
        if image.format == "PNG" and is_deep_colour_png(data):
            values = png16(data)  # Pillow cuts these to 8 bits instead of rounding
        elif image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
            values = np.asarray(image).astype(np.uint16)
        elif image.has_transparency_data:
            values = np.asarray(image.convert("RGBA"))
        elif image.mode in ("I", "F"):
            raise UndecodableError(f"holds samples of a kind not known here (Pillow mode {image.mode})")
        else:
            values = np.asarray(image.convert("RGB"))
        return Samples(values, orientation)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - a damaged EXIF block says nothing of rotation, and the pixels are sound
        return 1
    return value if isinstance(value, int) else 1


def oriented(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn an (H, W, ...) array upright by its EXIF orientation, 1 to 8; any other number leaves it as it is."""
    match orientation:
        case 2:
            return values[:, ::-1]
        case 3:
            return values[::-1, ::-1]
        case 4:
            return values[::-1]
        case 5:
            return values.swapaxes(0, 1)
        case 6:
            return np.rot90(values, -1)
        case 7:
            return values[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return np.rot90(values)
    return values


def _to_rgb(samples: Samples) -> Bytes:
    values = oriented(samples.values, samples.orientation)
    values = values[..., None] if values.ndim == 2 else values
    full = {"u1": 255, "u2": 65535}.get(values.dtype.str[1:], 1)
    if full == 1:
        if not np.isfinite(values).all():
            raise UndecodableError("holds NaN or infinity")
        if values.min() < 0 or values.max() > 1:
            raise UndecodableError(
                f"holds floats from {values.min():.4g} to {values.max():.4g}, only [0, 1] is understood"
            )
    colour = values[..., :3] if values.shape[2] >= 3 else values[..., :1]
    if values.shape[2] in (2, 4):
        alpha = values[..., -1:]
        if not alpha.any():
            raise UndecodableError("is entirely transparent")
        if (alpha != full).any():
            alpha = alpha.astype(np.float64)
            own = colour.astype(np.float64) * (1 if samples.premultiplied else alpha / full)
            colour = np.clip(own + (full - alpha), 0, full)
    if colour.dtype != np.uint8:
        colour = np.rint(colour.astype(np.float64) * (255 / full)).astype(np.uint8)
    if colour.shape[2] == 1:
        colour = np.repeat(colour, 3, axis=2)
    return np.ascontiguousarray(colour)
