"""Images restored elsewhere: found by name, refused with the file in the message."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from gfpbench.images import batch_from_uint8, quantized, select, to_bgr_arrays, to_rgb_arrays, write_png
from gfpbench.restorers import checked
from gfpbench.restorers.outputs import Outputs
from gfpbench.types import BadInput, ImageBatch, RestorationFailed


@pytest.fixture
def folder(tmp_path: Path, degraded: ImageBatch) -> Path:
    """The mirrored images, under the names of the degraded ones."""
    for name, rgb in zip(degraded.ids, to_rgb_arrays(degraded), strict=True):
        write_png(tmp_path / f"{name}.png", np.ascontiguousarray(rgb[:, ::-1]))
    return tmp_path


def test_files_are_matched_by_name_not_by_order(folder: Path, degraded: ImageBatch) -> None:
    some = select(degraded, [5, 0, 3])
    restored = Outputs(str(folder))(some)
    assert restored.ids == some.ids
    assert torch.equal(restored.pixels, quantized(ImageBatch(some.pixels.flip(3), some.ids)).pixels)


def test_a_missing_file_is_one_failure_with_its_name(folder: Path, degraded: ImageBatch) -> None:
    (folder / "astronaut~3.png").unlink()
    restored, failures = checked(Outputs(str(folder)), degraded)
    assert restored is not None
    assert len(restored) == 7
    assert list(failures) == ["astronaut~3"]
    assert failures["astronaut~3"].startswith(f"no restored image: looked for {folder / 'astronaut~3'} with .png, .jpg")


def test_two_files_for_one_image_are_refused(folder: Path, degraded: ImageBatch) -> None:
    cv2.imwrite(str(folder / "astronaut~2.JPG"), to_bgr_arrays(degraded)[2])
    _, failures = checked(Outputs(str(folder)), degraded)
    assert list(failures) == ["astronaut~2"]
    assert "astronaut~2.JPG, astronaut~2.png; leave one" in failures["astronaut~2"]
    assert Outputs(str(folder)).unused(degraded.ids) == ()  # both belong to that image


def test_another_size_is_refused(folder: Path, degraded: ImageBatch) -> None:
    write_png(folder / "astronaut~1.png", np.zeros((256, 130, 3), np.uint8))
    _, failures = checked(Outputs(str(folder)), degraded)
    assert list(failures) == ["astronaut~1"]
    assert failures["astronaut~1"].endswith("astronaut~1.png is 130 x 256 px, but its input is 128 x 128 px")


def test_files_that_are_no_images_are_refused(folder: Path, degraded: ImageBatch) -> None:
    whole = (folder / "astronaut~0.png").read_bytes()
    (folder / "astronaut~0.png").write_bytes(whole[: len(whole) // 2])
    (folder / "astronaut~1.png").write_bytes(b"")
    (folder / "astronaut~2.png").write_bytes(b"<html>not found</html>")
    deep = np.arange(128 * 128, dtype=np.uint16).reshape(128, 128) * 4 - 1
    cv2.imwrite(str(folder / "astronaut~4.png"), deep)
    restored, failures = checked(Outputs(str(folder)), degraded)
    assert restored is not None
    assert restored.ids == tuple(f"astronaut~{i}" for i in (3, 4, 5, 6, 7))
    assert "it is damaged or unsupported" in failures["astronaut~0"]
    assert "is empty (0 bytes)" in failures["astronaut~1"]
    assert "no image of a kind that is read" in failures["astronaut~2"]
    expected = np.rint(deep / 257)[..., None]
    assert (to_rgb_arrays(restored)[1] == expected).all(), "16 bits are rounded as in a face: 40,000 becomes 156"


def test_the_degraded_image_under_another_name_is_no_restoration(folder: Path, degraded: ImageBatch) -> None:
    for name, rgb in zip(degraded.ids, to_rgb_arrays(degraded), strict=True):
        write_png(folder / f"{name}.png", rgb)
    restored, failures = checked(Outputs(str(folder)), degraded)
    assert restored is None
    assert all("its input unchanged" in reason for reason in failures.values())


@pytest.mark.parametrize(
    ("face_id", "files", "expected"),
    [
        ("a", ["a.webp"], "a.webp"),
        ("sub/a", ["a.png", "sub/a.png"], "sub/a.png"),
        ("a.v2", ["a.png", "a.v2.png"], "a.v2.png"),
        ("a.jpg", ["a.jpg", "a.png"], "a.jpg"),
        ("a.jpg", ["a.jpg.png", "b.png"], "a.jpg.png"),
        ("a.jpg", ["a.png"], "a.png"),
        ("a.jpg~1", ["a.jpg~1.png", "a.jpg~0.png"], "a.jpg~1.png"),
        ("Ren\u00e9", ["Rene\u0301.png"], "Rene\u0301.png"),
        ("a", ["a.txt", ".a.png", "b/a.png", "a_out.png"], None),
        ("a.jpg", ["a.jpg", "a.jpg.png"], None),
        ("a", ["a.JPE"], "a.JPE"),
        ("a.JFIF", ["a.Png"], "a.Png"),
        ("a", ["a.png", "a.AVIF"], None),
        ("a", ["a.heic", "a.eps", "a", "b.png"], None),
        ("caf\\xe9", [os.fsdecode(b"caf\xe9.png")], os.fsdecode(b"caf\xe9.png")),
    ],
)
def test_names(face_id: str, files: list[str], expected: str | None, tmp_path: Path) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    outputs = Outputs(str(tmp_path))
    if expected is None:
        with pytest.raises(RestorationFailed):
            outputs.find(face_id)
    else:
        assert outputs.find(face_id) == expected


def test_files_that_belong_to_nothing_are_named(folder: Path, degraded: ImageBatch) -> None:
    write_png(folder / "astronaut_3_out.png", np.zeros((8, 8, 3), np.uint8))
    assert Outputs(str(folder)).unused(degraded.ids) == ("astronaut_3_out.png",)
    assert Outputs(str(folder)).unused([*degraded.ids[:7], "absent"]) == ("astronaut_3_out.png", "astronaut~7.png")


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a folder"):
        Outputs(str(tmp_path / "absent"))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        BadInput,
        match=r"no image in .*looked for \.png.*left out: 1 file: 1 not an image by its suffix \[notes\.txt\]",
    ):
        Outputs(str(tmp_path))


def test_the_provenance_does_not_depend_on_where_the_folder_is(folder: Path) -> None:
    first = Outputs(str(folder)).provenance()
    moved = folder.rename(folder.with_name("moved")) / "."
    second = Outputs(str(moved)).provenance()
    assert first["files"] == second["files"] == 8
    assert first["contents_sha256"] == second["contents_sha256"]
    write_png(moved / "astronaut~0.png", np.zeros((128, 128, 3), np.uint8))
    assert Outputs(str(moved)).provenance()["contents_sha256"] != first["contents_sha256"]


def test_contents_identify_the_files_not_names_sizes_and_times(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / f"{number}.bmp").write_bytes(bmp(number))
    path, before = tmp_path / "0.bmp", Outputs(str(tmp_path)).provenance()
    status = path.stat()
    path.write_bytes(bmp(7))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    after = Outputs(str(tmp_path)).provenance()
    assert after["contents_sha256"] != before["contents_sha256"]
    assert {**after, "contents_sha256": ""} == {**before, "contents_sha256": ""}
    path.rename(tmp_path / "2.bmp")
    assert Outputs(str(tmp_path)).provenance()["contents_sha256"] != after["contents_sha256"], "names count too"


def test_a_file_that_changes_between_its_record_and_its_reading_is_a_failure(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / f"{number}.bmp").write_bytes(bmp(number))
    outputs = Outputs(str(tmp_path))
    recorded = outputs.provenance()
    (tmp_path / "1.bmp").write_bytes(bmp(7))
    given = batch_from_uint8([np.full((40, 40, 3), 20, np.uint8)] * 2, ("0", "1"))
    restored, failures = checked(outputs, given)
    assert restored is not None
    assert restored.ids == ("0",)
    assert failures["1"].endswith("1.bmp was changed while the run was going on: run it again")
    assert outputs.provenance() == recorded, "the record is of what was measured"


def test_how_each_file_was_read_is_recorded(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(np.dstack([rgb, rgb[..., 0]])).save(tmp_path / "0.png")
    cv2.imwrite(str(tmp_path / "1.PNG"), rgb.astype(np.uint16) * 257)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "2.heic").touch()
    outputs = Outputs(str(tmp_path))
    assert outputs.read_record("0") == {}
    outputs(batch_from_uint8([rgb] * 2, ("0", "1")))
    records = [outputs.read_record(name) for name in "01"]
    assert [record["file"] for record in records] == ["0.png", "1.PNG"]
    assert [record["treatment"] for record in records] == [["alpha composited on white"], ["16 bits rounded to 8"]]
    assert records[0]["sha256"] == hashlib.sha256((tmp_path / "0.png").read_bytes()).hexdigest()
    left_out = outputs.provenance()["left_out"]
    assert {reason.partition(",")[0]: entry["count"] for reason, entry in left_out.items()} == {
        "HEIC": 1,
        "not an image by its suffix": 1,
    }


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\nnewpath\nshowpage\n%%EOF\n"


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Ghostscript is a shell script")
@pytest.mark.usefixtures("forked_processes")
def test_a_drawing_under_an_images_name_starts_no_program(tmp_path: Path) -> None:
    """In a process of its own, because Pillow looks for Ghostscript once."""
    started, folder = tmp_path / "started", tmp_path / "out"
    folder.mkdir()
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {started}\n")
    (tmp_path / "gs").chmod(0o755)
    for name in ("a.png", "b.JPG", "c.tif"):
        (folder / name).write_bytes(EPS)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    def run(program: str) -> None:
        subprocess.run([sys.executable, "-c", program, str(folder)], check=True, env=environment, timeout=300)

    run(
        "import sys, torch; from gfpbench.restorers import checked, load; from gfpbench.types import ImageBatch;"
        "given = ImageBatch(torch.rand(3, 3, 40, 40), ('a', 'b', 'c'));"
        "restored, failures = checked(load(f'outputs:{sys.argv[1]}'), given);"
        "assert restored is None and len(failures) == 3, failures;"
        "assert all('another program would have to draw' in reason for reason in failures.values()), failures"
    )
    assert not started.exists()
    run(
        "import sys; from pathlib import Path; from PIL import Image\n"
        "try:\n    Image.open(Path(sys.argv[1]) / 'a.png').load()\nexcept Exception:\n    pass"
    )
    assert started.exists(), "Pillow left to itself does start it: otherwise nothing was tried here"


def bmp(value: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), value, np.uint8)).save(stream, "BMP")
    return stream.getvalue()
