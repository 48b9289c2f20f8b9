"""Several runs in one report folder, and several files in one page: what is kept, replaced and told apart."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest

from gfpbench import report, results
from gfpbench.baselines import compare
from gfpbench.report import folder
from gfpbench.types import BadInput, Result
from tests.unit.report import laws, sample
from tests.unit.report.sample import scored


def one(name: str, value: float = 20.0, **changes: Any) -> Result:
    return dataclasses.replace(scored(name, {"psnr_rgb": [value, value + 1]}), **changes)


def written(names: list[str], where: Path, value: float = 20.0) -> report.Written:
    return report.write_run([one(name, value) for name in names], where, store=where / "cases")


def test_other_cases_are_added_and_the_same_ones_replaced(tmp_path: Path) -> None:
    assert written(["a", "b"], tmp_path).lines() == []
    found = written(["b", "c"], tmp_path, 30.0)
    assert [x.case.restorer for x in found.replaced] == ["b"]
    assert [x.case.restorer for x in found.kept] == ["a"]
    stored = {x.case.restorer: x.scores("psnr_rgb")[0] for x in results.read(tmp_path / "results.json")}
    assert stored == {"b": 30.0, "c": 30.0, "a": 20.0}
    assert "replaced 1 case" in found.lines()[0]
    assert "also holds 1 case measured before: a-" in found.lines()[1]
    junit = (tmp_path / "junit.xml").read_text()
    assert all(f'testsuite name="{x.case.id}"' in junit for x in results.read(tmp_path / "results.json"))


def test_verdicts_on_the_cases_that_stay_are_kept(tmp_path: Path) -> None:
    gate = report.Gate((compare(one("a", 10.0), one("a")), compare(one("b", 10.0), one("b"))))
    report.write_run([one("a", 10.0), one("b", 10.0)], tmp_path, store=tmp_path / "cases", gate=gate)
    written(["b"], tmp_path)
    assert [x.case.restorer for x in report.read_gate([tmp_path]).comparisons] == ["a"]


def test_a_report_that_cannot_be_read_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(BadInput, match=r"results\.json: schema.*remove it, or give another --report folder"):
        written(["a"], tmp_path)
    assert (tmp_path / "results.json").read_text() == "{}"
    assert not (tmp_path / "index.html").exists()


def test_a_page_of_another_program_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!DOCTYPE html><title>My site</title>")
    with pytest.raises(BadInput, match=r"index\.html: was not written by gfpbench and would be replaced"):
        written(["a"], tmp_path)
    with pytest.raises(BadInput, match="was not written by gfpbench"):
        report.write_report([one("a")], tmp_path, store=None)
    assert "My site" in (tmp_path / "index.html").read_text()
    written(["a"], tmp_path / "report")
    written(["a"], tmp_path / "report")  # one of its own is replaced


def test_results_that_contradict_those_before_leave_the_folder_as_it_was(tmp_path: Path) -> None:
    written(["a"], tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    upside_down = {"psnr_rgb": {**sample.METRICS["psnr_rgb"], "better": "lower"}}
    with pytest.raises(BadInput, match="disagree"):
        report.write_run([one("b", metrics=upside_down)], tmp_path, store=tmp_path / "cases")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_runs_that_end_together_wait_for_each_other(tmp_path: Path) -> None:
    names = [f"r{number}" for number in range(6)]
    threads = [threading.Thread(target=written, args=([name], tmp_path)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(x.case.restorer for x in results.read(tmp_path / "results.json")) == names


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["old/results.json", "new/results.json"], ["old", "new"]),
        (["old.json", "new.json"], ["old.json", "new.json"]),
        (["x/old/report/results.json", "x/new/report/results.json"], ["old", "new"]),
        (["x/1/results.json", "y/1/results.json", "y/2/results.json"], ["x/1", "y/1", "y/2"]),
        (["v/w/results.json", "v/w/old/results.json"], ["w", "w/old"]),
        (["w/results.json"], ["w"]),
    ],
)
def test_files_are_told_apart_by_the_parts_that_differ(files: list[str], names: list[str], tmp_path: Path) -> None:
    assert folder._names([tmp_path / file for file in files]) == names


def test_one_case_of_two_files_is_told_apart_everywhere(tmp_path: Path) -> None:
    """By file, in the page, in JUnit and in text, each with its own images; read again, the names stay."""
    read = []
    for place, name in enumerate(("old", "new")):
        found = sample.bench(tmp_path / name / "cases", sample.crops(1), {"a": sample.sharpen(1 + place)})
        results.write(found, tmp_path / name / "results.json")
        read.append((tmp_path / name / "results.json", results.read(tmp_path / name / "results.json")))
    told, files = report.told_apart(read)
    stores = {label: file.parent / "cases" for label, file in files.items()}
    page = report.write_report(told, tmp_path / "both", store=stores)
    report.write_junit(told, tmp_path / "both" / "junit.xml")
    shown = laws.parsed(page.read_text())
    figures = [figure for figure in shown.every("figure") if figure.attributes.get("data-kind") == "restored"]
    assert [figure.attributes["data-restorer"] for figure in figures] == ["a (old)", "a (new)"]
    sources = [[image.attributes["src"] for image in figure.every("img")] for figure in figures]
    assert [len(source) for source in sources] == [1, 1]
    assert sources[0] != sources[1]
    lines = report.terminal_lines(told, None)
    assert any("a (old)" in line for line in lines)
    assert any("a (new)" in line for line in lines)
    junit = (tmp_path / "both" / "junit.xml").read_text()
    assert all(f" ({name})" in junit for name in ("old", "new"))
    again = results.read(tmp_path / "both" / "results.json")
    assert [line.label for line in report.summary(again).groups[0].restorers] == ["a (old)", "a (new)"]


def test_one_case_without_files_is_told_apart_by_the_code_that_measured_it() -> None:
    first, second = (one("a", environment={"code_sha256": code * 64}) for code in "12")
    assert [line.label for line in report.summary([first, second]).groups[0].lines] == [
        "a (code 11111111)",
        "a (code 22222222)",
    ]
    assert [line.label for line in report.summary([first, first]).groups[0].lines] == ["a", "a (2)"]
