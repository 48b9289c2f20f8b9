"""A history of runs: the means are those of the results, and a change is marked in the run that made it."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from gfpbench import results as stored
from gfpbench.cli import app
from gfpbench.report.history import Run, benchmark_json, history, history_csv, history_lines, write_history
from gfpbench.statistics import mean_of
from gfpbench.types import BadInput, Result
from tests.unit.report import laws
from tests.unit.report.test_matrix import measured


def lowered(result: Result, by: float) -> Result:
    """PSNR of every image lowered."""
    rows = []
    for row in result.rows:
        scores = {**row.scores, "psnr_rgb": float(row.scores["psnr_rgb"] or 0) - by}
        rows.append(dataclasses.replace(row, scores=scores))
    return dataclasses.replace(result, rows=tuple(rows))


def runs(*by: float) -> list[Run]:
    return [Run(f"run-{number}", (lowered(measured("2.15.0"), drop),)) for number, drop in enumerate(by, 1)]


def test_a_change_stands_in_the_run_that_made_it() -> None:
    found = history(runs(0, 0, 3, 3, 0))
    (psnr,) = [one for one in found.series if one.metric == "psnr_rgb"]
    assert [point.kind for point in psnr.points] == ["first", "same", "worse", "same", "better"]
    assert [point.label for point in psnr.changes] == ["run-3", "run-5"]
    assert all(not one.changes for one in found.series if one.metric == "gmsd")
    assert not found.newest_is_worse
    assert history(runs(0, 3)).newest_is_worse
    assert any(line.startswith("run-3: ") and "psnr_rgb worse" in line for line in history_lines(found))
    assert history_lines(history(runs(0, 0))) == ["nothing changed over 2 runs"]


def test_a_run_without_the_case_is_skipped() -> None:
    other = measured("2.15.0", restorer="bicubic")
    first, second, third = runs(0, 0, 3)
    found = history([first, Run("run-2", (other,)), third])
    (psnr,) = [one for one in found.series if one.metric == "psnr_rgb" and one.case == first.results[0].case.id]
    assert [(point.label, point.kind) for point in psnr.points] == [("run-1", "first"), ("run-3", "worse")]
    assert second.label == "run-2"


def test_runs_without_a_case_are_an_empty_history(tmp_path: Path) -> None:
    found = history([Run("run-1", ()), Run("run-2", ())])
    assert (found.labels, found.series, found.lost) == (("run-1", "run-2"), (), ())
    assert not found.newest_is_worse
    assert history_lines(found) == ["nothing changed over 2 runs"]
    assert "Nothing changed" in write_history(found, tmp_path).read_text(encoding="utf-8")


def failing(run: Run, *places: int) -> Run:
    """Some of the restorations fail."""
    (result,) = run.results
    rows = [
        dataclasses.replace(row, scores=dict.fromkeys(row.scores), failure="boom") if place in places else row
        for place, row in enumerate(result.rows)
    ]
    return dataclasses.replace(run, results=(dataclasses.replace(result, rows=tuple(rows)),))


@pytest.mark.parametrize("places", [(5,), range(12)], ids=["one", "all"])
def test_restorations_that_fail_in_the_newest_run_are_worse(tmp_path: Path, places: Sequence[int]) -> None:
    """Also all of them, which leaves no point to mark."""
    first, second = runs(0, 0)
    found = history([first, failing(second, *places)])
    assert found.newest_is_worse
    assert any("restoration worse: face-" in line and line.startswith("run-2: ") for line in history_lines(found))
    assert "fails now: boom" in write_history(found, tmp_path).read_text(encoding="utf-8")
    assert not history([failing(first, *places), second]).newest_is_worse


def test_after_a_run_that_failed_the_one_before_it_is_compared_with() -> None:
    first, second, third = runs(0, 0, 3)
    found = history([first, failing(second, *range(12)), third])
    (psnr,) = [one for one in found.series if one.metric == "psnr_rgb"]
    assert [(point.label, point.kind) for point in psnr.points] == [("run-1", "first"), ("run-3", "worse")]


def test_numbers_are_those_of_the_results(tmp_path: Path) -> None:
    given = runs(0, 1.5)
    found = history(given)
    table = list(csv.DictReader(history_csv(found).splitlines()))
    for run in given:
        for name in ("psnr_rgb", "gmsd"):
            (line,) = [row for row in table if row["run"] == run.label and row["metric"] == name]
            values = [float(row.scores[name] or 0) for row in run.results[0].rows]
            assert float(line["mean"]) == pytest.approx(mean_of(values).value, rel=1e-12)
            assert float(line["low"]) < float(line["mean"]) < float(line["high"])
            assert line["images"] == str(len(values))
    (bigger,), (smaller,) = benchmark_json(found, "higher"), benchmark_json(found, "lower")
    assert bigger["value"] == found.series[0].points[-1].mean
    assert str(smaller["name"]).endswith("gmsd")
    page = write_history(found, tmp_path)
    laws.requests_nothing(page.read_text(encoding="utf-8"))


def test_the_command_takes_folders_of_runs_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number, run in zip((1, 2, 10), runs(0, 0, 3), strict=True):
        (tmp_path / "artifacts" / f"nightly-{number}").mkdir(parents=True)
        stored.write(run.results, tmp_path / "artifacts" / f"nightly-{number}" / "results.json")
    words = ["history", str(tmp_path / "artifacts"), "--to", str(tmp_path / "page"), "--csv", str(tmp_path / "all.csv")]
    words += ["--parquet", str(tmp_path / "all.parquet")]
    done = CliRunner().invoke(app, [*words, "--benchmark-json", str(tmp_path / "bench")])
    assert done.exit_code == 1, done.output
    assert "nightly-10: " in done.output
    assert (tmp_path / "page" / "history.html").is_file()
    assert json.loads((tmp_path / "bench" / "bigger.json").read_text())[0]["unit"] == "dB"
    table, same = pd.read_csv(tmp_path / "all.csv"), pd.read_parquet(tmp_path / "all.parquet")
    assert list(table["run"]) == list(same["run"])
    assert list(table["mean"]) == list(same["mean"])
    named = [f"v{number}={tmp_path / 'artifacts' / f'nightly-{number}'}" for number in (1, 2)]
    done = CliRunner().invoke(app, ["history", *named, "--to", str(tmp_path / "page"), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.output)["labels"] == ["v1", "v2"]


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    (one,) = runs(0)
    with pytest.raises(BadInput, match="needs two runs or more, and there is run-1"):
        history([one])
    with pytest.raises(BadInput, match="run-1: is the name of two runs; name one of them otherwise: NAME=PATH"):
        history([one, one])
    with pytest.raises(BadInput, match=r"run-1: holds .* twice"):
        history([Run("run-1", one.results * 2), *runs(0, 0)[1:]])
    with pytest.raises(BadInput, match="nowhere"):
        CliRunner().invoke(app, ["history", str(tmp_path / "nowhere")], catch_exceptions=False, standalone_mode=False)
