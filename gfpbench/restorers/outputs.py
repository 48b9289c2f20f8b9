"""Pictures that were restored elsewhere, as a restorer: ``outputs:DIR``."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from gfpbench.images import batch_from_uint8, moved
from gfpbench.types import BadInput, ImageBatch, Json, RestorationFailed

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


class Outputs:
    """Pictures already restored elsewhere: files in DIR named as the degraded pictures were, with any image suffix.

    A picture ``sub/name`` is looked for as ``DIR/sub/name.png`` (or another suffix), ``grace_hopper~3`` as
    ``DIR/grace_hopper~3.png``. An id that carries a suffix itself (``name.jpg``) matches that file, else the same name
    with another suffix. Hidden files are left out.

    Args:
        argument: the folder.
        device: ignored; files are read on the CPU.

    Raises:
        BadInput: where the folder is absent or holds no picture.
    """

    def __init__(self, argument: str, *, device: str = "cpu") -> None:
        del device
        self.name = f"outputs:{argument}"
        self.folder = Path(argument).expanduser()
        if not self.folder.is_dir():
            raise BadInput(f"{self.name}: {self.folder} is not a folder; it has to hold the restored pictures")
        self.files = tuple(sorted(self._pictures()))
        if not self.files:
            raise BadInput(f"{self.name}: no picture in {self.folder} (looked for {', '.join(SUFFIXES)})")
        self._whole = {_composed(file): file for file in self.files}
        self._named: dict[str, list[str]] = {}
        for file in self.files:
            self._named.setdefault(_composed(str(PurePosixPath(file).with_suffix(""))), []).append(file)

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        """Read the restored pictures of a batch.

        Raises:
            RestorationFailed: for one that is absent, there twice, not readable or not of the degraded picture's size.
        """
        pictures = [self._read(self.find(face_id), degraded.size) for face_id in degraded.ids]
        return moved(batch_from_uint8(pictures, degraded.ids), degraded.pixels.device)

    def find(self, face_id: str) -> str:
        """The file of one picture, relative to the folder. Raises RestorationFailed where there is none, or two."""
        name = _composed(face_id)
        exact = self._named.get(name, []) + ([self._whole[name]] if name in self._whole else [])
        path = PurePosixPath(name)
        bare = str(path.with_suffix("")) if path.suffix.lower() in SUFFIXES else name
        found = exact or self._named.get(bare, [])
        if not found:
            raise RestorationFailed(f"no restored picture: looked for {self.folder / bare} with {', '.join(SUFFIXES)}")
        if len(found) > 1:
            raise RestorationFailed(f"{len(found)} restored pictures in {self.folder}: {', '.join(found)}; leave one")
        return found[0]

    def unused(self, face_ids: Iterable[str]) -> tuple[str, ...]:
        """Files that belong to none of these pictures: misnamed, or left over from another run."""
        used = set()
        for face_id in face_ids:
            try:
                used.add(self.find(face_id))
            except RestorationFailed:
                continue  # reported where that picture is restored
        return tuple(file for file in self.files if file not in used)

    def provenance(self) -> Mapping[str, Json]:
        """Names and sizes identify the files: reading ten thousand of them twice would cost more than it tells."""
        listing = "".join(f"{file}\0{(self.folder / file).stat().st_size}\n" for file in self.files)
        return {
            "restorer": "outputs",
            "folder": self.folder.name,
            "files": len(self.files),
            "names_and_sizes_sha256": hashlib.sha256(listing.encode()).hexdigest(),
        }

    def _pictures(self) -> Iterable[str]:
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder)
            hidden = any(part.startswith(".") for part in name.parts)
            if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
                yield name.as_posix()

    def _read(self, file: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        from PIL import Image, ImageOps

        path = self.folder / file
        try:
            with Image.open(path) as opened:
                # The size is known before anything is decoded, so a picture of the wrong size costs no memory.
                if opened.size not in {size, size[::-1]}:
                    raise RestorationFailed(_size_line(path, opened.size, size))
                if opened.mode[0] in "IF":  # 16-bit grey and floating point: PIL would clip them without a word
                    raise RestorationFailed(f"{path}: mode {opened.mode} is not 8-bit; save restored pictures as 8-bit")
                picture = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"), dtype=np.uint8)
        except (
            OSError,
            ValueError,
            SyntaxError,
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
        ) as error:
            raise RestorationFailed(f"{path}: cannot be read as a picture ({' '.join(str(error).split())})") from error
        if picture.shape[:2] != size:
            raise RestorationFailed(_size_line(path, (picture.shape[1], picture.shape[0]), size))
        return picture


def _composed(name: str) -> str:
    """One spelling of accented letters: file systems store them in one piece or in two."""
    return unicodedata.normalize("NFC", name)


def _size_line(path: Path, got: tuple[int, int], size: tuple[int, int]) -> str:
    """One line about a wrong size. ``got`` is (width, height), as PIL says it; ``size`` is (height, width)."""
    return f"{path} is {got[0]} x {got[1]} px, but the degraded picture is {size[1]} x {size[0]} px"
