"""The matrix of versions: the newest first, equal is said as equal, and what moved, is missing or is other is seen."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gfpbench import results as stored
from gfpbench.cli import app
from gfpbench.report import matrix, matrix_markdown, matrix_table, write_matrix
from gfpbench.report.matrix import Matrix, MatrixCell
from gfpbench.types import BadInput, Case, Result, Row

METRICS = {
    "psnr_rgb": {"unit": "dB", "better": "higher", "best": float("inf"), "tolerance": 0.001},
    "gmsd": {"unit": "", "better": "lower", "best": 0.0, "tolerance": 0.001},
}


def measured(torch: str, restorer: str = "nano", count: int = 12, **changes: Any) -> Result:
    """PSNR 20, 20.5, 21, ... and GMSD 0.1, 0.11, ... under one version of torch."""
    rows = tuple(
        Row(
            id=f"face-{number:02d}",
            face_sha256=f"{number:064x}",
            size_px=(32, 32),
            attributes={},
            parameters={"jpeg_quality": 60 + number},
            scores={"psnr_rgb": 20 + number / 2, "gmsd": 0.1 + number / 100},
        )
        for number in range(count)
    )
    environment = {"torch": torch, "device": "cpu", "device_name": "a processor", "opencv": "5.0.0"}
    case = Case("faces", "paper", restorer)
    made = Result(case, rows, METRICS, {"weights_sha256": "a"}, {}, {}, environment)
    return dataclasses.replace(made, **changes)


def moved(result: Result, metric: str, by: Callable[[int], float]) -> Result:
    def row(number: int, old: Row) -> Row:
        score = old.scores[metric]
        assert score is not None
        return dataclasses.replace(old, scores={**old.scores, metric: score + by(number)})

    return dataclasses.replace(result, rows=tuple(row(number, old) for number, old in enumerate(result.rows)))


def cell(table: Matrix, metric: str, version: int = 1, case: str = "nano-faces-paper-s0") -> MatrixCell:
    row = next(row for row in table.rows if (row.case, row.metric) == (case, metric))
    return row.cells[version - 1]


def test_the_newest_is_first_whatever_the_order_of_the_files() -> None:
    results = [measured("2.9.1"), measured("2.15.0"), measured("2.3.0+cu121"), measured("2.10.0")]
    for order in (results, results[::-1]):
        assert matrix(order).versions == ("torch 2.15.0", "torch 2.10.0", "torch 2.9.1", "torch 2.3.0")


def test_equal_numbers_are_called_equal() -> None:
    table = matrix([measured("2.3.0"), measured("2.15.0")])
    assert {one.text for row in table.rows if row.metric != "images" for one in row.cells} == {"="}
    assert table.passed
    assert table.notes == ()
    assert [row.newest_text for row in table.rows] == ["12", "22.75", "0.1550"]


def test_a_number_is_the_difference_from_the_newest() -> None:
    newest = measured("2.15.0")
    table = matrix([newest, moved(measured("2.3.0"), "psnr_rgb", lambda number: -0.6 if number == 3 else 0.0)])
    found = cell(table, "psnr_rgb")
    assert found.difference == pytest.approx(-0.6 / 12)
    assert found.largest == pytest.approx(0.6)
    assert found.text == "−0.05"
    assert cell(table, "gmsd").text == "="


@pytest.mark.parametrize(
    ("metric", "step", "kind"), [("psnr_rgb", -0.5, "worse"), ("psnr_rgb", 0.5, "better"), ("gmsd", 0.05, "worse")]
)
def test_what_is_worse_fails_and_is_told(metric: str, step: float, kind: str) -> None:
    older = moved(measured("2.3.0"), metric, lambda number: step * (1 + number / 50))
    table = matrix([older, measured("2.15.0")])
    assert cell(table, metric).kind == kind
    assert table.passed == (kind == "better")
    assert any(metric in note and kind in note and "torch 2.3.0" in note for note in table.notes)


def other_faces(result: Result) -> Result:
    rows = tuple(dataclasses.replace(row, face_sha256="f" * 64) for row in result.rows)
    return dataclasses.replace(result, rows=rows)


def other_draws(result: Result) -> Result:
    return dataclasses.replace(
        result, rows=tuple(dataclasses.replace(row, parameters={"jpeg_quality": 5}) for row in result.rows)
    )


def one_image_less(result: Result) -> Result:
    return dataclasses.replace(result, rows=result.rows[1:])


def a_failure(result: Result) -> Result:
    failed = dataclasses.replace(result.rows[0], failure="out of paint", scores=dict.fromkeys(METRICS))
    return dataclasses.replace(result, rows=(failed, *result.rows[1:]))


@pytest.mark.parametrize("change", [other_faces, other_draws, one_image_less, a_failure])
def test_what_is_no_score_is_seen_in_the_row_of_images(change: Callable[[Result], Result]) -> None:
    table = matrix([change(measured("2.3.0")), measured("2.15.0")])
    assert cell(table, "images").kind in ("changed", "missing", "worse")
    assert not table.passed


def test_what_a_version_did_not_measure_is_absent_and_says_why() -> None:
    bare = dataclasses.replace(
        measured("2.3.0"), metrics={"gmsd": METRICS["gmsd"]}, not_measured={"psnr_rgb": "needs a network"}
    )
    bare = dataclasses.replace(
        bare, rows=tuple(dataclasses.replace(row, scores={"gmsd": row.scores["gmsd"]}) for row in bare.rows)
    )
    table = matrix([bare, measured("2.15.0"), measured("2.15.0", "bicubic")])
    assert (cell(table, "psnr_rgb").kind, cell(table, "psnr_rgb").text) == ("absent", "–")
    assert "needs a network" in cell(table, "psnr_rgb").note
    assert "did not measure the case" in cell(table, "gmsd", case="bicubic-faces-paper-s0").note


def test_devices_are_named_where_they_differ() -> None:
    gpu = {"torch": "2.15.0+cu130", "device": "cuda", "device_name": "NVIDIA H100", "opencv": "5.0.0"}
    table = matrix([measured("2.15.0", environment=gpu), measured("2.15.0")])
    assert table.versions == ("torch 2.15.0, cpu a processor", "torch 2.15.0, cuda NVIDIA H100")


@pytest.mark.parametrize(
    ("results", "said"),
    [([], "two versions"), ([measured("2.3.0")], "two versions"), ([measured("2.3.0")] * 2, "measured twice")],
)
def test_what_is_no_matrix_is_refused_in_one_line(results: Sequence[Result], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        matrix(results)


def test_two_runs_of_one_machine_are_columns_the_later_one_first(tmp_path: Path) -> None:
    before, after = measured("2.15.0"), moved(measured("2.15.0"), "psnr_rgb", lambda number: 0.5 + number / 100)
    table = matrix([before, after], ["v1", "v2"])
    assert table.versions == ("v2, torch 2.15.0", "v1, torch 2.15.0")
    assert cell(table, "psnr_rgb").kind == "worse"
    assert matrix([before, measured("2.3.0")], ["v1", "v2"]).versions == ("torch 2.15.0", "torch 2.3.0")
    with pytest.raises(BadInput, match=r"measured twice with v1, .*: gfpbench matrix before=PATH after=PATH"):
        matrix([before, after], ["v1", "v1"])
    for name, result in (("a", before), ("b", after)):
        stored.write([result], tmp_path / name / "results.json")
    words = ["matrix", f"old={tmp_path / 'a'}", str(tmp_path / "b"), "--to", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1, done.output
    assert "b, torch 2.15.0" in done.output.splitlines()[0]
    page = (tmp_path / "out" / "matrix.html").read_text(encoding="utf-8")
    assert "old, torch 2.15.0, cpu a processor" in page


def test_text_markdown_page_and_json_hold_the_same_numbers(tmp_path: Path) -> None:
    hostile = Case("faces", "paper", "<script>alert(1)</script>|")
    results = [measured("2.15.0", case=hostile), moved(measured("2.3.0", case=hostile), "gmsd", lambda number: 0.05)]
    table = matrix(results)
    head, *rows = matrix_table(table)
    assert head == ["case", "metric", "torch 2.15.0", "torch 2.3.0"]
    assert ["gmsd", "0.1550", "+0.05 worse"] in [row[1:] for row in rows]
    markdown = matrix_markdown(table)
    assert "| gmsd | 0.1550 | +0.05 worse |" in markdown
    assert len({line.replace("\\|", "").count("|") for line in markdown.splitlines() if line.startswith("|")}) == 1
    page = write_matrix(results, tmp_path / "out").read_text(encoding="utf-8")
    kind, difference = re.findall(r'data-kind="(\w+)" data-difference="([^"]+)"[^>]*>\+0\.05', page)[0]
    assert kind == "worse"
    assert float(difference) == pytest.approx(0.05)
    assert "<script" not in page + markdown
    assert "http" not in page.replace("http-equiv", "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["matrix.html"]


def test_the_command_prints_it_and_fails_where_something_is_worse(tmp_path: Path) -> None:
    for name, result in {
        "new": measured("2.15.0"),
        "same": measured("2.3.0"),
        "worse": moved(measured("2.4.1"), "psnr_rgb", lambda number: -0.5 - number / 100),
    }.items():
        stored.write([result], tmp_path / name / "results.json")
    run = CliRunner().invoke
    paths = {name: str(tmp_path / name) for name in ("new", "same", "worse")}
    fine = run(app, ["matrix", paths["new"], paths["same"], "--to", str(tmp_path / "out")])
    assert fine.exit_code == 0, fine.output
    assert (tmp_path / "out" / "matrix.html").exists()
    failing = run(app, ["matrix", *paths.values(), "--markdown"])
    assert failing.exit_code == 1
    assert failing.output.startswith("| case | metric | torch 2.15.0 | torch 2.4.1 | torch 2.3.0 |")
    data = json.loads(run(app, ["matrix", *paths.values(), "--json"]).output)
    assert data["versions"] == ["torch 2.15.0", "torch 2.4.1", "torch 2.3.0"]
    assert not data["passed"]
