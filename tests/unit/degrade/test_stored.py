"""Published degraded images are found by the names that pairs have in practice, and never guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gfpbench import degrade
from gfpbench.types import BadInput


def write(path: Path) -> None:
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(path)


def found(folder: Path, face_id: str) -> object:
    return degrade.load(f"stored:{folder}").draw(face_id, 0, (32, 32))["stored_file"]


@pytest.mark.parametrize(
    ("face_id", "file"),
    [
        ("a", "a.png"),
        ("a", "a.TIF"),
        ("a", "a_lq.jpg"),
        ("a", "a_LQ.PNG"),
        ("a", "a-lq.webp"),
        ("a.jpg", "a_lq.png"),
        ("a_gt", "a_lq.png"),
        ("a_HQ", "a.tiff"),
        ("a-hq", "a-hq.bmp"),
    ],
)
def test_a_pair_is_found_by_its_names(tmp_path: Path, face_id: str, file: str) -> None:
    write(tmp_path / file)
    write(tmp_path / "other_lq.png")
    assert found(tmp_path, face_id) == file


def test_the_same_name_comes_before_a_mark(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    write(tmp_path / "a_lq.png")
    assert found(tmp_path, "a") == "a.png"


def test_two_that_may_be_meant_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    write(tmp_path / "a_lq.png")
    with pytest.raises(BadInput, match="2 degraded images of a_gt"):
        found(tmp_path, "a_gt")


@pytest.mark.parametrize("face_id", ["a_lq_2", "b", "_gt"])
def test_no_other_name_is_guessed(tmp_path: Path, face_id: str) -> None:
    write(tmp_path / "a_lq.png")
    assert found(tmp_path, face_id) is None
