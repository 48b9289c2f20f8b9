"""What dataset face sets share: an order in which any limit is a fair sample, crops, and a content hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gfpbench import decode, images
from gfpbench.decode.point_lists import PointList, find_point_list
from gfpbench.faces.align import Square, crop
from gfpbench.faces.folder import to_square
from gfpbench.images import Bytes
from gfpbench.types import BadInput, Face, Json

ORDER = "by the SHA-256 of 'gfpbench sample 0' and the id, so that the first N are a seeded sample of N"


def sampled(ids: Iterable[str]) -> tuple[str, ...]:
    """Names in an order drawn once and for all: the first 100 are the 100-image sample, the first 1,000 contain it.

    A name's place depends on the name alone, so an image more or less changes nothing for the others.
    """
    return tuple(sorted(ids, key=lambda name: (hashlib.sha256(f"gfpbench sample 0\0{name}".encode()).digest(), name)))


class Member(Protocol):
    """One face of a dataset: its file, what is known of it, and the square to cut out of the image."""

    @property
    def file(self) -> Path: ...

    @property
    def square(self) -> Square | None: ...

    def attributes(self) -> Mapping[str, Json]: ...


@dataclass(frozen=True, slots=True)
class Aligned:
    """An image that is a face crop already, with what is known of it."""

    file: Path
    square: Square | None = None
    known: Mapping[str, Json] = field(default_factory=dict)

    def attributes(self) -> Mapping[str, Json]:
        return self.known


class Dataset:
    """Faces of an unpacked dataset (``gfpbench.types.FaceSet``); one file is decoded at a time.

    Args:
        name: as in the table of faces, or with its path.
        members: id -> face, in any order.
        size_px: side of the crops; None keeps the size each crop has.
        facts: what ``source`` says beside counts and hashes: where from, licence, alignment, and ``left_out`` as a
            ``gfpbench.decode.files.Listing`` records it.
        labels: annotation files that were read; their content is part of the hash.

    Raises:
        BadInput: where there are no faces.
    """

    def __init__(
        self,
        name: str,
        members: Mapping[str, Member],
        size_px: int | None,
        facts: Mapping[str, Json],
        labels: Iterable[Path] = (),
    ) -> None:
        if not members:
            raise BadInput(f"{name}: {facts.get('from')} holds no faces that can be used")
        self.name = name
        self.size_px = size_px
        self._members = members
        self._ids = sampled(members)
        self._facts = facts
        self._labels = tuple(labels)
        self._sha256: str | None = None
        self._points: PointList | None = None
        self._looked_for_points = False

    def point_list(self) -> PointList | None:
        """The list of five points in the folder of the set; None where there is none. Raises BadInput for a bad one."""
        if not self._looked_for_points:
            folder = Path(str(self._facts.get("from", "")))
            self._points = find_point_list(folder) if folder.is_dir() else None
            self._looked_for_points = True
        return self._points

    def ids(self) -> tuple[str, ...]:
        """Names in sampled order."""
        return self._ids

    def load(self, face_id: str) -> Face:
        """Decode and crop one face. Raises UnreadableFace with the reason, BadInput for an unknown id."""
        if face_id not in self._members:
            raise BadInput(f"{self.name}: has no face {face_id!r}")
        member = self._members[face_id]
        decoded = decode.read(member.file)
        rgb = self._cut(decoded.rgb, member.square)
        sha256 = images.pixels_sha256(rgb)
        return Face(face_id, images.from_uint8(rgb), dict(member.attributes()), sha256, decoded.record())

    def source(self) -> Mapping[str, Json]:
        """Where it is from, its licence, its alignment, and a hash over labels, names and lengths of files."""
        points = self.point_list()
        if self._sha256 is None:  # two hundred thousand files are asked for their length once, not for every record
            self._sha256 = self._hash()
        return {
            "name": self.name,
            "count": len(self._ids),
            "size_px": self.size_px,
            "order": ORDER,
            **self._facts,
            **({} if points is None else {"five_points": points.record()}),
            "files_sha256": self._sha256,
        }

    def _cut(self, rgb: Bytes, square: Square | None) -> Bytes:
        if square is not None:
            return crop(rgb, square, self.size_px or max(32, round(square.side_px)))
        return rgb if self.size_px is None else to_square(rgb, self.size_px)

    def _hash(self) -> str:
        whole = hashlib.sha256()
        for file in self._labels:
            whole.update(hashlib.sha256(file.read_bytes()).digest())
        lengths: dict[Path, int] = {}
        for face_id in self._ids:
            file = self._members[face_id].file
            if file not in lengths:  # a photograph of many faces is asked once
                lengths[file] = file.stat().st_size if file.is_file() else -1
            whole.update(f"{face_id}\t{lengths[file]}\n".encode())
        return whole.hexdigest()


def text_lines(path: Path) -> list[str]:
    """The lines of an annotation file, without line ends of any kind. Raises BadInput naming the file."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as text: {error}") from error
