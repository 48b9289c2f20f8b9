"""Checks that two Results measured the same inputs: faces, drawn parameters and degraded images, image by image."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gfpbench.types import Json, Result, Row, any_scored

_NOT_OF_THE_MACHINE = frozenset({"gfpbench", "code_sha256", "python", "torch_threads"})
_NOT_RECORDED_BEFORE = frozenset({"rounding"})
_ANOTHER_MODEL = re.compile(r"(^|\.)(precision|[a-z_]*(weights|checkpoint|model|file|names)[a-z_]*sha256)$")
_EXACT = frozenset({"bicubic", "classical", "input", "outputs", "truth"})
_RELATIVE = 1e-9  # numbers drawn on another platform may differ in the last bit of a logarithm


@dataclass(frozen=True, slots=True)
class Changed:
    """One way in which what was measured changed, for all images that it concerns."""

    subject: str  # faces, degradation
    images: tuple[str, ...]  # of which the first is described
    reason: str

    @property
    def line(self) -> str:
        more = len(self.images) - 1
        return self.reason + (f" (and so in {more:,} more image{'s' * (more > 1)})" if more > 0 else "")


def environment_notes(result: Result, baseline: Result) -> list[str]:
    """What differs in versions, device and processor; empty on the machine of the baseline as it was."""
    return [
        f"{name}: {now!r}, baseline {before!r}"
        for name, before, now in _different(baseline.environment, result.environment)
        if name not in _NOT_OF_THE_MACHINE and not (name in _NOT_RECORDED_BEFORE and None in (before, now))
    ]


def code_note(result: Result, baseline: Result) -> list[str]:
    """One line where gfpbench's own code is not the baseline's."""
    now, before = (str(one.environment.get("code_sha256", "")) for one in (result, baseline))
    return [] if now == before else [f"gfpbench's code: {now[:8]}, baseline {before[:8]}"]


def model_notes(result: Result, baseline: Result) -> tuple[list[str], bool]:
    """What differs in the restorer's record, and whether it is another model: other weights, precision or name."""
    if result.case.restorer != baseline.case.restorer:
        return [f"restorer: {result.case.restorer}, baseline {baseline.case.restorer}"], True
    differs = list(_different(baseline.restorer, result.restorer))
    notes = [f"restorer's {name}: {_short(now)}, baseline {_short(before)}" for name, before, now in differs]
    return notes, any(_ANOTHER_MODEL.search(name) for name, _, _ in differs)


def path_of(result: Result) -> str:
    """Where a restorer computed, in words: a CPU and a GPU take different kernels, and a verdict on one says nothing of
    the other."""
    device = str(result.environment.get("device", "cpu"))
    return "the CPU" if device == "cpu" else str(result.environment.get("device_name") or device)


def sums_in_floats(record: Mapping[str, Json]) -> bool:
    """Whether a restorer may be a network, whose sums depend on their order. That no byte moved while the envelope was
    measured is then luck, and more so the fewer the images: other threads or kernels tip one some other day.

    Args:
        record: of the restorer; only those that are known to compute otherwise are not taken for a network.
    """
    return str(record.get("restorer", record.get("kind", ""))) not in _EXACT


def too_many_unreadable(result: Result, at_most: float) -> str:
    """One line where more than a share of the faces could not be read; empty where no more than that.

    Args:
        at_most: in [0, 1]; 0 allows none.
    """
    unread, total = result.unreadable, len(result.rows) + len(result.unreadable)
    if result.unreadable_share <= at_most:
        return ""
    return (
        f"{len(unread):,} of {total:,} faces cannot be read, and {at_most:.4g} of all may be (--max-unreadable): "
        f"{unread[0].subject}: {unread[0].reason}" + (f" (and {len(unread) - 1:,} more)" if len(unread) > 1 else "")
    )


