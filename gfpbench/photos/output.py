"""A restored photo as a PNG file that keeps what its source carried: depth, transparency, colour profile and EXIF."""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import putchunk

from gfpbench.decode import Decoded
from gfpbench.disk import replacing
from gfpbench.images import encode_png
from gfpbench.photos.canvas import Canvas
from gfpbench.types import Json

_SIGNATURE_AND_HEADER_BYTES = 33
_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 0x0100, 0x0101
_EXIF_IFD, _EXIF_WIDTH, _EXIF_HEIGHT = 0x8769, 0xA002, 0xA003
_PREFIX = b"Exif\0\0"


def write_photo(path: Path, canvas: Canvas, source: Decoded) -> dict[str, Json]:
    """Write a restored photo, whole or not at all, and on the disk when this returns.

    Pixels are upright already: EXIF says so afterwards (orientation 1), has the new size and no thumbnail, which would
    show the photo as it was.

    Args:
        path: of the PNG.
        canvas: the restored photo.
        source: the file that it was made from.

    Returns:
        the record of what was kept: ``bits``, ``alpha``, ``icc_profile``, ``exif``, and ``left_out``, a phrase each.

    Raises:
        DiskRefused: where the disk refuses.
    """
    profile, exif = source.icc_profile, upright_exif(source.exif, (canvas.colour.shape[0], canvas.colour.shape[1]))
    left_out = []
    if profile is not None and profile[16:20] != b"RGB ":
        left_out.append(f"a colour profile for {_printable(profile[16:20])}, which an RGB file cannot carry")
        profile = None
    if source.exif is not None and exif is None:
        left_out.append("EXIF that is damaged")
    encoded = encode_png(canvas.colour, canvas.alpha)
    with replacing(path) as file:
        file.write(encoded[:_SIGNATURE_AND_HEADER_BYTES])
        file.write(_chunks(profile, exif))
        file.write(memoryview(encoded)[_SIGNATURE_AND_HEADER_BYTES:])
    return {
        "bits": 8 * canvas.colour.dtype.itemsize,
        "alpha": canvas.alpha is not None,
        "icc_profile": profile is not None,
        "exif": bool(exif),
        "left_out": left_out,
    }


def upright_exif(exif: bytes | None, size: tuple[int, int]) -> bytes | None:
    """The EXIF of a photo of (height, width) whose pixels are upright, without a thumbnail.

    None where there is none, or where it is damaged.

    Returns:
        a TIFF structure, as a PNG's eXIf chunk holds it; empty for a block that holds nothing.
    """
    if exif is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of a damaged block, and reads what is left
            block = Image.Exif()
            block.load(exif if exif.startswith(_PREFIX) else _PREFIX + exif)
            if not len(block):
                return b""
            details = block.get_ifd(_EXIF_IFD)
            for tags, names in ((block, (_WIDTH, _HEIGHT)), (details, (_EXIF_WIDTH, _EXIF_HEIGHT))):
                for tag, length in zip(names, reversed(size), strict=True):
                    if tag in tags:
                        tags[tag] = length
            if _ORIENTATION in block:
                block[_ORIENTATION] = 1
            return block.tobytes().removeprefix(_PREFIX)
    except Exception:  # noqa: BLE001 - Pillow raises anything at all over hostile bytes; what is damaged is left out
        return None


def _chunks(profile: bytes | None, exif: bytes | None) -> bytes:
    chunks = io.BytesIO()
    if profile is not None:
        putchunk(chunks, b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
    if exif:
        putchunk(chunks, b"eXIf", exif)
    return chunks.getvalue()


def _printable(name: bytes) -> str:
    text = name.decode("ascii", "replace").strip()
    return text if text.isprintable() and text else "unknown colours"
