"""Means by attribute of the faces (group, pose, occlusion), with intervals per group."""

from __future__ import annotations

from dataclasses import dataclass

from gfpbench.report.model import Column, Group, Line
from gfpbench.report.summary import measured
from gfpbench.statistics import interval_of, mean_of

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
        scores = [(column, measured(line.result, column.metric)) for column in group.columns]
        for attribute, values in categories(line).items():
            for value, ids in values.items():
                means = tuple(_mean(column, known, ids) for column, known in scores)
                lines.append(GroupLine(attribute, value, line.label, len(ids), means))
    return tuple(lines)


def _mean(column: Column, known: dict[str, float], ids: list[str]) -> GroupMean:
    values = [known[name] for name in ids if name in known]
    mean = mean_of(values, column.best)
    return GroupMean(column.metric, mean.value, interval_of(values, column.best), mean.n, mean.note)
