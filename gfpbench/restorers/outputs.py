"""Images restored by another tool, as a restorer: ``outputs:DIR``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from gfpbench.decode import Decoded, read
from gfpbench.decode.files import Names, list_images, printable, without_suffix
from gfpbench.decode.formats import LOOKED_FOR
from gfpbench.degraded import find_manifest
from gfpbench.images import batch_from_uint8, moved, pixels_sha256, to_rgb_arrays
from gfpbench.types import BadInput, ImageBatch, Json, RestorationFailed, UnreadableFace


class Outputs:
    """Images already restored elsewhere: files in DIR named as the degraded images were, with any image suffix.

    An image ``sub/name`` is looked for as ``DIR/sub/name.png`` (or another suffix, in any case), ``grace_hopper~3`` as
    ``DIR/grace_hopper~3.png``. An id that carries a suffix itself (``name.jpg``) matches that file, else the same name
    with another suffix. Hidden files and those that are no images are left out and counted. Files are read as faces
    are (``gfpbench.decode``), and how each was read is kept in the result.

    Where the manifest that `gfpbench degrade` wrote (``degraded.json``) lies in the folder or in the one above it, the
    run must degrade its faces into the very images that the manifest lists.

    Args:
        argument: the folder.
        device: ignored; files are read on the CPU.

    Raises:
        BadInput: where the folder is absent or holds no image.
    """

    def __init__(self, argument: str, *, device: str = "cpu") -> None:
        del device
        self.name = f"outputs:{argument}"
        self.folder = Path(argument).expanduser()
        if not self.folder.is_dir():
            raise BadInput(f"{self.name}: {self.folder} is not a folder; it has to hold the restored images")
        listing = list_images(self.folder)
        self.files = tuple(sorted(file.relative_to(self.folder).as_posix() for file in listing.files))
        if not self.files:
            raise BadInput(f"{self.name}: no image in {self.folder} (looked for {LOOKED_FOR}){listing.instead()}")
        self.manifest = find_manifest(self.folder) or find_manifest(self.folder.resolve().parent)
        self._names = Names(self.files)
        self._left_out = listing.record()
        self._hashes: dict[str, str] = {}
        self._records: dict[str, dict[str, Json]] = {}

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        """Read the restored images of a batch.

        Raises:
            RestorationFailed: for one that is absent, there twice, not readable or not of the degraded image's size,
                for one that is another file than when the record of the run was made, and, where there is a manifest,
                for one that was restored from another degraded image.
        """
        self._check_degraded(degraded)
        images = []
        for face_id in degraded.ids:
            file = self.find(face_id)
            decoded = self._read(file, degraded.size)
            self._records[face_id] = {"file": printable(file), **decoded.record()}
            images.append(decoded.rgb)
        return moved(batch_from_uint8(images, degraded.ids), degraded.pixels.device)

    def _check_degraded(self, degraded: ImageBatch) -> None:
        if self.manifest is None:
            return
        for face_id, rgb in zip(degraded.ids, to_rgb_arrays(degraded), strict=True):
            try:
                self.manifest.check_degraded(face_id, pixels_sha256(rgb))
            except BadInput as error:
                raise RestorationFailed(str(error)) from error

    def find(self, face_id: str) -> str:
        """The file of one image, relative to the folder. Raises RestorationFailed where there is none, or two."""
        found = self._names.of(face_id)
        if not found:
            bare = printable(str(self.folder / without_suffix(face_id)))
            raise RestorationFailed(f"no restored image: looked for {bare} with {LOOKED_FOR}")
        if len(found) > 1:
            both = ", ".join(map(printable, found))
            raise RestorationFailed(f"{len(found)} restored images in {printable(str(self.folder))}: {both}; leave one")
        return found[0]

    def read_record(self, face_id: str) -> Mapping[str, Json]:
        """How the file of an image was read, once it was: its name, format, depth, hash and what was done to it."""
        return self._records.get(face_id, {})

    def unused(self, face_ids: Iterable[str]) -> tuple[str, ...]:
        """Files that belong to none of these images: misnamed, or left over from another run."""
        # Two files for one image belong to it; that they are two is reported where it is restored.
        used = {file for face_id in face_ids for file in self._names.of(face_id)}
        return tuple(printable(file) for file in self.files if file not in used)

    def provenance(self) -> Mapping[str, Json]:
        """Names and contents identify the files. Each is hashed once, as it is read or for this record, so that what is
        measured is what was hashed: a file whose bytes differ when it is read later is a failed restoration."""
        whole = hashlib.sha256()
        for file in self.files:
            whole.update(os.fsencode(file) + b"\0" + self._sha256(file).encode() + b"\n")
        return {
            "restorer": "outputs",
            "folder": printable(self.folder.name),
            "files": len(self.files),
            **({} if self.manifest is None else {"degraded_manifest_sha256": self.manifest.sha256}),
            "contents_sha256": whole.hexdigest(),
            **({"left_out": self._left_out} if self._left_out else {}),
        }

    def _sha256(self, file: str) -> str:
        if file not in self._hashes:
            path = self.folder / file
            try:
                if not path.is_file():  # a pipe would wait for ever
                    return "no file"
                with path.open("rb") as opened:
                    self._hashes[file] = hashlib.file_digest(opened, "sha256").hexdigest()
            except OSError:  # what may not be read is reported where that image is restored
                return "unreadable"
        return self._hashes[file]

    def _read(self, file: str, size: tuple[int, int]) -> Decoded:
        path = self.folder / file
        try:
            decoded = read(path)
        except UnreadableFace as error:
            raise RestorationFailed(str(error)) from error
        height, width = decoded.rgb.shape[:2]
        if (height, width) != size:
            raise RestorationFailed(
                f"{printable(str(path))} is {width} x {height} px, but the degraded image is {size[1]} x {size[0]} px"
            )
        if self._hashes.setdefault(file, decoded.sha256) != decoded.sha256:
            raise RestorationFailed(f"{printable(str(path))} was changed while the run was going on: run it again")
        return decoded
