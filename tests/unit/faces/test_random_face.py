"""Generated faces: determined by seed and number, made once, read from the cache after that, and never mixed."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench import assets, faces
from gfpbench.faces import random_face
from gfpbench.images import Bytes
from gfpbench.types import AssetMissing, BadInput, FaceSet, PackageMissing


class Painted:
    """Stands for the generator: an image of 1,024 px in one colour that tells the latent it was made from."""

    def __init__(self) -> None:
        self.mean = np.zeros((1, 512), np.float32)
        self.made: list[float] = []

    def w(self, seed: int, number: int) -> Any:
        return np.full((1, 512), 100 * seed + number + 1, np.float32)

    def image(self, w: Any) -> Bytes:
        self.made.append(float(w[0, 0]))
        return np.full((1024, 1024, 3), round(float(w[0, 0])), np.uint8)


@pytest.fixture
def generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Painted:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "home"))
    weights = tmp_path / "weights.zip"
    weights.write_bytes(b"two networks")
    monkeypatch.setattr(assets, "path", lambda name, needed_by=None: weights)
    painted = Painted()
    monkeypatch.setattr(random_face, "_generator", lambda path: painted)
    return painted


def level(face_set: FaceSet, face_id: str) -> int:
    pixels = face_set.load(face_id).pixels
    assert len(np.unique(pixels)) == 1
    return round(float(pixels[0, 0, 0]) * 255)


def test_a_face_is_made_once_and_read_after_that(generator: Painted) -> None:
    opened = faces.load("random-face?count=3&truncation=1")
    assert opened.ids() == ("face-00000", "face-00001", "face-00002")
    assert [level(opened, name) for name in opened.ids()] == [1, 2, 3]
    again = faces.load("random-face?count=3&truncation=1")
    assert [level(again, name) for name in again.ids()] == [1, 2, 3]
    assert generator.made == [1.0, 2.0, 3.0]
    assert tuple(opened.load("face-00000").pixels.shape) == (3, 512, 512)
    assert opened.load("face-00000").sha256 == again.load("face-00000").sha256


def test_the_cache_mixes_no_seeds_truncations_or_generators(
    generator: Painted, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert level(faces.load("random-face?seed=1&truncation=1"), "face-00004") == 105
    assert level(faces.load("random-face?seed=2&truncation=1"), "face-00004") == 205
    assert level(faces.load("random-face?seed=2&truncation=0.2"), "face-00004") == 41
    other = dataclasses.replace(assets.find("random-face"), sha256="0" * 64)
    monkeypatch.setitem(assets.ASSETS, "random-face", other)
    level(faces.load("random-face?seed=2&truncation=1"), "face-00004")
    assert len(generator.made) == 4
    assert faces.load("random-face").source() != faces.load("random-face?seed=1").source()


def test_a_larger_count_adds_to_the_end(generator: Painted) -> None:
    few, more = faces.load("random-face?count=2"), faces.load("random-face?count=5")
    assert more.ids()[:2] == few.ids()
    with pytest.raises(BadInput, match="has no face 'face-00002'"):
        few.load("face-00002")


def test_smaller_sizes_are_averaged_and_larger_ones_refused(generator: Painted) -> None:
    assert tuple(faces.load("random-face", size_px=128).load("face-00000").pixels.shape) == (3, 128, 128)
    with pytest.raises(BadInput, match="made at 512 px and are not enlarged to 1024"):
        faces.load("random-face", size_px=1024)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("count=0", "count is 1 to"),
        ("truncation=0", "truncation over 0"),
        ("truncation=nan", "truncation over 0"),
        ("seed=-1", "seed a whole number"),
        ("seed=x", "seed has to be a number, not 'x'"),
        ("count=2&count=3", "'count' is given twice"),
        ("colour=red", "'colour' is no option; there are count, truncation, seed"),
    ],
)
def test_other_options_are_one_line(generator: Painted, options: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        faces.load(f"random-face?{options}")


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing, match="run `gfpbench fetch random-face`"):
        faces.load("random-face")
    monkeypatch.setattr(assets, "path", lambda name, needed_by=None: Path(__file__))
    monkeypatch.setitem(sys.modules, "openvino", None)
    random_face._generator.cache_clear()
    with pytest.raises(PackageMissing, match=r"pip install 'gfpbench\[random-face\]'"):
        faces.load("random-face").load("face-00000")


def test_faces_that_were_made_need_no_generator(generator: Painted, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("face-00000", "face-00001")
    made = [level(faces.load("random-face?count=2&truncation=1"), name) for name in names]

    def absent(name: str, needed_by: str | None = None) -> Path:
        raise AssetMissing(name, needed_by or "")

    monkeypatch.setattr(assets, "path", absent)
    assert [level(faces.load("random-face?count=2&truncation=1"), name) for name in names] == made
    with pytest.raises(AssetMissing):
        faces.load("random-face?count=3&truncation=1")
