"""The same cases under several versions of torch, devices or runs: one table of differences against the newest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from gfpbench.baselines import FAILING, Comparison, compare
from gfpbench.report.formatting import (
    BLANK,
    decimals_for,
    markdown_text,
    pages,
    plural,
    printable,
    with_note,
    write_page,
)
from gfpbench.report.matrix_columns import Column, columns, newest_first
from gfpbench.report.summary import measured
from gfpbench.statistics import best_of, mean_of
from gfpbench.types import BadInput, Case, Json, Result, VerdictKind

CellKind: TypeAlias = VerdictKind | Literal["absent"]
"""``absent``: not measured here, or nothing to compare it with."""

IMAGES = "images"
"""The row of each case that says how many images there are, and how many were restored to the same bytes."""


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One version beside the newest, for one metric of one case.

    Args:
        kind: the verdict, as `gfpbench compare` gives it; ``absent`` where there is none.
        n: images behind it. In the row ``images``: those restored to the same bytes.
        difference: of the means, this version less the newest; None in the row ``images``.
        largest: how far the image that moved most has moved.
        note: why there is no number, or what the verdict says; empty where nothing is to be said.
        identical: how many more images equal their truth than under the newest; they are in no mean.
    """

    kind: CellKind
    n: int = 0
    difference: float | None = None
    largest: float | None = None
    note: str = ""
    identical: int = 0

    @property
    def text(self) -> str:
        """``=`` where not one image differs at all, else the difference of the means to two digits."""
        if self.kind == "absent":
            return BLANK
        if self.difference is None:
            return BLANK if self.kind == "changed" and not self.n else f"{self.n:,} alike"
        if self.largest == 0:
            return "="
        more = f", {self.identical:+d} identical".replace("-", "−") if self.identical else ""
        if self.difference == 0:
            return "±0" + more  # images differ, their mean does not
        if not math.isfinite(self.difference):
            return ("∞" if self.difference > 0 else "−∞") + more
        return f"{self.difference:+.2g}".replace("-", "−") + more


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One metric of one case: its mean under the newest version, and a cell for every other version."""

    case: str
    metric: str
    unit: str
    newest: float | None
    decimals: int
    cells: tuple[MatrixCell, ...]
    note: str = ""

    @property
    def newest_text(self) -> str:
        return with_note(self.newest, self.decimals, self.note)


@dataclass(frozen=True, slots=True)
class Matrix:
    """The table: ``versions`` are its columns, newest first; ``rows`` come case by case."""

    versions: tuple[str, ...]
    rows: tuple[MatrixRow, ...]

    @property
    def passed(self) -> bool:
        """No version is worse than the newest, and none measured something else."""
        return not any(cell.kind in FAILING for row in self.rows for cell in row.cells)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the cells that are not ``same`` say, each once, with the versions and cases that it concerns."""
        said: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
        for row in self.rows:
            for version, cell in zip(self.versions[1:], row.cells, strict=True):
                if cell.kind != "same":
                    said.setdefault((row.metric, cell.kind, cell.note), []).append((version, row.case))
        return tuple(f"{metric}: {kind}: {note} ({_where(found)})" for (metric, kind, note), found in said.items())

    def to_json(self) -> dict[str, Json]:
        """Plain JSON values; an infinite number becomes the text "inf"."""
        rows = [
            {**asdict(row), "newest": _finite(row.newest), "cells": [_cell_json(cell) for cell in row.cells]}
            for row in self.rows
        ]
        return {"versions": list(self.versions), "rows": rows, "passed": self.passed}


def matrix(results: Sequence[Result], runs: Sequence[str] = ()) -> Matrix:
    """Compare every version with the newest, case by case and image by image.

    Args:
        results: of several versions of torch, or devices; their environment records say which.
        runs: of each Result the name of the run that it comes from, oldest first. Where two runs measured one case with
            the same torch on the same device (two commits of one machine), the runs are columns.

    Raises:
        BadInput: where there are not two versions or runs, or one measured a case twice.
    """
    by_key: dict[Column, dict[Case, Result]] = {}
    for result, key in zip(results, columns(results, runs), strict=True):
        measured_by = by_key.setdefault(key, {})
        if result.case in measured_by:
            raise BadInput(
                f"{result.case.id}: measured twice with {key.label(True)}: give one file for each, or a name to each "
                "run: gfpbench matrix before=PATH after=PATH"
            )
        measured_by[result.case] = result
    keys = newest_first(by_key)
    if len(keys) < 2:
        only = keys[0].label(True) if keys else "nothing"
        raise BadInput(
            f"a matrix needs results of two versions of torch, two devices or two runs, and these hold {only}"
        )
    devices = len({(key.device, key.device_name) for key in keys}) > 1
    newest, *others = keys
    cases = list(dict.fromkeys(case for key in keys for case in by_key[key]))
    rows: list[MatrixRow] = []
    for case in cases:
        reference = by_key[newest].get(case)
        found = [by_key[key].get(case) for key in others]
        rows += _rows_of_case(case, reference, found, questions=len(cases) * len(others))
    return Matrix(tuple(key.label(devices) for key in keys), tuple(rows))


def matrix_table(table: Matrix) -> list[list[str]]:
    """Rows of text for a terminal, the first of them the heads of the columns."""
    lines = [["case", "metric", *table.versions]]
    for row in table.rows:
        name = printable(f"{row.metric} {row.unit}".strip(), 80)
        cells = [f"{cell.text} {cell.kind}" if cell.kind in (*FAILING, "better") else cell.text for cell in row.cells]
        lines.append([printable(row.case), name, row.newest_text, *cells])
    return lines


