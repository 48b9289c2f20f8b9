"""Published degraded images, paired with the clean ones by name instead of being generated."""

from __future__ import annotations

import hashlib
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from gfpbench import images
from gfpbench.assets.datasets import DEGRADED_FOLDERS, INPUTS, folder_named, place_of
from gfpbench.assets.store import home
from gfpbench.decode import Decoded, Limits, read
from gfpbench.decode.containers.as_folder import archived, manifest_in
from gfpbench.decode.containers.collection import Collection
from gfpbench.decode.files import Names, list_images, printable, without_suffix
from gfpbench.decode.formats import LOOKED_FOR
from gfpbench.degraded import WRITTEN, Manifest, find_manifest
from gfpbench.types import AssetMissing, BadInput, ImageBatch, Json, Parameters, UnreadableFace

LIMITS = Limits(minimum_side_px=1)
"""A degraded image may be smaller than any face: it is enlarged to the size of its own."""
SETTLED_NS = 2_000_000_000
"""File systems keep the time of a change to two seconds at worst."""


class _Archive:
    """Degraded images in an archive or at an address, found as those of the folder that was packed.

    Args:
        images: all of it; where one of ``DEGRADED_FOLDERS`` is in it, only what lies there counts.

    Raises:
        BadInput: where there are two of those, and for a manifest that is broken.
    """

    def __init__(self, images: Collection) -> None:
        self._images, files = images, images.files()
        tops = sorted({top for file in files for top, slash, _ in [file.partition("/")] if slash} & {*DEGRADED_FOLDERS})
        if len(tops) > 1:
            said = f"{len(tops)} folders ({', '.join(tops)}) for the degraded images"
            raise BadInput(f"{images.where}: has {said}; leave one of them")
        below = f"{tops[0]}/" if tops else ""
        self.where = images.where + (f": {tops[0]}" if tops else "")
        self.inputs = tops[0] if tops else PurePosixPath(images.where).name.partition(".")[0]
        self.manifest = manifest_in(images, below)
        self._ids = {file.removeprefix(below): one for file, one in files.items() if file.startswith(below)}
        folders: dict[str, list[str]] = defaultdict(list)
        for file in self._ids:
            path = PurePosixPath(file)
            folders[path.parent.as_posix()].append(path.name)
        self._names = {folder: Names(names) for folder, names in folders.items()}
        self._hashes: dict[str, str | None] = {}
        kept = {
            why: tuple(name.removeprefix(below) for name in names if f"/{below}" in f"/{name}")
            for why, names in images.listing.left_out.items()
        }
        self.left_out = replace(images.listing, left_out=kept).record(WRITTEN)

    def names(self, folder: str) -> Names:
        """The images of one folder inside."""
        return self._names.get(folder, Names(()))

    def sha256(self, file: str) -> str | None:
        """As ``_sha256``."""
        if file not in self._hashes:
            try:
                self._hashes[file] = hashlib.sha256(self._images.data(self._ids[file], LIMITS)).hexdigest()
            except UnreadableFace:
                return None
        return self._hashes[file]

    def read(self, file: str) -> Decoded:
        """One image. Raises UnreadableFace where that is impossible."""
        return self._images.decode(self._ids[file], LIMITS)


