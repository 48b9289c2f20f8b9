"""What an explanation says on one set of faces, what holds on every set, and what depends on the faces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gfpbench.explain.pipeline import Loaded, names
from gfpbench.explain.ranking import Finding
from gfpbench.types import BadInput


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found.

    Args:
        published: the figures that were explained.
        described: the same, measured as the paper describes.
        findings: single hypotheses, nearest first.
        combined: pairs, nearest first; empty where a single one reaches the row.
        untested: hypothesis or figure -> why it could not be measured.
        faces, count, size_px: what it was measured on; None for faces of several sizes.
    """

    published: Mapping[str, float]
    described: Finding
    findings: tuple[Finding, ...]
    combined: tuple[Finding, ...]
    untested: Mapping[str, str]
    faces: str
    count: int
    size_px: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Across:
    """One hypothesis, or two together, on every set of faces.

    Args:
        names: of the hypotheses; none for the row as described.
        findings: one for each set, in the order of the sets.
        reordered: the names of those that lie surely nearer to the row than this one on one set and surely farther on
            another. Surely: the two 95 % intervals over faces do not touch.
    """

    names: tuple[str, ...]
    findings: tuple[Finding, ...]
    reordered: tuple[tuple[str, ...], ...] = ()

    @property
    def distance(self) -> float:
        """On the set where it is farthest from the row: what holds on all of them."""
        return max(one.distance for one in self.findings)

    @property
    def interval(self) -> tuple[float, float]:
        """Of the worst distance: no lower than any set's lower bound, no higher than the highest upper one."""
        return max(one.distance_low for one in self.findings), max(one.distance_high for one in self.findings)

    @property
    def reaches(self) -> bool:
        """Whether it reaches the row on every set."""
        return all(one.reaches for one in self.findings)

    @property
    def reach_depends(self) -> bool:
        """Whether it reaches the row on one set and not on another."""
        return len({one.reaches for one in self.findings}) > 1

    def spread(self, figure: str) -> tuple[float, float]:
        """The lowest and the highest mean of a figure over the sets."""
        means = [one.figures[figure].mean for one in self.findings]
        return min(means), max(means)


@dataclass(frozen=True, slots=True)
class OverSets:
    """The same hypotheses on several sets of faces.

    Args:
        explanations: one for each set, each ranked by its own faces.
        described: the row as the paper describes it.
        findings: what was measured on every set, that with the nearest worst distance first.
        combined: pairs, likewise.
    """

    explanations: tuple[Explanation, ...]
    described: Across
    findings: tuple[Across, ...]
    combined: tuple[Across, ...]


def over_sets(
    explanations: tuple[Explanation, ...],
    described: Sequence[Finding | None],
    singles: Iterable[Sequence[Finding | None]],
    combined: Iterable[Sequence[Finding | None]],
) -> OverSets:
    """Put the sets side by side. Each row has one finding for each set; rows that lack one are no part of it."""
    return OverSets(explanations, _across([described])[0], _across(singles), _across(combined))


def _across(rows: Iterable[Sequence[Finding | None]]) -> tuple[Across, ...]:
    complete = [tuple(one for one in row if one is not None) for row in rows if None not in row]
    found = [
        Across(row[0].names, row, tuple(other[0].names for other in complete if _reordered(row, other)))
        for row in complete
    ]
    return tuple(sorted(found, key=lambda one: one.distance))


def _reordered(one: Sequence[Finding], other: Sequence[Finding]) -> bool:
    pairs = list(zip(one, other, strict=True))
    nearer = any(a.distance_high < b.distance_low for a, b in pairs)
    farther = any(a.distance_low > b.distance_high for a, b in pairs)
    return nearer and farther


def ranked(findings: Iterable[Finding | None]) -> tuple[Finding, ...]:
    """Those that were measured, nearest first."""
    return tuple(sorted((one for one in findings if one is not None), key=lambda one: one.distance))


def refuse_shared(labels: Sequence[str], sets: Sequence[Loaded]) -> None:
    """Raises BadInput where two sets share a face: what holds on both would be one observation, counted twice."""
    seen: dict[bytes, tuple[int, str]] = {}
    for number, loaded in enumerate(sets):
        for face in loaded.faces:
            at, other = seen.setdefault(face.pixels.numpy().tobytes(), (number, face.ids[0]))
            if at != number:
                raise BadInput(
                    f"faces {labels[number]!r}: {face.ids[0]!r} is {other!r} of {labels[at]!r}; give sets that share "
                    "no face"
                )


def conclusions(found: OverSets) -> list[str]:
    """What can be said, a sentence each: which hypotheses reach the row, which is nearest, and where that depends on
    the faces."""
    labels = [one.faces for one in found.explanations]
    rows = (found.described, *found.findings, *found.combined)
    told = [f"{_title(row)} reaches the row on every set" for row in rows if row.reaches]
    for row in rows:
        if row.reach_depends:
            on = [label for label, one in zip(labels, row.findings, strict=True) if one.reaches]
            off = [label for label, one in zip(labels, row.findings, strict=True) if not one.reaches]
            told.append(f"{_title(row)} reaches the row on {_and(on)}, not on {_and(off)}: depends on the faces")
    if not any(one.reaches for row in rows for one in row.findings):
        told.append("nothing tried reaches the row on any set")
    elif not any(row.reaches for row in rows):
        told.append("nothing tried reaches the row on every set")
    for rows, kind in ((found.findings, "alone"), (found.combined, "of two together")):
        if rows:
            told.append(_nearest(labels, rows, kind))
    return told


def _nearest(labels: Sequence[str], rows: Sequence[Across], kind: str) -> str:
    firsts = [min(rows, key=lambda row: row.findings[place].distance) for place in range(len(labels))]
    if len({row.names for row in firsts}) == 1:
        return f"nearest {kind} on every set: {_title(firsts[0])}"
    where = ", ".join(f"{_title(row)} on {label}" for label, row in zip(labels, firsts, strict=True))
    sure = any(other.names in row.reordered for row in firsts for other in firsts)
    why = "depends on the faces" if sure else "their intervals do not tell these apart"
    return f"nearest {kind}: {where}: {why}; by the worst set {_title(rows[0])}"


def _title(row: Across) -> str:
    return names(row.names) or "as described"


def _and(labels: Sequence[str]) -> str:
    return " and ".join(labels)
