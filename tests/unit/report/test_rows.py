"""Flat records: every value of every row, under one name, and CSV that reads back."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from gfpbench import results as stored
from gfpbench import rows
from gfpbench.cli import app
from gfpbench.report.rows import csv_text
from tests.unit.report import sample


def test_every_value_is_in_a_record() -> None:
    one = sample.scored("a", {"psnr_rgb": [20.0, math.inf]})
    other = sample.scored("b", {"ssim_rgb": [0.5, None]}, failures={1: "broken"})
    records = rows([one, other])
    assert [(record["restorer"], record["id"], record["failure"]) for record in records] == [
        ("a", "f0", None), ("a", "f1", None), ("b", "f0", None), ("b", "f1", "broken"),
    ]  # fmt: skip
    assert [record["psnr_rgb"] for record in records] == [20.0, math.inf, None, None]
    assert [record["ssim_rgb"] for record in records] == [None, None, 0.5, None]
    assert {record["drawn.r"] for record in records} == {2.0}
    assert rows(one) == [{k: v for k, v in record.items() if k != "ssim_rgb"} for record in records[:2]]
    assert pd.DataFrame(records).shape == (4, len(records[0]))


def test_csv_reads_back() -> None:
    one = sample.scored("a", {"psnr_rgb": [20.25, math.inf]})
    odd = dataclasses.replace(one.rows[0], id='x,"y"\nz', attributes={"parts": [1, 2]})
    given = dataclasses.replace(one, rows=(odd, one.rows[1]))
    first, second = csv.DictReader(io.StringIO(csv_text([given])))
    assert first["id"] == odd.id
    assert first["attribute.parts"] == "[1, 2]"
    assert (float(first["psnr_rgb"]), float(second["psnr_rgb"])) == (20.25, math.inf)
    assert second["attribute.parts"] == ""
    frame = pd.read_csv(io.StringIO(csv_text([given])))
    assert list(frame["psnr_rgb"]) == [20.25, math.inf]


def test_the_command_writes_it_beside_the_page(tmp_path: Path) -> None:
    stored.write([sample.scored("a", {"psnr_rgb": [20.0, 21.0]})], tmp_path / "results.json")
    words = ["report", str(tmp_path / "results.json"), "--to", str(tmp_path / "page"), "--csv", str(tmp_path / "a.csv")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 3
