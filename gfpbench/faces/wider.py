"""WIDER FACE: faces cut from photographs by their annotated boxes, with blur, pose, occlusion and light as groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gfpbench.assets.datasets import FACES, place_of
from gfpbench.assets.store import home
from gfpbench.faces.align import Square
from gfpbench.faces.dataset import Dataset, text_lines
from gfpbench.types import BadInput, Json

MINIMUM_BOX_PX = 64
"""The shorter side of a box below which a face is left out: it is too small to serve as ground truth."""
MARGIN = 1.5
"""The square's side over the box's longer side. FFHQ's square spans forehead and chin with about this much room."""

LABELS = "wider_face_split/wider_face_val_bbx_gt.txt"
IMAGES = "WIDER_val/images"
_WORDS: Mapping[str, tuple[str, ...]] = {
    "blur": ("clear", "normal", "heavy"),
    "expression": ("typical", "exaggerated"),
    "illumination": ("normal", "extreme"),
    "invalid": ("no", "yes"),
    "occlusion": ("none", "partial", "heavy"),
    "pose": ("typical", "atypical"),
}
_NUMBERS = 4 + len(_WORDS)


@dataclass(frozen=True, slots=True)
class Box:
    """One annotated face.

    Args:
        x, y, width, height: in pixels of the photograph; x and y of the upper left corner.
        labels: what the annotators said, in words.
    """

    x: int
    y: int
    width: int
    height: int
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cut:
    """One face of a photograph."""

    file: Path
    box: Box

    @property
    def square(self) -> Square:
        """Around the middle of the box, not turned: WIDER FACE has no landmarks."""
        half = max(self.box.width, self.box.height) * MARGIN / 2
        # A box from x of width w covers pixel centres x to x + w - 1.
        centre = (self.box.x + (self.box.width - 1) / 2, self.box.y + (self.box.height - 1) / 2)
        return Square(centre, (half, 0.0), (0.0, half))

    def attributes(self) -> Mapping[str, Json]:
        said = {name: word for name, word in self.box.labels.items() if name != "invalid"}
        box = self.box
        return {"event": self.file.parent.name, **said, "box_px": [box.x, box.y, box.width, box.height]}


def wider(size_px: int | None = None, path: Path | None = None) -> Dataset:
    """Faces of WIDER FACE's validation photographs, boxes of 64 px or more, with the annotators' labels as groups.

    The folder holds ``WIDER_val/images/EVENT/*.jpg`` and ``wider_face_split/wider_face_val_bbx_gt.txt``. The crop is a
    square of 1.5 times the box's longer side around its middle, mirrored where it passes the photograph's border, and
    not turned. Boxes marked invalid are left out. A face is called ``EVENT/PHOTOGRAPH/003`` by its place in the list.

    Raises:
        DatasetMissing: where it is not here.
        BadInput: for a folder that lacks one of the two, and for a list that does not fit its format, with the line.
    """
    root = place_of("wider", path, home(), "the face set 'wider'")
    labels, images = root / LABELS, root / IMAGES
    for place in (labels, images):
        if not place.exists():
            raise BadInput(f"{root}: lacks {place.relative_to(root)}")
    boxes = read_boxes(labels)
    every = [(name, number, box) for name, found in boxes.items() for number, box in enumerate(found)]
    valid = [entry for entry in every if entry[2].labels["invalid"] == "no"]
    large = [entry for entry in valid if min(entry[2].width, entry[2].height) >= MINIMUM_BOX_PX]
    return Dataset(
        "wider" if path is None else f"wider:{path}",
        {f"{name.removesuffix('.jpg')}/{number:03d}": Cut(images / name, box) for name, number, box in large},
        size_px,
        {
            "from": str(root),
            "what": "WIDER FACE (Yang et al. 2016), validation set",
            "licence": FACES["wider"].licence,
            "alignment": f"a square of {MARGIN} x the box's longer side around its middle, not turned",
            "boxes": len(every),
            "left_out_invalid": len(every) - len(valid),
            "left_out_small": len(valid) - len(large),
            "minimum_box_px": MINIMUM_BOX_PX,
            **_left_out(len(every) - len(valid), len(valid) - len(large)),
        },
        [labels],
    )


def _left_out(invalid: int, small: int) -> dict[str, Json]:
    counts = {"its box is marked invalid": invalid, f"its box is under {MINIMUM_BOX_PX} px": small}
    found = {reason: {"count": count, "first": [], "what": "face"} for reason, count in counts.items() if count}
    return {"left_out": found} if found else {}


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """The boxes of each photograph, in the order of the list.

    Each entry is a name, a count, and as many lines of ten numbers: x, y, width, height, blur, expression,
    illumination, invalid, occlusion, pose. An entry of no faces is followed by one line of ten zeros all the same.

    Raises:
        BadInput: naming the line that does not fit.
    """
    lines = text_lines(path)
    boxes: dict[str, list[Box]] = {}
    at = 0
    while at < len(lines):
        name = lines[at].strip()
        if not name:
            at += 1
            continue
        if not name.endswith(".jpg") or name in boxes or {"", ".."} & set(name.split("/")):
            raise BadInput(f"{path}: line {at + 1} should name another photograph: {name[:60]!r}")
        count = lines[at + 1].strip() if at + 1 < len(lines) else ""
        if not count.isdigit():
            raise BadInput(f"{path}: line {at + 2} should say how many faces {name} has: {count[:60]!r}")
        at += 2
        if at + int(count) > len(lines):
            raise BadInput(f"{path}: ends before the {count} faces of {name}")
        boxes[name] = [_box(path, at + place + 1, lines[at + place]) for place in range(int(count))]
        at += int(count)
        if count == "0" and at < len(lines) and set(lines[at].split()) == {"0"}:
            at += 1
    return boxes


def _box(path: Path, number: int, line: str) -> Box:
    words = line.split()
    if len(words) != _NUMBERS or not all(word.removeprefix("-").isdigit() for word in words):
        raise BadInput(f"{path}: line {number} should hold {_NUMBERS} whole numbers: {line[:60]!r}")
    x, y, width, height, *codes = map(int, words)
    labels = {}
    for (name, meanings), code in zip(_WORDS.items(), codes, strict=True):
        if not 0 <= code < len(meanings):
            raise BadInput(f"{path}: line {number} has {name} {code}; it is 0 to {len(meanings) - 1}")
        labels[name] = meanings[code]
    return Box(x, y, width, height, labels)
