"""Published claims and numbers held against stored Results; what could not be measured names its prerequisites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from gfpbench.claims.agreement import agreements
from gfpbench.claims.inputs import about_inputs, held_inputs, other_inputs
from gfpbench.claims.judge import Outcome, judge, judge_row, open_outcome
from gfpbench.claims.published import Row, Table, claims, tables
from gfpbench.types import AssetMissing, Result

SLOW_ABOVE_IMAGES = 200
"""More faces of 512 px than this take a network hours on a CPU: seven for the 3,000 of CelebA-Test."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Every claim and every published number, with what became of it."""

    claims: tuple[Outcome, ...]
    numbers: tuple[tuple[Table, Row, Outcome], ...]
    agreements: tuple[Outcome, ...] = ()
    inputs: tuple[str, ...] = ()  # which degraded images the Results are of, where papers use several

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Of the claims, then of what the papers say of each other, then of the numbers."""
        return (*self.claims, *self.agreements, *(outcome for _, _, outcome in self.numbers))


def judged(results: Sequence[Result], *, elsewhere: bool = True) -> Judged:
    """Everything published against the Results. ``elsewhere`` as in ``judge_numbers``."""
    several = {table.faces for table in tables() if table.inputs}
    doubtful = [result for result in results if result.case.faces.partition(":")[0] in several]
    held = [held_inputs(result, _beside(result, results, "input")) for result in doubtful]
    return Judged(
        judge_claims(results),
        judge_numbers(results, elsewhere=elsewhere),
        agreements(tables()),
        about_inputs(doubtful, held) if doubtful else (),
    )


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


def judge_numbers(results: Sequence[Result], *, elsewhere: bool = True) -> tuple[tuple[Table, Row, Outcome], ...]:
    """Each published number against the Result of the same thing; open with what it waits for where there is none.

    Args:
        elsewhere: whether it is looked up what a number on face sets that are in no Result waits for (the dataset, its
            weights); a run has no business with them.
    """
    told = []
    lacking: dict[tuple[object, ...], str] = {}
    shown = {result.case.faces.partition(":")[0] for result in results}
    for table in tables():
        for row in table.rows:
            measured = next((result for result in results if _is(result, table, row)), None)
            looked_up = measured is None and (row.restorer is None or elsewhere or table.faces in shown)
            asked = (table.faces, table.images, row.restorer, "" if row.restorer else row.method)
            if looked_up and asked not in lacking:  # tables share data sets and weights
                lacking[asked] = waits_for(table, row, "cpu")
            waiting = lacking[asked] if looked_up else ""
            waiting = waiting or (
                f"waits for a run: gfpbench run --restorer {row.restorer} --faces {table.faces} "
                f"--degradation {table.degradation}"
            )
            if measured is not None and table.inputs and row.restorer != "truth":
                waiting = other_inputs(table, row, measured, _beside(measured, results, "input"))
            else:
                waiting = waiting if measured is None else ""
            for figure in row.figures:
                outcome = (
                    open_outcome(table, row, figure, waiting)
                    if measured is None or waiting
                    else judge_row(table, row, figure, measured)
                )
                told.append((table, row, outcome))
    return tuple(told)


def waits_for(table: Table, row: Row, device: str) -> str:
    """Why a row cannot be measured here, in one line; empty where it can. Decodes no image."""
    from gfpbench import faces, restorers

    if row.restorer is None:
        return f"waits for a restorer that is {row.method}: none is built in (files restored elsewhere: outputs:DIR)"
    try:
        faces.load(table.faces)
    except AssetMissing as missing:
        return f"waits for the dataset {table.faces!r}: {missing}"
    if row.restorer in ("truth", "input"):
        return ""
    if device == "cpu" and table.images > SLOW_ABOVE_IMAGES:
        return f"waits for a GPU: {table.images} images of 512 px take a CPU hours"
    try:
        restorers.load(row.restorer)
    except AssetMissing as missing:
        return f"waits for weights: {missing}"
    return ""


def _is(result: Result, table: Table, row: Row) -> bool:
    case = result.case
    return (case.faces.partition(":")[0], case.degradation_named, case.restorer) == (
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
