"""Any image file to 8-bit RGB, or one clear line saying why not."""

from __future__ import annotations

import hashlib
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

from gfpbench.decode.decoded import FACE_LIMITS, Decoded, Limits
from gfpbench.decode.deep import Samples, UndecodableError, is_deep_colour_png, png16, stderr_shut, tiff
from gfpbench.decode.rgb import to_rgb
from gfpbench.images import Bytes
from gfpbench.types import UnreadableFace

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})

# Pillow tries no other decoder, whatever a file says it is (some of them start other programs).
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
# Warning filters and Pillow's tolerance of truncated files are global to the process: one file at a time.
_one_at_a_time = threading.Lock()
logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else Python prints its warnings to stderr


def read_rgb(path: Path, limits: Limits = FACE_LIMITS) -> Bytes:
    """Read one image file as (H, W, 3) uint8 RGB; see ``read``."""
    return read(path, limits).rgb


def decode_rgb(data: bytes, name: str, limits: Limits = FACE_LIMITS) -> Bytes:
    """Decode the bytes of an image file to (H, W, 3) uint8 RGB; see ``decode``."""
    return decode(data, name, limits).rgb


def read(path: Path, limits: Limits = FACE_LIMITS) -> Decoded:
    """Read one image file, with what it carried and what was done to it. See ``decode`` for what becomes of each kind.

    Raises:
        UnreadableFace: also for a folder, pipe or device, a dangling link, and a file that may not be read.
    """
    try:
        kind = path.stat()
        if stat.S_ISDIR(kind.st_mode):
            raise UndecodableError("is a folder, not a picture, and holds none that could be listed")
        if not stat.S_ISREG(kind.st_mode):  # a pipe would wait for ever
            raise UndecodableError("is no regular file")
        if kind.st_size > limits.maximum_file_bytes:
            raise UndecodableError(f"has {kind.st_size} bytes, above the limit of {limits.maximum_file_bytes}")
        data = path.read_bytes()
    except UndecodableError as error:
        raise UnreadableFace(f"{_line(path)}: {error}") from None
    except OSError as error:
        missing = "is a link to nothing" if path.is_symlink() and isinstance(error, FileNotFoundError) else None
        raise UnreadableFace(f"{_line(path)}: {missing or f'cannot be read: {error.strerror or error}'}") from error
    return decode(data, str(path), limits)


def decode(data: bytes, name: str, limits: Limits = FACE_LIMITS) -> Decoded:
    """Decode the bytes of a PNG, JPEG, WebP, BMP or TIFF file, going by content, not by name.

    Grey is repeated, a palette looked up, CMYK converted by Pillow's plain formula; embedded colour profiles are not
    applied (the authors' OpenCV reader does not either). Transparent pixels show white, as a viewer shows them. EXIF
    (and TIFF) orientation is applied. 16-bit values become round(v / 257), floating point in [0, 1] round(255 v).

    Args:
        data: the whole file.
        name: what error lines call it.
        limits: a side under 32 px and over 25 million pixels are refused unless told.

    Raises:
        UnreadableFace: truncated, not an image, animated or of several pages, outside the limits (known before
            decoding), NaN or floats outside [0, 1], entirely transparent.
    """
    try:
        with _one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            samples = _samples(data, limits)
            rgb, upright, done = to_rgb(samples)
    except UndecodableError as error:
        raise UnreadableFace(f"{_line(name)}: {error}") from error
    except Image.DecompressionBombError as error:
        raise UnreadableFace(f"{_line(name)}: has more than the limit of {limits.maximum_pixels} pixels") from error
    except Exception as error:
        # Decoders given hostile bytes raise anything at all; what they raise is the reason, never a crash.
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise UnreadableFace(
            f"{_line(name)}: cannot be decoded, it is damaged or unsupported ({_line(reason)})"
        ) from error
    return Decoded(
        rgb,
        upright,
        samples.format,
        samples.bits,
        hashlib.sha256(data).hexdigest(),
        done,
        samples.stated_orientation,
        samples.premultiplied,
        samples.frames,
        samples.icc_profile,
        samples.exif,
    )


def _line(text: object) -> str:
    return "".join(c if c.isprintable() else " " for c in " ".join(str(text).split()))[:400]


def _check_size(width: int, height: int, limits: Limits) -> None:
    """Refuse a size that is not wanted, before anything is decoded."""
    if width * height > limits.maximum_pixels:
        raise UndecodableError(f"is {width}x{height}, above the limit of {limits.maximum_pixels} pixels")
    if min(width, height) < limits.minimum_side_px:
        raise UndecodableError(f"is {width}x{height}, under the minimum side of {limits.minimum_side_px} px")


def _samples(data: bytes, limits: Limits) -> Samples:
    if not data:
        raise UndecodableError("is empty (0 bytes)")
    if data[:4] in (b"II*\0", b"MM\0*"):
        deep = tiff(data, lambda width, height: _check_size(width, height, limits))
        if deep is not None:
            return deep
        with stderr_shut():
            return _intolerant(data, limits)
    return _intolerant(data, limits)


def _intolerant(data: bytes, limits: Limits) -> Samples:
    tolerance = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # another library may have switched it on
    try:
        return _with_pillow(data, limits)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerance


def _with_pillow(data: bytes, limits: Limits) -> Samples:
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise UndecodableError(
            "is no PNG, JPEG, WebP, BMP or TIFF picture, whatever its name says, or is damaged"
        ) from error
    with image:
        _check_size(*image.size, limits)
        frames = getattr(image, "n_frames", 1)
        # Telephones append a depth map or a second view to a JPEG and call it MPO; its first picture is the photograph.
        if frames > 1 and image.format != "MPO":
            raise UndecodableError(f"holds {frames} pictures (animation or pages), give one file per picture")
        stored = image.mode
        turned = _orientation(image) if image.format == "TIFF" else 1  # Pillow turns a TIFF upright while loading it
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
        return Samples(
            values,
            orientation,
            format=image.format or "",
            bits=1 if stored == "1" else 8 * values.dtype.itemsize,
            frames=frames,
            turned=turned,
            converted="CMYK converted by the plain formula" if stored == "CMYK" else None,
            icc_profile=_bytes(image.info.get("icc_profile")),
            exif=_bytes(image.info.get("exif")),
        )


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) and value else None


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - a damaged EXIF block says nothing of rotation, and the pixels are sound
        return 1
    return value if isinstance(value, int) else 1
