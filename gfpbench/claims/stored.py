"""Judges every claim and published number against stored Results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace

from gfpbench.claims.judge import Outcome, judge, judge_row
from gfpbench.claims.prerequisites import open_outcome, waits_for
from gfpbench.claims.published import Row, Table, claims, tables
from gfpbench.types import Result


def judge_claims(results: Sequence[Result]) -> tuple[Outcome, ...]:
    """Each claim of each restorer that has its input and its truth beside it, on the same faces.

    A claim that no restorer here makes is open: it waits for one that does.
    """
    told: list[Outcome] = []
    for claim in claims():
        anyone = claim.applies_to == ("*",)
        mine: list[Outcome] = []
        for result in results:
            degraded, truth = (_beside(result, results, name) for name in ("input", "truth"))
            if degraded is None or truth is None or result.case.restorer in ("input", "truth") or anyone:
                continue
            if claim.is_made_by(result.case.restorer):
                mine.append(judge(claim, result, degraded, truth))
        if anyone:
            mine = [judge(claim, result, result, result) for result in results if result.case.restorer == "truth"]
        maker = (
            "a ground-truth row"
            if anyone
            else f"a restorer named {' or '.join(claim.applies_to)}, its input and its truth"
        )
        told += mine or [Outcome(claim.id, claim.source, claim.words, "open", f"waits for {maker}", claim.change)]
    return tuple(told)


def judge_numbers(results: Sequence[Result]) -> tuple[tuple[Table, Row, Outcome], ...]:
    """Each published number against the Result of the same thing; open with what it waits for where there is none."""
    told = []
    for table in tables():
        for row in table.rows:
            measured = next((result for result in results if _is(result, table, row)), None)
            waiting = waits_for(table, row, "cpu") or "waits for a run: gfpbench run --restorer "
            if waiting.endswith("--restorer "):
                waiting += f"{row.restorer} --faces {table.faces} --degradation {table.degradation}"
            for figure in row.figures:
                told.append(
                    (
                        table,
                        row,
                        open_outcome(table, row, figure, waiting)
                        if measured is None
                        else judge_row(table, row, figure, measured),
                    )
                )
    return tuple(told)


def _is(result: Result, table: Table, row: Row) -> bool:
    case = result.case
    return (case.faces.partition(":")[0], case.degradation.partition(":")[0], case.restorer) == (
        table.faces,
        table.degradation,
        row.restorer,
    )


def _beside(result: Result, results: Sequence[Result], restorer: str) -> Result | None:
    """The Result of another restorer on the same images of the same faces."""
    wanted = astuple(replace(result.case, restorer=restorer))
    return next(
        (one for one in results if astuple(one.case) == wanted and one.image_ids == result.image_ids),
        None,
    )
