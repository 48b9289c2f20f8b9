"""From files to the printed line: what was left out, what was done while reading, where truth and output differ."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from gfpbench import results, run
from gfpbench.faces import load as load_faces
from gfpbench.report import markdown, terminal_lines, write_junit, write_report
from gfpbench.report.reading import readings
from gfpbench.run.left_out import left_out
from gfpbench.types import BadInput, Case, Result

FACE = cv2.resize(astronaut()[0:200, 120:320], (64, 64), interpolation=cv2.INTER_AREA)


def saved(path: Path, values: np.ndarray, form: str = "PNG") -> None:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, form)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(stream.getvalue())


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Result, ...]]:
    """Four faces restored elsewhere; a and b with alpha in one of the two, c with more bits, d a GIF."""
    root = tmp_path_factory.mktemp("reading")
    half = np.full(FACE.shape[:2], 128, np.uint8)
    for number, name in enumerate("abcd"):
        face, restored = np.roll(FACE, 5 * number, axis=1), np.roll(FACE, 5 * number, axis=1) // 2 + 60
        saved(root / "faces" / f"{name}.png", np.dstack([face, half]) if name == "a" else face)
        saved(root / "out" / f"{name}.PNG", np.dstack([restored, half]) if name == "b" else restored)
    done, deep = cv2.imencode(".png", FACE[..., ::-1].astype(np.uint16) * 257)
    assert done
    (root / "faces" / "c.png").write_bytes(deep.tobytes())
    (root / "faces" / "d.png").unlink()
    saved(root / "faces" / "d.gif", np.roll(FACE, 20, axis=1), "GIF")
    for name in ("1.heic", "2.HEIC", "notes.txt", ".DS_Store"):
        (root / "faces" / name).touch()
    (root / "out" / "log.csv").touch()
    case = Case(str(root / "faces"), "paper", f"outputs:{root / 'out'}", 0)
    found = tuple(
        run.measure(dataclasses.replace(case, restorer=name), store=root / "cases", metrics=["psnr_rgb"])
        for name in ("input", case.restorer)
    )
    return root, found


def test_every_file_left_out_is_counted_once_by_reason(measured: tuple[Path, tuple[Result, ...]]) -> None:
    root, found = measured
    counted = [(one.of, one.count, one.first) for one in left_out(found)]
    faces, outputs = str(root / "faces"), f"outputs:{root / 'out'}"
    assert counted == [
        (faces, 2, ("1.heic", "2.HEIC")),
        (faces, 1, (".DS_Store",)),
        (faces, 1, ("notes.txt",)),
        (outputs, 1, ("log.csv",)),
    ]


def test_what_was_done_is_said_and_what_was_done_to_one_only_is_a_warning(
    measured: tuple[Path, tuple[Result, ...]],
) -> None:
    said = [(one.what, one.count, one.first, one.warning) for one in readings(measured[1])]
    assert said == [
        ("alpha composited on white", 1, "a", False),
        ("16 bits rounded to 8", 1, "c", False),
        ("alpha composited on white", 1, "b", False),
        ("read otherwise than the truth: alpha composited on white (the truth only)", 1, "a", True),
        ("read otherwise than the truth: alpha composited on white (the output only)", 1, "b", True),
    ]


def test_the_closing_lines_the_page_and_markdown_say_it(
    measured: tuple[Path, tuple[Result, ...]], tmp_path: Path
) -> None:
    root, found = measured
    text = "\n".join(terminal_lines(found, None))
    page = write_report(found, tmp_path, store=root / "cases").read_text()
    table = markdown(found)
    assert f"left out of {root / 'faces'}: 2 files: HEIC, which Pillow reads with a plugin only" in text
    assert f"left out of outputs:{root / 'out'}: 1 file: not an image by its suffix (log.csv)" in text
    assert f"warning: outputs:{root / 'out'}: read otherwise than the truth: alpha composited on white" in text
    assert f"read: faces of {root / 'faces'}: 16 bits rounded to 8 for 1 image (first: c)" in text
    assert table.count("- left out of ") == 4
    assert table.count("- warning: ") == 2
    assert re.findall(r'<tr data-count="(\d+)">', page) == ["2", "1", "1", "1"]
    assert page.count("Treated differently.") == 2
    write_junit(found, tmp_path / "junit.xml")
    outs = [case.findtext("system-out") or "" for case in ET.parse(tmp_path / "junit.xml").iter("testcase")]
    assert sum("left out of " in text for text in outs) == len(found)


def test_results_on_disk_keep_it_and_older_ones_are_read(
    measured: tuple[Path, tuple[Result, ...]], tmp_path: Path
) -> None:
    _, found = measured
    results.write(found, tmp_path / "results.json")
    again = results.read(tmp_path / "results.json")
    assert left_out(again) == left_out(found)
    assert readings(again) == readings(found)
    (row,) = [row for row in again[1].rows if row.id == "b"]
    assert row.read["restored"]["file"] == "b.PNG"
    assert row.read["restored"]["treatment"] == ["alpha composited on white"]
    data = json.loads((tmp_path / "results.json").read_text())
    for result in data["results"]:
        for record in (*result["rows"], result["faces"], result["restorer"]):
            record.pop("read", None)
            record.pop("left_out", None)
    (tmp_path / "older.json").write_text(json.dumps(data))
    older = results.read(tmp_path / "older.json")
    assert left_out(older) == ()
    assert readings(older) == ()
    assert not any(line.startswith(("left out", "read", "warning")) for line in terminal_lines(older, None))


def test_a_file_beside_the_faces_changes_nothing_that_is_measured(
    measured: tuple[Path, tuple[Result, ...]], tmp_path: Path
) -> None:
    """Only what is counted: the result of an unfinished run is gone on with, and the same result verifies."""
    root, found = measured
    (root / "faces" / "another.txt").touch()
    try:
        parts = run.load(found[1].case, device="cpu", metrics=["psnr_rgb"])
        assert [problem for problem in run.verify(found[1], parts=parts) if problem.stage == "faces"] == []
        assert parts.records()["faces"] != found[1].faces
    finally:
        (root / "faces" / "another.txt").unlink()


def test_strange_records_say_nothing(measured: tuple[Path, tuple[Result, ...]]) -> None:
    _, found = measured
    records: tuple[Any, ...]
    records = (
        None,
        [],
        "x",
        {"reason": None},
        {"reason": {"count": "many"}},
        {"reason": {"first": ["a"]}},
    )
    for strange in records:
        assert left_out([dataclasses.replace(found[0], faces={"left_out": strange})]) == ()


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems take no such names")
def test_folders_and_files_whose_names_are_no_utf_8(tmp_path: Path) -> None:
    """From the faces to every file of the report, through the disk and back."""
    faces, out = (tmp_path / os.fsdecode(name) for name in (b"faces \xe9", b"out \xff"))
    for number, name in enumerate((b"caf\xe9", b"b")):
        saved(faces / f"{os.fsdecode(name)}.png", np.roll(FACE, 9 * number, axis=1))
        saved(out / f"{os.fsdecode(name)}.jpg", np.roll(FACE, 9 * number, axis=1) // 2 + 60, "JPEG")
    (faces / os.fsdecode(b"\xff.txt")).touch()
    saved(out / os.fsdecode(b"\xfe.png"), FACE)
    found = []
    for restorer, degradation in ((f"outputs:{out}", "paper"), ("input", f"stored:{out}")):
        case = Case(str(faces), degradation, restorer, 0)
        result = run.measure(case, store=tmp_path / "cases", metrics=["psnr_rgb"])
        assert [(row.id, row.failure) for row in result.rows] == [("b", None), ("caf\\xe9", None)]
        found.append(result)
    assert [problem.subject for problem in found[0].problems] == ["\\xfe.png"]
    page = write_report(found, tmp_path / "report", store=tmp_path / "cases")
    write_junit(found, tmp_path / "report" / "junit.xml")
    assert "faces \\udce9" in page.read_text(encoding="utf-8")
    for line in terminal_lines(results.read(tmp_path / "report" / "results.json"), page):
        line.encode("utf-8")
    with pytest.raises(BadInput) as caught:
        load_faces(os.fsdecode(bytes(tmp_path) + b"/none \xff"))
    str(caught.value).encode("utf-8")
