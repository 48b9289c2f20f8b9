"""Tables beside the summary: whole sets, one restoration under several protocols, challenges, means by attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gfpbench.claims import Standing, standing
from gfpbench.metrics.protocols import PROTOCOLS, differences
from gfpbench.report.formatting import BLANK, decimals_for, printable, shown, with_note
from gfpbench.report.model import Column, Group, Line
from gfpbench.report.summary import measured
from gfpbench.statistics import interval_of, mean_of, people_of, prepare_intervals
from gfpbench.types import Json

SAME_QUANTITY = {
    "PSNR-Y": "PSNR",
    "PSNRY": "PSNR",
    "SSIM-Y": "SSIM",
    "LPIPS [0, 1]": "LPIPS",
    "IDD": "DEG",
    "IDS": "DEG",
}
"""What sources call a quantity that others know by another name; letters large and small are one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One protocol's figure: ``PSNR @ vqfr``; ``gap`` names the steps in which it differs from the first of its row."""

    name: str
    metric: str
    value: str
    gap: str


@dataclass(frozen=True, slots=True)
class SideBySide:
    """All figures of one quantity for one restorer; the first is the one the others are explained against."""

    quantity: str
    restorer: str
    unit: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class SetLine:
    """A number of a whole set for one row of the table: its value, interval, size and caveats."""

    metric: str
    arrow: str
    label: str
    value: str
    interval: str
    counted: str
    extrapolated: str
    note: str
    record: Mapping[str, Json]


def set_lines(group: Group) -> tuple[SetLine, ...]:
    """Every set score of a table, metric by metric, in the order of its rows; empty where none was measured."""
    names = dict.fromkeys(name for line in group.lines for name in line.result.set_scores)
    return tuple(
        _set_line(name, line, line.result.set_scores[name])
        for name in names
        for line in group.lines
        if name in line.result.set_scores
    )


def _set_line(metric: str, line: Line, score: Mapping[str, Json]) -> SetLine:
    decimals = decimals_for([score["value"]])
    both = score.get("low") is not None and score.get("high") is not None
    return SetLine(
        metric=metric,
        arrow={"higher": "↑", "lower": "↓"}.get(score.get("better", ""), ""),
        label=line.label,
        value=shown(score["value"], decimals),
        interval=f"{shown(score['low'], decimals)} – {shown(score['high'], decimals)}" if both else "",
        counted=f"{score['n']:,} against {score['n_reference']:,}",
        extrapolated=BLANK if score.get("extrapolated") is None else shown(score["extrapolated"], decimals),
        note=str(score.get("note", "") or ""),
        record=score,
    )


def side_by_side(group: Group) -> tuple[SideBySide, ...]:
    """For each restorer and each quantity that two protocols measure by different metrics: all of its figures.

    A quantity that every protocol computes alike is left out: there is no gap to explain.
    """
    found = []
    for line in group.restorers:
        if len(line.result.protocols) < 2:
            continue
        quantities: dict[str, list[tuple[str, str]]] = {}
        for protocol, figures in line.result.protocols.items():
            for figure, metric in figures.items():
                quantity = SAME_QUANTITY.get(figure.upper(), figure.upper())
                quantities.setdefault(quantity, []).append((f"{figure} @ {protocol}", metric))
        for quantity, named in quantities.items():
            if len({metric for _, metric in named}) > 1:
                found.append(_side_by_side(quantity, line, named))
    return tuple(found)


def standings(group: Group) -> tuple[Standing, ...]:
    """Of each restorer under each protocol of a challenge that it was measured under; the ground truth has none."""
    return tuple(
        standing(PROTOCOLS[name], line.result)
        for line in group.lines
        for name in line.result.protocols
        if line.role != "truth" and name in PROTOCOLS and PROTOCOLS[name].challenge is not None
    )


