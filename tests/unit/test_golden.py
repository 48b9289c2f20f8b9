"""From files to the printed number: a case small enough to be worked out by hand, read off everything that shows it.

Three or four faces of 64 px; each restoration is its face, some levels off in known places. With d levels of error in a
share s of all values, the mean squared error is s d^2 and PSNR is 10 log10(255^2 / (s d^2)):

    d = 10, everywhere       28.1308 dB
    d = 4, in half of all    39.0999 dB
    d = 20, everywhere       22.1102 dB
    d = 60, everywhere       12.5678 dB

so that the mean of all four is 25.4772 dB, and that of all but the second 20.9363 dB.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from gfpbench import cli

PSNR = {"anna": 28.1308, "bert": 39.0999, "carl": 22.1102, "dora": 12.5678}
MEAN_OF_FOUR, MEAN_OF_THREE = 25.4772, 20.9363

# What a network answers is rounded to whole levels before it is scored: these are the errors above once rounded.
MODEL = """
import torch
from gfpbench.types import ImageBatch

ERRORS = {"anna": 10.4, "bert": 4.3, "carl": 19.6, "dora": 60.2}

def restore(degraded):
    pixels = degraded.pixels.clone()
    for place, name in enumerate(degraded.ids):
        off = torch.full(pixels.shape[1:], ERRORS[name] / 255)
        if name == "bert":
            off[:, :, ::2] = 0
        pixels[place] += off
    return ImageBatch(pixels, degraded.ids)
"""


def face(name: str) -> np.ndarray:
    """(64, 64, 3) uint8, between 20 and 180 levels, nothing like any other's."""
    coarse = np.random.default_rng(ord(name[0])).integers(20, 180, (8, 8, 3), np.uint8)
    return cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_LINEAR)


def restored(name: str) -> np.ndarray:
    off = {"anna": 10, "bert": 4, "carl": 20, "dora": 60}[name]
    answer = face(name) + np.uint8(off)
    if name == "bert":
        answer[:, ::2] -= np.uint8(off)
    return answer


