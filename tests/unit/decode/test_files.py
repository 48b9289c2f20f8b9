"""What is below a folder: every file is taken or counted with its reason, and the walk ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gfpbench.decode import files
from gfpbench.decode.files import Names, list_images, named, without_suffix
from gfpbench.types import BadInput


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_every_file_is_taken_or_counted(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "a.png",
        "sub/b.JFIF",
        "c.heic",
        "d.HEIC",
        "notes.txt",
        "x/y.csv",
        "LICENSE",
        ".hidden/e.png",
        ".DS_Store",
    )
    listing = list_images(tmp_path)
    assert sorted(file.relative_to(tmp_path).as_posix() for file in listing.files) == ["a.png", "sub/b.JFIF"]
    counted = {reason.split(",")[0].split(" (")[0]: names for reason, names in listing.left_out.items()}
    assert counted == {
        "HEIC": ("c.heic", "d.HEIC"),
        "not an image by its suffix": ("notes.txt", "x/y.csv"),
        "no suffix": ("LICENSE",),
        "hidden": (".DS_Store", ".hidden"),
    }
    assert listing.record()["no suffix, so it is not known for an image"] == {"count": 1, "first": ["LICENSE"]}
    assert files.summed(listing.record()).startswith("7 files: 2 ")


def test_of_many_names_a_few_are_kept(tmp_path: Path) -> None:
    tree(tmp_path, *(f"{number}.txt" for number in range(10)))
    assert list(list_images(tmp_path).record().values()) == [{"count": 10, "first": ["0.txt", "1.txt", "2.txt"]}]
    assert "10 files: 10 not an image by its suffix [0.txt, 1.txt, 2.txt, ...]" in list_images(tmp_path).none_taken()


def test_folders_below_are_counted_where_none_is_looked_into(tmp_path: Path) -> None:
    tree(tmp_path, "a.png", "sub/b.png")
    listing = list_images(tmp_path, nested=False)
    assert [file.name for file in listing.files] == ["a.png"]
    assert list(listing.left_out.values()) == [("sub",)]


def test_the_walk_ends_at_a_stated_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, *(f"{number % 7}/{number}.png" for number in range(50)))
    monkeypatch.setattr(files, "MAXIMUM_ENTRIES", 57)
    assert len(list_images(tmp_path).files) == 50
    monkeypatch.setattr(files, "MAXIMUM_ENTRIES", 56)
    with pytest.raises(BadInput, match="holds more than 56 files and folders, the limit") as caught:
        list_images(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_the_walk_ends_where_too_much_is_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a.png", "b.png", *(f"{number}/{number}.py" for number in range(20)))
    monkeypatch.setattr(files, "MAXIMUM_LEFT_OUT", 20)
    assert len(list_images(tmp_path).files) == 2
    monkeypatch.setattr(files, "MAXIMUM_LEFT_OUT", 19)
    with pytest.raises(BadInput, match="holds more than 19 files that are no images, the limit"):
        list_images(tmp_path)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc on this system")
def test_the_systems_own_folders_are_not_entered(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="/proc: is a folder of the system's own"):
        list_images(Path("/proc"))
    tree(tmp_path, "a.png")
    (tmp_path / "b").symlink_to("/proc/self")
    listing = list_images(tmp_path)
    assert [file.name for file in listing.files] == ["a.png"]
    assert listing.left_out == {files.SYSTEM_FOLDER: ("b",)}


def test_names_that_are_no_utf_8_are_written_out(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.png")).touch()
    (tmp_path / os.fsdecode(b"\xff.txt")).touch()
    listing = list_images(tmp_path)
    assert list(named(tmp_path, listing.files)) == ["caf\\xe9"]
    assert [entry["first"] for entry in listing.record().values()] == [["\\xff.txt"]]
    listing.none_taken().encode("utf-8")


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("a.png", "a"),
        ("a.b.JPE", "a.b"),
        ("x.y/a", "x.y/a"),
        ("a.txt", "a.txt"),
        ("a.png.png", "a.png"),
        (".png", ".png"),
    ],
)
def test_a_suffix_is_an_images_or_part_of_the_name(name: str, bare: str) -> None:
    assert without_suffix(name) == bare


def test_ids_and_files_find_each_other(tmp_path: Path) -> None:
    tree(tmp_path, "a.png", "b.JPG", "c.tiff", "c.png", "sub/d.e.webp", "Rene\u0301.png")
    found = named(tmp_path, list_images(tmp_path).files)
    index = Names(file.relative_to(tmp_path).as_posix() for file in found.values())
    for face_id, file in found.items():
        assert index.of(face_id) == (file.relative_to(tmp_path).as_posix(),)
    assert index.of("Rene\u0301") == index.of("Ren\u00e9")
    assert index.of("absent") == ()
    assert set(index.of("c")) == {"c.png", "c.tiff"}
