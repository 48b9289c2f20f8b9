"""Clean faces to degrade: the sets known by name, and any folder or archive of images.

To add a set, write one file with a callable that takes ``size_px`` (None for the set's own) and returns a
``types.FaceSet``, add its row to ``FACES`` (``gfpbench/assets/datasets.py``) and its miniature folder to the tests.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gfpbench.assets.datasets import FACES, placed
from gfpbench.process_guard import refuse_unreadable
from gfpbench.registry import attribute_of, unknown, whole
from gfpbench.types import BadInput, DrawnOften, Face, FaceSet, Json

MINIMUM_SIZE_PX, MAXIMUM_SIZE_PX = 32, 2048
MAXIMUM_DRAWS = 10_000
KEPT_FACES = 16
"""Faces held in memory at once: enough that a small set is decoded once, few enough that memory stays flat."""


OFFERED = ("name", "ids", "load", "source", "default_draws", "point_list")
"""The attributes that a face set has, and those that it may have besides (``gfpbench.types``, ``gfpbench.decode``)."""


def load(name_or_path: str, *, size_px: int | None = None, draws: int | None = None) -> FaceSet:
    """Open a set of faces by its name or by a folder's path; nothing is decoded yet.

    Args:
        name_or_path: a name in ``FACES``, one of ``placed()`` with its folder (``celeba:PATH``), an existing folder
            (write ``./portraits`` for a folder named like a set), archives of images
            (``gfpbench.decode.containers.KINDS``), or an address of either as fsspec takes it (``s3://bucket/faces``).
        size_px: side in pixels, 32 to 2048. None: 128 for ``embedded``, images as they are elsewhere.
        draws: differently degraded copies of each face. More than 1 names them ``name~0``, ``name~1``, ...
            None: 8 for ``embedded``, 1 elsewhere.

    Raises:
        BadInput: for an unknown name, a folder without images, or a size or count out of range.
        AssetMissing: where the set has to be fetched first.
    """
    refuse_numbers(size_px, draws)
    faces = _open(name_or_path, size_px)
    count = draws if draws is not None else faces.default_draws if isinstance(faces, DrawnOften) else 1
    if count == 1:
        return faces
    return Draws(faces, count)


def refuse_unfit(faces: object) -> None:
    """Raise BadInput for an object given as a face set of which an attribute cannot be read; others may be missing."""
    refuse_unreadable(f"a face set ({type(faces).__name__})", faces, OFFERED)


def refuse_numbers(size_px: int | None, draws: int | None) -> None:
    """Raise BadInput for a size or a count of draws out of range."""
    if size_px is not None and not MINIMUM_SIZE_PX <= whole("size_px", size_px) <= MAXIMUM_SIZE_PX:
        raise BadInput(f"faces come in sizes from {MINIMUM_SIZE_PX} to {MAXIMUM_SIZE_PX} px, not {size_px}")
    if draws is not None and not 1 <= whole("draws", draws) <= MAXIMUM_DRAWS:
        raise BadInput(f"a face is drawn 1 to {MAXIMUM_DRAWS} times, not {draws}")


def refuse_unknown(name_or_path: str) -> None:
    """Raise BadInput, with near names, for what is neither a set's name nor anything that could be opened."""
    from gfpbench.decode.containers import kind_of

    name, set_name, colon = name_or_path.partition("?")[0], *name_or_path.partition(":")[:2]
    known = name_or_path in FACES or name == "random-face" or (colon and set_name in placed())
    if not known and "://" not in name and "::" not in name and kind_of(name) is None and not _exists(name_or_path):
        also = "the path of an existing folder of images works too, or of an archive of them"
        raise unknown("face set", name_or_path[:200], FACES, also=also)


def _open(name_or_path: str, size_px: int | None) -> FaceSet:
    name, question, options = name_or_path.partition("?")
    if question and name == "random-face":
        from gfpbench.faces.random_face import random_face

        return random_face(size_px, options)
    name, colon, path = name_or_path.partition(":")
    if name_or_path in FACES or (colon and name in placed()):
        loader = attribute_of("face set", name, FACES[name].loader)
        known: FaceSet = loader(size_px, Path(path)) if colon else loader(size_px)
        return known
    if name_or_path.startswith("file://"):
        return _open(name_or_path.removeprefix("file://"), size_px)
    if ("://" in name_or_path or "::" in name_or_path) and not _exists(name_or_path):
        from gfpbench.faces.archive import at_address

        return at_address(name_or_path, size_px)
    from gfpbench.decode.containers.shards import collected

    if (archive := collected(name_or_path)) is not None:
        from gfpbench.faces.archive import Archive

        return Archive(archive, size_px, name=name_or_path)
    refuse_unknown(name_or_path)
    from gfpbench.faces.folder import Folder

    return Folder(Path(name_or_path).expanduser(), size_px, name=name_or_path)


def _exists(path: str) -> bool:
    try:
        return bool(path) and Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # a name too long, with a zero byte, or with an unknown ~user
        return False


class Draws:
    """A face set in which every face appears ``draws`` times, as ``name~0``, ``name~1`` and so on.

    The pixels are the same; what is drawn to degrade them depends on the id, so each copy is degraded differently.
    All faces come once before any comes again, so a limit keeps as many different faces as it can.

    Args:
        faces: the underlying set.
        draws: copies of each face, at least 1.
    """

    def __init__(self, faces: FaceSet, draws: int) -> None:
        self.name = faces.name
        self.draws = draws
        self._faces = faces
        self._ids = {f"{face_id}~{draw}": face_id for draw in range(draws) for face_id in faces.ids()}
        self._kept: OrderedDict[str, Face] = OrderedDict()

    def ids(self) -> tuple[str, ...]:
        """All names: first every face's copy 0, then every face's copy 1, and so on."""
        return tuple(self._ids)

    def load(self, face_id: str) -> Face:
        """One copy; it shares its pixels with the other copies, so they must not be modified."""
        if face_id not in self._ids:
            raise BadInput(f"{self.name}: has no face {face_id!r}")
        base = self._ids[face_id]
        if base not in self._kept:
            self._kept[base] = self._faces.load(base)
            if len(self._kept) > KEPT_FACES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(base)
        return replace(self._kept[base], id=face_id)

    def source(self) -> Mapping[str, Json]:
        """The underlying set's source, with the number of copies."""
        return {**self._faces.source(), "draws": self.draws}
