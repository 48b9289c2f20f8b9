"""The speed of a restorer beside its baseline, as text."""

from __future__ import annotations

from collections.abc import Sequence

from gfpbench.baselines.speed_comparison import SpeedComparison
from gfpbench.report.formatting import markdown_text, printable
from gfpbench.speed import Speed

_NOTED = 4


def speed_lines(comparison: SpeedComparison) -> list[str]:
    """One line where nothing changed; otherwise what did, by how much, what it looks like and how to measure again.

    Plain text without colour; nothing in a name can drive the terminal.
    """
    lines = [f"{printable(comparison.case.id)}: {headline(comparison)}"]
    if comparison.kind == "same":
        return lines
    for verdict in comparison.verdicts:
        if verdict.kind != "same":
            numbers = _numbers(comparison, verdict.metric)
            lines.append(
                f"  {verdict.kind}: {printable(verdict.metric, 40)}: {numbers}{printable(verdict.reason, 300)}"
            )
    if comparison.likely:
        lines.append(f"  likely kind: {printable(comparison.likely)}")
    lines += [f"  differs: {printable(note, 200)}" for note in comparison.notes[:_NOTED]]
    lines.append(f"  measure again: {printable(comparison.command, 300)}")
    return lines


def headline(comparison: SpeedComparison) -> str:
    """The verdict and what was measured, in a line."""
    device = comparison.speed.environment.get("device_name", "unknown device")
    figures = f"{shown_speed(comparison.speed)}; {printable(device, 80)}"
    if comparison.stale:
        return f"faster or smaller than the baseline, which is stale; renew it with --baseline-update ({figures})"
    if comparison.passed:
        return f"speed as in the baseline ({figures})"
    failing = ", ".join(f"{verdict.metric} {verdict.kind}" for verdict in comparison.failures)
    return f"speed is not the baseline's any more: {failing} ({figures})"


def shown_speed(speed: Speed) -> str:
    """``24 ms an image, 14.3 [13.9, 14.6] references, 334 MiB``."""
    each = speed.seconds / speed.batch_size
    memory = "memory not measured" if speed.peak_mib is None else f"{speed.peak_mib:.0f} MiB"
    time = f"{each:.2g} s" if each >= 1 else f"{each * 1000:.3g} ms"
    return f"{time} an image, {speed.ratio:.3g} [{speed.low:.3g}, {speed.high:.3g}] references a call, {memory}"


def speed_markdown(comparisons: Sequence[SpeedComparison]) -> str:
    """The comparisons for a pull-request comment."""
    parts = []
    for comparison in comparisons:
        first, *rest = speed_lines(comparison)
        name, _, said = first.partition(": ")
        parts.append(f"- **{markdown_text(name)}**: {markdown_text(said, 300)}")
        parts += [f"  - {markdown_text(line.strip(), 300)}" for line in rest]
    return "\n".join(parts) + "\n" if parts else ""


def _numbers(comparison: SpeedComparison, what: str) -> str:
    now, before = comparison.speed, comparison.baseline
    if what == "time":
        return (
            f"{before.ratio:.3g} [{before.low:.3g}, {before.high:.3g}] -> "
            f"{now.ratio:.3g} [{now.low:.3g}, {now.high:.3g}] references a call: "
        )
    if what == "memory" and before.peak_mib is not None and now.peak_mib is not None:
        return f"{before.peak_mib:.0f} -> {now.peak_mib:.0f} MiB: "
    return ""
