"""Verdicts on the page, in JUnit, as markdown and on disk."""

from __future__ import annotations

import dataclasses
import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pytest

from gfpbench import baselines, report, results
from gfpbench.baselines.speed import SpeedComparison, compare_speed
from gfpbench.report.gate import FILE
from gfpbench.run.recorder import image_path
from gfpbench.types import BadInput, Result
from tests.unit.baselines import sample
from tests.unit.speed.machines import LOADS, SOUND, Machine, Model, measured

FALLS = [-3.0, -0.5, -2.0, *[-0.4] * 13]


def worse() -> Result:
    return sample.with_scores(sample.result(), "psnr_rgb", FALLS)


def compared(result: Result) -> baselines.Comparison:
    return baselines.compare(result, sample.baseline())


def slower() -> SpeedComparison:
    stored = measured(SOUND, Machine(LOADS["idle"], 1))
    return compare_speed(measured(Model(computes=0.9, peak_mib=900.0), Machine(LOADS["idle"], 2)), stored)


@pytest.fixture
def gate() -> report.Gate:
    return report.Gate((compared(worse()),), (slower(),))


class Page(HTMLParser):
    """Text and images of the section about baselines."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.inside, self.text = False, ""
        self.images: list[str | None] = []
        self.ids: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inside = given.get("id") == "gate" if tag == "section" else self.inside
        if self.inside and tag == "img":
            self.images.append(given["alt"])
        if self.inside and tag == "figure":
            self.ids.append(given["data-id"])

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "section"

    def handle_data(self, data: str) -> None:
        self.text += data if self.inside else ""


def kept_images(store: Path, result: Result, image: str, level: int) -> None:
    for kind in ("degraded", "restored", "truth"):
        path = image_path(store / result.case.id, image, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((32, 32, 3), level, np.uint8))


def test_the_page_says_what_changed_and_shows_the_worst_three(tmp_path: Path, gate: report.Gate) -> None:
    kept_images(tmp_path / "now", worse(), "face 00", 90)
    kept_images(tmp_path / "before", worse(), "face 00", 120)
    with_before = dataclasses.replace(gate, before=(tmp_path / "before",))
    page = report.write_report([worse()], tmp_path, store=tmp_path / "now", gate=with_before)
    shown = Page(page.read_text())
    comparison = gate.comparisons[0]
    assert shown.ids == [change.image for change in comparison.metrics[0].worst]
    assert shown.ids[0] == "face 00"
    assert shown.images == [f"{what}: face 00" for what in ("degraded", "baseline", "now", "truth")]
    for said in ("psnr_rgb", "worse", "image not kept", comparison.command, comparison.verdicts[0].reason):
        assert said in shown.text
    assert comparison.likely in shown.text
    assert "more is computed" in shown.text
    assert "300 → 900 MiB" in shown.text or "MiB" in shown.text
    assert "2</b> of 2 not as the baseline" in page.read_text()


def test_what_is_as_the_baseline_is_one_line(tmp_path: Path) -> None:
    same = report.Gate((compared(sample.result()),))
    page = report.write_report([sample.result()], tmp_path, store=None, gate=same)
    shown = Page(page.read_text())
    assert "1 as the baseline" in shown.text
    assert shown.ids == []
    assert "1</b> comparison passed" in page.read_text()


def test_no_comparison_no_section_and_no_file(tmp_path: Path, gate: report.Gate) -> None:
    report.write_report([worse()], tmp_path, store=None, gate=gate)
    assert (tmp_path / FILE).exists()
    page = report.write_report([worse()], tmp_path, store=None)
    assert not (tmp_path / FILE).exists()
    assert 'id="gate"' not in page.read_text()
    assert "#gate" not in page.read_text()


def test_verdicts_are_read_back_as_they_were(tmp_path: Path, gate: report.Gate) -> None:
    infinite = sample.with_scores(sample.result(), "psnr_rgb", [float("inf"), *[0.0] * 15])
    whole = report.Gate((*gate.comparisons, compared(infinite)), gate.speeds)
    report.write_gate(whole, tmp_path)
    read = report.read_gate([tmp_path, tmp_path, tmp_path / "empty"])
    assert read.comparisons == whole.comparisons
    assert [one.kind for one in read.speeds] == ["worse"]
    assert [one.verdicts for one in read.speeds] == [one.verdicts for one in whole.speeds]
    (tmp_path / "again").mkdir()
    report.write_gate(read, tmp_path / "again")
    assert (tmp_path / "again" / FILE).read_bytes() == (tmp_path / FILE).read_bytes()


def test_verdicts_on_other_cases_are_left_out(tmp_path: Path, gate: report.Gate) -> None:
    other = dataclasses.replace(worse(), case=dataclasses.replace(worse().case, seed=1))
    report.write_report([other], tmp_path, store=None, gate=report.Gate(gate.comparisons))
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 9}', '{"schema": 1, "comparisons": [{}], "speed": []}'])
def test_a_broken_file_of_verdicts_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(BadInput, match=r"verdicts\.json: cannot be read"):
        report.read_gate([tmp_path])


def test_junit_has_a_suite_for_each_comparison(tmp_path: Path, gate: report.Gate) -> None:
    report.write_junit([worse()], tmp_path / "junit.xml", gate=gate)
    root = ET.parse(tmp_path / "junit.xml").getroot()
    suites = {suite.get("name", ""): suite for suite in root}
    quality = next(suite for name, suite in suites.items() if name.endswith("against its baseline"))
    timed = next(suite for name, suite in suites.items() if name.endswith("of speed"))
    failed = {case.get("name") for case in quality.iter("testcase") if case.find("failure") is not None}
    assert failed == {"psnr_rgb"}
    failure = quality.find(".//failure")
    assert failure is not None
    assert "face 00" in str(failure.text)
    assert {case.get("name") for case in timed.iter("testcase") if case.find("failure") is not None} == {
        "time",
        "memory",
    }
    properties = {item.get("name"): item.get("value") for item in quality.iter("property")}
    assert properties["gfpbench.verdict"] == "worse"
    assert float(str(properties["gfpbench.psnr_rgb.difference"])) == pytest.approx(np.mean(FALLS))
    assert int(str(root.get("failures"))) == 3
    assert root.get("tests") == str(len(list(root.iter("testcase"))))


def test_markdown_says_what_changed(gate: report.Gate) -> None:
    text = report.gate_markdown(gate)
    assert "**not as the baselines**" in text
    assert "psnr\\_rgb" in text or "psnr_rgb" in text
    assert "references a call" in text
    assert report.gate_markdown(report.Gate()) == ""
    assert "nothing changed" in report.gate_markdown(report.Gate((compared(sample.result()),)))


def test_a_report_made_later_shows_the_verdicts(
    tmp_path: Path, gate: report.Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer.testing import CliRunner

    from gfpbench.cli import app

    report.write_report([worse()], tmp_path / "a", store=None, gate=gate)
    done = CliRunner().invoke(app, ["report", str(tmp_path / "a"), "--to", str(tmp_path / "b")])
    assert done.exit_code == 0, done.output
    assert Page((tmp_path / "b" / "index.html").read_text()).ids[0] == "face 00"
    assert json.loads((tmp_path / "b" / FILE).read_text())["passed"] is False
    assert (tmp_path / "b" / "junit.xml").exists()
    done = CliRunner().invoke(app, ["report", str(tmp_path / "a"), "--markdown"])
    assert "Against the baselines" in done.output


def test_compare_leaves_a_page(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from gfpbench.cli import app

    results.write([worse()], tmp_path / "now" / "results.json")
    results.write([sample.baseline()], tmp_path / "before" / "results.json")
    kept_images(tmp_path / "now" / "cases", worse(), "face 00", 90)
    kept_images(tmp_path / "before" / "cases", worse(), "face 00", 120)
    arguments = ["compare", str(tmp_path / "now"), str(tmp_path / "before"), "--report", str(tmp_path / "out")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1, done.output
    shown = Page((tmp_path / "out" / "index.html").read_text())
    assert shown.images == [f"{what}: face 00" for what in ("degraded", "baseline", "now", "truth")]
