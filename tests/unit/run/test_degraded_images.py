"""Degraded images for restoring elsewhere: the same numbers there and here, and refused where they are other images."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gfpbench import cli, run
from gfpbench.degrade import load
from gfpbench.degraded import MANIFEST, UNFINISHED, file_of, find_manifest
from gfpbench.types import BadInput, Case
from tests.unit.run import degraded_laws as laws


@pytest.mark.usefixtures("forked_processes")
@pytest.mark.parametrize(
    "law",
    [
        laws.elsewhere_and_here_agree,
        laws.another_set_is_no_restoration,
        laws.what_was_changed_is_seen,
        laws.it_goes_on_to_the_same_bytes,
        laws.images_are_those_of_the_run,
    ],
)
def test_the_law_holds(law: Any, tmp_path: Path) -> None:
    law(tmp_path)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(str(laws.some_faces(tmp_path / "faces", 2)), "paper", run.TRUTH)


def degrade(*arguments: object) -> Any:
    return CliRunner().invoke(cli.app, ["degrade", *map(str, arguments)])


def test_a_face_that_cannot_be_read_is_listed_and_exit_code_1(case: Case, tmp_path: Path) -> None:
    (tmp_path / "faces" / "broken.png").write_bytes(b"no image")
    outcome = degrade("--faces", case.faces, "--to", tmp_path / "out", "--json")
    assert outcome.exit_code == 1
    assert json.loads(outcome.stdout) == {"manifest": str(tmp_path / "out" / MANIFEST), "images": 2, "problems": 1}
    assert "failed (faces): broken: " in outcome.stderr
    manifest = find_manifest(tmp_path / "out")
    assert manifest is not None
    assert [(problem.stage, problem.subject) for problem in manifest.problems] == [("faces", "broken")]


def test_the_files_are_listed_with_what_made_them(case: Case, tmp_path: Path) -> None:
    outcome = degrade("--faces", case.faces, "--to", tmp_path / "out", "--seed", 5, "--truth-to", tmp_path / "clean")
    assert outcome.exit_code == 0, outcome.output
    manifest = find_manifest(tmp_path / "out")
    assert manifest is not None
    assert (manifest.made["seed"], manifest.made["degradation"]) == (5, "paper")
    assert manifest.made["degradation_record"]["jpeg"] == {"quality": [60, 100]}
    for image in manifest.images:
        assert {"blur_sigma_x_px", "jpeg_quality", "noise_key"} <= set(image.parameters)
        assert (tmp_path / "clean" / image.file).is_file()
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")}
    assert files == {"smith/00.png", "jones/01.png"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "full"), "is not empty (mine.txt, no degraded.json)"),
        (("--to", "faces"), "lies in the folder of the faces"),
        (("--to", "faces/degraded"), "lies in the folder of the faces"),
        (("--to", "."), "is not empty (faces, no degraded.json)"),
        (("--to", "made/more", "--degradation", "stored:made"), "lies in the folder of the degraded images"),
        (("--to", "new", "--truth-to", "new"), "give each a folder of its own"),
        (("--to", "new", "--truth-to", "new/truth"), "give each a folder of its own"),
        (("--to", "new", "--truth-to", "faces"), "lies in the folder of the faces"),
        (("--to", "new", "--truth-to", "full"), "is not empty: give the clean faces a folder of their own"),
        (("--to", "full/mine.txt"), "is a file; give a folder"),
        (("--to", "made", "--seed", "1"), "what differs: seed"),
        (("--to", "made", "--degradation", "report"), "what differs: degradation, degradation_record"),
    ],
)
def test_what_would_mix_or_overwrite_is_refused(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("kept")
    assert degrade("--faces", "faces", "--to", "made").exit_code == 0
    before = {name: laws.contents(tmp_path / name) for name in ("faces", "full", "made")}
    outcome = degrade("--faces", "faces", *options)
    assert said in str(outcome.exception)
    assert "\n" not in str(outcome.exception)
    assert {name: laws.contents(tmp_path / name) for name in ("faces", "full", "made")} == before


def test_an_unfinished_folder_is_not_measured(case: Case, tmp_path: Path) -> None:
    laws.written(case, tmp_path / "out")
    (tmp_path / "out" / UNFINISHED).write_text("")
    with pytest.raises(BadInput, match="has not finished there"):
        load(f"stored:{tmp_path / 'out'}")


@pytest.mark.parametrize(
    "name", ["", "/etc/x", "../x", "a/../../x", ".hidden", "a/.hidden/b", "a\0b", "n" * 252, "a//b", "ü" * 126]
)
def test_a_name_that_is_no_file_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="name of a file"):
        file_of(name)


@pytest.mark.parametrize("name", ["a", "a~0", "smith/03", "a.jpg", "a b", "ü", "n" * 251])
def test_a_name_keeps_its_folders(name: str) -> None:
    assert file_of(name) == f"{name}.png"


def broken(path: Path, change: Any) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.pop("made"), "file: lacks made"),
        (lambda r: r.update(schema="x"), "is no manifest of degraded images"),
        (lambda r: r["images"][0].pop("sha256"), "images[0]: lacks sha256"),
        (lambda r: r["images"][0].update(sha256=1), "images[0].sha256: expected text, not 1"),
        (lambda r: r["images"][1].update(height_px="128"), "images[1].height_px: expected a whole number, not '128'"),
        (lambda r: r["images"][1].update(width_px=True), "images[1].width_px: expected a whole number, not true"),
        (lambda r: r["images"][1].update(parameters=[]), "images[1].parameters: expected an object, not a list"),
        (lambda r: r["images"][1].update(file="../../x.png"), "images[1].file: is not the file of"),
        (lambda r: r["images"].append(r["images"][0]), "lists an image twice"),
        (lambda r: r.update(problems=[{"stage": 1, "subject": "", "reason": ""}]), "problems[0].stage: expected text"),
        (lambda r: r.update(problems=[3]), "problems[0]: expected an object, not 3"),
    ],
)
def test_a_broken_manifest_is_one_line_with_file_and_field(case: Case, tmp_path: Path, change: Any, said: str) -> None:
    laws.written(case, tmp_path / "out")
    broken(tmp_path / "out" / MANIFEST, change)
    with pytest.raises(BadInput) as caught:
        load(f"stored:{tmp_path / 'out'}")
    assert str(caught.value).startswith(f"{tmp_path / 'out' / MANIFEST}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff", "null"])
def test_a_manifest_that_is_no_json_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=r"degraded\.json: "):
        find_manifest(tmp_path)


def test_run_keeps_as_many_images_as_it_is_told(case: Case, tmp_path: Path) -> None:
    common = ["run", "--faces", case.faces, "--restorer", "bicubic", "--metric", "psnr_rgb", "--report"]
    for keep, kept in (("all", 2), ("0", 2)):  # of which the worst are kept always
        outcome = CliRunner().invoke(cli.app, [*common, str(tmp_path / keep), "--keep", keep])
        assert outcome.exit_code == 0, outcome.output
        (images,) = (tmp_path / keep / "cases").glob("bicubic*/images")
        assert len(list(images.glob("*.degraded.png"))) == kept
    (folder,) = (tmp_path / "all").glob("degraded-*")
    laws.written(case, tmp_path / "alone")
    assert laws.contents(folder) == laws.contents(tmp_path / "alone")
    assert not list((tmp_path / "0").glob("degraded-*"))
    refused = CliRunner().invoke(cli.app, [*common, str(tmp_path / "x"), "--keep", "some"])
    assert "--keep some: give a whole number, or all" in str(refused.exception)


@pytest.mark.usefixtures("forked_processes")
def test_a_full_disk_is_one_line_and_the_next_call_goes_on(case: Case, tmp_path: Path) -> None:
    limited = "import resource, sys; sys.dont_write_bytecode = True; "
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1)); "
    words = [sys.executable, "-c", limited + "from gfpbench.cli import main; main()"]
    words += ["degrade", "--faces", case.faces, "--degradation", "none", "--to", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "cannot be written: File too large" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "out").rglob("*.part"))
    assert degrade("--faces", case.faces, "--degradation", "none", "--to", tmp_path / "out").exit_code == 0
