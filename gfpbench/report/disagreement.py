"""Where no-reference scores and identity disagree in rank: over restorers, over images, and the faces themselves.

A restorer that draws a sharp face of somebody else gains in every score that looks at no other image. A table of such
scores alone rewards it; beside the angle between identities it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gfpbench.report.formatting import plural, shown
from gfpbench.report.model import Column, Group, is_identity
from gfpbench.report.strips import Strip, Strips
from gfpbench.report.summary import measured
from gfpbench.statistics import Floats, Interval, over_images, over_rows, people_of

ENOUGH_RESTORERS, ENOUGH_IMAGES = 4, 8
"""Of fewer, an order says nothing."""
SHOWN = 6


@dataclass(frozen=True, slots=True)
class Agreement:
    """One rank correlation between a no-reference metric and an identity metric, both turned so that higher is better.

    ``over`` says what is ranked: the restorers, or the images of one restorer. ``says`` is ``disagree`` or ``agree``
    where the interval is clear of 0, else empty.
    """

    metric: str
    identity: str
    over: str
    correlation: str
    interval: str
    says: str


@dataclass(frozen=True, slots=True)
class Against:
    """One face that the no-reference metric ranks high and the identity metric low, of all restored images."""

    face: str
    restorer: str
    metric: str
    identity: str
    score: str
    identity_score: str
    ranks: str
    images: tuple[tuple[str, str], ...]  # label, data URI


@dataclass(frozen=True, slots=True)
class Disagreement:
    rows: tuple[Agreement, ...]
    faces: tuple[Against, ...]
    note: str


def disagreement_of(group: Group, strips: Strips) -> Disagreement | None:
    """The panel of one table; None where it has no pair of such metrics, or too few restorers and images for a rank."""
    free = [column for column in group.columns if _needs_nothing(column)]
    identities = [column for column in group.columns if is_identity(column.metric) and column.better]
    rows: list[Agreement] = []
    candidates: list[tuple[float, Against]] = []
    kept = {strip.id: strip for strip in strips.strips}
    for column in free:
        for identity in identities:
            rows += _agreements(group, column, identity)
            candidates += _faces(group, column, identity, kept)
    if not rows:
        return None
    faces: dict[str, Against] = {}
    for _, one in sorted(candidates, key=lambda item: (-item[0], item[1].face, item[1].restorer)):
        if len(faces) < SHOWN:
            faces.setdefault(one.face, one)
    note = (
        f"The {plural(len(faces), 'face')} that lie farthest apart, of those whose images were kept." if faces else ""
    )
    return Disagreement(tuple(rows), tuple(faces.values()), note)


def _needs_nothing(column: Column) -> bool:
    definition = column.definition
    return column.better is not None and definition.get("needs_truth") is False and not definition.get("needs_input")


def _scores(group: Group, column: Column) -> dict[str, dict[str, float]]:
    """Row -> image -> finite score, turned so that higher is better; of the restorers alone."""
    sign = 1.0 if column.better == "higher" else -1.0
    return {
        line.label: {
            name: sign * value for name, value in measured(line.result, column.metric).items() if _finite(value)
        }
        for line in group.restorers
    }


def _finite(value: float) -> bool:
    return bool(np.isfinite(value))


def _agreements(group: Group, column: Column, identity: Column) -> list[Agreement]:
    scores, angles = _scores(group, column), _scores(group, identity)
    found = []
    both = {label: [name for name in scores[label] if name in angles[label]] for label in scores}
    everywhere = [name for name in group.image_ids if all(name in names for names in map(set, both.values()))]
    if len(both) >= ENOUGH_RESTORERS and len(everywhere) >= ENOUGH_IMAGES:
        tables = [np.array([[one[label][name] for name in everywhere] for label in both]) for one in (scores, angles)]
        counted = f"{plural(len(both), 'restorer')}, means of {plural(len(everywhere), 'image')}"
        found += _agreement(column, identity, counted, over_rows(tables[0], tables[1]))
    for line in group.restorers:
        names = both[line.label]
        if len(names) < ENOUGH_IMAGES:
            continue
        people = people_of(line.result)
        pair: list[Floats] = [np.array([one[line.label][name] for name in names]) for one in (scores, angles)]
        interval = over_images(pair[0], pair[1], [people[name] for name in names])
        found += _agreement(column, identity, f"{plural(len(names), 'image')} of {line.label}", interval)
    return found


def _agreement(column: Column, identity: Column, over: str, interval: Interval | None) -> list[Agreement]:
    if interval is None:
        return []
    says = "disagree" if interval.high < 0 else "agree" if interval.low > 0 else ""
    text = f"{interval.low:+.2f} – {interval.high:+.2f}"
    return [Agreement(column.metric, identity.metric, over, f"{interval.mean:+.2f}", text, says)]


def _faces(group: Group, column: Column, identity: Column, kept: Mapping[str, Strip]) -> list[tuple[float, Against]]:
    """Every kept restored image with how far its two places lie apart, as shares of all restored images."""
    scores, angles = _scores(group, column), _scores(group, identity)
    cells = [(label, name) for label, one in scores.items() for name in one if name in angles[label]]
    if len({name for _, name in cells}) < ENOUGH_IMAGES:
        return []
    places = [_places([one[label][name] for label, name in cells]) for one in (scores, angles)]
    found = []
    for (label, name), quality, likeness in zip(cells, *places, strict=True):
        strip = kept.get(name)
        images = () if strip is None else _images(strip, label)
        if quality <= likeness or not images:
            continue
        sign = [1.0 if one.better == "higher" else -1.0 for one in (column, identity)]
        found.append(
            (
                quality - likeness,
                Against(
                    name,
                    label,
                    column.metric,
                    identity.metric,
                    shown(sign[0] * scores[label][name], column.decimals),
                    shown(sign[1] * angles[label][name], identity.decimals),
                    f"better than {quality:.0%} by {column.metric}, than {likeness:.0%} by {identity.metric}",
                    images,
                ),
            )
        )
    return found


def _places(values: list[float]) -> list[float]:
    """Of each value, the share of the others that are lower."""
    ordered = np.sort(np.array(values))
    return [float(place) / max(1, len(values) - 1) for place in np.searchsorted(ordered, values, side="left")]


def _images(strip: Strip, label: str) -> tuple[tuple[str, str], ...]:
    """The input, what one restorer made of it, and the truth where there is one; empty where these were not kept."""
    found = [image for image in strip.images if image.kind != "restored" or image.restorer == label]
    shown_ones = tuple((image.label, image.uri) for image in found if image.uri is not None)
    return shown_ones if any(image.kind == "restored" and image.uri for image in found) else ()
