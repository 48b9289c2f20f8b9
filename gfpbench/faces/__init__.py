"""Clean faces to degrade: the sets known by name, and any folder of images.

To add a set, write one file with a callable that takes ``size_px`` (None for the set's own) and returns a
``types.FaceSet``, add its row to ``FACES`` (``gfpbench/assets/datasets.py``) and its miniature folder to the tests.
"""

from __future__ import annotations

from pathlib import Path

from gfpbench.assets.datasets import FACES, placed
from gfpbench.registry import attribute_of, unknown
from gfpbench.types import BadInput, FaceSet

MINIMUM_SIZE_PX, MAXIMUM_SIZE_PX = 32, 2048
MAXIMUM_DRAWS = 10_000


def load(name_or_path: str, *, size_px: int | None = None, draws: int | None = None) -> FaceSet:
    """Open a set of faces by its name or by a folder's path; nothing is decoded yet.

    Args:
        name_or_path: a name in ``FACES``, one of ``placed()`` with its folder (``celeba:PATH``), or an existing folder
            (write ``./portraits`` for a folder named like a set).
        size_px: side in pixels, 32 to 2048. None: 128 for ``embedded``, images as they are elsewhere.
        draws: differently degraded copies of each face. More than 1 names them ``name~0``, ``name~1``, ...
            None: 8 for ``embedded``, 1 elsewhere.

    Raises:
        BadInput: for an unknown name, a folder without images, or a size or count out of range.
        AssetMissing: where the set has to be fetched first.
    """
    if size_px is not None and not MINIMUM_SIZE_PX <= size_px <= MAXIMUM_SIZE_PX:
        raise BadInput(f"faces come in sizes from {MINIMUM_SIZE_PX} to {MAXIMUM_SIZE_PX} px, not {size_px}")
    if draws is not None and not 1 <= draws <= MAXIMUM_DRAWS:
        raise BadInput(f"a face is drawn 1 to {MAXIMUM_DRAWS} times, not {draws}")
    faces = _open(name_or_path, size_px)
    count = draws if draws is not None else int(getattr(faces, "default_draws", 1))
    if count == 1:
        return faces
    from gfpbench.faces.draws import Draws

    return Draws(faces, count)


def _open(name_or_path: str, size_px: int | None) -> FaceSet:
    name, colon, path = name_or_path.partition(":")
    if name_or_path in FACES or (colon and name in placed()):
        loader = attribute_of("face set", name, FACES[name].loader)
        known: FaceSet = loader(size_px, Path(path)) if colon else loader(size_px)
        return known
    if not _exists(name_or_path):
        raise unknown("face set", name_or_path[:200], FACES, also="the path of an existing folder of images works too")
    from gfpbench.faces.folder import Folder

    return Folder(Path(name_or_path).expanduser(), size_px, name=name_or_path)


def _exists(path: str) -> bool:
    try:
        return bool(path) and Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # a name too long, with a zero byte, or with an unknown ~user
        return False
