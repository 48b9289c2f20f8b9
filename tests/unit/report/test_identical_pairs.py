"""One identical pair among others: every form of the report shows the mean of the others and how many are identical."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gfpbench import report
from gfpbench.baselines import compare, comparison_from_json
from gfpbench.collapse import group_difference
from gfpbench.report import page
from gfpbench.report.junit import verdict_properties
from gfpbench.report.side_tables import group_lines
from gfpbench.report.summary import best_lines, gain_over, summary
from gfpbench.report.verdicts import comparison_lines, comparison_markdown, comparison_table
from gfpbench.types import Result
from tests.unit.report import laws, sample
from tests.unit.report.test_matrix import measured, moved

INF = math.inf


def one_identical() -> Result:
    """Mean of the finite by hand: (20 + 30) / 2 = 25."""
    return sample.scored("a", {"psnr_rgb": [INF, 20.0, 30.0]})


def test_the_terminal() -> None:
    (line,) = [line for line in report.terminal_lines([one_identical()], None, 120) if line.startswith("  a ")]
    assert line.split() == ["a", "3", "25.00", "(1", "identical)"]


def test_markdown() -> None:
    (line,) = [line for line in report.markdown([one_identical()]).splitlines() if line.startswith("| a ")]
    assert line.split("|")[3].strip().startswith("25.00 (1 identical)")


def test_the_page() -> None:
    html = page.render([one_identical()], [], "t")
    laws.identical_pairs_are_counted(html, {"a": ("25.00", "1 identical")})
    assert "the mean is of the others" in laws.parsed(html).text


def test_junit(tmp_path: Path) -> None:
    report.write_junit([one_identical()], tmp_path / "junit.xml")
    found = {node.attrib["name"]: node.attrib["value"] for node in ET.parse(tmp_path / "junit.xml").iter("property")}
    assert (found["gfpbench.psnr_rgb.mean"], found["gfpbench.psnr_rgb.identical"]) == ("25.0", "1")
    assert found["gfpbench.psnr_rgb.n"] == "3"
    assert float(found["gfpbench.psnr_rgb.low"]) <= 25 <= float(found["gfpbench.psnr_rgb.high"])


def test_the_truth_still_reads_infinite(tmp_path: Path) -> None:
    truth = sample.scored("truth", {"psnr_rgb": [INF] * 3})
    results = [one_identical(), truth]
    (line,) = [line for line in report.terminal_lines(results, None, 120) if "ground truth" in line]
    assert line.split() == ["ground", "truth", "3", "∞"]
    laws.identical_pairs_are_counted(page.render(results, [], "t"), {"a": ("25.00", "1 identical"), "truth": ("∞", "")})
    assert dict(report.junit_properties(truth))["gfpbench.psnr_rgb.mean"] == "inf"
    assert dict(report.junit_properties(truth))["gfpbench.psnr_rgb.identical"] == "3"


def test_groups_of_faces() -> None:
    result = one_identical()
    rows = [dataclasses.replace(row, attributes={"pose": "front"}) for row in result.rows]
    rows.append(dataclasses.replace(rows[1], id="f3", attributes={"pose": "side"}))
    (group,) = summary([dataclasses.replace(result, rows=tuple(rows))]).groups
    front = next(line for line in group_lines(group) if line.value == "front")
    assert (front.means[0].mean, front.means[0].n, front.means[0].note) == (25.0, 3, "1 identical")


def test_groups_on_an_axis() -> None:
    result = sample.scored("a", {"psnr_rgb": [INF, 20.0, 30.0, 21.0, 31.0]})
    rows = tuple(
        dataclasses.replace(row, face_sha256=str(number), attributes={"pose": "front" if number < 3 else "side"})
        for number, row in enumerate(result.rows)
    )
    (found,) = group_difference(dataclasses.replace(result, rows=rows), "psnr_rgb", "pose")
    assert (found.means, found.counts, found.identical) == ((25.0, 26.0), (2, 2), (1, 0))


def test_who_is_best_is_asked_on_the_same_images() -> None:
    ahead = {"x": INF, "y": 20.0, "z": 30.0}
    behind = {"x": 40.0, "y": 20.0, "z": 29.0}  # its own mean, 29.67, is above the 25 that the first shows
    assert best_lines({"a": ahead, "b": behind}, "higher", INF) == {"a"}
    # Identical in one image, worse in the others: no order, so nobody is best.
    assert best_lines({"a": ahead, "b": {**behind, "y": 21.0, "z": 31.0}}, "higher", INF) == set()
    assert best_lines({"a": ahead, "b": dict(ahead)}, "higher", INF) == {"a", "b"}
    assert best_lines({"a": dict.fromkeys("xyz", INF), "b": ahead}, "higher", INF) == {"a"}


def test_an_identical_restoration_is_won() -> None:
    gain = gain_over({"x": INF, "y": 21.0, "z": INF}, {"x": 20.0, "y": 20.0, "z": INF}, "higher")
    assert gain is not None
    assert (gain.mean, gain.wins, gain.losses, gain.n) == (1.0, 2, 0, 3)


def rows_with(scores: list[float]) -> Result:
    base = measured("2.15.0", count=len(scores))
    rows = tuple(
        dataclasses.replace(row, scores={"psnr_rgb": score}) for row, score in zip(base.rows, scores, strict=True)
    )
    return dataclasses.replace(base, rows=rows, metrics={"psnr_rgb": base.metrics["psnr_rgb"]})


FINITE = [20.0 + number / 2 for number in range(11)]  # mean 22.5


@pytest.mark.parametrize("model", ["a", "b"], ids=["same model", "another model"])
def test_a_lost_identical_pair_is_a_finding(model: str) -> None:
    """Its fall is infinite; the mean of all the others did not move, and the old mean would have risen."""
    before, now = rows_with([INF, *FINITE]), rows_with([60.0, *FINITE])
    compared = compare(dataclasses.replace(now, restorer={"weights_sha256": model}), before)
    (metric,) = compared.metrics
    assert (metric.expected, metric.got, metric.difference) == (22.5, 22.5, 0.0)
    assert (metric.identical_before, metric.identical_now, metric.kind) == (1, 0, "worse")
    assert not compared.passed
    assert "1 of 1 images equal to their truth are no longer" in compared.failures[0].reason


def test_a_gained_identical_pair_hides_no_fall() -> None:
    before, now = rows_with([25.0, *FINITE]), rows_with([INF, *[score - 1 for score in FINITE]])
    (metric,) = compare(now, before).metrics
    assert (metric.expected, metric.got, metric.difference, metric.kind) == (22.5, 21.5, -1.0, "worse")
    assert (metric.identical_before, metric.identical_now) == (0, 1)


def test_every_pair_identical_in_both_is_the_same_and_none_left_is_infinite() -> None:
    (metric,) = compare(rows_with([INF] * 12), rows_with([INF] * 12)).metrics
    assert (metric.expected, metric.got, metric.difference, metric.kind) == (INF, INF, 0.0, "same")
    (metric,) = compare(rows_with([30.0] * 12), rows_with([INF] * 12)).metrics
    assert (metric.expected, metric.got, metric.difference, metric.kind) == (INF, 30.0, -INF, "worse")


def test_the_gate_says_it_alike_everywhere(tmp_path: Path) -> None:
    """Table, lines, markdown, JSON, JUnit and page: 22.5 -> 21.5, one identical pair before and two now."""
    before = rows_with([INF, 25.0, *FINITE])
    now = rows_with([INF, INF, *[score - 1 for score in FINITE]])
    compared = compare(now, before)
    # The baseline's own mean is that of 12 images; the other's own is of the same 11 as the difference.
    said = "22.5000 (1 identical, mean of 11 of 13)", "21.5000 (2 identical)"
    assert tuple(comparison_table(compared)[1][1:4]) == (*said, "−1.0000")
    assert f"psnr_rgb {said[0]} -> {said[1]} dB, by −1.0000" in comparison_lines(compared)[1]
    assert f"psnr\\_rgb {said[0]}" in comparison_markdown([compared]).replace("psnr_rgb", "psnr\\_rgb")
    (record,) = compared.to_json()["metrics"]
    assert {name: record[name] for name in ("expected", "got", "identical_before", "identical_now")} == {
        "expected": 22.5, "got": 21.5, "identical_before": 1, "identical_now": 2,
    }  # fmt: skip
    figures = dict(verdict_properties(compared))
    names = ("difference", "identical_before", "identical_now", "averaged")
    assert [figures[f"gfpbench.psnr_rgb.{name}"] for name in names] == ["-1.0", "1", "2", "11"]
    gate = report.Gate((compared,), ())
    path = report.write_report([now], tmp_path, store=None, gate=gate)
    assert f"{said[0]} → {said[1]} dB" in laws.parsed(path.read_text(encoding="utf-8")).text
    assert report.read_gate([tmp_path]) == gate


def test_identical_in_both_needs_no_other_mean() -> None:
    """Then the gate's means are the tables' own."""
    (metric,) = compare(rows_with([INF, *[score - 1 for score in FINITE]]), rows_with([INF, *FINITE])).metrics
    assert (metric.averaged, metric.notes) == (11, ("1 identical", "1 identical"))


def test_a_comparison_made_before_images_were_counted_is_read() -> None:
    record = compare(rows_with([INF, *FINITE]), rows_with([INF, *FINITE])).to_json()
    assert record["metrics"][0].pop("averaged") == 11
    (metric,) = comparison_from_json(record).metrics
    assert (metric.averaged, metric.notes) == (None, ("1 identical", "1 identical"))


def test_the_matrix() -> None:
    newest = moved(measured("2.15.0"), "psnr_rgb", lambda number: INF if number == 0 else 0.0)
    older = moved(measured("2.3.0"), "psnr_rgb", lambda number: -1.0 if number else 0.0)
    table = report.matrix([newest, older])
    row = next(row for row in table.rows if row.metric == "psnr_rgb")
    assert row.newest_text == "23.00 (1 identical)"  # (20.5 + ... + 25.5) / 11
    assert row.cells[0].text == "−1, −1 identical"
    assert row.cells[0].kind == "worse"
    assert table.to_json()["rows"][1]["newest"] == pytest.approx(23.0)
