"""JUnit XML: valid structure, each figure a property, each failed restoration a failure."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench.report import junit_properties, summary, write_junit
from gfpbench.types import Case, Problem, Result
from tests.unit.report import laws, sample


def results_with_everything() -> list[Result]:
    scores: dict[str, list[float | None]]
    scores = {
        "psnr_rgb": [20.0, 30.0, None],
        "mae_rgb": [1.0, None, None],
        "niqe": [None, None, None],
    }
    one = sample.scored("a", scores, failures={2: "raised"})
    problems = (Problem("faces", "broken.png", "truncated"), Problem("metric", "f1", "mae_rgb: undefined"))
    one = dataclasses.replace(one, problems=problems, not_measured={"niqe": "too small", "lpips": "needs lpips-vgg"})
    return [one, sample.scored("truth", {"psnr_rgb": [float("inf")] * 3})]


def test_the_file_holds(tmp_path: Path) -> None:
    results = results_with_everything()
    write_junit(results, tmp_path / "deep" / "junit.xml")
    xml = (tmp_path / "deep" / "junit.xml").read_bytes()
    laws.junit_holds(xml, results)
    cases = {case.get("name"): case for case in ET.fromstring(xml)[0].findall("testcase")}
    assert list(cases) == ["faces", "restoration", "lpips", "mae_rgb", "niqe", "psnr_rgb"]
    outcomes = {
        name: next((kind for kind in ("failure", "skipped") if case.find(kind) is not None), "")
        for name, case in cases.items()
    }
    assert outcomes == {
        "faces": "skipped",
        "restoration": "failure",
        "lpips": "skipped",
        "mae_rgb": "failure",
        "niqe": "skipped",
        "psnr_rgb": "",
    }
    assert "broken.png: truncated" in (cases["faces"].findtext("system-out") or "")
    write_junit(results, tmp_path / "again.xml")
    assert (tmp_path / "again.xml").read_bytes() == xml


def test_no_result_is_still_a_file(tmp_path: Path) -> None:
    write_junit([], tmp_path / "junit.xml")
    laws.junit_holds((tmp_path / "junit.xml").read_bytes(), [])


def test_properties_are_the_figures_of_the_summary() -> None:
    one, truth = results_with_everything()
    figures = dict(junit_properties(one))
    assert len(figures) == len(junit_properties(one))
    cell = next(line for line in summary([one]).groups[0].lines if line.role == "restorer").cell("psnr_rgb")
    assert cell.interval is not None
    assert float(figures["gfpbench.psnr_rgb.mean"]) == cell.mean == 25.0
    assert (float(figures["gfpbench.psnr_rgb.low"]), float(figures["gfpbench.psnr_rgb.high"])) == cell.interval
    assert figures["gfpbench.psnr_rgb.n"] == "2"
    assert figures["gfpbench.case"] == one.case.id
    assert (figures["gfpbench.images"], figures["gfpbench.failures"]) == ("3", "1")
    assert figures["gfpbench.lpips.not_measured"] == "needs lpips-vgg"
    assert "gfpbench.niqe.mean" not in figures
    assert dict(junit_properties(truth))["gfpbench.psnr_rgb.mean"] == "inf"


def test_nan_is_a_failure_and_in_no_figure(tmp_path: Path) -> None:
    one = sample.scored("a", {"psnr_rgb": [20.0, float("nan")]})
    assert dict(junit_properties(one))["gfpbench.psnr_rgb.mean"] == "20.0"
    write_junit([one], tmp_path / "junit.xml")
    case = ET.parse(tmp_path / "junit.xml").getroot()[0].find("testcase[@name='psnr_rgb']")
    assert case is not None
    assert case.find("failure") is not None


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(name=st.text(st.characters(), min_size=1, max_size=40))
def test_any_name_makes_valid_xml(name: str) -> None:
    one = sample.scored("a", {"psnr_rgb": [1.0, 2.0]}, failures={0: name})
    one = dataclasses.replace(
        one, case=Case(name, name, name), problems=(Problem("faces", name, name),), not_measured={name: name}
    )

    with tempfile.TemporaryDirectory() as folder:
        write_junit([one], Path(folder) / "junit.xml")
        ET.parse(Path(folder) / "junit.xml")


class Counting(dict[str, float | None]):
    """Scores of a row that count how often somebody looks at them."""

    looks = 0

    def __iter__(self):
        Counting.looks += 1
        return super().__iter__()

    def items(self):
        Counting.looks += 1
        return super().items()

    def get(self, name, default=None):
        Counting.looks += 1
        return super().get(name, default)


def looks_for(images: int) -> int:
    """How often rows are looked at while as many images as problems are written."""
    one = sample.scored("a", {"psnr_rgb": [20.0] * images, "mae_rgb": [1.0] * images})
    rows = tuple(dataclasses.replace(row, scores=Counting(row.scores)) for row in one.rows)
    problems = tuple(Problem("metric", row.id, "undefined there") for row in rows)
    Counting.looks = 0
    with tempfile.TemporaryDirectory() as folder:
        write_junit([dataclasses.replace(one, rows=rows, problems=problems)], Path(folder) / "junit.xml")
    return Counting.looks


def test_work_grows_with_the_problems_and_not_with_their_square() -> None:
    once, twice = looks_for(100), looks_for(200)
    assert once >= 100
    assert twice <= 2 * once
