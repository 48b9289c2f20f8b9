"""Collapse baselines: where they are stored, and whether a restorer still collapses at the stored severity."""

from __future__ import annotations

from pathlib import Path

from gfpbench.collapse.point import axis_name, axis_of, margins_at
from gfpbench.collapse.record import Collapse, Question, read
from gfpbench.types import BadInput, Case, Restorer

FOLDER = Path("baselines") / "collapse"
"""Where collapse points lie in a project, seen from pytest's root folder."""


def baseline_path(root: Path, question: Question) -> Path:
    """The file of one question: restorer, faces, axis, seed, as a Case is named."""
    asked = question
    case = Case(
        asked.faces, axis_name(axis_of(asked.axis)), asked.restorer, asked.seed, asked.size_px, asked.limit, asked.draws
    )
    return root / f"{case.id}.json"


def find_baseline(root: Path, question: Question) -> Collapse | None:
    """The stored answer to a question; None where there is none. Raises BadInput for one to another question."""
    path = baseline_path(root, question)
    if not path.exists():
        return None
    found = read(path)
    if len(found) != 1:
        raise BadInput(f"{path}: a baseline holds one collapse point, not {len(found)}")
    stored, axis = found[0].question, axis_name(axis_of(question.axis))
    asked = (question.restorer, axis, question.metric, question.faces, question.seed, question.draws, question.limit)
    if (stored.restorer, stored.axis, stored.metric, stored.faces, stored.seed, stored.draws, stored.limit) != asked:
        raise BadInput(f"{path}: answers another question; make it again with --baseline-update")
    return found[0]


def disagreements(
    baseline: Collapse, *, store: Path, device: str = "cpu", restorer: Restorer | None = None
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
        margins = margins_at(asked, severity, store=store, device=device, restorer=restorer)
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
