"""Images of more than 8 bits per colour: PNG, TIFF and JPEG 2000 of 16, TIFF of floats, without losing a bit."""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gfpbench.decode.decoded import Samples, UndecodableError
from gfpbench.lazy import LazyModule

if TYPE_CHECKING:
    import cv2
    import tifffile
else:
    cv2, tifffile = LazyModule("cv2"), LazyModule("tifffile")


@contextmanager
def stderr_shut() -> Iterator[None]:
    """Nothing written to the file descriptor 2 is seen, while libtiff or libpng are told about a damaged file."""
    try:
        stderr = os.dup(2)
    except OSError:  # closed already
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(nowhere)
        os.close(stderr)


def png16(data: bytes) -> NDArray[Any]:
    """Decode a 16-bit colour PNG that Pillow has already found sound: (H, W, 3 or 4) uint16, RGB order."""
    # libpng prints its opinion of colour profiles and text to stderr: it is shown the image only.
    kept, at = [data[:8]], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] in (b"IHDR", b"IDAT", b"IEND"):
            kept.append(data[at : at + 12 + length])
        at += 12 + length
    return _with_opencv(b"".join(kept), np.dtype(np.uint16))


def deep_jpeg2000(data: bytes, bits: int) -> NDArray[Any]:
    """Decode a 16-bit JPEG 2000 that Pillow has already found sound: (H, W) or (H, W, 3 or 4) uint16, RGB order."""
    if bits != 16:
        raise UndecodableError(f"is JPEG 2000 of {bits} bits, only 8 and 16 are understood: save as PNG")
    return _with_opencv(data, np.dtype(np.uint16))


def tiff(data: bytes, check_size: Callable[[int, int], None]) -> Samples | None:
    """Decode a TIFF of 16-bit or floating-point samples; None for one of up to 8 bits, which Pillow reads.

    Args:
        data: the whole file.
        check_size: called with width and height before anything is decoded; raises for a size not wanted.

    Raises:
        UndecodableError: of several pages, truncated, or of a kind not known here.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        if not isinstance(page, tifffile.TiffPage):
            raise UndecodableError("has no first page")
        # A damaged tag is a tuple of any length, and a tuple times a number fills the memory.
        sizes = (page.imagewidth, page.imagelength, page.samplesperpixel)
        if not all(isinstance(size, int) for size in sizes):
            raise UndecodableError("is damaged: its size is not a number")
        check_size(page.imagewidth, page.imagelength)
        if not 1 <= page.samplesperpixel <= 8:
            raise UndecodableError(f"holds {page.samplesperpixel} samples for each pixel")
        if _pages(file) > 1:
            raise UndecodableError("holds several pages, give one file per image")
        _check_complete(page, len(data))
        if page.dtype is None or page.dtype.kind not in "bfu" or page.dtype.itemsize > 8:
            raise UndecodableError(f"holds samples of a kind not known here ({page.dtype})")
        if page.dtype.kind == "b" or page.dtype.itemsize == 1:
            return None
        if page.dtype.kind == "u" and page.dtype.itemsize != 2:
            raise UndecodableError(f"holds {page.dtype} samples, only 8-bit, 16-bit and floating point are understood")
        photometric = getattr(
            page.photometric, "name", str(page.photometric)
        )  # a plain number where tifffile has no name
        if photometric not in ("MINISBLACK", "MINISWHITE", "RGB"):
            raise UndecodableError(f"is {photometric} of more than 8 bits, only grey and RGB are understood")
        values = _page_values(page, data)
        if photometric == "MINISWHITE":
            values[..., 0] = (65535 if values.dtype == np.uint16 else 1) - values[..., 0]
        tag, profile = page.tags.get(274), page.tags.get(34675)
        return Samples(
            values,
            int(tag.value) if tag is not None else 1,
            premultiplied=bool(page.extrasamples) and int(page.extrasamples[0]) == 1,
            format="TIFF",
            bits=8 * values.dtype.itemsize,
            icc_profile=profile.value if profile is not None and isinstance(profile.value, bytes) else None,
        )


def _pages(file: tifffile.TiffFile) -> int:
    try:
        second = file.pages[1]
    except IndexError:
        return 1
    return 1 if isinstance(second, tifffile.TiffPage) and second.is_reduced else 2  # a thumbnail is no page


def _check_complete(page: tifffile.TiffPage, length: int) -> None:
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if len(segments) < math.prod(page.chunked) or any(
        count <= 0 or offset <= 0 or offset + count > length for offset, count in segments
    ):
        raise UndecodableError("is truncated: it says more data follow than there are")


def _page_values(page: tifffile.TiffPage, data: bytes) -> NDArray[Any]:
    assert page.dtype is not None  # for mypy: checked by the caller
    try:
        values = np.array(page.asarray(maxworkers=1))
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        # tifffile alone has no LZW and friends; OpenCV's libtiff has. It reads the same samples.
        values = _with_opencv(data, page.dtype)
    if page.axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    values = values[..., None] if values.ndim == 2 else values
    if values.shape[:2] != (page.imagelength, page.imagewidth) or values.shape[2] not in (1, 2, 3, 4):
        raise UndecodableError(f"holds an array of shape {values.shape} ({page.axes}), not one image")
    return values


def _with_opencv(data: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        with stderr_shut():
            values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if values is None or values.dtype != dtype:
        raise UndecodableError(f"is damaged, or compressed in a way not known here ({dtype} samples)")
    if values.ndim == 3 and values.shape[2] >= 3:
        values = values[..., [2, 1, 0, *range(3, values.shape[2])]]
    decoded: NDArray[Any] = values
    return decoded
