"""Small bugs in how rows are put into Parquet and read from it, each of which a test of the honest one notices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pytest

from gfpbench.results import parquet
from gfpbench.types import BadInput
from tests.unit import test_rows_parquet as laws
from tests.unit.test_rows_parquet import few_are_many  # noqa: F401 - a fixture of the laws


def _whole_numbers_made_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = parquet._fits
    monkeypatch.setattr(
        parquet, "_fits", lambda kind, value: honest(kind, value) or (kind is float and type(value) is int)
    )


def _blanks_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = parquet._cells

    def cells(row: Any, kinds: Any) -> dict[str, Any]:
        fields = ("scores", "parameters", "attributes")
        return honest(
            row | {field: {k: v for k, v in row[field].items() if v is not None} for field in fields},
            kinds,
        )

    monkeypatch.setattr(parquet, "_cells", cells)


def _single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyarrow, "float64", pyarrow.float32)


def _rest_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = parquet._row
    monkeypatch.setattr(parquet, "_row", lambda cells: honest({**cells, "rest": None}))


def _all_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = parquet._row
    monkeypatch.setattr(parquet, "_row", lambda cells: (0, honest(cells)[1]))


BUGS = {
    "whole numbers are made floats": _whole_numbers_made_floats,
    "blanks are left out": _blanks_left_out,
    "single precision": _single_precision,
    "what fits no column is forgotten": _rest_forgotten,
    "all rows are of the first result": _all_of_the_first,
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_in_a_value_is_noticed(bug: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    BUGS[bug](monkeypatch)
    laws.write_report_file(laws.three(), tmp_path / "results.json")
    with pytest.raises((AssertionError, BadInput)):
        laws.test_every_value_comes_back(tmp_path / "results.json")