@dataclass(frozen=True, slots=True)
class Stored:
    """The degraded half of published pairs: CelebA-Test's, or any folder with ``lq`` in it.

    In place of the folder there may be an archive of it, several shards, or an address of either
    (``gfpbench.decode.containers.as_folder``): paths inside count as those below the folder do.

    Args:
        name: ``stored``, or ``stored:PATH`` as it was asked for.
        path: the folder of the dataset, or of the degraded images themselves; None for CelebA-Test's own place.
        archive: what is read in its place; None where it is a folder.
    """

    name: str = "stored"
    path: Path | None = None
    archive: _Archive | None = None
    _records: dict[str, dict[str, Json]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def folder(self) -> Path:
        """Where the images are. Raises DatasetMissing or BadInput where they are not."""
        root = self._place()
        if self.path is not None and not any((root / name).is_dir() for name in DEGRADED_FOLDERS):
            return root
        return folder_named(root, DEGRADED_FOLDERS, "the degraded images")

    def _place(self) -> Path:
        """The folder that was named, else CelebA-Test's own."""
        if self.path is None:
            return place_of("celeba-test", None, home(), f"the degradation {self.name!r}")
        given = self.path.expanduser()
        if not given.is_dir():
            what = "is a file, give its folder or an archive" if given.exists() else "no such folder or archive"
            raise BadInput(f"{self.name}: {what}")
        return given

    def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
        """Nothing is drawn: the record names the file and hashes it, the same for every seed; null where there is none.
        Of images that `gfpbench degrade` wrote it also holds what was drawn for them.

        The hash is what tells an image from another that was put in its place.

        Raises:
            BadInput: where there are two.
        """
        place = self.archive or self.folder()
        file = _found(place, face_id)
        sha256 = None if file is None else _sha256(place / file) if isinstance(place, Path) else place.sha256(file)
        manifest = self.manifest()
        return {
            **(manifest.parameters(face_id) if manifest is not None else {}),
            **{"height_px": int(size[0]), "width_px": int(size[1]), "stored_file": file, "stored_sha256": sha256},
        }

    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        """Read each image; one of another size is resized as the faces are (areas averaged when shrinking).

        Raises:
            BadInput: for an image that is not there, cannot be decoded or has another shape than its face; of images
                that `gfpbench degrade` wrote also for one that was made from another face or was changed since.
        """
        if len(parameters) != len(batch):
            raise BadInput(f"{len(batch)} images need as many degradation records, not {len(parameters)}")
        place = self.archive or self.folder()
        manifest = self.manifest()
        if manifest is not None:
            for name, rgb in zip(batch.ids, images.to_rgb_arrays(batch), strict=True):
                manifest.check_face(name, images.pixels_sha256(rgb))
        found = [
            self._read(place, record, name, batch.size) for record, name in zip(parameters, batch.ids, strict=True)
        ]
        if manifest is not None:
            for name, rgb in zip(batch.ids, found, strict=True):
                manifest.check_degraded(name, images.pixels_sha256(rgb))
        return images.moved(images.batch_from_uint8(found, batch.ids), batch.pixels.device)

    def manifest(self) -> Manifest | None:
        """What `gfpbench degrade` wrote beside its images; None for images from elsewhere."""
        if self.archive is not None:
            return self.archive.manifest
        return None if self.path is None else find_manifest(self.folder())

    def read_record(self, face_id: str) -> Mapping[str, Json]:
        """How the file of an image was read, once it was: its name, format, depth, hash and what was done to it."""
        return self._records.get(face_id, {})

    def _left_out(self) -> dict[str, Json]:
        """Files of a user's folder that are not images; CelebA-Test's own folder is compared with its faces instead."""
        if self.archive is not None:
            record = self.archive.left_out
        else:
            record = {} if self.path is None else list_images(self.folder()).record(WRITTEN)
        return {"left_out": record} if record else {}

    def _read(self, place: Path | _Archive, record: Parameters, name: str, size: tuple[int, int]) -> images.Bytes:
        file, where = record.get("stored_file"), _said(place)
        if not isinstance(file, str):
            raise BadInput(
                f"{where}: has no degraded image named {without_suffix(name)}, with or without _lq ({LOOKED_FOR})"
            )
        decoded = read(place / file, LIMITS) if isinstance(place, Path) else place.read(file)
        path = printable(f"{where}/{file}" if isinstance(place, Path) else f"{where}: {file}")
        if record.get("stored_sha256", decoded.sha256) != decoded.sha256:
            raise BadInput(f"{path}: is another file than the record says")
        self._records[name] = {"file": printable(file), **decoded.record()}
        height, width = decoded.rgb.shape[:2]
        if height * size[1] != width * size[0]:
            raise BadInput(f"{path}: is {width}x{height} px, another shape than its face of {size[1]}x{size[0]}")
        return images.to_rgb_arrays(images.resized(images.batch_from_uint8([decoded.rgb], (name,)), size))[0]

    def describe(self) -> Mapping[str, Json]:
        manifest = self.manifest()
        return {
            "name": self.name,
            "summary": "the degraded images published with the faces (CelebA-Test), or of `stored:PATH`, by name",
            "source": "the dataset itself",
            **({} if manifest is None else {"manifest_sha256": manifest.sha256, "made": dict(manifest.made)}),
            **self._published(),
            **self._left_out(),
        }

    def _published(self) -> dict[str, Json]:
        """Which published degraded images they are, where the folder's name tells."""
        try:
            name = self.archive.inputs if self.archive is not None else self.folder().name
        except (AssetMissing, BadInput):  # to describe what is not here is no error; to apply it is
            return {}
        return {"inputs": name} if name in INPUTS else {}


def _said(place: Path | _Archive) -> str:
    return str(place) if isinstance(place, Path) else place.where


def _found(place: Path | _Archive, face_id: str) -> str | None:
    """The file of a face, relative to the folder; None where there is none.

    A file of the same name comes first. Where there is none, the marks of pairs count: ``a_lq`` belongs to ``a``, and
    ``a_lq`` or ``a`` to ``a_gt`` and ``a_hq``, with any image suffix, in lower or upper case, behind ``_`` or ``-``.
    """
    below, name = PurePosixPath(face_id).parent, PurePosixPath(face_id).name
    names = _names(place / below) if isinstance(place, Path) else place.names(below.as_posix())
    found = names.of(name) or tuple(dict.fromkeys(file for each in _names_in_pairs(name) for file in names.of(each)))
    if len(found) > 1:
        where = str(place / below) if isinstance(place, Path) else place.where
        raise BadInput(f"{where}: {len(found)} degraded images of {face_id}: {', '.join(found)}; leave one")
    return (below / found[0]).as_posix() if found else None


def _names_in_pairs(name: str) -> Iterator[str]:
    """What the degraded half of a pair may be called, other than its truth."""
    bare = without_suffix(name)
    stem = re.sub(r"[_-](?:gt|hq)$", "", bare, flags=re.IGNORECASE)
    for each in dict.fromkeys((bare, stem)):
        yield from (f"{each}{mark}" for mark in ("_lq", "_LQ", "-lq", "-LQ"))
    if stem != bare:
        yield stem


def _sha256(path: Path) -> str | None:
    """Of the file's bytes; None where it cannot be read, as reading the image will say."""
    try:
        if not path.is_file():  # a pipe would wait for ever
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _names(folder: Path) -> Names:
    """The images of one folder. Kept until the folder changes; one that changed just now may do so again unseen."""
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return Names(())
    settled = abs(time.time_ns() - changed) > SETTLED_NS
    return _listed(folder, changed) if settled else _listed.__wrapped__(folder, changed)


@lru_cache(maxsize=8)
def _listed(folder: Path, changed: int) -> Names:
    del changed  # part of the key
    return Names(file.name for file in list_images(folder, nested=False).files)


STORED = Stored()


def stored_in(path: str) -> Stored:
    """The degradation ``stored:PATH``, of a folder, archive or address.

    Raises:
        BadInput: where it is none of them, or its manifest is broken.
        RemoteFailed, PackageMissing: as what reads the archive or the address does.
    """
    found, called, _ = archived(path, {})
    if found is not None:
        return Stored(f"stored:{path}", Path(called), _Archive(found))
    degradation = Stored(f"stored:{path}", Path(path).expanduser())
    degradation.manifest()  # one that is broken is told now
    return degradation
