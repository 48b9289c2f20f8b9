"""UTKFace: over 20,000 aligned faces of 200 px whose file names say age, gender and group."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gfpbench.assets.datasets import FACES, place_of
from gfpbench.assets.store import home
from gfpbench.decode.files import list_images, named, without_suffix
from gfpbench.faces.align import Square
from gfpbench.faces.dataset import Dataset
from gfpbench.types import BadInput, Json

GENDERS = ("male", "female")
GROUPS = ("White", "Black", "Asian", "Indian", "Others")
"""The dataset's own five words, in its order."""

FOLDERS = ("UTKFace", "crop_part1")
OLDEST = 116
_NAME = re.compile(r"(?P<age>\d{1,3})_(?P<gender>[01])_(?P<group>[0-4])_(?P<date>\d{14,17})\s?(\.?\w+)?$")


@dataclass(frozen=True, slots=True)
class Aligned:
    """One image with what its name says."""

    file: Path
    known: Mapping[str, Json]
    square: Square | None = None

    def attributes(self) -> Mapping[str, Json]:
        return self.known


def utkface(size_px: int | None = None, path: Path | None = None) -> Dataset:
    """UTKFace's aligned and cropped faces, 200 px, with age, gender and group from their names.

    The folder holds ``UTKFace`` (or ``crop_part1``) with names like ``25_0_2_20170116174525125.jpg.chip.jpg``, or is
    that folder. A few published names lack a field; such a face is used without attributes and listed in ``source``.
    The faces are cropped more tightly than FFHQ's; they are used as they are.

    Raises:
        DatasetMissing: where it is not here.
        BadInput: where no image is named in that way, as in any other folder.
    """
    root = place_of("utkface", path, home(), "the face set 'utkface'")
    folder = next((root / name for name in FOLDERS if (root / name).is_dir()), root)
    listing = list_images(folder, nested=False)
    files = named(folder, listing.files)
    known = {face_id: attributes_of(file.name) for face_id, file in files.items()}
    malformed = sorted(files[face_id].name for face_id, found in known.items() if not found)
    if len(malformed) == len(files):
        raise BadInput(
            f"{folder}: has no image named age_gender_group_date.jpg as UTKFace's are"
            + (f"; the first is {malformed[0]}" if malformed else "")
        )
    return Dataset(
        "utkface" if path is None else f"utkface:{path}",
        {face_id: Aligned(file, known[face_id]) for face_id, file in files.items()},
        size_px,
        {
            "from": str(folder),
            "what": "UTKFace (Zhang et al. 2017), aligned and cropped faces",
            "licence": FACES["utkface"].licence,
            "alignment": "by its authors at 200 px, tighter than FFHQ's; used as it is",
            "names_without_attributes": malformed,
            **({"left_out": listing.record()} if listing.left_out else {}),
        },
    )


def attributes_of(name: str) -> dict[str, Json]:
    """What a file name says: ``age``, ``age_group`` (decades), ``gender``, ``group``; empty where a field is wrong."""
    found = _NAME.match(without_suffix(name).removesuffix(".chip"))
    if found is None or int(found["age"]) > OLDEST:
        return {}
    age = int(found["age"])
    decade = age // 10 * 10
    return {
        "age": age,
        "age_group": f"{decade}-{decade + 9}",
        "gender": GENDERS[int(found["gender"])],
        "group": GROUPS[int(found["group"])],
    }
