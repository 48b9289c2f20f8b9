"""The gate section of the page: what changed, by how much, and in which images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gfpbench.baselines import FAILING, Comparison, MetricComparison
from gfpbench.baselines.speed_comparison import SpeedComparison
from gfpbench.report.formatting import decimals_for, plural, shown, with_note
from gfpbench.report.gate import Gate
from gfpbench.report.selection import FULL, Drawn
from gfpbench.report.speed import headline as speed_headline
from gfpbench.report.strips import Uris, images_of
from gfpbench.report.verdicts import headline
from gfpbench.types import Verdict, VerdictKind

WORST = 3
WITH_IMAGES = 20
"""The number of comparisons that show their images; a page of hundreds is not readable."""
OF_MANY = 5
"""The same on the page of a large table, where each image is drawn small."""
SMALL = Drawn(0, 256, 80)


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """One verdict as a row of text; empty texts where there is no number."""

    metric: str
    kind: VerdictKind
    change: str
    difference: str
    interval: str
    moved: str
    reason: str


@dataclass(frozen=True, slots=True)
class WorstImage:
    """One of the images that lost most: its score before and now, and images by what they show."""

    id: str
    scores: str
    images: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison as a block of the page."""

    case: str
    kind: VerdictKind
    passed: bool
    headline: str
    lines: tuple[VerdictLine, ...]
    likely: str
    notes: tuple[str, ...]
    command: str
    worst: tuple[WorstImage, ...]


@dataclass(frozen=True, slots=True)
class GateView:
    """Everything the page says of the gate."""

    changed: tuple[Compared, ...]
    same: tuple[str, ...]
    fact: str
    passed: bool
    paths: str


def gate_view(gate: Gate, stores: Sequence[Path], *, many: bool = False) -> GateView:
    """Comparisons that found something as blocks, the others by name; ``many``: on the page of a large table."""
    uris, at_most = Uris({}, SMALL if many else FULL), OF_MANY if many else WITH_IMAGES
    changed: list[Compared] = []
    for one in gate.comparisons:
        if one.kind != "same":
            changed.append(_quality(one, stores, gate.before, uris if len(changed) < at_most else None))
    changed += [_speed(one) for one in gate.speeds if one.kind != "same"]
    changed.sort(key=lambda block: block.passed)  # what failed comes first
    same = [one.case.id for one in gate.comparisons if one.kind == "same"]
    same += [f"{one.case.id}: {speed_headline(one)}" for one in gate.speeds if one.kind == "same"]
    failed = sum(not block.passed for block in changed)
    total = len(gate.comparisons) + len(gate.speeds)
    fact = f"{failed:,} of {total:,} not as the baseline" if failed else plural(total, "comparison") + " passed"
    return GateView(tuple(changed), tuple(same), fact, not failed, _paths(gate))


def _paths(gate: Gate) -> str:
    """Which path of the restorers the verdicts speak of, and which they cannot."""
    paths = list(dict.fromkeys(one.path for one in gate.comparisons if one.path))
    if not paths:
        return ""
    unseen = "a GPU's" if paths == ["the CPU"] else "the CPU's" if "the CPU" not in paths else "another device's"
    return (
        f"These verdicts speak of what was computed on {' and '.join(paths)}: a change on {unseen} own path "
        "(other kernels, half precision) cannot be seen here."
    )


def _quality(one: Comparison, stores: Sequence[Path], before: Sequence[Path], uris: Uris | None) -> Compared:
    metrics = {metric.metric: metric for metric in one.metrics}
    told = [verdict for verdict in one.verdicts if verdict.kind not in ("same", "alike")]
    return Compared(
        case=one.case.id,
        kind=one.kind,
        passed=one.passed,
        headline=headline(one),
        lines=tuple(_line(verdict, metrics.get(verdict.metric)) for verdict in told),
        likely=one.likely,
        notes=one.notes,
        command=one.command,
        worst=_worst(one, told, stores, before, uris) if uris is not None else (),
    )


def _line(verdict: Verdict, metric: MetricComparison | None) -> VerdictLine:
    if metric is None:
        return VerdictLine(verdict.metric, verdict.kind, "", "", "", "", verdict.reason)
    digits = _digits(metric)
    unit = f" {metric.unit}" if metric.unit else ""
    return VerdictLine(
        metric=metric.metric,
        kind=verdict.kind,
        change=" → ".join(
            with_note(value, digits, note)
            for value, note in zip((metric.expected, metric.got), metric.notes, strict=True)
        )
        + unit,
        difference=shown(metric.difference, digits),
        interval=f"{shown(metric.low, digits)} – {shown(metric.high, digits)}",
        moved=f"{metric.moved:,} of {metric.n:,}",
        reason=verdict.reason,
    )


def _worst(
    one: Comparison, told: Sequence[Verdict], stores: Sequence[Path], before: Sequence[Path], uris: Uris
) -> tuple[WorstImage, ...]:
    """The three images that lost most by the first metric that fails; where none does, those that verdicts name."""
    failing = [verdict for verdict in told if verdict.kind in FAILING]
    names = {verdict.metric for verdict in failing}
    metric = next((metric for metric in one.metrics if metric.metric in names and metric.worst), None)
    scores: dict[str, str] = {}
    if metric is not None:
        digits = _digits(metric)
        for change in metric.worst:
            pair = f"{shown(change.expected, digits)} → {shown(change.got, digits)}"
            scores[change.image] = f"{metric.metric} {pair}"
    for verdict in failing:
        if verdict.image is not None:
            scores.setdefault(verdict.image, verdict.metric)
    worst = list(scores.items())[:WORST]
    return tuple(WorstImage(image, said, _images(one, image, stores, before, uris)) for image, said in worst)


def _images(
    one: Comparison, image: str, stores: Sequence[Path], before: Sequence[Path], uris: Uris
) -> tuple[tuple[str, str], ...]:
    """Degraded, restored before and now, the truth: those that were kept, each with its label."""
    now = next((found for store in stores if (found := images_of(store, one.case.id, image))), {})
    old_stores = before or (stores if one.baseline_case.id != one.case.id else ())
    old = next((found for store in old_stores if (found := images_of(store, one.baseline_case.id, image))), {})
    paths = (
        ("degraded", now.get("degraded")),
        ("baseline", old.get("restored")),
        ("now", now.get("restored")),
        ("truth", now.get("truth")),
    )
    shown_ones = [(label, uris.of(path)) for label, path in paths]
    return tuple((label, uri) for label, uri in shown_ones if uri is not None)


def _speed(one: SpeedComparison) -> Compared:
    now, before = one.speed, one.baseline
    lines = []
    for verdict in one.verdicts:
        if verdict.kind == "same":
            continue
        change = difference = interval = ""
        if verdict.metric == "time":
            change = f"{before.ratio:.3g} → {now.ratio:.3g} references"
            difference, interval = f"{now.ratio - before.ratio:+.3g}", f"{now.low:.3g} – {now.high:.3g}"
        elif verdict.metric == "memory" and before.peak_mib is not None and now.peak_mib is not None:
            change = f"{before.peak_mib:.0f} → {now.peak_mib:.0f} MiB"
            difference = f"{now.peak_mib - before.peak_mib:+.0f}"
        lines.append(VerdictLine(verdict.metric, verdict.kind, change, difference, interval, "", verdict.reason))
    return Compared(
        one.case.id, one.kind, one.passed, speed_headline(one), tuple(lines), one.likely, one.notes, one.command, ()
    )


def _digits(metric: MetricComparison) -> int:
    return max(decimals_for([metric.expected, metric.got]), decimals_for([metric.difference]))
