"""The data of the scatter: values of the Results, parameters that differ, a bounded sample."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from gfpbench.report.scatter import POINTS_AT_MOST, scatter_of
from gfpbench.report.summary import summary
from gfpbench.types import Result
from tests.unit.report import sample


def drawn(count: int) -> Result:
    bare = sample.scored("a", {"psnr_rgb": [20.0 + number / 7 for number in range(count)]})
    rows = [
        dataclasses.replace(row, parameters={"r": number / 3, "same": 1.0, "shape": "round", "odd": number > 2})
        for number, row in enumerate(bare.rows)
    ]
    return dataclasses.replace(bare, rows=tuple(rows))


def test_values_are_those_of_the_rows() -> None:
    (group,) = summary([drawn(5)]).groups
    found = scatter_of(group)
    assert found is not None
    data = json.loads(found.points)
    rows = {row.id: row for row in group.lines[0].result.rows}
    assert sorted(data["ids"]) == sorted(rows)
    assert list(data["drawn"]) == ["r"]  # a text, a flag and what is the same for all are no axis
    for place, name in enumerate(data["ids"]):
        assert data["scores"]["psnr_rgb"]["a"][place] == pytest.approx(rows[name].scores["psnr_rgb"], rel=1e-4)
        assert data["drawn"]["r"][place] == pytest.approx(rows[name].parameters["r"], rel=1e-4)
    assert found.note == ""


def test_many_images_are_sampled_alike_for_every_restorer() -> None:
    one = drawn(1000)
    other = dataclasses.replace(one, case=dataclasses.replace(one.case, restorer="b"))
    (group,) = summary([one, other]).groups
    found = scatter_of(group)
    assert found is not None
    data = json.loads(found.points)
    assert len(data["ids"]) == POINTS_AT_MOST
    assert found.note == f"A sample of {POINTS_AT_MOST} of 1,000 images."
    assert data["scores"]["psnr_rgb"]["a"] == data["scores"]["psnr_rgb"]["b"]
    again = scatter_of(summary([drawn(1000), other]).groups[0])
    assert again == found


def test_what_is_no_number_is_blank() -> None:
    one = drawn(3)
    rows = (dataclasses.replace(one.rows[0], scores={"psnr_rgb": math.inf}), *one.rows[1:])
    failed = dataclasses.replace(one.rows[2], scores={}, failure="broken")
    found = scatter_of(summary([dataclasses.replace(one, rows=(*rows[:2], failed))]).groups[0])
    assert found is not None
    values = dict(
        zip(json.loads(found.points)["ids"], json.loads(found.points)["scores"]["psnr_rgb"]["a"], strict=True)
    )
    assert values["f0"] is None
    assert values["f2"] is None
    assert values["f1"] is not None


def test_nothing_drawn_is_no_scatter() -> None:
    (group,) = summary([sample.scored("a", {"psnr_rgb": [1.0, 2.0]})]).groups
    assert scatter_of(group) is None
