"""A folder of pictures as faces: any format, nested or not, read one at a time."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from gfpbench import images
from gfpbench.decode import SUFFIXES, read_rgb
from gfpbench.images import Bytes
from gfpbench.types import BadInput, Face, Json


class Folder:
    """Every picture under a folder, as it is: aligned crops are expected, nothing is detected or turned.

    The id of a picture is its path below the folder without the suffix (``smith/03``); pictures that differ in the
    suffix only keep it. Hidden files and folders and other suffixes are passed over; linked folders are followed once.

    Args:
        path: the folder.
        size_px: resize to this side (areas averaged when shrinking); a picture that is not square loses the ends of
            its longer side first. None keeps every picture as it is.
        name: how the report calls it; the path unless told.
        licence: in words.

    Raises:
        BadInput: where it is no folder, cannot be listed, or holds no picture.
    """

    default_draws = 1

    def __init__(
        self, path: Path, size_px: int | None = None, *, name: str | None = None, licence: str = "not stated"
    ) -> None:
        if not path.is_dir():
            raise BadInput(f"{path}: is {'a file, give its folder' if path.exists() else 'no existing folder'}")
        self.path = path
        self.name = name or str(path)
        self.size_px = size_px
        self.licence = licence
        self._files = named(path, find_pictures(path))
        if not self._files:
            raise BadInput(f"{path}: holds no pictures ({', '.join(sorted(SUFFIXES))})")

    def ids(self) -> tuple[str, ...]:
        """Names in code-point order."""
        return tuple(self._files)

    def load(self, face_id: str) -> Face:
        """Decode one picture.

        Raises:
            UnreadableFace: with the reason, where that is impossible.
            BadInput: for an unknown id.
        """
        if face_id not in self._files:
            raise BadInput(f"{self.path}: has no picture {face_id!r}")
        rgb = read_rgb(self._files[face_id])
        rgb = rgb if self.size_px is None else to_square(rgb, self.size_px)
        return Face(face_id, images.from_uint8(rgb), {}, images.pixels_sha256(rgb))

    def source(self) -> Mapping[str, Json]:
        """The folder, how many files, and a hash over their names and lengths."""
        lines = [f"{face_id}\t{_length(file)}" for face_id, file in self._files.items()]
        return {
            "name": self.name,
            "from": str(self.path),
            "licence": self.licence,
            "count": len(self._files),
            "size_px": self.size_px,
            "files_sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        }


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a dangling link is listed, and named as unreadable when loaded
        return -1


def find_pictures(root: Path) -> list[Path]:
    """Files below a folder whose suffix is a picture's, in no promised order.

    Also folders that cannot be listed, and folders named like a picture with nothing in them: loading them says what
    is wrong, while leaving them out would shorten the list in silence. Each real folder is walked once, under its own
    name if it is below ``root`` and else under the first link to it, so linked loops end.

    Raises:
        BadInput: where ``root`` itself cannot be listed.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    linked: list[Path] = []
    while waiting or linked:
        if not waiting:  # links last and in order, so that what is found does not depend on the file system
            linked.sort(reverse=True)
            waiting.append(linked.pop())
        folder = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            if folder == root:
                raise BadInput(f"{root}: cannot be listed: {error.strerror or error}") from error
            found.append(folder)
            continue
        if not visible and folder != root and folder.suffix.lower() in SUFFIXES:
            found.append(folder)
        for entry in visible:
            if _is_dir(entry):
                (linked if entry.is_symlink() else waiting).append(folder / entry.name)
            elif PurePosixPath(entry.name).suffix.lower() in SUFFIXES:
                found.append(folder / entry.name)
    return found


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def named(root: Path, files: Iterable[Path]) -> dict[str, Path]:
    """Give each file its id, in code-point order of the ids.

    Names are put in Unicode's composed form (file systems differ), and what cannot be printed is written out.

    Raises:
        BadInput: where two names differ in their Unicode form only.
    """
    full = {file: _printable(file.relative_to(root).as_posix()) for file in files}
    ids = {file: name.removesuffix(file.suffix) for file, name in full.items()}
    while True:
        owners: dict[str, list[Path]] = defaultdict(list)
        for file, face_id in ids.items():
            owners[face_id].append(file)
        clashes = [file for group in owners.values() if len(group) > 1 for file in group]
        if not clashes:
            return {ids[file]: file for file in sorted(ids, key=ids.__getitem__)}
        if all(ids[file] == full[file] for file in clashes):
            raise BadInput(f"{root}: two files are called {ids[clashes[0]]!r}, written in different Unicode forms")
        ids.update((file, full[file]) for file in clashes)


def _printable(name: str) -> str:
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    text = unicodedata.normalize("NFC", text)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def to_square(rgb: Bytes, size_px: int) -> Bytes:
    """The middle square of an (H, W, 3) uint8 picture, resized to ``size_px`` and rounded to 8 bits."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    if side == size_px == max(height, width):
        return rgb
    square = images.batch_from_uint8([rgb[top : top + side, left : left + side]], ("face",))
    return images.to_rgb_arrays(images.resized(square, (size_px, size_px)))[0]