def metrics_without_a_score(results: Sequence[Result]) -> tuple[str, ...]:
    """A line for each metric that could score no image in any of these Results, though it was given some: it is broken,
    or nothing here is what it measures. What lacks an asset or a truth, or larger images, is none of these."""
    lines = []
    for name in dict.fromkeys(name for result in results for name in result.metrics):
        said = [
            problem.reason.removeprefix(f"{name}: ")
            for result in results
            for problem in result.problems
            if problem.stage == "metric" and problem.reason.startswith(f"{name}: ")
        ]
        if said and not any(any_scored(result.rows, name) for result in results):
            more = f" (and {len(said) - 1:,} more)" if len(said) > 1 else ""
            lines.append(f"metric {name} could not score a single image: {said[0]}{more}")
    return tuple(lines)


def holds_scores(result: Result) -> bool:
    """Whether a Result holds a score of any image or of the whole set."""
    return bool(result.set_scores) or any_scored(result.rows)


def nothing_measured(baseline: Result) -> str:
    """One line where a Result holds neither a score nor a restored image, so that nothing can be compared with it.

    Beside it any Result would be better, as images that failed and do no longer are, or the same.
    """
    restored = [row for row in baseline.rows if row.failure is None]
    if holds_scores(baseline) or any(row.fingerprint.get("restored") for row in restored):
        return ""
    failed = next((row for row in baseline.rows if row.failure is not None), None)
    why = "no image has a score"
    if failed is not None:
        count = len(baseline.rows) - len(restored)
        why = f"{count:,} of {len(baseline.rows):,} restorations failed: {failed.id}: {failed.failure}"
    return f"the baseline of {baseline.case.id} holds no measured value ({why}): record it again"


def faces_changed(pairs: Sequence[tuple[Row, Row]]) -> Changed | None:
    """Images whose clean image is another one. ``pairs`` are (baseline, now)."""
    other = [now.id for before, now in pairs if before.face_sha256 != now.face_sha256 or before.size_px != now.size_px]
    if not other:
        return None
    return Changed("faces", tuple(other), f"image {other[0]} is another image than the baseline's")


def draws_changed(pairs: Sequence[tuple[Row, Row]]) -> Changed | None:
    """Images for which something else was drawn."""
    other: list[str] = []
    first = ""
    for before, now in pairs:
        if before.parameters == now.parameters:
            continue
        differs = list(_different(before.parameters, now.parameters))
        if differs and not other:
            drew = "; ".join(f"{name} {_short(got)}, baseline {_short(was)}" for name, was, got in differs[:3])
            first = f"the degradation changed: image {now.id} drew {drew}" + ("; ..." if len(differs) > 3 else "")
        other += [now.id] * bool(differs)
    return Changed("degradation", tuple(other), first) if other else None


def ranges_changed(result: Result, baseline: Result) -> Changed | None:
    """The degradation's description: its ranges, not its prose, nor the path that it is computed along."""
    differs = [
        (name, was, got)
        for name, was, got in _different(baseline.degradation, result.degradation)
        if name not in ("summary", "source", "path")
    ]
    if not differs:
        return None
    said = "; ".join(f"{name} {_short(got)}, baseline {_short(was)}" for name, was, got in differs[:3])
    return Changed("degradation", (), f"the degradation's description changed: {said}")


def _different(before: Mapping[str, Json], now: Mapping[str, Json], prefix: str = "") -> list[tuple[str, Json, Json]]:
    """Fields that differ, with dots in the names of nested ones: (name, before, now)."""
    found: list[tuple[str, Json, Json]] = []
    for key in sorted({*before, *now}):
        was, got = before.get(key), now.get(key)
        if isinstance(was, Mapping) and isinstance(got, Mapping):
            found += _different(was, got, f"{prefix}{key}.")
        elif not _equal(was, got):
            found.append((f"{prefix}{key}", was, got))
    return found


def _equal(one: Json, other: Json) -> bool:
    numbers = [value for value in (one, other) if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == 2:
        return math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=1e-12)
    return bool(one == other)


def _short(value: Json) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:16]}..."
