"""The manifest of a folder of degraded images: what each was made from, and the hash of its file."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from gfpbench import codec
from gfpbench.types import BadInput, Json, Problem

MANIFEST = "degraded.json"
UNFINISHED = ".degraded.jsonl"
LOCK = ".lock"
WRITTEN = (MANIFEST, UNFINISHED, LOCK)
"""What `gfpbench degrade` writes into a folder beside the images."""
"""There while the folder is not complete."""
SCHEMA = "gfpbench/degraded/1"


@dataclass(frozen=True, slots=True)
class DegradedImage:
    """One image of such a folder.

    Args:
        id: its name in every report.
        file: below the folder, with ``/`` between folders: the id and ``.png``.
        height_px, width_px: of the image, and of its face.
        face_sha256: of the pixels of the clean face (``images.pixels_sha256``).
        sha256: of its own pixels, likewise.
        file_sha256: of the bytes of the file.
        parameters: what was drawn for it.
        truth_file_sha256: of the bytes of the clean face's file, where that was written too.
    """

    id: str
    file: str
    height_px: int
    width_px: int
    face_sha256: str
    sha256: str
    file_sha256: str
    parameters: Mapping[str, Json]
    truth_file_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``degraded.json`` says.

    Args:
        path: of the file; inside an archive, how messages call it.
        sha256: of its bytes.
        made: from which faces, by which degradation, seed and versions; JSON values.
        images: in the order of the faces.
        problems: of the faces that could not be read or degraded.
    """

    path: Path | str
    sha256: str
    made: Mapping[str, Json]
    images: tuple[DegradedImage, ...]
    problems: tuple[Problem, ...] = ()
    _by_id: dict[str, DegradedImage] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._by_id.update({image.id: image for image in self.images})

    def of(self, image_id: str) -> DegradedImage:
        """One image. Raises BadInput where there is none of that name."""
        if image_id not in self._by_id:
            raise BadInput(f"{self.path}: lists no image {image_id!r}: it was made from other faces than these")
        return self._by_id[image_id]

    def parameters(self, image_id: str) -> Mapping[str, Json]:
        """What was drawn for an image; nothing for one that is not listed."""
        return self._by_id[image_id].parameters if image_id in self._by_id else {}

    def check_face(self, image_id: str, pixels_sha256: str) -> None:
        """Raises BadInput where an image was made from another face than the one with these pixels."""
        if self.of(image_id).face_sha256 != pixels_sha256:
            raise BadInput(
                f"{self.path}: {image_id!r} was made from another image than this face: other --faces or another --size"
            )

    def check_degraded(self, image_id: str, pixels_sha256: str) -> None:
        """Raises BadInput where an image that is in use has other pixels than the one that was written."""
        if self.of(image_id).sha256 != pixels_sha256:
            raise BadInput(
                f"{self.path}: {image_id!r} is another degraded image than the one written there "
                f"(by {self.made.get('degradation')}, seed {self.made.get('seed')}): take the same --faces, "
                "--degradation, --seed and --size, or --degradation stored:FOLDER"
            )


def file_of(image_id: str) -> str:
    """The file of an image below such a folder: folders in its name are kept.

    Raises:
        BadInput: for a name that leads out of the folder or that readers of folders pass over.
    """
    parts = PurePosixPath(f"{image_id}.png").parts
    if not image_id or "\0" in image_id or any(part.startswith((".", "/")) for part in parts) or "//" in image_id:
        raise BadInput(f"{image_id!r} cannot be the name of a file: it is hidden, absolute or leads out of the folder")
    if any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts):
        raise BadInput(f"{image_id[:60]!r}… is too long for the name of a file")
    return PurePosixPath(*parts).as_posix()


def find_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where it is a folder of another kind.

    Raises:
        BadInput: where it is broken, or the folder not complete.
    """
    if (folder / UNFINISHED).exists():
        raise BadInput(not_finished(folder))
    path = folder / MANIFEST
    try:
        status = path.stat()
    except OSError:
        return None
    return _read(path, status.st_mtime_ns, status.st_size)


def not_finished(folder: Path | str) -> str:
    """What is said of a folder, or an archive of one, that is not complete."""
    return f"{folder}: `gfpbench degrade` has not finished there; give the same command again first"


@functools.lru_cache(maxsize=8)
def _read(path: Path, changed_ns: int, size: int) -> Manifest:
    """Once for each state of the file: it is asked for every image."""
    del changed_ns, size
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error
    return manifest_from(data, path)


def manifest_from(data: bytes, path: Path | str) -> Manifest:
    """A manifest of the bytes of its file. Raises BadInput, led by the path, where it is broken."""
    try:
        record = codec.decode(_File, codec.parse(data))
        if record.schema != SCHEMA:
            raise BadInput(f"schema: is no manifest of degraded images with schema {SCHEMA}")
        listed = tuple(image_from_json(one, f"images[{number}]") for number, one in enumerate(record.images))
    except BadInput as error:
        raise BadInput(f"{path}: {error}; make the folder again with `gfpbench degrade`") from error
    if len({image.id for image in listed}) != len(listed):
        raise BadInput(f"{path}: lists an image twice; make the folder again with `gfpbench degrade`")
    return Manifest(path, hashlib.sha256(data).hexdigest(), record.made, listed, record.problems)


@dataclass(frozen=True, slots=True)
class _File:
    schema: str
    made: Mapping[str, Json]
    images: tuple[Json, ...]
    problems: tuple[Problem, ...]


def manifest_text(made: Mapping[str, Json], images: Sequence[DegradedImage], problems: Sequence[Problem]) -> str:
    """The manifest as a file: one image a line. Equal folders give equal bytes."""
    lines = [",\n".join(json.dumps(asdict(one), sort_keys=True) for one in listed) for listed in (images, problems)]
    about = json.dumps(dict(made), sort_keys=True, allow_nan=False)
    return f'{{"schema": "{SCHEMA}",\n"made": {about},\n"images": [\n{lines[0]}\n],\n"problems": [\n{lines[1]}\n]}}\n'


def image_from_json(data: Json, where: str) -> DegradedImage:
    """What ``asdict`` made of an image. Raises BadInput naming the field."""
    image = codec.decode(DegradedImage, data, where)
    if image.file != file_of(image.id):
        raise BadInput(f"{where}.file: is not the file of {codec.shown(image.id)}")
    return image
