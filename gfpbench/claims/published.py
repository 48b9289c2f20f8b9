"""Published tables and their claims, read from the TOML files in this folder: one file per paper."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from gfpbench.assets.datasets import FACES, INPUTS
from gfpbench.assets.datasets import TABLE as FACES_TABLE
from gfpbench.claims.fields import Fields, numbers
from gfpbench.metrics.protocols import Protocol, find
from gfpbench.registry import companion, unknown
from gfpbench.types import BadInput

Says: TypeAlias = Literal["improves", "does-not-rise", "does-not-fall", "beats-truth", "truth-is-best"]


@dataclass(frozen=True, slots=True)
class Row:
    """One published row: what was measured of one method.

    Args:
        id: ``paper/table/method``.
        method: as the source writes it.
        restorer: ours that is the same thing; None where there is none.
        figures: the source's name of a figure -> its number; infinite allowed.
    """

    id: str
    method: str
    restorer: str | None
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Table:
    """One published table, with everything that has to be equal before its numbers may be compared.

    Args:
        id: ``paper/table``.
        source: the paper.
        title: what the table shows.
        protocol: how its figures are measured, in ``gfpbench.metrics.protocols``.
        faces, degradation, images: what they are measured on, in our names.
        note: what a reader must know.
        tolerance: figure -> how far a reproduction may lie away.
        tolerance_reason: why that far.
        rows: in the source's order.
        disputed: why a reproduction is not expected to reach it; empty where it is.
        undefined: figures whose convention the source does not tell -> what is missing.
        inputs: which of several published sets of degraded images it is, by the folder's name in
            ``gfpbench.assets.datasets.INPUTS``; empty where there is one only.
        recomputes_within: how far the total of a row may lie from what its other figures make: what is left of
            rounding them. None where the protocol has no total.
    """

    id: str
    source: str
    title: str
    protocol: Protocol
    faces: str
    degradation: str
    images: int
    note: str
    tolerance: Mapping[str, float]
    tolerance_reason: str
    rows: tuple[Row, ...]
    disputed: str = ""
    undefined: Mapping[str, str] = field(default_factory=dict)
    inputs: str = ""
    recomputes_within: float | None = None

    @property
    def figures(self) -> tuple[str, ...]:
        """Every figure of any row, in order."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.figures))


@dataclass(frozen=True, slots=True)
class Claim:
    """Something a source says that holds or fails on any faces.

    Args:
        id: ``paper/claim``.
        source: who says it.
        words: one sentence.
        protocol: how its figure is measured.
        figure: in the protocol's words.
        says: ``improves``: restored is clearly better than degraded. ``does-not-rise``, ``does-not-fall``: it is not
            clearly higher, lower. ``beats-truth``: restored is better than the truth. ``truth-is-best``: the truth
            scores the metric's best value.
        change: restored minus its rival (degraded, or the truth) as published; None where that is not published.
        falls_by_at_most: of ``does-not-rise``: how far it may fall.
        applies_to: patterns of restorer names that make the claim; capitals do not matter.
    """

    id: str
    source: str
    words: str
    protocol: Protocol
    figure: str
    says: Says
    change: float | None
    falls_by_at_most: float | None
    applies_to: tuple[str, ...]

    @property
    def metric(self) -> str | None:
        """Our metric for its figure; None where the protocol has none."""
        return self.protocol.figures.get(self.figure)

    def is_made_by(self, restorer: str) -> bool:
        """Whether a restorer of that name claims it; options after a question mark change nothing."""
        name = restorer.partition("?")[0].lower()
        return any(fnmatchcase(name, pattern.lower()) for pattern in self.applies_to)


@dataclass(frozen=True, slots=True)
class Paper:
    """One data file."""

    name: str
    source: str
    tables: tuple[Table, ...]
    claims: tuple[Claim, ...]


@cache
def papers() -> tuple[Paper, ...]:
    """Every data file of this folder, by name."""
    folder = resources.files("gfpbench.claims")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    found = tuple(parse(file.name.removesuffix(".toml"), file.read_text(encoding="utf-8")) for file in files)
    for paper in found:
        for table in paper.tables:
            _check_names(f"table {table.id!r} of gfpbench/claims/{paper.name}.toml", table)
    return found


def _check_names(subject: str, table: Table) -> None:
    """Refuse a table whose face set, degradation or restorer has no row. Raises BadInput saying which file lacks it."""
    from gfpbench.degrade import DEGRADATIONS
    from gfpbench.restorers import RESTORERS

    companion(FACES, table.faces, subject, FACES_TABLE)
    companion(DEGRADATIONS, table.degradation, subject, "DEGRADATIONS in gfpbench/degrade/__init__.py")
    if table.inputs:
        companion(INPUTS, table.inputs, subject, "INPUTS in gfpbench/assets/datasets.py")
    for each in table.rows:
        if each.restorer not in (None, "truth"):
            companion(RESTORERS, str(each.restorer), subject, "RESTORERS in gfpbench/restorers/__init__.py")


