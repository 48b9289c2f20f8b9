"""59 official portraits of members of the United States Congress, aligned at 128 px: a real validation set."""

from __future__ import annotations

from pathlib import Path

import gfpbench
from gfpbench.assets.datasets import FACES
from gfpbench.assets.store import home
from gfpbench.faces.folder import Folder
from gfpbench.types import AssetMissing

_FETCHED = Path("faces") / "portraits"
_BESIDE = Path("shared") / "faces" / "aligned-128" / "val"


def places() -> tuple[Path, ...]:
    """Where the portraits are looked for, in order: a fetched copy, then beside the working folder and the checkout."""
    starts = (Path.cwd(), Path(gfpbench.__file__).resolve().parent.parent)
    beside = [folder / _BESIDE for start in starts for folder in (start, *start.parents)]
    return tuple(dict.fromkeys([home() / _FETCHED, *beside]))


def portraits(size_px: int | None = None) -> Folder:
    """The portraits, wherever they are on this machine.

    Raises:
        AssetMissing: naming where they were looked for.
    """
    for place in places():
        if place.is_dir():
            return Folder(place, size_px, name="portraits", licence=FACES["portraits"].licence)
    missing = AssetMissing("portraits", "the face set 'portraits'")
    where = (
        f"{_FETCHED.as_posix()} in {home()}, and {_BESIDE.as_posix()} beside the working folder, the checkout or above"
    )
    missing.args = (f"the face set 'portraits' is not here: looked for {where}; put it there, or name any folder",)
    raise missing
