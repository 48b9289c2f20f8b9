"""Miniature datasets in the layouts in which the real ones are distributed, and the laws their adapters keep."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from gfpbench import faces
from gfpbench.assets.datasets import FACES, TABLE
from gfpbench.faces.random_face import RandomFaces
from gfpbench.faces.real_world import NTIRE_COUNTS
from gfpbench.registry import companion
from gfpbench.types import FaceSet

RNG = np.random.default_rng(11)
ATTRIBUTES = ("5_o_Clock_Shadow", "Eyeglasses", "Male", "Smiling", "Young")

UTK_NAMES = {
    "25_0_2_20170116174525125.jpg.chip.jpg": {"age": 25, "age_group": "20-29", "gender": "male", "group": "Asian"},
    "1_1_0_20161219140530307.jpg.chip.jpg": {"age": 1, "age_group": "0-9", "gender": "female", "group": "White"},
    "116_1_3_20170120134921760.jpg.chip.jpg": {
        "age": 116, "age_group": "110-119", "gender": "female", "group": "Indian",
    },
    # As published: a space, a missing dot, a suffix of two letters.
    "24_0_1_20170116220224657 .jpg.chip.jpg": {
        "age": 24, "age_group": "20-29", "gender": "male", "group": "Black",
    },
    "55_0_0_20170116232725357jpg.chip.jpg": {"age": 55, "age_group": "50-59", "gender": "male", "group": "White"},
    "44_1_4_20170116235150272.pg.chip.jpg": {"age": 44, "age_group": "40-49", "gender": "female", "group": "Others"},
    # As published: a field is missing, or empty.
    "61_1_20170109142408075.jpg.chip.jpg": {},
    "39_1_20170116174525125.jpg.chip.jpg": {},
    "53__0_20170116184028385.jpg.chip.jpg": {},
}  # fmt: skip

WIDER_LINES = """0--Parade/0_Parade_Parade_0_452.jpg
0
0 0 0 0 0 0 0 0 0 0
0--Parade/0_Parade_marchingband_1_465.jpg
4
40 30 70 80 0 0 0 0 0 0
150 60 64 90 2 1 1 0 2 1
10 10 20 24 0 0 0 0 0 0
120 20 90 90 0 0 0 1 0 0
3--Riot/3_Riot_Riot_3_26.jpg
1
0 0 96 100 1 0 0 0 1 0
"""


def write(path: Path, size: tuple[int, int]) -> np.ndarray:
    """An image of (height, width) with low frequencies, so that JPEG changes little; the pixels it decodes to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = RNG.integers(0, 256, (max(2, size[0] // 16), max(2, size[1] // 16), 3), dtype=np.uint8)
    bgr = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    assert cv2.imwrite(str(path), bgr)
    return read_rgb(path)


def read_rgb(path: Path) -> Any:
    """(H, W, 3) uint8 of a file, by OpenCV."""
    bgr: Any = cv2.imread(str(path))
    return bgr[..., ::-1].copy()


def celeba_test(root: Path, count: int = 4, truth: str = "celeba_512_validation") -> Path:
    lq = "celeba_512_validation_lq" if truth == "celeba_512_validation" else "lq"
    for number in range(count):
        write(root / truth / f"{number:08d}.png", (64, 64))
        write(root / lq / f"{number:08d}.png", (64, 64))
    return root


def celeba(root: Path, *, official: bool = False, landmarks: bool = False) -> Path:
    """Eight images, of which 6 to 8 are the test partition."""
    images = root / ("Img/img_align_celeba" if official else "img_align_celeba")
    anno, part = (root / "Anno", root / "Eval") if official else (root, root)
    for folder in (anno, part):
        folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:06d}.jpg" for number in range(1, 9)]
    for name in names:
        write(images / name, (218, 178))
    flags = "".join(f"{name}  {' '.join(str(v) for v in (-1, 1, -1, 1, (-1) ** n))} \n" for n, name in enumerate(names))
    (anno / "list_attr_celeba.txt").write_text(f"8\n{' '.join(ATTRIBUTES)} \n{flags}")
    parts = "".join(f"{name} {0 if n < 3 else 1 if n < 5 else 2}\n" for n, name in enumerate(names))
    (part / "list_eval_partition.txt").write_text(parts)
    if landmarks:
        head = (
            "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
        )
        lines = "".join(f"{name} 69 109 106 113 77 142 73 152 108 154\n" for name in names)
        (anno / "list_landmarks_align_celeba.txt").write_text(f"8\n{head} \n{lines}")
    return root


def celeba_csv(root: Path) -> Path:
    """The copy on Kaggle: a folder inside a folder, lists with commas."""
    celeba(root)
    (root / "img_align_celeba").rename(root / "moved")
    (root / "img_align_celeba").mkdir()
    (root / "moved").rename(root / "img_align_celeba" / "img_align_celeba")
    for stem, head in (
        ("list_attr_celeba", ["image_id", *ATTRIBUTES]),
        ("list_eval_partition", ["image_id", "partition"]),
    ):
        lines = (root / f"{stem}.txt").read_text().splitlines()
        rows = [line.split() for line in lines if line.split()[0].endswith(".jpg")]
        (root / f"{stem}.csv").write_text("\n".join(",".join(row) for row in [head, *rows]) + "\n")
        (root / f"{stem}.txt").unlink()
    return root


def utkface(root: Path) -> Path:
    for name in UTK_NAMES:
        write(root / "UTKFace" / name, (200, 200))
    return root


def wider(root: Path) -> Path:
    (root / "wider_face_split").mkdir(parents=True)
    (root / "wider_face_split" / "wider_face_val_bbx_gt.txt").write_text(WIDER_LINES)
    for name in [line for line in WIDER_LINES.splitlines() if line.endswith(".jpg")]:
        write(root / "WIDER_val" / "images" / name, (200, 260))
    return root


def crops(root: Path, nested: str = "") -> Path:
    """Low-quality crops as they are published, in a folder of their archive's name or not."""
    for name in ("Aaron_Eckhart_0001_00.png", "Abbas_0001_00.png", "0412.jpg"):
        write(root / nested / name, (64, 64))
    return root


def ntire_test(root: Path) -> Path:
    """Two images of each of the challenge's five sets, as its input_LQ_dir has them; two sets share a name."""
    for name in NTIRE_COUNTS:
        write(root / "test" / name / "0412.png", (64, 64))
        write(root / "test" / name / f"{len(name):04d}.png", (64, 64))
    write(root / "val" / "CelebA" / "0001.png", (64, 64))
    return root


def portraits(root: Path) -> Path:
    for name in ("a", "b"):
        write(root / f"{name}.png", (128, 128))
    return root


def random_face(root: Path) -> Path:
    """The cache of faces that were made before; the generator itself is a file of 41 MB."""
    for face_id in RandomFaces.ids_of(RandomFaces.DEFAULT_COUNT):
        write(RandomFaces.folder_of(0, RandomFaces.DEFAULT_TRUNCATION) / f"{face_id}.png", (512, 512))
    return root


TREES: dict[str, Callable[[Path], Path]] = {
    "portraits": portraits,
    "random-face": random_face,
    "celeba-test": celeba_test,
    "celeba": celeba,
    "utkface": utkface,
    "wider": wider,
    "lfw-test": partial(crops, nested="lfw_cropped_faces"),
    "webphoto-test": crops,
    "celebchild-test": crops,
    "wider-test": partial(crops, nested="Wider-Test"),
    "ntire-test": ntire_test,
}


def miniature(name: str) -> Callable[[Path], Path]:
    """What writes a small folder of a face set. Raises BadInput naming the file that lacks its row."""
    return companion(TREES, name, f"face set {name!r}", "TREES in tests/unit/faces/trees.py")


def check_row(name: str, home: Path) -> None:
    """The law of a face set that is known by name: its row is true of what its loader opens in ``home``."""
    row = companion(FACES, name, "this test", TABLE)
    if name != "embedded":
        miniature(name)(home / "faces" / name)
    for given in (name, f"{name}:{home / 'faces' / name}") if row.where_to_get else (name,):
        opened = faces.load(given, draws=1)
        assert isinstance(opened, FaceSet)
        assert opened.name == given
        check_face_set(partial(faces.load, given, draws=1))
        sized = faces.load(given, size_px=48, draws=1)
        assert {tuple(sized.load(face_id).pixels.shape) for face_id in sized.ids()} == {(3, 48, 48)}
        licence = opened.source().get("licence", row.licence)
        assert licence == row.licence, f"{name}: source() says {licence!r} and {TABLE} {row.licence!r}"
    assert row.what
    assert "\n" not in row.what


def check_face_set(open_set: Callable[[], Any]) -> None:
    """Opened twice it is the same; every id loads; the order is not the alphabet's; the hash covers the files."""
    first, second = open_set(), open_set()
    assert first.ids() == second.ids()
    assert len(set(first.ids())) == len(first.ids()) > 1
    assert first.source() == second.source()
    assert first.source()["count"] == len(first.ids())
    for face_id in first.ids():
        face = first.load(face_id)
        assert face.id == face_id
        assert face.pixels.dtype == torch.float32
        assert 0 <= float(face.pixels.min()) <= float(face.pixels.max()) <= 1
        assert face.sha256 == second.load(face_id).sha256
        assert face.attributes == second.load(face_id).attributes


def check_box_is_centred(cut: np.ndarray, box: tuple[int, int, int, int], margin: float) -> None:
    """``cut``, made of a photograph that is white inside ``box`` and black outside, shows the box in its middle."""
    inside = cut[..., 0] > 127
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    scale = cut.shape[0] / (max(box[2:]) * margin)
    for found, length in ((rows, box[3]), (columns, box[2])):
        middle = (found[0] + found[-1]) / 2
        assert abs(middle - (cut.shape[0] - 1) / 2) <= 1, f"the box's middle lies at {middle} of {cut.shape[0]}"
        assert abs((found[-1] - found[0] + 1) - length * scale) <= 2.5
