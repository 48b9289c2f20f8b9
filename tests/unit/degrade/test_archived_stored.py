"""Degraded images in archives and at addresses are those of the folder that was packed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench import degrade
from gfpbench.degrade.stored import Stored
from gfpbench.degraded import MANIFEST, UNFINISHED
from gfpbench.run import TRUTH
from gfpbench.types import BadInput, Case, GfpbenchError, ImageBatch, Json, PackageMissing
from tests.unit.decode.archives import WRITERS, folder_of, png, tar_of, zip_of
from tests.unit.faces.test_addresses import _home, memory, put  # noqa: F401 - fixtures
from tests.unit.run import degraded_laws as laws

FACES = ("a", "b_gt", "jones/c", "torn", "none")
FILES = {"a.png": png(1), "b_lq.png": png(2), "jones/c_lq.png": png(3, 20), "c.png": png(4), "torn.png": b"\x89PNG"}


def applied(degradation: Stored, face_id: str) -> tuple[Mapping[str, Json], torch.Tensor | None]:
    drawn = degradation.draw(face_id, 0, (40, 40))
    face = ImageBatch(torch.full((1, 3, 40, 40), 0.5), (face_id,))
    try:
        return drawn, degradation.apply(face, [drawn]).pixels
    except GfpbenchError:
        return drawn, None


def same(one: str, other: str, faces: tuple[str, ...] = FACES) -> bool:
    """Whether two of ``stored:`` give the same records and pixels for each face, and none for the same ones."""
    first, second = degrade.load(f"stored:{one}"), degrade.load(f"stored:{other}")
    assert isinstance(first, Stored)
    assert isinstance(second, Stored)
    for face_id in faces:
        (drawn, pixels), (drawn_too, pixels_too) = applied(first, face_id), applied(second, face_id)
        equal = pixels is pixels_too if pixels is None or pixels_too is None else torch.equal(pixels, pixels_too)
        if drawn != drawn_too or not equal or first.read_record(face_id) != second.read_record(face_id):
            return False
    return True


@pytest.mark.parametrize("kind", [*WRITERS])
def test_an_archive_is_the_folder_that_was_packed(kind: str, tmp_path: Path) -> None:
    folder = folder_of(FILES, tmp_path / "folder")
    read = {one: applied(Stored("stored", Path(folder)), one)[1] is not None for one in FACES}
    assert read == {"a": True, "b_gt": True, "jones/c": True, "torn": False, "none": False}
    (tmp_path / "packed").mkdir()
    assert same(WRITERS[kind](FILES, tmp_path / "packed"), folder)


def test_options_of_an_archive_stand_behind_it(tmp_path: Path) -> None:
    folder, packed = folder_of(FILES, tmp_path / "folder"), WRITERS["parquet"](FILES, tmp_path)
    assert same(f"{packed}?column=image", folder)
    assert degrade.load(f"stored:{packed}?column=image").name == f"stored:{packed}?column=image"
    with pytest.raises(BadInput, match="has no column 'nothing' of images"):
        degrade.load(f"stored:{packed}?column=nothing")


def test_an_address_is_that_folder(memory: Any, tmp_path: Path) -> None:  # noqa: F811
    folder = folder_of(FILES, tmp_path / "folder")
    put(memory, FILES, "/bucket/degraded")
    memory.put_file(zip_of(FILES.items(), tmp_path / "x.zip"), "/bucket/x.zip")
    assert same("memory://bucket/degraded", folder)
    assert same("memory://bucket/x.zip", folder)


def test_only_the_degraded_half_of_packed_pairs_counts(tmp_path: Path) -> None:
    pairs = {f"lq/{name}": data for name, data in FILES.items()}
    pairs |= {"lq/notes.txt": b"x", "gt/a.png": png(9), "gt/none.png": png(8), "readme.md": b"x"}
    folder, packed = folder_of(pairs, tmp_path / "folder"), zip_of(pairs.items(), tmp_path / "x.zip")
    assert same(packed, folder)
    left_out = [degrade.load(f"stored:{one}").describe()["left_out"] for one in (packed, folder)]
    assert left_out[0] == left_out[1] == {"not an image by its suffix": {"count": 1, "first": ["notes.txt"]}}
    twice = zip_of({**pairs, "LQ/a.png": png(1)}.items(), tmp_path / "twice.zip")
    with pytest.raises(BadInput, match=r"twice.zip: has 2 folders \(LQ, lq\) for the degraded images"):
        degrade.load(f"stored:{twice}")
    named = zip_of([("celeba_512_validation_lq/a.png", png(1))], tmp_path / "y.zip")
    assert "143.98" not in str(degrade.load(f"stored:{packed}").describe())
    assert degrade.load(f"stored:{named}").describe()["inputs"] == "celeba_512_validation_lq"


def test_the_manifest_is_read_inside(tmp_path: Path, memory: Any) -> None:  # noqa: F811
    case = Case(str(laws.some_faces(tmp_path / "faces", 2)), "paper", TRUTH, seed=3)
    laws.written(case, tmp_path / "degraded")
    folder = tmp_path / "degraded"
    files = {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*.*") if one.is_file()}
    assert MANIFEST in files
    put(memory, files, "/bucket/degraded")
    expected = degrade.load(f"stored:{folder}")
    for packed in (
        zip_of(files.items(), tmp_path / "x.zip"),
        tar_of(files.items(), tmp_path / "x.tar.gz"),
        "memory://bucket/degraded",
    ):
        found = degrade.load(f"stored:{packed}")
        assert found.draw("jones/01", 3, (64, 64)) == expected.draw("jones/01", 3, (64, 64))
        told, own = found.describe(), expected.describe()
        assert {name for name in {*told, *own} if told.get(name) != own.get(name)} == {"name"}
        assert told["manifest_sha256"]
        other_face = ImageBatch(torch.full((1, 3, 64, 64), 0.5), ("jones/01",))
        with pytest.raises(BadInput, match=r"degraded\.json: 'jones/01' was made from another image than this face"):
            found.apply(other_face, [found.draw("jones/01", 3, (64, 64))])


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({MANIFEST: b"{}"}, "x.zip: degraded.json: .*make the folder again with `gfpbench degrade`"),
        ({UNFINISHED: b""}, "x.zip: `gfpbench degrade` has not finished there"),
    ],
)
def test_a_manifest_that_is_broken_is_told(files: dict[str, bytes], why: str, tmp_path: Path) -> None:
    packed = zip_of({**FILES, **files}.items(), tmp_path / "x.zip")
    with pytest.raises(BadInput, match=why):
        degrade.load(f"stored:{packed}")


def test_shards_with_different_manifests_are_refused(tmp_path: Path) -> None:
    for number, data in enumerate((b"{}", b"[]")):
        tar_of([(f"{number}.png", png(number)), (MANIFEST, data)], tmp_path / f"s-{number}.tar")
    with pytest.raises(BadInput, match=r"holds 2 different degraded\.json; leave one"):
        degrade.load(f"stored:{tmp_path}/s-*.tar")


def test_what_is_none_is_one_line(tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    (tmp_path / "broken.zip").write_bytes(b"no zip")
    (tmp_path / "x.txt").write_bytes(b"x")
    for path, why in (
        (tmp_path / "none.zip", "none.zip: no such file"),
        (tmp_path / "broken.zip", "broken.zip: cannot be read as zip"),
        (tmp_path / "nowhere", "nowhere: no such folder or archive"),
        (tmp_path / "x.txt", "x.txt: is a file, give its folder or an archive"),
        ("memory://bucket/none.zip", "memory://bucket/none.zip: there is no such file"),
    ):
        with pytest.raises(BadInput, match=why) as error:
            degrade.load(f"stored:{path}")
        assert "\n" not in str(error.value)
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(PackageMissing, match="fsspec"):
        degrade.load("stored:s3://bucket/degraded")


def test_an_archive_that_changes_while_it_is_measured_fails_its_images(tmp_path: Path) -> None:
    packed = zip_of(FILES.items(), tmp_path / "x.zip")
    degradation = degrade.load(f"stored:{packed}")
    drawn = degradation.draw("a", 0, (40, 40))
    os.utime(packed, ns=(1, 1))
    with pytest.raises(GfpbenchError, match=r"x.zip: a.png: its archive was changed since it was listed"):
        degradation.apply(ImageBatch(torch.full((1, 3, 40, 40), 0.5), ("a",)), [drawn])
