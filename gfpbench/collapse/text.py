"""A collapse point as text, with the command that reproduces it."""

from __future__ import annotations

import shlex

from gfpbench.collapse.definition import CRITERIA
from gfpbench.collapse.measuring import axis_of
from gfpbench.collapse.record import Collapse


def collapse_lines(collapse: Collapse, *, report: str = "report") -> list[str]:
    """What a search found, for a terminal: the point with its interval, what it cost, and where to look."""
    asked = collapse.question
    lines = [f"{asked.restorer} on {asked.axis} ({asked.metric}): {verdict(collapse)}"]
    if collapse.fails:
        lines.append(f"  there: {'; '.join(CRITERIA[name].says for name in collapse.fails)}")
    if collapse.trained is not None:
        axis = axis_of(asked.axis)
        low, high = (f"{axis.value_at(severity):.4g}" for severity in collapse.trained)
        lines.append(f"  GFP-GAN's paper trains on {low} to {high} {collapse.unit}".rstrip())
    lines.append(
        f"  {collapse.restorations} restorations of {collapse.images} images; a grid of steps of 1/{asked.resolution} "
        f"takes {collapse.grid_restorations} ({collapse.saved:.1f} times as many)"
    )
    lines += [f"  {note}" for note in collapse.notes]
    lines.append(f"  worst faces: {worst_faces_command(collapse, report=report)}")
    return lines


def verdict(collapse: Collapse) -> str:
    """One sentence: where it collapses, in the axis's unit, and how surely."""
    unit = collapse.unit
    last = f"{axis_of(collapse.question.axis).value_at(1.0):.4g} {unit}"
    if collapse.kind == "at once":
        return "collapses at once: nowhere on the axis is it of use"
    if collapse.value is None:
        sure = "" if collapse.interval[0] >= 1 else f" (for other images perhaps from {collapse.value_interval[0]:.4g})"
        return f"does not collapse up to {last}{sure}"
    low, high = collapse.value_interval
    end = f"beyond {last}" if high is None else f"{high:.4g}"
    text = (
        f"collapses at {collapse.value:.4g} {unit} (95 % interval {low:.4g} to {end}; severity {collapse.severity:.3f})"
    )
    if collapse.kind == "not monotone" and collapse.recovers is not None:
        again = axis_of(collapse.question.axis).value_at(collapse.recovers)
        text += f", and is useful again at {again:.4g}: not monotone, one point does not describe it"
    return text


def worst_faces_command(collapse: Collapse, *, report: str = "report") -> str:
    """The command that measures the severity of the collapse (or the hardest one) and writes a report of its faces."""
    asked = collapse.question
    at = collapse.value if collapse.value is not None else collapse.steps[0 if collapse.kind == "at once" else -1].value
    words = ["gfpbench", "collapse", "--restorer", asked.restorer, "--axis", asked.axis, "--at", f"{at:.6g}"]
    words += ["--metric", asked.metric, "--faces", asked.faces, "--report", report]
    for option, value in (("--limit", asked.limit), ("--draws", asked.draws), ("--size", asked.size_px)):
        words += [option, str(value)] if value is not None else []
    words += ["--seed", str(asked.seed)] if asked.seed else []
    return shlex.join(words)
