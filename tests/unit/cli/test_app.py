"""The command as a person meets it: what it prints, where it writes, and what it says of bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.main import get_command
from typer.testing import CliRunner, Result

from gfpbench import cli
from gfpbench.cli.fetching import chosen
from gfpbench.images import write_png
from gfpbench.metrics import METRICS
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import BadInput, GfpbenchError, ImageBatch
from tests.preloaded import Preloaded

COMMON = ("--limit", "2", "--metric", "psnr_rgb", "--device", "cpu")
pytestmark = pytest.mark.usefixtures("forked_processes")


def gfpbench(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the real command in a process of its own."""
    command = [sys.executable, "-m", "gfpbench", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def complaint(*arguments: str) -> str:
    """The one line a bad call ends with; fails where it does not end with one."""
    outcome = CliRunner().invoke(cli.app, arguments)
    assert isinstance(outcome.exception, GfpbenchError), outcome.output
    line = str(outcome.exception)
    assert line
    assert "\n" not in line
    return line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, preloaded: Preloaded) -> Path:
    """A working folder in which one small run has been made."""
    path = tmp_path_factory.mktemp("work")
    with preloaded.starts_children():
        done = gfpbench("run", *COMMON, cwd=path)
    assert done.returncode == 0, done.stderr
    assert "nano" in done.stdout
    assert "report: " in done.stdout.splitlines()[-1]
    return path


def test_a_run_leaves_the_three_files(folder: Path) -> None:
    assert {"index.html", "junit.xml", "results.json"} <= {file.name for file in (folder / "report").iterdir()}


odd = PerImageMetric(
    name="odd",
    unit="",
    better="lower",
    best=None,
    tolerance=0.0,
    tolerance_reason="",
    minimum_side_px=1,
    needs_truth=False,
    source="",
    score=lambda restored, truth: restored.pixels.double().mean((1, 2, 3)) * float("nan"),
)
"""A metric that is broken: it gives NaN for every image."""