def matrix_markdown(table: Matrix) -> str:
    """The matrix as a GitHub Markdown table, the findings below it."""
    head, *rows = matrix_table(table)
    lines = [f"| {' | '.join(map(markdown_text, head))} |", f"|:--|:--|{'--:|' * len(table.versions)}"]
    lines += [f"| {' | '.join(map(markdown_text, row))} |" for row in rows]
    lines += ["", LEGEND, ""] + [f"- {markdown_text(note, 300)}" for note in table.notes]
    return "\n".join(lines).rstrip() + "\n"


LEGEND = (
    "First column of numbers: the mean under the newest version. Others: difference of the means from it; "
    "`=` means that not one image differs."
)


def write_matrix(
    results: Sequence[Result],
    directory: Path,
    runs: Sequence[str] = (),
    *,
    title: str = "The same cases, version by version",
) -> Path:
    """Write ``matrix.html`` into a folder, whole or not at all; it asks nothing of the network.

    Raises:
        BadInput: as ``matrix`` does.
    """
    table = matrix(results, runs)
    environments = {
        key.label(True): dict(result.environment) for key, result in zip(columns(results, runs), results, strict=True)
    }
    html = (
        pages()
        .get_template("matrix.html")
        .render(
            title=title,
            matrix=table,
            legend=LEGEND.replace("`", ""),
            records=list(environments.items()),
        )
    )
    return write_page(html, directory / "matrix.html")


def _rows_of_case(
    case: Case, reference: Result | None, found: Sequence[Result | None], questions: int
) -> list[MatrixRow]:
    compared = [_compared(result, reference, questions) for result in found]
    known = [result for result in (reference, *found) if result is not None]
    names = dict.fromkeys(name for result in known for name in result.metrics if measured(result, name))
    units = {name: str(result.metrics[name].get("unit", "")) for result in known for name in result.metrics}
    count = float(len(reference.rows)) if reference is not None else None
    images = [_images(one, result, reference) for one, result in zip(compared, found, strict=True)]
    rows = [MatrixRow(case.id, IMAGES, "", count, 0, tuple(images))]
    for name in names:
        values = [*measured(reference, name).values()] if reference is not None else []
        mean = mean_of(values, best_of(reference.metrics.get(name, {})) if reference is not None else None)
        decimals = decimals_for([mean.value] if mean.value is not None else [])
        cells = tuple(
            _cell(one, name, _blank(name, result, reference)) for one, result in zip(compared, found, strict=True)
        )
        rows.append(MatrixRow(case.id, name, units[name], mean.value, decimals, cells, mean.note))
    return rows


def _compared(result: Result | None, reference: Result | None, questions: int) -> Comparison | str:
    """The comparison, or why there is none."""
    if result is None:
        return "this version did not measure the case"
    if reference is None:
        return "the newest version did not measure the case"
    try:
        return compare(result, reference, cases=questions)
    except BadInput as error:
        return str(error)


def _blank(name: str, *results: Result | None) -> str:
    """Why a metric has no number on one side or the other."""
    reasons = [result.not_measured.get(name) for result in results if result is not None]
    return next(filter(None, reasons), "not measured by both")


def _cell(compared: Comparison | str, name: str, blank: str) -> MatrixCell:
    if isinstance(compared, str):
        return MatrixCell("absent", note=compared)
    said = next((verdict for verdict in compared.verdicts if verdict.metric == name), None)
    for metric in compared.metrics:
        if metric.metric == name:
            note = f"by {metric.difference:+.3g}, {metric.moved} of {metric.n} images moved by more than noise"
            note += f"; {said.reason}" if said is not None and said.reason else ""
            more = metric.identical_now - metric.identical_before
            return MatrixCell(metric.kind, metric.n, metric.difference, metric.largest, note, more)
    if (
        said is not None and said.kind == "changed"
    ):  # another metric under the same name: there is no difference to show
        return MatrixCell("changed", note=said.reason)
    return MatrixCell("absent", note=said.reason if said is not None else blank)


def _images(compared: Comparison | str, result: Result | None, reference: Result | None) -> MatrixCell:
    """The first row of a case: what is not of one metric (other faces, other degradations, failures)."""
    if isinstance(compared, str) or result is None or reference is None:
        return MatrixCell("absent", note=str(compared))
    whole = [verdict for verdict in compared.verdicts if verdict.metric not in reference.metrics]
    worst = next((verdict for kind in (*FAILING, "better") for verdict in whole if verdict.kind == kind), None)
    rows = {row.id: row for row in reference.rows}
    alike = sum(_same_bytes(rows[row.id].fingerprint, row.fingerprint) for row in result.rows if row.id in rows)
    return MatrixCell(worst.kind if worst else "same", alike, note=worst.reason if worst else "")


def _same_bytes(one: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    hashes = [(look.get("restored") or {}).get("sha256") for look in (one, other)]
    return hashes[0] is not None and hashes[0] == hashes[1]


def _where(found: Sequence[tuple[str, str]]) -> str:
    versions, cases = (list(dict.fromkeys(names)) for names in zip(*found, strict=True))
    return f"{', '.join(versions)}: {cases[0] if len(cases) == 1 else plural(len(cases), 'case')}"


def _finite(value: float | None) -> Json:
    return value if value is None or math.isfinite(value) else str(value)


def _cell_json(cell: MatrixCell) -> dict[str, Json]:
    return {**asdict(cell), "difference": _finite(cell.difference), "largest": _finite(cell.largest)}
