"""Images restored by another tool, as a restorer: ``outputs:DIR``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from PIL import Image

from gfpbench.decode import Decoded, read
from gfpbench.decode.containers.as_folder import archived, is_address, manifest_in
from gfpbench.decode.files import list_images, printable, without_suffix
from gfpbench.decode.formats import LOOKED_FOR
from gfpbench.degraded import find_manifest
from gfpbench.images import batch_from_uint8, moved, pixels_sha256, to_rgb_arrays
from gfpbench.options import Options, split_folder
from gfpbench.restorers.output_layouts import LAYOUTS, PARTS, Folder, Reading, Wanted
from gfpbench.types import BadInput, ImageBatch, Json, RestorationFailed, UnreadableFace

FILTERS: Mapping[str, Image.Resampling | None] = {
    "area": None,  # Pillow's box rounds twice
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""What ``resize=`` takes, with Pillow's name for it; None for OpenCV's INTER_AREA."""


class Outputs:
    """Images already restored elsewhere: files in DIR named as the degraded images, or as a tool's script names them.

    An image ``sub/name`` is looked for as ``DIR/sub/name.png`` (or another suffix, in any case), ``grace_hopper~3`` as
    ``DIR/grace_hopper~3.png``. An id that carries a suffix itself (``name.jpg``) matches that file, else the same name
    with another suffix. Hidden files and those that are no images are left out and counted. Files are read as faces
    are (``gfpbench.decode``), and how each was read is kept in the result.

    Where the manifest that `gfpbench degrade` wrote (``degraded.json``) lies in the folder or in the one above it, the
    run must degrade its faces into the very images that the manifest lists.

    Scripts of GFPGAN, VQFR, RestoreFormer, CodeFormer and GPEN write other names into folders of their own
    (``output_layouts.RULES``). Which script it was is decided from the names of all images of the run, and recorded;
    where two rules find different files, nothing is read until an option says which.

    In place of the folder there may be an archive of it, several shards, or an address of either, as for faces
    (``gfpbench.decode.containers``): paths inside count as those below a folder do.

    Args:
        argument: the folder, archive or address.
        device: ignored; files are read on the CPU.
        given: options: ``layout`` (the script; ``plain`` for none), ``part`` (``faces`` or ``whole`` images), ``face``
            (its number in each image), ``suffix`` (behind the names, with its ``_``), and ``resize`` for files of
            another size and the same shape: ``area`` (OpenCV's INTER_AREA, which only reduces), ``bicubic`` or
            ``lanczos`` (Pillow's, which smooth before they reduce).

    Raises:
        BadInput: where the folder is absent or holds no image, and for options that there are not.
        RemoteFailed, PackageMissing: as what reads the archive or the address does.
    """

    def __init__(self, argument: str, *, device: str = "cpu", **given: str) -> None:
        del device
        whole = argument + ("?" if given else "") + "&".join(f"{key}={value}" for key, value in given.items())
        path, given = split_folder(whole)
        self._archive, path, given = archived(path, given)
        if self._archive is None and not Path(path).expanduser().is_dir():
            raise BadInput(f"outputs:{whole}: {whole} is not a folder or archive; it has to hold the restored images")
        options = Options(f"outputs:{path}", given)
        self.name = options.spelled if self._archive is None else f"outputs:{whole}"
        self.folder = Path(path).expanduser()
        self.wanted = Wanted(
            layout=options.choice("layout", LAYOUTS),
            part=PARTS[options.choice("part", tuple(PARTS))],
            face=options.whole("face", 0, 0, 999) if "face" in given else None,
            suffix=options.text("suffix", "TEXT"),
        )
        self.resize = options.choice("resize", ("no", *FILTERS))
        options.whole("face", 0, 0, 999)  # known, whether it was given or not
        options.finished()
        if self._archive is None:
            listing = list_images(self.folder)
            self.files = tuple(sorted(file.relative_to(self.folder).as_posix() for file in listing.files))
            if not self.files:
                raise BadInput(f"{self.name}: no image in {self.folder} (looked for {LOOKED_FOR}){listing.instead()}")
            self.manifest = find_manifest(self.folder) or find_manifest(self.folder.resolve().parent)
        else:
            self._inside = self._archive.files()
            listing, self.files = self._archive.listing, tuple(sorted(self._inside))
            self.manifest = manifest_in(self._archive)
            if self.manifest is None and not is_address(path):
                self.manifest = find_manifest(self.folder.resolve().parent)
        self._all = Folder(self.name, self.files)
        self._listed = listing
        self._reading: Reading | None = None
        self._asked: frozenset[str] = frozenset()
        self._layout: dict[str, Json] = {}
        self._beside: dict[str, tuple[str, ...]] = {}
        self._owners: dict[str, list[str]] = {}
        self._hashes: dict[str, str] = {}
        self._records: dict[str, dict[str, Json]] = {}

    def expect(self, image_ids: Sequence[str]) -> None:
        """Decide how the files are named, from the names of all images of a run.

        Raises:
            BadInput: where no file or more than one can be told to be an image's; one line, with the option that helps.
        """
        reading, guessed = self._all.read(image_ids, self.wanted)
        self._reading, self._asked = reading, frozenset(image_ids)
        self._beside = self._all.beside(reading, image_ids)
        self._owners = {}
        for image_id, files in reading.found.items():
            for file in files:
                self._owners.setdefault(file, []).append(image_id)
        rule, wanted = reading.rule, self.wanted
        if rule.layout == "plain" and not wanted.suffix:
            self._layout = {}
            return
        face = {} if wanted.face is None else {"face": wanted.face}
        self._layout = {"layout": {"name": rule.layout, "files": rule.files(wanted.suffix), "guessed": guessed, **face}}

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        """Read the restored images of a batch.

        Raises:
            RestorationFailed: for one that is absent, there twice, not readable or not of the degraded image's size,
                for one that is another file than when the record of the run was made, and, where there is a manifest,
                for one that was restored from another degraded image.
        """
        self._check_degraded(degraded)
        self._read_for(degraded.ids)
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
        """The file of one image, relative to the folder. Raises RestorationFailed where there is none, or two, and
        where it is that of another image too."""
        reading = self._read_for([face_id])
        found = reading.found.get(face_id, ())
        if not found:
            place = PurePosixPath(without_suffix(face_id))
            bare = printable(str(self.folder / place.parent / reading.rule.folder / place.name))
            tail = reading.rule.tail + self.wanted.suffix
            raise RestorationFailed(f"no restored image: looked for {bare}{tail} with {LOOKED_FOR}")
        if len(found) > 1:
            both = ", ".join(map(printable, found))
            raise RestorationFailed(f"{len(found)} restored images in {printable(str(self.folder))}: {both}; leave one")
        owners = self._owners[found[0]]
        if len(owners) > 1:
            raise RestorationFailed(
                f"{printable(found[0])} is the file of {len(owners)} images ({', '.join(map(printable, owners[:3]))}): "
                "a tool that wrote both under one name kept the last of them only"
            )
        return found[0]

    def _read_for(self, image_ids: Sequence[str]) -> Reading:
        """How the files are named; decided from these images where nobody told them all before."""
        if self._reading is None or not self._asked.issuperset(image_ids):
            try:
                self.expect(tuple(dict.fromkeys([*self._asked, *image_ids])))
            except BadInput as error:
                raise RestorationFailed(str(error)) from error
        assert self._reading is not None
        return self._reading

    def read_record(self, face_id: str) -> Mapping[str, Json]:
        """How the file of an image was read, once it was: its name, format, depth, hash and what was done to it."""
        return self._records.get(face_id, {})

    def unused(self, face_ids: Iterable[str]) -> tuple[str, ...]:
        """Files that belong to none of these images: misnamed, or left over from another run."""
        # Two files for one image belong to it; that they are two is reported where it is restored.
        used = set(self._read_for(tuple(face_ids)).files)
        used.update(file for files in self._beside.values() for file in files)
        return tuple(printable(file) for file in self.files if file not in used)

    def provenance(self) -> Mapping[str, Json]:
        """Names and contents identify the files. Each is hashed once, as it is read or for this record, so that what is
        measured is what was hashed: a file whose bytes differ when it is read later is a failed restoration."""
        whole = hashlib.sha256()
        beside = {file for files in self._beside.values() for file in files}
        files = [file for file in self.files if file not in beside]
        for file in files:
            whole.update(os.fsencode(file) + b"\0" + self._sha256(file).encode() + b"\n")
        left_out = {**self._listed.left_out, **self._beside}
        return {
            "restorer": "outputs",
            "folder": printable(self.folder.name),
            "files": len(files),
            **self._layout,
            **({} if self.resize == "no" else {"resize": self.resize}),
            **({} if self.manifest is None else {"degraded_manifest_sha256": self.manifest.sha256}),
            "contents_sha256": whole.hexdigest(),
            **({"left_out": replace(self._listed, left_out=left_out).record()} if left_out else {}),
        }

    def _sha256(self, file: str) -> str:
        if file not in self._hashes:
            if self._archive is not None:
                try:
                    self._hashes[file] = hashlib.sha256(self._archive.data(self._inside[file])).hexdigest()
                except UnreadableFace:
                    return "unreadable"
                return self._hashes[file]
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
            decoded = read(path) if self._archive is None else self._archive.decode(self._inside[file])
        except UnreadableFace as error:
            raise RestorationFailed(str(error)) from error
        height, width = decoded.rgb.shape[:2]
        if (height, width) != size:
            decoded = self._resized(path, decoded, size)
        if self._hashes.setdefault(file, decoded.sha256) != decoded.sha256:
            raise RestorationFailed(f"{printable(str(path))} was changed while the run was going on: run it again")
        return decoded

    def _resized(self, path: Path, decoded: Decoded, size: tuple[int, int]) -> Decoded:
        """The image at another size, where that was asked for; what was done stands in its record."""
        height, width = decoded.rgb.shape[:2]
        differs = f"{printable(str(path))} is {width} x {height} px, but its input is {size[1]} x {size[0]} px"
        if width * size[0] != height * size[1]:
            raise RestorationFailed(differs)
        if self.resize == "no":
            ways = "resize=area or resize=lanczos" if width > size[1] else "resize=bicubic or resize=lanczos"
            raise RestorationFailed(f"{differs}: {ways} behind the folder's name measures it at that size, and says so")
        if self.resize == "area" and width < size[1]:
            raise RestorationFailed(f"{differs}: resize=area only reduces; give resize=bicubic or resize=lanczos")
        filtered, to = FILTERS[self.resize], (size[1], size[0])
        if filtered is None:
            rgb = np.asarray(cv2.resize(decoded.rgb, to, interpolation=cv2.INTER_AREA), np.uint8)
        else:
            rgb = np.asarray(Image.fromarray(decoded.rgb).resize(to, filtered))
        done = f"resized from {width} x {height} px ({self.resize})"
        return replace(decoded, rgb=rgb, treatment=(*decoded.treatment, done))
