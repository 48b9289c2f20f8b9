"""Official portraits, works of the US government in the public domain: photographs of real faces."""

from __future__ import annotations

from pathlib import Path

from gfpbench.assets.datasets import FACES, place_of
from gfpbench.assets.store import home
from gfpbench.faces.folder import Folder


def portraits(size_px: int | None = None, path: Path | None = None) -> Folder:
    """Portraits of the collection `unitedstates/images`, aligned as FFHQ by the user.

    The folder holds aligned crops, nested or not, as any folder of faces does: ``portraits`` differs from
    ``--faces PATH`` by its name and its licence only. Nothing is detected or turned.

    Raises:
        DatasetMissing: where it is not here.
        BadInput: where it holds no images.
    """
    place = place_of("portraits", path, home(), "the face set 'portraits'")
    name = "portraits" if path is None else f"portraits:{path}"
    return Folder(place, size_px, name=name, licence=FACES["portraits"].licence)