def _side_by_side(quantity: str, line: Line, named: list[tuple[str, str]]) -> SideBySide:
    values = {metric: value_of(line, metric) for _, metric in named}
    notes = {cell.metric: cell.note for cell in line.cells}
    # Explained against the first that has a value: a gap to nothing says nothing.
    first = next((metric for _, metric in named if values[metric] is not None), named[0][1])
    decimals = decimals_for([value for value in values.values() if value is not None])
    units = {str(line.result.metrics[metric].get("unit", "")) for metric in values if metric in line.result.metrics}
    return SideBySide(
        quantity,
        line.label,
        units.pop() if len(units) == 1 else "",
        tuple(
            Entry(name, metric, with_note(values[metric], decimals, notes.get(metric, "")), gap(first, metric))
            for name, metric in named
        ),
    )


def value_of(line: Line, metric: str) -> float | None:
    """A metric's mean over faces, or the score of the whole set; None where it was not measured."""
    cell = next((cell for cell in line.cells if cell.metric == metric), None)
    if cell is not None:
        return cell.mean
    score = line.result.set_scores.get(metric)
    return None if score is None else float(score["value"])


def gap(first: str, other: str) -> str:
    """The steps that set one metric apart from another, in words; empty for the same metric."""
    if first == other:
        return ""
    steps = differences(first, other)
    return "; ".join(f"{step}: {there} instead of {here}" for step, (here, there) in steps.items()) or "another metric"


ATTRIBUTES_AT_MOST = 6
VALUES = range(2, 9)
"""How many different values an attribute must have to split a table: one splits nothing, many are names."""


@dataclass(frozen=True, slots=True)
class GroupMean:
    """The mean of one metric over the faces of one group."""

    metric: str
    mean: float | None
    interval: tuple[float, float] | None
    n: int
    note: str = ""  # how many are identical and not in the mean


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One group of faces for one restorer: ``pose = profile``, its means in the order of the table's columns."""

    attribute: str
    value: str
    label: str
    faces: int
    means: tuple[GroupMean, ...]


def categories(line: Line) -> dict[str, dict[str, list[str]]]:
    """Attributes that split the faces of a row: attribute -> value -> image ids.

    Text and yes/no only; two to eight different values, at least two faces in one of them. At most six attributes,
    by name.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for row in line.result.rows:
        for attribute, value in row.attributes.items():
            if isinstance(value, str | bool):
                text = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
                found.setdefault(attribute, {}).setdefault(str(text), []).append(row.id)
    kept = {
        attribute: dict(sorted(values.items()))
        for attribute, values in sorted(found.items())
        if len(values) in VALUES and max(map(len, values.values())) > 1
    }
    return dict(list(kept.items())[:ATTRIBUTES_AT_MOST])


def group_lines(group: Group) -> tuple[GroupLine, ...]:
    """Every group of every restorer; empty where nothing splits the faces. Groups of one face have no interval."""
    lines = []
    for line in group.restorers:
        people = people_of(line.result)
        scores = [(column, measured(line.result, column.metric)) for column in group.columns]
        for attribute, values in categories(line).items():
            for value, ids in values.items():
                prepare_intervals(
                    ([known[name] for name in ids if name in known], column.best) for column, known in scores
                )
                means = tuple(_mean(column, known, ids, people) for column, known in scores)
                lines.append(GroupLine(attribute, value, line.label, len(ids), means))
    return tuple(lines)


def _mean(column: Column, known: dict[str, float], ids: list[str], people: Mapping[str, str]) -> GroupMean:
    scored = [name for name in ids if name in known]
    values = [known[name] for name in scored]
    mean = mean_of(values, column.best)
    interval = interval_of(values, column.best, [people[name] for name in scored])
    return GroupMean(column.metric, mean.value, interval, mean.n, mean.note)


def missing_lines(challenges: Sequence[Standing]) -> list[str]:
    """What the scores of a challenge lack: once what all restorers lack, the rest with the restorer's name."""
    said = [one.lines[1:] for one in challenges]
    shared = {line for line in said[0] if all(line in other for other in said)} if said else set()
    return list(
        dict.fromkeys(
            f"  {printable(line, 300)}"
            if line in shared
            else f"    {printable(one.restorer, 40)}: {printable(line.strip(), 300)}"
            for one in challenges
            for line in one.lines[1:]
        )
    )
