"""CelebA: 202,599 aligned images of 178 x 218 px with 40 attributes each; the test partition where it is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gfpbench.assets.datasets import FACES, place_of
from gfpbench.assets.store import home
from gfpbench.faces.align import EYE_LEFT, EYE_RIGHT, MOUTH_LEFT, MOUTH_RIGHT, Square, ffhq_square
from gfpbench.faces.dataset import Dataset, text_lines
from gfpbench.types import BadInput, Json

GROUPS = (
    "Male", "Young", "Eyeglasses", "Wearing_Hat", "Smiling", "Mouth_Slightly_Open", "Bangs", "No_Beard",
    "Heavy_Makeup", "Pale_Skin", "Blurry",
)  # fmt: skip
"""The attributes kept as groups: those that change what has to be restored. Absent ones are left out."""

IMAGES = ("img_align_celeba", "img_align_celeba/img_align_celeba", "Img/img_align_celeba")
LISTS = ("", "Anno", "Eval")
_POINTS = 10  # x and y of the eyes, the nose and the corners of the mouth


@dataclass(frozen=True, slots=True)
class Aligned:
    """One image with what the lists say of it."""

    file: Path
    square: Square | None
    known: Mapping[str, Json]

    def attributes(self) -> Mapping[str, Json]:
        return self.known


def celeba(size_px: int | None = None, path: Path | None = None) -> Dataset:
    """CelebA's aligned images (img_align_celeba), test partition, with their attributes as groups.

    Understood are the official archive (``Img``, ``Anno``, ``Eval``), torchvision's flat folder, and the copy on Kaggle
    (lists as ``.csv``). ``list_eval_partition`` and ``list_attr_celeba`` may be absent: then all images are used, or
    none has attributes, and ``source`` says so. With ``list_landmarks_align_celeba`` a face is cut by FFHQ's rule from
    its five points (about 150 px a side); without it the middle square is taken, and only where a size is asked for.

    Raises:
        DatasetMissing: where it is not here.
        BadInput: for a folder without images, and for a list that does not fit its format, with the line.
    """
    root = place_of("celeba", path, home(), "the face set 'celeba'")
    images = next((root / name for name in reversed(IMAGES) if any((root / name).glob("*.jpg"))), None)
    if images is None:
        raise BadInput(f"{root}: has no images; they are looked for as {' or '.join(IMAGES)}/*.jpg")
    lists = {name: _find(root, f"list_{name}") for name in ("eval_partition", "attr_celeba", "landmarks_align_celeba")}
    parts = _table(lists["eval_partition"], 1)
    flags = _table(lists["attr_celeba"], None)
    points = _table(lists["landmarks_align_celeba"], _POINTS)
    if parts is not None:
        names = [name for name, (part,) in parts.rows.items() if part == 2]
    else:
        names = sorted(file.name for file in images.glob("*.jpg"))
    members = {
        name.removesuffix(".jpg"): Aligned(
            images / name,
            None if points is None else _square(points.row(name)),
            ({} if flags is None else _groups(flags, name)) | ({} if parts is None else {"partition": "test"}),
        )
        for name in names
    }
    centre = "the middle square, where a size is asked for: no list_landmarks_align_celeba is here"
    return Dataset(
        "celeba" if path is None else f"celeba:{path}",
        members,
        size_px,
        {
            "from": str(root),
            "what": "CelebA (Liu et al. 2015), aligned images",
            "licence": FACES["celeba"].licence,
            "alignment": centre if points is None else "FFHQ's square from CelebA's five landmarks",
            "partition": "test" if parts is not None else "all: no list_eval_partition is here",
            **({} if parts is None else _left_out(len(parts.rows) - len(names))),
            "attributes": list(GROUPS) if flags is not None else "none: no list_attr_celeba is here",
        },
        [file for file in lists.values() if file is not None],
    )


def _left_out(elsewhere: int) -> dict[str, Json]:
    entry = {"count": elsewhere, "first": [], "what": "face"}
    return {"left_out": {"of the partitions train and valid": entry}} if elsewhere else {}


@dataclass(frozen=True, slots=True)
class Table:
    """A list of CelebA: whole numbers for each image, perhaps with names of columns."""

    path: Path
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[int, ...]]

    def row(self, name: str) -> tuple[int, ...]:
        if name not in self.rows:
            raise BadInput(f"{self.path}: has no line for {name}")
        return self.rows[name]


def _find(root: Path, stem: str) -> Path | None:
    places = [root / folder / f"{stem}{suffix}" for folder in LISTS for suffix in (".txt", ".csv")]
    return next((place for place in places if place.is_file()), None)


def _table(path: Path | None, width: int | None) -> Table | None:
    """Read one list: a count and a line of names come first in those of the archive, a line of names in a .csv."""
    if path is None:
        return None
    split = re.compile(r"[\s,]+")
    columns: tuple[str, ...] = ()
    rows: dict[str, tuple[int, ...]] = {}
    stated: int | None = None
    for number, line in enumerate(text_lines(path), 1):
        words = split.split(line.strip())
        if words == [""]:
            continue
        if not words[0].endswith(".jpg"):
            if rows:
                raise BadInput(f"{path}: line {number} names no .jpg image: {line[:60]!r}")
            if len(words) == 1 and words[0].isdigit():
                stated = int(words[0])
            else:
                columns = tuple(word for word in words if word != "image_id")
            continue
        try:
            values = tuple(int(word) for word in words[1:])
        except ValueError as error:
            raise BadInput(f"{path}: line {number} holds something else than whole numbers: {line[:60]!r}") from error
        expected = width or len(columns)
        if len(values) != expected or words[0] in rows or "/" in words[0]:
            wrong = "names an image twice" if words[0] in rows else f"holds {len(values)} numbers, not {expected}"
            wrong = "names a path, not an image" if "/" in words[0] else wrong
            raise BadInput(f"{path}: line {number} {wrong}: {line[:60]!r}")
        rows[words[0]] = values
    if not rows or (stated is not None and stated != len(rows)):
        raise BadInput(f"{path}: holds {len(rows)} images{'' if stated is None else f' and says {stated}'}")
    return Table(path, columns, rows)


def _groups(flags: Table, name: str) -> dict[str, Json]:
    row = dict(zip(flags.columns, flags.row(name), strict=True))
    strange = next((value for value in row.values() if value not in (-1, 0, 1)), None)
    if strange is not None:
        raise BadInput(f"{flags.path}: {name} has an attribute of {strange}; they are 1, and -1 or 0")
    return {group: row[group] == 1 for group in GROUPS if group in row}


def _square(points: tuple[int, ...]) -> Square:
    """FFHQ's square needs the eyes and the corners of the mouth only: the other landmarks stay at 0."""
    eye_left, eye_right, _nose, mouth_left, mouth_right = np.array(points, dtype=np.float64).reshape(5, 2)
    landmarks = np.zeros((68, 2))
    landmarks[EYE_LEFT], landmarks[EYE_RIGHT] = eye_left, eye_right
    landmarks[MOUTH_LEFT], landmarks[MOUTH_RIGHT] = mouth_left, mouth_right
    return ffhq_square(landmarks)