def tables() -> tuple[Table, ...]:
    """Every published table."""
    return tuple(table for paper in papers() for table in paper.tables)


def claims() -> tuple[Claim, ...]:
    """Every claim about any faces."""
    return tuple(claim for paper in papers() for claim in paper.claims)


def row(row_id: str) -> tuple[Table, Row]:
    """A published row by its id. Raises BadInput with near ids."""
    every = {row.id: (table, row) for table in tables() for row in table.rows}
    if row_id not in every:
        raise unknown("published row", row_id, every)
    return every[row_id]


def read(path: Path) -> Paper:
    """A data file of your own. Raises BadInput naming the file and what is wrong."""
    try:
        return parse(path.stem, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error


def parse(name: str, text: str) -> Paper:
    """The text of a data file. Raises BadInput naming what is missing, unknown or of another type."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise BadInput(f"{name}: is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits is one too
        raise BadInput(f"{name}: is not TOML: {' '.join(str(error).split())}") from error
    top = Fields(name, document)
    source, protocol = top.text("source"), find(top.text("protocol"))
    disputed, undefined = (
        top.text("disputed", ""),
        dict(top.value("undefined", dict)) if "undefined" in document else {},
    )
    applies = top.texts("applies_to")
    listed = [
        _table(f"{name}/{fields.text('id')}", fields, source, protocol, disputed, undefined)
        for fields in top.each("table")
    ]
    said = [_claim(name, fields, source, protocol, applies) for fields in top.each("claim")]
    top.done()
    ids = [*(one.id for one in listed), *(one.id for one in said), *(row.id for one in listed for row in one.rows)]
    twice = next((one for one in ids if ids.count(one) > 1), None)
    if twice is not None:
        raise BadInput(f"{name}: {twice!r} is there twice")
    return Paper(name, source, tuple(listed), tuple(said))


def _table(
    table_id: str, fields: Fields, source: str, protocol: Protocol, disputed: str, undefined: Mapping[str, str]
) -> Table:
    tolerance = dict(fields.value("tolerance", dict))
    reason = tolerance.pop("reason", "")
    rows = []
    for line in fields.each("row"):
        method = line.text("method")
        figures = line.numbers("figures")
        rows.append(Row(f"{table_id}/{method}", method, line.text("restorer", "") or None, figures))
        line.done()
    table = Table(
        table_id,
        source,
        fields.text("title"),
        protocol,
        fields.text("faces"),
        fields.text("degradation"),
        fields.value("images", int),
        fields.text("note"),
        numbers(table_id, tolerance),
        reason,
        tuple(rows),
        disputed,
        undefined,
        fields.text("inputs", ""),
        fields.number("recomputes_within"),
    )
    fields.done()
    for figure in table.figures:
        if figure not in undefined:
            _known(table_id, protocol, figure)
        if figure not in table.tolerance:
            raise BadInput(f"{table_id}: states no tolerance for {figure}")
    if set(protocol.derived) & set(table.figures) and table.recomputes_within is None:
        raise BadInput(f"{table_id}: {', '.join(protocol.derived)} are made of other figures: state recomputes_within")
    if not reason or not rows:
        raise BadInput(f"{table_id}: lacks {'rows' if reason else 'the reason of its tolerance'}")
    return table


def _claim(paper: str, fields: Fields, source: str, protocol: Protocol, applies: tuple[str, ...]) -> Claim:
    claim_id = f"{paper}/{fields.text('id')}"
    says = fields.text("says")
    if says not in get_args(Says):
        raise unknown("kind of claim", says, get_args(Says))
    anyone = fields.text("of", "") == "any"
    if not anyone and not applies:
        raise BadInput(f"{claim_id}: nobody makes this claim; the file needs applies_to")
    figure = fields.text("figure")
    _known(claim_id, protocol, figure)
    claim = Claim(
        claim_id,
        source,
        fields.text("words"),
        protocol,
        figure,
        says,  # type: ignore[arg-type]  # one of them, as checked above
        fields.number("change"),
        fields.number("falls_by_at_most"),
        ("*",) if anyone else applies,
    )
    fields.done()
    return claim


def _known(where: str, protocol: Protocol, figure: str) -> None:
    if figure not in {*protocol.figures, *protocol.absent, *protocol.derived}:
        raise BadInput(f"{where}: protocol {protocol.name!r} has no figure {figure!r}")
