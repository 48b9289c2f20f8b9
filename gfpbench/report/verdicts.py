"""A comparison with a baseline as text: what failed and why, and the table of all metrics."""

from __future__ import annotations

from collections.abc import Sequence

from gfpbench.baselines import FAILING, Comparison, MetricComparison
from gfpbench.baselines.comparison import ALONG_ANOTHER_PATH, NOT_COMPARED
from gfpbench.report.formatting import decimals_for, markdown_text, plural, printable, shown, with_note
from gfpbench.types import Verdict

_NOTED = 4


def comparison_lines(comparison: Comparison) -> list[str]:
    """One line where nothing changed, and one for each metric left out and for inputs made along another path;
    otherwise what did and how to see it.

    Of a change: how much, in which images, and what it looks like.

    Plain text without colour; nothing in a name can drive the terminal.
    """
    head = f"{printable(comparison.case.id)}: {headline(comparison)}"
    if comparison.kind in ("same", "alike"):
        told = (note for note in comparison.notes if note.startswith((NOT_COMPARED, ALONG_ANOTHER_PATH)))
        return [head, *(f"  {printable(note, 200)}" for note in told)]
    lines = [head]
    metrics = {metric.metric: metric for metric in comparison.metrics}
    for verdict in comparison.verdicts:
        if verdict.kind not in ("same", "alike"):
            lines.append(f"  {verdict.kind}: {_verdict_text(verdict, metrics.get(verdict.metric))}")
    if comparison.likely:
        lines.append(f"  likely kind: {printable(comparison.likely)}")
    for note in comparison.notes[:_NOTED]:
        lines.append(f"  differs: {printable(note, 200)}")
    if len(comparison.notes) > _NOTED:
        lines.append(f"  differs: and {plural(len(comparison.notes) - _NOTED, 'more field')}")
    lines.append(f"  see the images: {printable(comparison.command)}")
    return lines


def comparison_table(comparison: Comparison) -> list[list[str]]:
    """Rows of text for a table: metric, baseline, now, difference, interval, p, images that moved, verdict."""
    rows = [["metric", "baseline", "now", "difference", "95 % interval", "p", "moved", "verdict"]]
    for metric in comparison.metrics:
        digits = max(decimals_for([metric.expected, metric.got]), decimals_for([metric.difference]))
        rows.append(
            [
                printable(metric.metric, 60),
                with_note(metric.expected, digits, metric.notes[0]),
                with_note(metric.got, digits, metric.notes[1]),
                shown(metric.difference, digits),
                f"[{shown(metric.low, digits)}, {shown(metric.high, digits)}]",
                f"{metric.p_value:.2g}",
                f"{metric.moved:,} of {metric.n:,}",
                metric.kind,
            ]
        )
    return rows


def comparison_markdown(comparisons: Sequence[Comparison]) -> str:
    """The comparisons for a pull-request comment: one line for each case, the findings below those that failed."""
    parts = []
    for comparison in comparisons:
        parts.append(f"- **{markdown_text(comparison.case.id)}**: {markdown_text(headline(comparison))}")
        if comparison.kind != "same":
            parts += [f"  - {markdown_text(line.strip(), 300)}" for line in comparison_lines(comparison)[1:]]
    return "\n".join(parts) + "\n" if parts else ""


def headline(comparison: Comparison) -> str:
    """The verdict in a few words, with what was compared."""
    if comparison.vanished:
        return "missing: measured for the baseline and not in the new results"
    over = f"{plural(comparison.images, 'image')}, {plural(len(comparison.metrics), 'metric')}"
    over += f", on {printable(comparison.path, 60)}" if comparison.path else ""
    if comparison.stale:
        return f"better than the baseline, which is stale ({over}); renew it with --baseline-update"
    if comparison.passed and not comparison.same_model:
        return f"{_of_another_model(comparison)} ({over})"
    if comparison.passed:
        return f"same as the baseline ({over})"
    kinds = [kind for kind in FAILING if any(verdict.kind == kind for verdict in comparison.failures)]
    return f"not the baseline any more: {', '.join(kinds)} ({over} compared)"


def _of_another_model(comparison: Comparison) -> str:
    """What was found of other weights or another restorer that passes: never that it is the same."""
    said = [verdict.reason for verdict in comparison.verdicts if verdict.metric == "images"]
    if said:
        return said[0]
    renamed = comparison.case.restorer != comparison.baseline_case.restorer
    return f"another {'model' if renamed else 'file'}, as good as the baseline as far as these images tell"


def _verdict_text(verdict: Verdict, metric: MetricComparison | None) -> str:
    reason = printable(verdict.reason, 300)
    if metric is None:
        return f"{printable(verdict.metric, 40)}: {reason}"
    digits = max(decimals_for([metric.expected, metric.got]), decimals_for([metric.difference]))
    unit = f" {printable(metric.unit, 40)}" if metric.unit else ""
    said = (
        f"{printable(metric.metric, 60)} {with_note(metric.expected, digits, metric.notes[0])} -> "
        f"{with_note(metric.got, digits, metric.notes[1])}{unit}, "
        f"by {shown(metric.difference, digits)} [{shown(metric.low, digits)}, {shown(metric.high, digits)}], "
        f"p {metric.p_value:.2g}: {reason}"
    )
    worst = [
        f"{printable(change.image, 60)} {shown(change.expected, digits)} -> {shown(change.got, digits)}"
        for change in metric.worst
    ]
    return said + (f"; worst: {', '.join(worst)}" if worst else "")
