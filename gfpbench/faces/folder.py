"""A folder of images as faces: any format, nested or not, read one at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gfpbench import decode, images
from gfpbench.decode.files import list_images, named, printable
from gfpbench.decode.point_lists import PointList, find_point_list
from gfpbench.degraded import WRITTEN
from gfpbench.images import Bytes
from gfpbench.types import BadInput, Face, Json, UnreadableFace

if TYPE_CHECKING:
    from gfpbench.decode import Decoded

BLANK_LEVELS = 3
"""An image that holds no value farther from black (or none farther from white) is blank: JPEG moves a flat image by so
much, and no face is so dark. Grey and other colours are let through: nobody gets them by mistake."""


class Folder:
    """Every image under a folder, as it is: aligned crops are expected, nothing is detected or turned.

    The id of an image is its path below the folder without the suffix (``smith/03``); images that differ in the
    suffix only keep it. Hidden files and folders and other suffixes are left out and counted; linked folders are
    followed once.

    Args:
        path: the folder.
        size_px: resize to this side (areas averaged when shrinking); an image that is not square loses the ends of
            its longer side first. None keeps every image as it is.
        name: how the report calls it; the path unless told.
        licence: in words.

    Raises:
        BadInput: where it is no folder, cannot be listed, or holds no image; where it holds several lists of five
            points, or one that cannot be used.
    """

    def __init__(
        self, path: Path, size_px: int | None = None, *, name: str | None = None, licence: str = "not stated"
    ) -> None:
        if not path.is_dir():
            what = "a file, give its folder" if path.exists() else "no existing folder"
            raise BadInput(f"{printable(str(path))}: is {what}")
        self.path = path
        self.name = name or printable(str(path))
        self.size_px = size_px
        self.licence = licence
        listing = list_images(path)
        self._files = named(path, listing.files)
        if not self._files:
            raise BadInput(listing.none_taken())
        self._points = find_point_list(path)
        self._left_out = listing.record((*WRITTEN, *([] if self._points is None else [self._points.file])))

    def point_list(self) -> PointList | None:
        """The list of five points that lies in the folder; None where there is none."""
        return self._points

    def ids(self) -> tuple[str, ...]:
        """Names in code-point order."""
        return tuple(self._files)

    def load(self, face_id: str) -> Face:
        """Decode one image.

        Raises:
            UnreadableFace: with the reason, where that is impossible.
            BadInput: for an unknown id.
        """
        if face_id not in self._files:
            raise BadInput(f"{printable(str(self.path))}: has no image {face_id!r}")
        return face_of(face_id, decode.read(self._files[face_id]), self.size_px, printable(str(self._files[face_id])))

    def source(self) -> Mapping[str, Json]:
        """The folder, how many files, a hash over their names and lengths, and how many were left out and why."""
        lines = [f"{face_id}\t{_length(file)}" for face_id, file in self._files.items()]
        return {
            "name": self.name,
            "from": printable(str(self.path)),
            "licence": self.licence,
            "count": len(self._files),
            "size_px": self.size_px,
            "files_sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
            **({} if self._points is None else {"five_points": self._points.record()}),
            **({"left_out": self._left_out} if self._left_out else {}),
        }


def face_of(face_id: str, decoded: Decoded, size_px: int | None, file: str) -> Face:
    """The face that a decoded image is, at its own size or as a square of ``size_px``.

    Raises:
        UnreadableFace: where ``file``, as messages call it, is blank. Restorations of that score far above those of any
            face, or are taken for their own input.
    """
    if is_blank(decoded.rgb[::8, ::8]) and is_blank(decoded.rgb):
        kind = "white" if decoded.rgb.min() > BLANK_LEVELS else "black"
        hint = " (values of [0, 1] saved with 8 bits, or of 8 bits saved with 16?)" if decoded.rgb.max() <= 1 else ""
        raise UnreadableFace(f"{file}: is {kind} all over{hint}")
    rgb = decoded.rgb if size_px is None else to_square(decoded.rgb, size_px)
    return Face(face_id, images.from_uint8(rgb), {}, images.pixels_sha256(rgb), decoded.record())


def is_blank(rgb: Bytes) -> bool:
    """Whether an (H, W, 3) uint8 image is black all over, or white."""
    return bool(rgb.max() <= BLANK_LEVELS or rgb.min() >= 255 - BLANK_LEVELS)


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a dangling link is listed, and named as unreadable when loaded
        return -1


def to_square(rgb: Bytes, size_px: int) -> Bytes:
    """The middle square of an (H, W, 3) uint8 image, resized to ``size_px`` and rounded to 8 bits."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    if side == size_px == max(height, width):
        return rgb
    square = images.batch_from_uint8([rgb[top : top + side, left : left + side]], ("face",))
    return images.to_rgb_arrays(images.resized(square, (size_px, size_px)))[0]
