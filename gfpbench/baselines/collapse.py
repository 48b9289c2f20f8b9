"""Baselines of collapse points: the stored ones, and whether a restorer still collapses where they say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gfpbench.baselines.store import Store
from gfpbench.collapse.measuring import axis_name, axis_of
from gfpbench.collapse.point import margins_at
from gfpbench.collapse.record import Collapse, Question, read
from gfpbench.types import BadInput, Case, Restorer

if TYPE_CHECKING:
    from gfpbench.run import Workers


def case_of(question: Question) -> Case:
    """What a question is filed under: its axis takes the place of the degradation."""
    axis = axis_name(axis_of(question.axis))
    return Case(
        question.faces, axis, question.restorer, question.seed, question.size_px, question.limit, question.draws
    )


COLLAPSE: Store[Collapse] = Store(
    "collapse",
    "collapse point",
    read,
    lambda collapse: case_of(collapse.question),
    lambda collapse: collapse.environment,
    devices="none",
)


def find_baseline(root: Path, question: Question) -> Collapse | None:
    """The stored answer to a question; None where there is none. Raises BadInput for one to another question."""
    found = COLLAPSE.find(root, case_of(question), {})
    if found is not None and found[0].question.metric != question.metric:
        raise BadInput(f"{found[1]}: answers another question; make it again with --baseline-update")
    return None if found is None else found[0]


def disagreements(
    baseline: Collapse,
    *,
    store: Path,
    device: str = "cpu",
    restorer: Restorer | None = None,
    workers: Workers | None = None,
) -> tuple[str, ...]:
    """Whether a restorer is still useful where the stored interval begins, and of no use where it ends.

    Two severities instead of a search: on the same images the point lies within its interval if and only if the mean
    margins have the right sign at both ends. For ``at once`` and ``never`` the one severity that decides is looked at.

    Returns:
        One line for each end at which it is otherwise; empty where all is as stored.
    """
    asked, unit = baseline.question, baseline.unit
    axis = axis_of(asked.axis)
    low, high = baseline.interval
    checks: list[tuple[float, bool]] = []
    if baseline.kind == "at once":
        checks = [(0.0, False), (1.0, False)]
    else:
        checks += [(min(low, 1.0), True)] if baseline.onset is not None and low >= baseline.onset else []
        checks += [(high, False)] if high is not None and baseline.severity is not None else []
    lines = []
    for severity, useful in checks:
        margins = margins_at(asked, severity, store=store, device=device, restorer=restorer, workers=workers)
        failing = [name for name, mean in margins.items() if not mean > 0]
        if useful and failing:
            lines.append(
                f"{asked.restorer} on {asked.axis}: collapsed at {axis.value_at(severity):.4g} {unit} already "
                f"({', '.join(failing)}); the baseline says from {baseline.value_interval[0]:.4g} on at the earliest"
            )
        if not useful and not failing:
            lines.append(
                f"{asked.restorer} on {asked.axis}: still useful at {axis.value_at(severity):.4g} {unit}, where the "
                "baseline says it has collapsed: better than stored, make the baseline again with --baseline-update"
            )
    return tuple(lines)
