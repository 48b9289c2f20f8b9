"""Protocols side by side, set scores, and groups of faces: what a reader is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gfpbench.metrics.protocols import find
from gfpbench.report import markdown, summary, terminal_lines, write_report
from gfpbench.report.side_tables import categories, gap, group_lines, set_lines, side_by_side
from gfpbench.types import Result, Row
from tests.unit.report.sample import scored

FID = {
    "value": 12.5,
    "low": 11.0,
    "high": 14.0,
    "n": 4,
    "n_reference": 4,
    "extrapolated": 3.25,
    "note": "4 restored images for 2048 dimensions",
    "better": "lower",
    "tolerance": 0.01,
    "unit": "",
}


def measured(protocols: tuple[str, ...] = ("gfpgan-paper", "vqfr"), **changes: Any) -> Result:
    values = {"psnr_rgb": [20.0, 22.0, 24.0, 26.0], "psnr_rgb_fitted": [19.0, 21.0, 23.0, 25.0]}
    result = dataclasses.replace(
        scored("nano", {"psnr_rgb": values["psnr_rgb"]}),
        metrics={
            name: {"unit": "dB", "better": "higher", "best": None, "tolerance": 0.1, "source": "x"} for name in values
        },
        protocols={name: dict(find(name).figures) for name in protocols},
    )
    rows = tuple(
        dataclasses.replace(row, scores={name: column[place] for name, column in values.items()})
        for place, row in enumerate(result.rows)
    )
    return dataclasses.replace(result, **{"rows": rows, **changes})


def with_attributes(result: Result, *attributes: Mapping[str, Any]) -> Result:
    rows = tuple(dataclasses.replace(row, attributes=one) for row, one in zip(result.rows, attributes, strict=True))
    return dataclasses.replace(result, rows=rows)


def test_each_gap_is_named_by_its_step() -> None:
    group = summary([measured()]).groups[0]
    psnr = next(one for one in side_by_side(group) if one.quantity == "PSNR")
    assert [(entry.name, entry.value, entry.metric) for entry in psnr.entries] == [
        ("PSNR @ gfpgan-paper", "23.00", "psnr_rgb"),
        ("PSNR @ vqfr", "22.00", "psnr_rgb_fitted"),
    ]
    assert psnr.entries[0].gap == ""
    assert (
        psnr.entries[1].gap == "colours: each channel fitted to the truth's mean and deviation instead of as restored"
    )
    assert psnr.unit == "dB"


def test_what_was_not_measured_has_no_number() -> None:
    group = summary([measured()]).groups[0]
    deg = next(one for one in side_by_side(group) if one.quantity == "DEG")
    assert [entry.value for entry in deg.entries] == ["–", "–"]
    assert "dropped" in deg.entries[1].gap


def test_quantities_measured_alike_are_left_out() -> None:
    group = summary([measured(("gfpgan-paper", "difface"))]).groups[0]
    assert {one.quantity for one in side_by_side(group)} == {"FID"}
    assert side_by_side(summary([measured(("ours",))]).groups[0]) == ()  # nothing to stand beside


def test_unrelated_metrics_are_called_another_metric() -> None:
    assert gap("psnr_rgb", "psnr_rgb") == ""
    assert gap("psnr_rgb", "deg_dlib") == "another metric"


def test_set_scores_are_shown_with_all_that_belongs_to_them(tmp_path: Path) -> None:
    result = measured(set_scores={"fid_legacy_vs_truth": FID})
    group = summary([result]).groups[0]
    (line,) = set_lines(group)
    assert (line.value, line.interval, line.counted, line.extrapolated) == (
        "12.50",
        "11.00 – 14.00",
        "4 against 4",
        "3.25",
    )
    told = "\n".join(terminal_lines([result], None))
    assert "fid_legacy_vs_truth ↓ nano: 12.50 (11.00 – 14.00), 4 against 4 images; 4 restored images for 2048" in told
    page = write_report([result], tmp_path, store=None).read_text()
    assert "12.50" in page
    assert "4 restored images for 2048 dimensions" in page
    assert "Protocols side by side" in page
    assert "PSNR @ " in page
    assert "--protocol gfpgan-paper --protocol vqfr" in page


def test_a_report_without_them_says_nothing_of_them(tmp_path: Path) -> None:
    page = write_report([scored("nano", {"psnr_rgb": [1.0, 2.0]})], tmp_path, store=None).read_text()
    for heading in ("Protocols side by side", "Whole sets", "By group"):
        assert heading not in page
    assert "fid" not in markdown([scored("nano", {"psnr_rgb": [1.0, 2.0]})])


def test_groups_have_means_and_intervals_of_their_own(tmp_path: Path) -> None:
    poses = ({"pose": "front"}, {"pose": "front"}, {"pose": "front"}, {"pose": "side", "age": 31})
    result = with_attributes(measured(), *poses)
    lines = group_lines(summary([result]).groups[0])
    assert [(line.attribute, line.value, line.faces) for line in lines] == [("pose", "front", 3), ("pose", "side", 1)]
    front, side = (next(mean for mean in line.means if mean.metric == "psnr_rgb") for line in lines)
    assert front.mean == pytest.approx(22.0)
    assert front.interval is not None
    assert front.interval[0] < 22.0 < front.interval[1]
    assert (side.mean, side.interval, side.n) == (26.0, None, 1)
    page = write_report([result], tmp_path, store=None).read_text()
    assert "By group" in page
    assert 'data-attribute="pose" data-value="side"' in page


def test_what_splits_nothing_makes_no_groups() -> None:
    names = with_attributes(measured(), *({"name": f"n{i}", "age": i, "set": "x"} for i in range(4)))
    line = summary([names]).groups[0].lines[0]
    assert categories(line) == {}
    many = with_attributes(measured(), *({f"a{k}": str(i % 2) for k in range(9)} for i in range(4)))
    assert list(categories(summary([many]).groups[0].lines[0])) == [f"a{k}" for k in range(6)]
    flags = with_attributes(measured(), *({"glasses": i > 0} for i in range(4)))
    assert categories(summary([flags]).groups[0].lines[0])["glasses"].keys() == {"no", "yes"}


def test_failed_and_blank_faces_are_in_no_group_mean() -> None:
    result = with_attributes(measured(), *({"pose": "front"},) * 2, *({"pose": "side"},) * 2)
    failed = [dataclasses.replace(row, scores=dict.fromkeys(row.scores), failure="ill") for row in result.rows[:1]]
    result = dataclasses.replace(result, rows=(*failed, *result.rows[1:]))
    front = group_lines(summary([result]).groups[0])[0]
    assert (front.faces, front.means[0].n, front.means[0].interval) == (2, 1, None)
    assert isinstance(result.rows[0], Row)
