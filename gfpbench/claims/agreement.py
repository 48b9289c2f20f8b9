"""What published tables say of each other: totals made of their rows, and one figure that two papers publish.

Nothing is measured for this. Two papers agree on the same method, images and metric within the tolerance that their
tables state. Where the images are not the same, and where metrics that differ give other numbers, the difference is
named in place of a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from gfpbench.assets.datasets import INPUTS
from gfpbench.claims.judge import Outcome, Status
from gfpbench.claims.published import Row, Table
from gfpbench.metrics.protocol import FAILING, VALID
from gfpbench.metrics.protocols import differences


def agreements(tables: Sequence[Table]) -> tuple[Outcome, ...]:
    """Every total held against its row, then every figure that two papers publish of one method held together.

    An outcome has the first number as ``expected`` and the second as ``got``. It is open where a difference of images
    or metrics is named.
    """
    return (*_recomputed(tables), *_repeated(tables))


def _recomputed(tables: Sequence[Table]) -> Iterator[Outcome]:
    for table in tables:
        challenge = table.protocol.challenge
        for row in table.rows if challenge is not None else ():
            assert challenge is not None
            if challenge.score in row.figures:
                room = table.recomputes_within or 0.0
                yield _made_of(table, row, challenge.score, challenge.total(row.figures), challenge.formula, room)
            if VALID in row.figures and FAILING in row.figures:
                words = f"at most {challenge.most_failing} failing images"
                yield _made_of(table, row, VALID, float(challenge.valid(row.figures[FAILING])), words, 0.0)


def _made_of(table: Table, row: Row, figure: str, made: float, of: str, room: float) -> Outcome:
    published = row.figures[figure]
    away = abs(made - published)
    holds = away <= room + 1e-12  # the bound itself, whose last digit is binary
    return Outcome(
        f"{row.id}/{figure} from its row",
        table.source,
        f"{row.method}: {figure} {published:g} is what its row makes",
        "held" if holds else "failed",
        f"{of}: {made:.6g}, {away:.2g} away, {'within' if holds else 'beyond'} {room:g}",
        published,
        made,
    )


def _repeated(tables: Sequence[Table]) -> Iterator[Outcome]:
    for first, second in combinations(tables, 2):
        if first.id.partition("/")[0] == second.id.partition("/")[0] or first.faces != second.faces:
            continue
        rows = {_method(row): row for row in second.rows}
        for row in first.rows:
            other = rows.get(_method(row))
            for figure in row.figures if other is not None else ():
                assert other is not None
                if figure in other.figures:
                    yield _together(figure, (first, row), (second, other))


def _method(row: Row) -> str:
    """A method's name as one spelling: GFP-GAN is GFPGAN, and RestoreFormer++ is not RestoreFormer."""
    return "".join(letter for letter in row.method.casefold() if letter.isalnum() or letter in "+()")


def _together(figure: str, first: tuple[Table, Row], second: tuple[Table, Row]) -> Outcome:
    (table, row), (other_table, other) = first, second
    papers = [one.id.partition("/")[0] for one in (table, other_table)]
    ours, theirs = row.figures[figure], other.figures[figure]
    room = max(table.tolerance[figure], other_table.tolerance[figure])
    away = 0.0 if ours == theirs else abs(ours - theirs)
    agrees = away <= room + 1e-12
    reason = f"{away:.3g} away, {'within' if agrees else 'beyond'} {room:g}"
    status: Status = "held" if agrees else "failed"
    other_images = _other_images(table, other_table)
    steps = _other_metric(figure, table, other_table)
    if other_images:  # then nearness would say nothing
        status, reason = "open", f"not the same images: {other_images}"
    elif steps and not agrees:
        status, reason = "open", f"not the same metric: {steps}"
    elif steps:
        reason += f", although not by the same metric: {steps}"
    return Outcome(
        f"{row.id}/{figure} = {other.id}",
        f"{table.source}; {other_table.source}",
        f"{row.method}: {figure} {ours:g} in {papers[0]}, {theirs:g} in {papers[1]}",
        status,
        reason,
        ours,
        theirs,
    )


def _other_images(first: Table, second: Table) -> str:
    """What is not the same about the images of two tables; empty where nothing is known to differ."""
    if (first.degradation, first.inputs) != (second.degradation, second.inputs):
        return ", and ".join(INPUTS.get(one.inputs, f"degraded: {one.degradation}") for one in (first, second))
    return f"{first.images}, and {second.images} of them" if first.images != second.images else ""


def _other_metric(figure: str, first: Table, second: Table) -> str:
    """In what the metrics behind a figure of one name differ; empty where nothing is known to differ.

    Where neither can be measured here, nothing is known: the papers are held to each other.
    """
    ours, theirs = (one.protocol.figures.get(figure) for one in (first, second))
    if ours == theirs:
        return ""
    if ours is not None and theirs is not None:
        steps = "; ".join(f"{step}: {a}, and {b}" for step, (a, b) in differences(ours, theirs).items())
        return steps or f"{ours}, and {theirs}"
    known, unknown = (first, second) if ours is not None else (second, first)
    why = {**unknown.undefined, **unknown.protocol.absent}.get(figure, "is not told")
    return f"{known.protocol.figures[figure]}, and {figure} @ {unknown.protocol.name}, which {why}"
