"""Loading face sets: by name or from a folder, sizes and copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gfpbench import faces
from gfpbench.assets.datasets import FACES
from gfpbench.faces import KEPT_FACES, Draws
from gfpbench.registry import attribute_of
from gfpbench.types import AssetMissing, BadInput, Face, FaceSet


class Counted:
    """Faces that count how often they are decoded."""

    name = "counted"

    def __init__(self, count: int) -> None:
        self.count = count
        self.decoded: list[str] = []

    def ids(self) -> tuple[str, ...]:
        return tuple(f"f{number:03}" for number in range(self.count))

    def load(self, face_id: str) -> Face:
        self.decoded.append(face_id)
        return Face(face_id, torch.zeros(3, 32, 32), {"age": 7}, "0" * 64)

    def source(self):
        return {"count": self.count}


def test_every_row_of_the_table_resolves() -> None:
    for name, row in FACES.items():
        assert callable(attribute_of("face set", name, row.loader))


@pytest.mark.parametrize("name", ["embeded", "no/such/folder", "", "nul\0byte", "x" * 5000])
def test_an_unknown_name_says_what_there_is_and_that_a_folder_works(name: str) -> None:
    with pytest.raises(BadInput, match=r"embedded.*folder of images works too") as caught:
        faces.load(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size_px", [0, -1, 31, 2049])
def test_sizes_out_of_range(size_px: int) -> None:
    with pytest.raises(BadInput, match="32 to 2048 px"):
        faces.load("embedded", size_px=size_px)


@pytest.mark.parametrize("draws", [0, -3, 10_001])
def test_draws_out_of_range(draws: int) -> None:
    with pytest.raises(BadInput, match="1 to 10000 times"):
        faces.load("embedded", draws=draws)


def test_a_folder_is_drawn_once_unless_told(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / "a.png")
    assert faces.load(str(tmp_path)).ids() == ("a",)
    twice = faces.load(str(tmp_path), draws=2)
    assert twice.ids() == ("a~0", "a~1")
    assert twice.source()["draws"] == 2
    assert twice.load("a~1").id == "a~1"
    assert twice.load("a~1").sha256 == faces.load(str(tmp_path)).load("a").sha256


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "faces").mkdir()
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "faces" / "a.png")
    assert faces.load("~/faces").ids() == ("a",)


def test_copies_come_face_by_face_and_are_decoded_once_in_a_small_set() -> None:
    few = Counted(3)
    drawn = Draws(few, 4)
    assert isinstance(drawn, FaceSet)
    assert drawn.ids()[:4] == ("f000~0", "f001~0", "f002~0", "f000~1")
    assert len(set(drawn.ids())) == 12
    for face_id in drawn.ids():
        face = drawn.load(face_id)
        assert (face.id, face.attributes) == (face_id, {"age": 7})
    assert few.decoded == ["f000", "f001", "f002"]
    with pytest.raises(BadInput, match="has no face 'f000'"):
        drawn.load("f000")


def test_copies_of_many_faces_keep_few_in_memory() -> None:
    many = Draws(Counted(200), 2)
    for face_id in many.ids():
        many.load(face_id)
    assert len(many._kept) == KEPT_FACES


def test_portraits_are_looked_for_in_their_place_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not beside the working folder or the checkout, where they would be found on one machine only."""
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "home"))
    beside = tmp_path / "shared" / "faces" / "aligned-128" / "val"
    place = tmp_path / "home" / "faces" / "portraits"
    for folder, name in ((beside, "beside"), (place / "deep", "fetched")):
        folder.mkdir(parents=True)
        Image.fromarray(np.full((128, 128, 3), 90, np.uint8)).save(folder / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    assert faces.load("portraits").ids() == ("deep/fetched",)
    assert faces.load("portraits", draws=2, size_px=64).load("deep/fetched~1").pixels.shape == (3, 64, 64)
    place.rename(tmp_path / "elsewhere")
    assert faces.load(f"portraits:{tmp_path / 'elsewhere'}").ids() == ("deep/fetched",)
    with pytest.raises(
        AssetMissing, match=r"home/faces/portraits: get it from .*unitedstates/images.*one aligned face"
    ):
        faces.load("portraits")