def some(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """NaN for one of the two faces."""
    return torch.tensor([float("nan") if name.startswith("astro") else 1.0 for name in restored.ids])


def ran_with_odd(folder: Path, metric: PerImageMetric) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.odd", metric)
        patch.setitem(METRICS, "odd", f"{__name__}:odd")
        words = ["run", *COMMON, "--metric", "odd", "--restorer", "bicubic", "--report", str(folder / "r")]
        return CliRunner().invoke(cli.app, words)


def test_a_metric_that_can_score_no_image_fails_the_run(tmp_path: Path) -> None:
    outcome = ran_with_odd(tmp_path, odd)
    assert outcome.exit_code == 1
    assert "not measured: odd: could not score a single image" in outcome.stdout
    (line,) = outcome.stderr.splitlines()[-1:]
    assert line.startswith("gfpbench: metric odd could not score a single image: odd is undefined (not a number) for ")
    assert line.endswith(" (and 5 more)")
    assert restorers_in(tmp_path / "r") == ["input", "bicubic", "truth"]  # the other figures are kept


def test_a_metric_that_can_score_some_images_does_not(tmp_path: Path) -> None:
    outcome = ran_with_odd(tmp_path, replace(odd, score=some))
    assert (outcome.exit_code, "could not score" in outcome.output) == (0, False)


def restorers_in(report: Path) -> list[str]:
    return [one["case"]["restorer"] for one in json.loads((report / "results.json").read_text())["results"]]


def test_two_runs_in_one_folder_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other cases are added, the same ones replaced, and both are said."""
    monkeypatch.chdir(tmp_path)

    def ran(*arguments: str) -> str:
        outcome = CliRunner().invoke(cli.app, ["run", *COMMON, "--report", "r", *arguments])
        assert outcome.exit_code == 0, outcome.output
        assert outcome.stdout.splitlines()[-1] == "report: r/index.html"
        return outcome.stdout

    assert "measured before" not in ran("--restorer", "bicubic")
    first = (tmp_path / "r" / "results.json").read_bytes()
    said = ran("--restorer", "classical")
    assert "r: replaced 2 cases measured before" in said
    assert "r: also holds 1 case measured before: bicubic-embedded-paper-s0-n2; another --report keeps" in said
    assert restorers_in(tmp_path / "r") == ["input", "classical", "truth", "bicubic"]
    page = (tmp_path / "r" / "index.html").read_text()
    assert page.index("bicubic") > 0
    assert page.index("classical") > 0
    outcome = CliRunner().invoke(cli.app, ["run", *COMMON, "--report", "r", "--restorer", "bicubic", "--json"])
    assert outcome.stdout.encode() == first  # for a machine: this run, as if it had the folder for itself
    said = ran("--restorer", "bicubic")
    assert "r: replaced 3 cases measured before" in said
    assert restorers_in(tmp_path / "r") == ["input", "bicubic", "truth", "classical"]
    (tmp_path / "r" / "results.json").write_text("{")
    assert "r/results.json: is not the JSON" in complaint("run", *COMMON, "--report", "r")
    assert (tmp_path / "r" / "results.json").read_text() == "{"


def test_a_face_that_cannot_be_read_fails_the_run(tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    for number in range(3):
        coarse = np.random.default_rng(number).integers(20, 235, (6, 6, 3), np.uint8)
        cv2.imwrite(str(faces / f"{number}.png"), cv2.resize(coarse, (64, 64)))
    (faces / "torn.png").write_bytes((faces / "0.png").read_bytes()[:50])
    words = ["run", "--restorer", "bicubic", "--metric", "psnr_rgb", "--faces", str(faces), "--report"]
    outcome = CliRunner().invoke(cli.app, [*words, str(tmp_path / "r")])
    assert outcome.exit_code == 1
    assert "1 of 4 faces cannot be read, and 0 of all may be (--max-unreadable): torn" in outcome.stderr
    assert (tmp_path / "r" / "index.html").exists()
    assert CliRunner().invoke(cli.app, [*words, str(tmp_path / "s"), "--max-unreadable", "0.25"]).exit_code == 0
    assert CliRunner().invoke(cli.app, [*words, str(tmp_path / "s"), "--max-unreadable", "0.2"]).exit_code == 1


def test_report_reads_results_again(folder: Path) -> None:
    outcome = CliRunner().invoke(cli.app, ["report", str(folder / "report"), "--to", str(folder / "again")])
    assert outcome.exit_code == 0, outcome.output
    first, again = (json.loads((folder / name / "results.json").read_text()) for name in ("report", "again"))
    assert first == again


def test_markdown_holds_the_table(folder: Path) -> None:
    outcome = CliRunner().invoke(cli.app, ["report", str(folder / "report"), "--markdown"])
    assert outcome.exit_code == 0
    assert "| nano |" in outcome.output


def test_json_is_json(folder: Path) -> None:
    outcome = CliRunner().invoke(cli.app, ["report", str(folder / "report"), "--json"])
    rows = json.loads(outcome.output)
    assert len(rows) == 3


def test_a_model_that_prints_leaves_the_json_whole(tmp_path: Path) -> None:
    source = "print('loading')\nfrom gfpbench.types import ImageBatch\n"
    source += "def restore(batch):\n    print('working')\n    return ImageBatch(batch.pixels.flip(3), batch.ids)\n"
    (tmp_path / "talkative.py").write_text(source)
    done = gfpbench("run", *COMMON, "--restorer", "python:talkative:restore", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["results"]) == 3
    assert "loading" in done.stderr
    assert "working" in done.stderr


def test_a_model_that_leaves_is_a_failure_of_the_command(tmp_path: Path) -> None:
    """Silence and exit code 0, without a report, would be taken for a pass."""
    source = "import os\ndef restore(batch):\n    os.chdir('/')\n    os._exit(0)\n"
    (tmp_path / "leaving.py").write_text(source)
    done = gfpbench("run", *COMMON, "--restorer", "python:leaving:restore", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "SystemExit: os._exit(0)" in done.stdout
    assert (tmp_path / "report" / "index.html").exists()


@pytest.mark.parametrize("what", ["restorers", "faces", "degradations", "axes", "metrics", "assets"])
def test_lists_are_for_people_and_for_machines(what: str) -> None:
    shown = CliRunner().invoke(cli.app, ["list", what])
    machine = CliRunner().invoke(cli.app, ["list", what, "--json"])
    assert shown.exit_code == machine.exit_code == 0
    for row in json.loads(machine.output):
        assert str(row["name"]) in shown.output


def test_a_terminal_is_given_a_line_for_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gfpbench.cli import catalogue, look

    assert set(catalogue.ONE) == set(catalogue.CATALOGUE)
    monkeypatch.setenv("COLUMNS", "80")
    for what, rows in catalogue.CATALOGUE.items():
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        look.list_(what)
        heading, *lines, empty, hint = capsys.readouterr().out.splitlines()
        assert all(line.startswith(str(row["name"])) for line, row in zip(lines, rows(), strict=True))
        assert (empty, hint) == ("", f"One of them in full: gfpbench list {what} NAME")
        assert max(map(len, (heading, *lines))) <= 80


def test_one_of_a_list_is_shown_in_full() -> None:
    shown = CliRunner().invoke(cli.app, ["list", "metrics", "ssim_rgb"])
    machine = CliRunner().invoke(cli.app, ["list", "metrics", "ssim_rgb", "--json"])
    assert json.loads(machine.output)["from_px"] == 11
    assert "Wang et al. 2004" in shown.output
    assert "psnr_rgb" not in shown.output


def test_doctor_finds_nothing_broken() -> None:
    outcome = CliRunner().invoke(cli.app, ["doctor", "--json"])
    broken = [finding for finding in json.loads(outcome.output) if finding["state"] == "broken"]
    assert broken == []
    assert outcome.exit_code == 0


def test_doctor_says_what_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    from gfpbench.cli import doctor

    broken = doctor.Finding(subject="nano", state="broken", says="its weights are damaged")
    monkeypatch.setattr(doctor, "examine", lambda: [broken])
    outcome = CliRunner().invoke(cli.app, ["doctor"])
    assert outcome.exit_code == 1
    assert "its weights are damaged" in outcome.output


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("run", "--restorer", "nanoo", "--report", "r"), ("'nanoo'", "'nano'")),
        (("run", "--faces", "zzz/qqq", "--report", "r"), ("'zzz/qqq'", "embedded")),
        (("run", "--degradation", "papr", "--report", "r"), ("'papr'", "'paper'")),
        (("run", "--metric", "psnr", "--report", "r"), ("'psnr'", "'psnr_rgb'")),
        (("run", "--device", "tpu", "--report", "r"), ("'tpu'", "auto, cpu")),
        (("report", "no/such.json"), ("no/such.json",)),
        (("list", "restorer"), ("'restorer'", "restorers")),
        (("list", "metrics", "psnr"), ("no metric named 'psnr'", "'psnr_rgb'")),
        (("fetch",), ("--all",)),
        (("fetch", "gfpgan-9"), ("'gfpgan-9'", "gfpgan-1")),
    ],
)
def test_bad_input_gets_one_clear_line(
    arguments: tuple[str, ...], names: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = complaint(*arguments)
    for name in names:
        assert name in line
    assert list(tmp_path.glob("r/*.html")) == []


def test_a_misspelt_restorer_is_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    complaint("run", "--restorer", "nano", "--restorer", "nanoo", "--report", "r")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("command", ["report", "claims", "matrix", "history"])
def test_nothing_is_concluded_from_nothing(tmp_path: Path, command: str) -> None:
    (tmp_path / "results.json").write_text(json.dumps({"schema": 1, "results": []}))
    assert "results.json: results: holds no case" in complaint(command, str(tmp_path), "--to", str(tmp_path / "to"))
    assert not (tmp_path / "to").exists()


def test_a_name_in_a_file_cannot_drive_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps({"schema": 1, "results": [], "\x1b[2J\nnew": 1}))
    done = gfpbench("report", "results.json", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert r"has unknown '\x1b[2J\nnew'" in done.stderr


def test_the_process_ends_with_2_and_no_traceback(tmp_path: Path) -> None:
    done = gfpbench("run", "--restorer", "nanoo", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("gfpbench: no restorer named 'nanoo'")


def test_what_a_metric_against_the_input_and_a_protocol_need_is_found() -> None:
    (adaface,) = chosen([], everything=False, wanted_for=["cos_adaface_vs_input"])
    assert {adaface, "clip-rn50"} < set(chosen([], everything=False, wanted_for=["ntire-2025"]))
    with pytest.raises(BadInput, match="--for piqe: needs no asset"):
        chosen([], everything=False, wanted_for=["piqe"])


@pytest.mark.parametrize(
    "words",
    [
        ("collapse", "--restorer", "bicubic", "--axis", "noise"),
        ("explain", "PSNR=14"),
        ("parity", "bicubic", "input", "--degradation", "paper"),
    ],
)
def test_faces_without_a_truth_are_never_taken_for_one(words: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    for number in range(5):
        write_png(folder / f"{number}.png", np.full((64, 64, 3), 40 * number, np.uint8))
    told = complaint(*words, "--faces", f"lfw-test:{folder}", "--report", str(tmp_path / "out"))
    assert "no ground truth" in told
    assert not (tmp_path / "out" / "index.html").exists()


def test_what_cannot_be_fetched_is_named_once(tmp_path: Path) -> None:
    done = gfpbench("fetch", "gfpgan-1.4", "--from", "package", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("gfpbench: gfpgan-1.4: no package holds it")


def test_a_failing_restorer_ends_with_1_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def restorer(batch):\n    raise ValueError('out of paint')\n")
    done = gfpbench("run", "--restorer", "python:broken:restorer", *COMMON, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "out of paint" in done.stdout
    assert (tmp_path / "report" / "index.html").exists()


def test_a_report_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    assert "taken" in complaint("run", "--report", str(taken))


@pytest.mark.parametrize("name", cli.VERBS)
def test_help_shows_every_word_of_every_option(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what stands in brackets, such as a default that depends on something."""
    monkeypatch.setenv("COLUMNS", "5000")
    command = get_command(cli.app).commands[name]  # type: ignore[attr-defined]
    written = [one.help for one in command.params if getattr(one, "help", None)]
    shown = CliRunner().invoke(cli.app, [name, "--help"])
    assert shown.exit_code == 0
    assert [text for text in written if text not in " ".join(shown.output.split())] == []
