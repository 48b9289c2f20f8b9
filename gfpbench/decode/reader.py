"""Decodes any image file to 8-bit RGB, or raises a one-line error."""

from __future__ import annotations

import hashlib
import logging
import stat
import threading
import warnings
from pathlib import Path

from PIL import Image

from gfpbench.decode.decoded import FACE_LIMITS, Decoded, Limits, Samples, UndecodableError, describe
from gfpbench.decode.high_bit_depth import stderr_shut, tiff
from gfpbench.decode.pillow import with_pillow
from gfpbench.decode.rgb import to_rgb
from gfpbench.images import Bytes
from gfpbench.types import UnreadableFace

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
            raise UndecodableError("is a folder, not an image, and holds none that could be listed")
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
    """Decode the bytes of an image file of one of ``gfpbench.decode.formats.FORMATS``, by content, not by name.

    Grey is repeated, a palette looked up, CMYK converted by Pillow's plain formula. An embedded colour profile is not
    applied: the field's own readers (OpenCV in the authors' code, Pillow in the metrics') keep the numbers, so every
    published figure is of the numbers, and outputs written by that code have lost the profile but kept them.
    Transparent pixels show white, as a viewer shows them. EXIF (and TIFF) orientation is applied. 16-bit values become
    round(v / 257), floating point in [0, 1] round(255 v). ``Decoded.treatment`` says which of these was done.

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
            profile = None if samples.icc_profile is None else describe(samples.icc_profile)
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
        profile,
    )


def _line(text: object) -> str:
    return "".join(c if c.isprintable() else " " for c in " ".join(str(text).split()))[:400]


def _samples(data: bytes, limits: Limits) -> Samples:
    if not data:
        raise UndecodableError("is empty (0 bytes)")

    def check_size(width: int, height: int) -> None:
        if width * height > limits.maximum_pixels:
            raise UndecodableError(f"is {width}x{height}, above the limit of {limits.maximum_pixels} pixels")
        if min(width, height) < limits.minimum_side_px:
            raise UndecodableError(f"is {width}x{height}, under the minimum side of {limits.minimum_side_px} px")

    if data[:4] not in (b"II*\0", b"MM\0*"):
        return with_pillow(data, check_size)
    deep = tiff(data, check_size)
    if deep is not None:
        return deep
    with stderr_shut():
        return with_pillow(data, check_size)
