"""The claims page: published tables beside measured figures, and which claims hold, fail or are open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gfpbench import claims as published
from gfpbench.assets.datasets import INPUTS
from gfpbench.claims import Judged, Outcome, Row, Table
from gfpbench.report.formatting import decimals_for, pages, printable, write_page


@dataclass(frozen=True, slots=True)
class Sheet:
    """One published table with what was measured of each of its numbers."""

    table: Table
    cells: Mapping[tuple[str, str], Outcome]
    decimals: Mapping[str, int]

    def cell(self, row: Row, figure: str) -> Outcome | None:
        return self.cells.get((row.id, figure))

    @property
    def waiting(self) -> tuple[tuple[str, str], ...]:
        """The methods that have no number of ours, and what they wait for."""
        reasons: dict[str, list[str]] = {}
        for row in self.table.rows:
            for figure in row.figures:
                told = self.cells[row.id, figure]
                if told.status == "open" and row.method not in reasons.setdefault(told.reason, []):
                    reasons[told.reason].append(row.method)
        return tuple((", ".join(methods), reason) for reason, methods in reasons.items())


def sheets(judged: Judged) -> tuple[Sheet, ...]:
    """Every published table beside the Results that measure the same thing."""
    cells = {(row.id, told.id.removeprefix(f"{row.id}/")): told for _, row, told in judged.numbers}
    return tuple(
        Sheet(
            table,
            {key: told for key, told in cells.items() if key[0].startswith(f"{table.id}/")},
            {
                figure: decimals_for(row.figures[figure] for row in table.rows if figure in row.figures)
                for figure in table.figures
            },
        )
        for table in published.tables()
    )


def counts(outcomes: Sequence[Outcome]) -> str:
    """``3 held, 0 failed, 11 open``."""
    tally = {status: sum(one.status == status for one in outcomes) for status in ("held", "failed", "open")}
    return ", ".join(f"{count} {status}" for status, count in tally.items())


def claim_lines(judged: Judged) -> list[str]:
    """Claims, what papers say of each other, and published numbers as lines for a terminal.

    What is open is counted by what it waits for.
    """
    numbers = [told for _, _, told in judged.numbers]
    lines = [f"claims: {counts(judged.claims)}"]
    for told in judged.claims:
        who = f" ({printable(told.restorer, 40)})" if told.restorer else ""
        lines.append(f"  {told.status:<6} {told.id}{who}: {told.words}: {printable(told.reason, 200)}")
    if judged.agreements:
        lines.append(f"papers against each other: {counts(judged.agreements)}")
        lines += _settled(judged.agreements)
    lines.append(f"published numbers: {counts(numbers)}")
    lines += [f"  {line}" for line in judged.inputs]
    return lines + _settled(numbers)


def _settled(outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each outcome that is held or failed, and one for each reason of those that are open."""
    lines = [
        f"  {told.status:<6} {told.id}: {printable(told.reason, 200)}" for told in outcomes if told.status != "open"
    ]
    waiting = [told.reason for told in outcomes if told.status == "open"]
    return lines + [f"  open   {waiting.count(why)} x {printable(why, 200)}" for why in dict.fromkeys(waiting)]


def write_claims(judged: Judged, directory: Path, title: str = "Published tables and claims") -> Path:
    """Write ``claims.html`` into a folder, whole or not at all. Returns its path."""
    tables = sheets(judged)
    html = (
        pages()
        .get_template("claims.html")
        .render(
            title=title,
            claims=judged.claims,
            counted=counts(judged.claims),
            agreements=judged.agreements,
            counted_agreements=counts(judged.agreements),
            here=judged.inputs,
            inputs=INPUTS,
            counted_numbers=counts([told for page in tables for told in page.cells.values()]),
            sheets=tables,
        )
    )
    return write_page(html, directory / "claims.html")
