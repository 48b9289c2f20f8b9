"""Flat records: every value of every row, under one name, and CSV that reads back."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from gfpbench import results as stored
from gfpbench import rows
from gfpbench.cli import app
from gfpbench.report.rows import csv_text, parquet_bytes
from gfpbench.types import PackageMissing
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


def test_a_result_is_a_frame() -> None:
    given = sample.scored("a", {"psnr_rgb": [20.25, math.inf]})
    frame = given.to_pandas()
    assert list(frame.columns) == list(rows(given)[0])
    assert list(frame["psnr_rgb"]) == [20.25, math.inf]


def test_parquet_reads_back() -> None:
    one = sample.scored("a", {"psnr_rgb": [20.25, math.inf], "ssim_rgb": [None, None]})
    odd = dataclasses.replace(one.rows[0], id='x,"y"\nz', attributes={"parts": [1, 2], "left": True})
    records = rows(dataclasses.replace(one, rows=(odd, one.rows[1])))
    frame = pd.read_parquet(io.BytesIO(parquet_bytes(records)))
    assert list(frame.columns) == list(records[0])
    assert list(frame["id"]) == [odd.id, one.rows[1].id]
    assert list(frame["psnr_rgb"]) == [20.25, math.inf]
    assert frame["seed"].dtype == "int64"
    assert frame["ssim_rgb"].isna().all()
    assert frame["attribute.parts"][0] == "[1, 2]"
    assert frame["attribute.left"][0] is True
    assert frame.loc[1, ["attribute.parts", "attribute.left"]].isna().all()
    assert len(pd.read_parquet(io.BytesIO(parquet_bytes([])))) == 0


def test_numbers_of_two_kinds_are_float64_and_other_mixtures_text() -> None:
    records: list[dict[str, object]] = [{"a": 1, "b": 1}, {"a": 0.5, "b": "one"}, {"a": None, "b": None}]
    frame = pd.read_parquet(io.BytesIO(parquet_bytes(records)))
    assert list(frame["a"][:2]) == [1.0, 0.5]
    assert list(frame["b"][:2]) == ["1", '"one"']


def test_the_command_writes_it_beside_the_page(tmp_path: Path) -> None:
    stored.write([sample.scored("a", {"psnr_rgb": [20.0, 21.0]})], tmp_path / "results.json")
    words = ["report", str(tmp_path / "results.json"), "--to", str(tmp_path / "page"), "--csv", str(tmp_path / "a.csv")]
    assert CliRunner().invoke(app, [*words, "--parquet", str(tmp_path / "a.parquet")]).exit_code == 0
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 3
    assert list(pd.read_parquet(tmp_path / "a.parquet")["psnr_rgb"]) == [20.0, 21.0]


def test_without_pyarrow_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(PackageMissing, match=r"a table in Parquet needs the package 'pyarrow'.*gfpbench\[parquet\]"):
        parquet_bytes([])
