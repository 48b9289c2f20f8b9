"""A collapse search as a matplotlib chart: quality over severity, the collapse point and its interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gfpbench.collapse.measuring import axis_of
from gfpbench.collapse.text import verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gfpbench.collapse.record import Collapse, Step


def plot(found: Collapse, ax: Axes | None = None) -> Axes:
    """Draw the mean score of the restorations over severity, and where they collapse.

    The input is drawn beside them, the range that GFP-GAN's paper trains on is shaded, and the interval of the point
    runs to the end of the axis where its upper end lies beyond. The lower axis is in the unit of the degradation.

    Args:
        ax: where to draw; a new figure of pyplot, which a notebook displays, where None.

    Returns:
        The axes drawn on: ``plot(found).figure.savefig("collapse.svg")``.
    """
    if ax is None:
        from matplotlib import pyplot  # opens fonts; loaded by whoever draws

        _, ax = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    asked, axis = found.question, axis_of(found.question.axis)
    if found.trained is not None:
        ax.axvspan(*found.trained, color="tab:green", alpha=0.08, linewidth=0, label="trained on in GFP-GAN's paper")
    _curve(ax, [(step, step.given) for step in found.steps], "input", color="tab:gray", linestyle="--")
    if asked.restorer != "input":
        _curve(ax, [(step, step.restored) for step in found.steps], asked.restorer, color="tab:blue", marker="o")
    if found.severity is not None:
        low, high = found.interval
        end = 1.0 if high is None else high
        ax.axvspan(low, end, color="tab:red", alpha=0.15, linewidth=0, label="95 % interval")
        ax.axvline(found.severity, color="tab:red", label=f"collapses at {found.value:.4g} {found.unit}".rstrip())
    ticks = [step / 4 for step in range(5)]
    ax.set_xticks(ticks, [f"{axis.value_at(severity):.3g}" for severity in ticks])
    ax.set_xlim(0, 1)
    ax.set_xlabel(f"{asked.axis}, {found.unit}".rstrip(", "))
    ax.set_ylabel(f"{asked.metric}, {found.better} is better")
    ax.set_title(f"{asked.restorer}: {verdict(found)}", fontsize="medium", loc="left", wrap=True)
    ax.legend(fontsize="small")
    return ax


def _curve(ax: Axes, points: list[tuple[Step, float | None]], label: str, **style: Any) -> None:
    """A line through the steps that have a mean; the others are gaps."""
    severities = [step.severity for step, _ in points]
    means = [math.nan if value is None else value for _, value in points]
    ax.plot(severities, means, label=label, **style)