class Golden:
    """The folder of one golden run, and where each figure is found in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "faces").mkdir()
        (folder / "restored").mkdir()
        # The files are made backwards, and the restored ones have another suffix: no order but that of names is of use.
        for name in reversed(PSNR):
            cv2.imwrite(str(folder / "faces" / f"{name}.png"), face(name))
            if name != "bert":
                cv2.imwrite(str(folder / "restored" / f"{name}.bmp"), restored(name))
        (folder / "golden_model.py").write_text(MODEL)

    def run(self) -> str:
        words = ["run", "--faces", "faces", "--degradation", "none", "--metric", "psnr_rgb", "--report", "r"]
        words += ["--restorer", "python:golden_model:restore", "--restorer", "outputs:restored", "--batch-size", "3"]
        outcome = CliRunner().invoke(cli.app, [*words, "--device", "cpu"])
        assert isinstance(outcome.exception, SystemExit), outcome.output
        assert outcome.exit_code == 1, outcome.output  # one restoration is missing
        return outcome.stdout


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Golden, str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    made = Golden(tmp_path)
    return made, made.run()


def json_holds_each_figure(golden: Golden) -> None:
    found = json.loads((golden.folder / "r" / "results.json").read_text())["results"]
    rows = {one["case"]["restorer"]: {row["id"]: row["scores"]["psnr_rgb"] for row in one["rows"]} for one in found}
    assert rows["python:golden_model:restore"] == pytest.approx(PSNR, abs=1e-4)
    assert rows["outputs:restored"].pop("bert") is None
    assert rows["outputs:restored"] == pytest.approx({name: PSNR[name] for name in ("anna", "carl", "dora")}, abs=1e-4)
    assert set(rows["input"].values()) == {"inf"}  # nothing was degraded


def terminal_prints_the_means(text: str) -> None:
    lines = {line.split("  ")[1].strip(): line.split() for line in text.splitlines() if re.match("  [a-z]", line)}
    assert lines["python:golden_model:restore"][1:] == ["4", "25.48"]
    assert lines["outputs:restored"][1:] == ["3", "of", "4", "20.94*"]


def markdown_prints_the_means() -> None:
    text = CliRunner().invoke(cli.app, ["report", "r", "--markdown"]).stdout
    rows = {cells[1].strip(): cells[2:] for line in text.splitlines() if len(cells := line.split("|")) > 4}
    own, files = (next(rows[name] for name in rows if name.startswith(start)) for start in ("python", "outputs"))
    assert own[0].strip() == "4"
    assert re.match(r"\s*\**25\.48\b", own[1])
    assert files[0].strip() == "3 of 4"
    assert re.match(r"\s*\**20\.94\\\*", files[1])


def junit_holds_the_means(golden: Golden) -> None:
    suites = {suite.get("name", ""): suite for suite in ET.parse(golden.folder / "r" / "junit.xml").getroot()}

    def figures(start: str) -> Mapping[str, str]:
        suite = next(suite for name, suite in suites.items() if name.startswith(start))
        return {one.get("name", ""): one.get("value", "") for one in suite.findall("properties/property")}

    own, files = figures("python_golden"), figures("outputs_restored")
    assert float(own["gfpbench.psnr_rgb.mean"]) == pytest.approx(MEAN_OF_FOUR, abs=1e-4)
    assert own["gfpbench.psnr_rgb.n"] == "4"
    assert float(files["gfpbench.psnr_rgb.mean"]) == pytest.approx(MEAN_OF_THREE, abs=1e-4)
    assert (files["gfpbench.psnr_rgb.n"], files["gfpbench.failures"]) == ("3", "1")


def page_prints_the_figures(golden: Golden) -> None:
    page = re.sub(r"<wbr>", "", (golden.folder / "r" / "index.html").read_text())
    rows = re.findall(r"<tr[^>]*>.*?</tr>", page, flags=re.DOTALL)
    own, files = (
        next(row for row in rows if name in row and "psnr" in row)
        for name in ("python:golden_model", "outputs:restored")
    )
    assert ">25.48" in own
    assert ">20.94" in files
    assert "3 of 4" in files
    for name, value in PSNR.items():  # beneath the images
        assert f"{value:.2f}" in page, name


def test_the_golden_case_is_shown_alike_everywhere(golden: tuple[Golden, str]) -> None:
    made, said = golden
    json_holds_each_figure(made)
    terminal_prints_the_means(said)
    markdown_prints_the_means()
    junit_holds_the_means(made)
    page_prints_the_figures(made)
    assert "failed (restore): bert:" in said


def test_the_golden_difference_is_shown_alike_everywhere(golden: tuple[Golden, str]) -> None:
    """Twice the error everywhere is 6.0206 dB less, in every image and in the mean: a comparison by hand."""
    made, _ = golden
    doubled = MODEL.replace("10.4", "20.4").replace("4.3", "8.3").replace("19.6", "39.6").replace("60.2", "120.2")
    (made.folder / "golden_twice.py").write_text(doubled)
    for name in PSNR:  # room for 120 levels
        cv2.imwrite(str(made.folder / "faces" / f"{name}.png"), face(name) // 2)
    words = [
        "run",
        "--faces",
        "faces",
        "--degradation",
        "none",
        "--metric",
        "psnr_rgb",
        "--device",
        "cpu",
        "--restorer",
    ]
    for name, to in (("golden_model", "before"), ("golden_twice", "now")):
        done = CliRunner().invoke(cli.app, [*words, f"python:{name}:restore", "--report", to])
        assert done.exit_code == 0, done.output
    outcome = CliRunner().invoke(cli.app, ["compare", "now", "before", "--report", "c"])
    assert outcome.exit_code == 0, outcome.output  # of four images there is no evidence
    rows = [line.split()[1:4] for line in outcome.stdout.splitlines() if line.startswith("psnr_rgb")]
    assert ["25.477", "19.457", "−6.021"] in rows
    told = CliRunner().invoke(cli.app, ["compare", "now", "before", "--json"])
    case = next(one for one in json.loads(told.stdout)["cases"] if one["case"]["restorer"].startswith("python"))
    (metric,) = case["metrics"]
    assert (metric["expected"], metric["got"]) == pytest.approx((MEAN_OF_FOUR, MEAN_OF_FOUR - 6.0206), abs=1e-4)
    assert (metric["difference"], metric["low"], metric["high"]) == pytest.approx((-6.0206,) * 3, abs=1e-4)
    verdicts = json.loads((made.folder / "c" / "verdicts.json").read_text())
    assert [one["metrics"][0]["difference"] for one in verdicts["comparisons"] if one["metrics"]][-1] == pytest.approx(
        -6.0206, abs=1e-4
    )
    properties = {
        one.get("name"): one.get("value")
        for suite in ET.parse(made.folder / "c" / "junit.xml").getroot()
        if suite.get("name", "").startswith("python_golden_twice") and "against" in suite.get("name", "")
        for one in suite.findall("properties/property")
    }
    assert float(properties["gfpbench.psnr_rgb.difference"] or "nan") == pytest.approx(-6.0206, abs=1e-4)


def test_the_golden_means_of_images_that_are_identical_in_one_run(golden: tuple[Golden, str]) -> None:
    """Each run's table leaves out its own identical image; the gate leaves out both, and says of which images it is.

    Before, bert equals its truth: (28.1308 + 22.1102 + 12.5678) / 3 = 20.9363. Now carl does:
    (28.1308 + 39.0999 + 12.5678) / 3 = 26.5995. Anna and dora have a number in both, 20.3493 each time.
    """
    made, _ = golden
    (made.folder / "covered").mkdir()
    for name in PSNR:  # a quarter of it: so little may well be restored to the last bit
        covered = face(name)
        covered[:16] = np.random.default_rng(0).integers(0, 255, (16, 64, 3), np.uint8)
        cv2.imwrite(str(made.folder / "covered" / f"{name}.png"), covered)
    words = ["run", "--faces", "faces", "--degradation", "stored:covered", "--metric", "psnr_rgb", "--device", "cpu"]
    tables = {}
    for report, identical in (("before", "bert"), ("now", "carl")):
        for name in PSNR:
            answer = face(name) if name == identical else restored(name)
            cv2.imwrite(str(made.folder / "restored" / f"{name}.bmp"), answer)
        done = CliRunner().invoke(cli.app, [*words, "--restorer", "outputs:restored", "--report", report])
        assert done.exit_code == 0, done.output
        tables[report] = next(line for line in done.stdout.splitlines() if line.startswith("  outputs:restored"))
    assert "20.94 (1 identical)" in tables["before"]
    assert "26.60 (1 identical)" in tables["now"]
    outcome = CliRunner().invoke(cli.app, ["compare", "now", "before", "--report", "c"])
    assert outcome.exit_code == 1, outcome.output  # an image that was identical is no longer
    told = [line for line in outcome.stdout.splitlines() if "20.3493" in line]
    both = "20.3493 (1 identical, mean of 2 of 4)"
    assert f"psnr_rgb {both} -> {both} dB, by 0.0000" in " ".join(told), outcome.stdout
    assert both in (made.folder / "c" / "index.html").read_text(encoding="utf-8")
    properties = [
        (one.get("name"), one.get("value"))
        for one in ET.parse(made.folder / "c" / "junit.xml").getroot().iter("property")
    ]
    assert ("gfpbench.psnr_rgb.averaged", "2") in properties
