"""Folders: which files count, what they are called, in which order, and what they cost."""

from __future__ import annotations

import gc
import itertools
import json
import os
import re
import tracemalloc
import weakref
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gfpbench import faces, images
from gfpbench.decode.files import list_images, named
from gfpbench.faces.folder import Folder, to_square
from gfpbench.types import BadInput, FaceSet, UnreadableFace
from tests.unit.decode import test_point_lists

RGB = np.random.default_rng(5).integers(0, 256, (40, 36, 3), dtype=np.uint8)


def write(path: Path, values: np.ndarray = RGB) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF"}.get(path.suffix.lower())
    Image.fromarray(values).save(path, form)
    return path


def test_names_are_paths_without_suffix_in_code_point_order(tmp_path: Path) -> None:
    for name in ("b.png", "a/2.JPG", "a/10.png", "B.webp", "é.bmp", "a.b.c.png", "deep/er/x.TIFF", "a/.hidden.png"):
        write(tmp_path / name)
    write(tmp_path / ".cache" / "y.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "a" / "landmarks.json").write_text("{}")
    folder = faces.load(str(tmp_path))
    assert isinstance(folder, FaceSet)
    assert folder.ids() == ("B", "a.b.c", "a/10", "a/2", "b", "deep/er/x", "é")
    assert folder.name == str(tmp_path)
    for face_id in folder.ids():
        face = folder.load(face_id)
        assert (face.id, tuple(face.pixels.shape), dict(face.attributes)) == (face_id, (3, 40, 36), {})
    assert torch.equal(folder.load("b").pixels, images.from_uint8(RGB))
    assert folder.load("b").sha256 == images.pixels_sha256(RGB)


def test_order_does_not_depend_on_creation(tmp_path: Path) -> None:
    names = ["c.png", "a.png", "d/a.png", "b.png"]
    seen = set()
    for number, order in enumerate(itertools.permutations(names)):
        for name in order:
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        seen.add(Folder(tmp_path / str(number)).ids())
    assert seen == {("a", "b", "c", "d/a")}


def test_clashing_names_keep_their_suffix(tmp_path: Path) -> None:
    for name in ("x.png", "x.jpg", "x.PNG", "y.png", "x.png.png", "s/x.png"):
        write(tmp_path / name)
    assert Folder(tmp_path).ids() == ("s/x", "x.PNG", "x.jpg", "x.png", "x.png.png", "y")


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.sets(st.from_regex(r"(a|b|a\.png|\.png)(\.png|\.jpg|\.PNG)", fullmatch=True), min_size=1), st.randoms())
def test_every_file_has_its_own_name_whatever_the_order(names, random) -> None:
    files = [Path("/r") / name for name in names]
    ids = named(Path("/r"), files)
    assert set(ids.values()) == set(files)
    assert list(ids) == sorted(ids)
    random.shuffle(files)
    assert named(Path("/r"), files) == ids


def test_names_in_another_unicode_form_are_the_same_name(tmp_path: Path) -> None:
    write(tmp_path / "e\N{COMBINING ACUTE ACCENT}.png")
    assert Folder(tmp_path).ids() == ("é",)
    write(tmp_path / "é.png")
    with pytest.raises(BadInput, match="different Unicode forms"):
        Folder(tmp_path)


def test_names_that_cannot_be_printed_are_written_out(tmp_path: Path) -> None:
    write(tmp_path / "two\nlines.png")
    write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/latin\xe9.png")))
    folder = Folder(tmp_path)
    assert folder.ids() == ("latin\\xe9", "two\\nlines")
    json.dumps(folder.ids()).encode("utf-8")
    assert folder.load("latin\\xe9").pixels.shape == (3, 40, 36)


def test_linked_folders_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    write(tmp_path / "set" / "real" / "a.png")
    outside = write(tmp_path / "outside" / "b.png").parent
    (tmp_path / "set" / "real" / "up").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "first").symlink_to(tmp_path / "set" / "real")
    (tmp_path / "set" / "link").symlink_to(outside)
    (tmp_path / "set" / "other").symlink_to(outside)
    (outside / "back").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "c.png").symlink_to(outside / "b.png")
    assert Folder(tmp_path / "set").ids() == ("c", "link/b", "real/a")


def test_many_links_to_one_another_stay_cheap(tmp_path: Path) -> None:
    for a in range(12):
        write(tmp_path / f"d{a}" / "p.png")
        for b in range(12):
            (tmp_path / f"d{a}" / f"to{b}").symlink_to(tmp_path / f"d{b}")
    assert len(list_images(tmp_path).files) == 12


def test_a_folder_named_like_an_image_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "album.png" / "a.png")
    assert Folder(tmp_path).ids() == ("album.png/a",)


