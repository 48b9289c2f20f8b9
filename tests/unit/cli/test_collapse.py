"""`gfpbench collapse`, run as a person runs it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from gfpbench import collapse, images
from gfpbench.cli import app
from gfpbench.faces.embedded import Embedded
from gfpbench.types import BadInput, ImageBatch

SMALL = ["--size", "64", "--draws", "2", "--resolution", "4", "--device", "cpu"]


def called(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["collapse", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_a_point_its_command_and_its_page(tmp_path: Path) -> None:
    report = tmp_path / "my report"
    words = ["--restorer", "classical", "--axis", "noise", "--criterion", "face", *SMALL, "--report", str(report)]
    code, printed = called(*words)
    assert code == 0
    assert "classical on noise+middle (ssim_rgb): collapses at" in printed
    assert "95 % interval" in printed
    assert "restorations of 4 images" in printed
    assert (report / "collapse.html").exists()
    code, again = called(*words, "--json")
    assert code == 0
    data = json.loads(again)
    assert data == json.loads((report / "collapse.json").read_text())
    assert data["collapses"][0]["unit"] == "grey levels"
    command = next(line for line in printed.splitlines() if "worst faces:" in line).partition("worst faces: ")[2]
    first, second, *rest = shlex.split(command)
    assert (first, second) == ("gfpbench", "collapse")
    code, printed = called(*rest, "--device", "cpu")
    assert code == 0
    assert "ground truth" in printed
    page = (report / "at" / "index.html").read_text()
    again = next(line for line in page.splitlines() if "gfpbench collapse --restorer" in line)
    assert "--axis noise+middle --at" in again  # the page names a command that exists
    assert (report / "collapse.html").exists()


def test_another_search_stands_beside_the_first(tmp_path: Path) -> None:
    words = ["--restorer", "classical", "--criterion", "face", *SMALL, "--report", str(tmp_path / "report")]
    _, printed = called(*words, "--axis", "roll")
    assert "earlier search" not in printed
    code, printed = called(*words, "--axis", "noise")
    assert code == 0
    assert "also holds 1 answer of earlier searches: classical on roll (ssim_rgb)" in printed
    path = tmp_path / "report" / "collapse.json"
    assert [one.question.axis for one in collapse.read(path)] == ["noise+middle", "roll"]
    page = (tmp_path / "report" / "collapse.html").read_text()
    assert 'data-axis="roll"' in page
    assert 'data-axis="noise+middle"' in page
    _, printed = called(*words, "--axis", "roll")
    assert "replaced 1 answer of an earlier search" in printed
    assert [one.question.axis for one in collapse.read(path)] == ["roll", "noise+middle"]
    path.write_text("{")
    with pytest.raises(BadInput, match=r"collapse\.json: .*remove it, or give another --report folder"):
        called(*words, "--axis", "roll")
    assert path.read_text() == "{"


def test_files_left_out_are_counted_with_the_point(tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    known = Embedded()
    for name in known.ids()[:2]:
        rgb = images.to_rgb_arrays(ImageBatch(known.load(name).pixels[None], (name,)))[0]
        cv2.imwrite(str(faces / f"{name.replace('/', '-')}.png"), rgb[:, :, ::-1])
    (faces / "notes.txt").write_text("of no image")
    (faces / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    words = ["--restorer", "classical", "--axis", "roll", "--criterion", "face", "--size", "64", "--resolution", "4"]
    code, printed = called(*words, "--device", "cpu", "--faces", str(faces), "--report", str(tmp_path / "report"))
    assert code == 0
    assert re.search(r"left out of .*faces: 1 file: not an image by its suffix.* \(notes\.txt\)", printed)
    assert "1 face cannot be read: torn: " in printed
    (found,) = collapse.read(tmp_path / "report" / "collapse.json")
    assert sum("notes.txt" in note or "torn" in note for note in found.notes) >= 2
    page = (tmp_path / "report" / "collapse.html").read_text()
    assert "notes.txt" in page


def test_failed_restorations_are_exit_code_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cheat.py").write_text("def copy(rgb):\n    return rgb\n")
    monkeypatch.syspath_prepend(tmp_path)
    code, printed = called("--restorer", "python:cheat:copy", *SMALL, "--report", str(tmp_path / "report"))
    assert code == 1
    assert "collapses at once" in printed
    assert "failed" in printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--restorer", "nona"], "nano"),
        (["--axis", "nosie"], "noise"),
        (["--axis", "noise", "--at", "500"], "120"),
        (["--criterion", "looks"], "criterion"),
        (["--metric", "psnr"], "psnr_rgb"),
        (["--resolution", "60"], "power of two"),
        (["--faces", "nowhere"], "face set"),
    ],
)
def test_bad_usage_is_one_clear_line(tmp_path: Path, words: list[str], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        called(*words, "--report", str(tmp_path / "report"), "--device", "cpu")
    assert not (tmp_path / "report" / "collapse.html").exists()