def test_a_folder_that_may_not_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.png")
    write(tmp_path / "locked" / "b.png")
    scandir = os.scandir

    def refusing(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert Folder(tmp_path).ids() == ("a", "locked")
    with pytest.raises(BadInput, match="is a folder"):
        Folder(tmp_path).load("locked")
    with pytest.raises(BadInput, match="cannot be listed: Permission denied"):
        Folder(tmp_path / "locked")


def test_folders_without_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no images \(PNG, JPEG"):
        faces.load(str(tmp_path))
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(BadInput, match="holds no images"):
        faces.load(str(tmp_path))
    with pytest.raises(BadInput, match="is a file, give its folder"):
        faces.load(str(write(tmp_path / "one.png")))


def test_an_unknown_image_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    with pytest.raises(BadInput, match="has no image 'b'"):
        Folder(tmp_path).load("b")


def test_source_changes_with_the_files(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    first = Folder(tmp_path).source()
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    assert (first["count"], first["from"], first["licence"]) == (1, str(tmp_path), "not stated")
    assert Folder(tmp_path).source() == first
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    second = Folder(tmp_path).source()
    assert second["count"] == 2
    assert second["files_sha256"] != first["files_sha256"]


def test_files_that_are_used_are_not_counted_as_left_out(tmp_path: Path) -> None:
    """The list of five points, and what `gfpbench degrade` writes beside its images."""
    write(tmp_path / "a.png")
    (tmp_path / "test_face.csv").write_text(f"{test_point_lists.HEAD}\n{test_point_lists.line('a', 'CelebA')}\n")
    for name in (".lock", "degraded.json"):
        (tmp_path / name).touch()
    assert "left_out" not in Folder(tmp_path).source()
    (tmp_path / "notes.csv").write_text("of somebody's own")
    (left_out,) = Folder(tmp_path).source()["left_out"].values()
    assert left_out == {"count": 1, "first": ["notes.csv"]}


@pytest.mark.parametrize("shape", [(128, 128), (120, 90), (90, 121), (40, 40), (64, 64)])
def test_size_px_takes_the_middle_square(tmp_path: Path, shape) -> None:
    values = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    write(tmp_path / "a.png", values)
    pixels = faces.load(str(tmp_path), size_px=64).load("a").pixels
    assert tuple(pixels.shape) == (3, 64, 64)
    assert torch.equal((pixels * 255).round() / 255, pixels), "8-bit values"
    assert faces.load(str(tmp_path)).load("a").pixels.shape[1:] == shape


def test_shrinking_averages_areas() -> None:
    values = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    expected = values[:, 16:80].reshape(32, 2, 32, 2, 3).astype(float).mean((1, 3))
    assert np.abs(to_square(values, 32) - expected).max() <= 0.5 + 1e-4
    assert to_square(values[:, :64], 64) is not None
    assert np.array_equal(to_square(values[:, :64], 64), values[:, :64])


def test_nothing_is_kept_and_listing_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = np.random.default_rng(1).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    for number in range(24):
        write(tmp_path / f"{number:02}.bmp", large)
    folder = faces.load(str(tmp_path))
    one = weakref.ref(folder.load("00").pixels)
    gc.collect()
    assert one() is None, "a loaded face must go when its user lets it go"
    tracemalloc.start()
    try:
        for face_id in folder.ids():
            folder.load(face_id)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 512 * 512 * 3
    assert peak < 8 * 512 * 512 * 3
    monkeypatch.setattr("gfpbench.faces.folder.decode.read", lambda path: pytest.fail("decoded"))
    again = faces.load(str(tmp_path), draws=3)
    assert len(again.ids()) == 72
    again.source()


BLANK = {
    "black": (RGB * 0, "is black all over"),
    "unit": (RGB // 255, "is black all over (values of [0, 1] saved with 8 bits"),
    "jpeg": (RGB // 64, "is black all over"),
    "white": (255 - RGB // 64, "is white all over"),
}
SEEN = {
    "dark": RGB // 50,
    "light": 255 - RGB // 50,
    "line": np.where(np.arange(40)[:, None, None] == 3, 90, 0 * RGB).astype(np.uint8),
    "grey": np.full_like(RGB, 128),
}


def test_a_blank_image_is_no_face(tmp_path: Path) -> None:
    """Its restorations score far above those of any face, or pass for their own input, and raise every mean."""
    for name, values in {**SEEN, **{name: values for name, (values, _) in BLANK.items()}}.items():
        write(tmp_path / "faces" / f"{name}.png", values)
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as packed:
        for file in (tmp_path / "faces").iterdir():
            packed.write(file, file.name)
    for form in ("faces", "faces.zip"):
        found = faces.load(str(tmp_path / form))
        assert all(found.load(name).pixels.any() for name in SEEN)
        for name, (_, said) in BLANK.items():
            with pytest.raises(UnreadableFace, match=re.escape(said)) as caught:
                found.load(name)
            assert f"{name}.png: is" in str(caught.value)
