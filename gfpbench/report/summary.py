"""The summary table computed: who was measured on what, each mean with its interval, and what is missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gfpbench.metrics import ITSELF_REASON, METRICS
from gfpbench.metrics.figure_identity import has_identity, unlike
from gfpbench.report.formatting import decimals_for, plural
from gfpbench.report.model import Cell, Column, Gain, Group, Line, Role, Summary
from gfpbench.run.recorder import MANY
from gfpbench.statistics import (
    best_of,
    bootstrap_mean,
    interval_of,
    is_identical,
    mean_of,
    people_of,
    prepare_intervals,
)
from gfpbench.types import BadInput, Better, Case, Json, Problem, Result, Row

SIGNS: Mapping[Better | None, float] = {"higher": 1.0, "lower": -1.0, None: 0.0}
LABELS = {"input": "input (degraded)", "truth": "ground truth"}


def measured(result: Result, metric: str) -> dict[str, float]:
    """The faces that count in a mean: restored without failure, and with a value. Everything else is left out."""
    values = {}
    for row in result.rows:
        value = row.scores.get(metric) if row.failure is None else None
        if value is not None and value == value:  # NaN equals nothing
            values[row.id] = float(value)
    return values


def gain_over(
    values: Mapping[str, float],
    reference: Mapping[str, float],
    better: Better | None,
    people: Mapping[str, str] | None = None,
) -> Gain | None:
    """Compare two rows face by face, matched by name; None where they share no finite pair or no direction is known.

    Every pair can be won or lost, infinite ones too; the mean gain is over the pairs of two finite scores, its interval
    over people where it is told whose image each is.
    """
    shared = [name for name in values if name in reference]
    pairs = [(values[name], reference[name]) for name in shared]
    sign = SIGNS[better]
    gained = _gains(values, reference, better)
    finite, gains = [*gained], [*gained.values()]
    if not gains or not sign:
        return None
    whole = bootstrap_mean(gains, people=None if people is None else [people[name] for name in finite])
    wins, losses = (sum(side * sign * got > side * sign * was for got, was in pairs) for side in (1, -1))
    return Gain(whole.mean, whole.low, whole.high, wins, losses, len(pairs))


def _gains(values: Mapping[str, float], reference: Mapping[str, float], better: Better | None) -> dict[str, float]:
    """What each image gains over the reference, of those with two finite scores."""
    sign, finite = SIGNS[better], math.isfinite
    return {
        name: sign * (value - reference[name])
        for name, value in values.items()
        if name in reference and finite(value) and finite(reference[name])
    }


def best_lines(rows: Mapping[str, Mapping[str, float]], better: Better | None, best: float | None = None) -> set[str]:
    """Keys of the best rows, ties included; a single row is never best, nor any where the direction is unknown.

    Args:
        rows: key -> image -> score; all of the same images.
        better: the direction of the metric.
        best: the score of equal images. Of two rows, the one with the better mean over the images that neither restored
            identically is ahead, unless the other has identical images that it lacks: such rows have no order.
    """
    if len(rows) < 2 or better is None:
        return set()

    def is_not_behind(one: str, other: str) -> bool:
        mine, theirs = (
            {name for name, value in rows[key].items() if is_identical(value, best)} for key in (one, other)
        )
        if not mine >= theirs:
            return False
        means = [mean_of([v for name, v in rows[key].items() if name not in mine]).value for key in (one, other)]
        if means[0] is None or means[1] is None:  # every image is identical in the first, or there is no mean
            return not set(rows[one]) - mine
        return means[0] >= means[1] if better == "higher" else means[0] <= means[1]

    return {one for one in rows if all(is_not_behind(one, other) for other in rows if other != one)}


def _role(result: Result) -> Role:
    name = result.case.restorer
    return "input" if name == "input" else "truth" if name == "truth" else "restorer"


def _definitions(results: Sequence[Result]) -> dict[str, Mapping[str, Json]]:
    found: dict[str, Mapping[str, Json]] = {}
    for result in results:
        names = [*result.metrics, *(name for row in result.rows for name in row.scores)]
        for name in dict.fromkeys(names):
            definition = result.metrics.get(name, {})
            known = found.setdefault(name, definition)
            if definition and known and definition.get("better") != known.get("better"):
                raise BadInput(
                    f"{result.case.id}: the results disagree about which way {name} is better: measure them again alike"
                )
            found[name] = known or definition
    return dict(sorted(found.items(), key=lambda item: _place(item[0])))


def _place(metric: str) -> tuple[int, str]:
    """Columns stand in the order of the metric table, each family together; metrics from elsewhere follow by name."""
    families = list(dict.fromkeys(name.split("_")[0] for name in METRICS))
    family = metric.split("_")[0]
    return families.index(family) if family in families else len(families), metric


def _column(metric: str, definition: Mapping[str, Json], means: Sequence[float]) -> Column:
    better = definition.get("better")
    return Column(
        metric=metric,
        unit=str(definition.get("unit", "") or ""),
        better=better if better in ("higher", "lower") else None,
        best=definition.get("best"),
        source=str(definition.get("source", "") or ""),
        definition=definition,
        decimals=decimals_for(means),
    )


def _check_names(result: Result) -> None:
    if len(set(result.image_ids)) != len(result.rows):
        twice = sorted(name for name, count in Counter(result.image_ids).items() if count > 1)
        raise BadInput(
            f"{result.case.id}: the result names {twice[0]!r} twice; pairs are matched by name, so make names distinct"
        )


def _warnings(results: Sequence[Result]) -> tuple[str, ...]:
    """Faces that differ, or were degraded differently, under one name: their rows do not compare."""
    seen: dict[str, tuple[str, Row]] = {}
    unalike: dict[str, list[str]] = {}
    for result in results:
        for row in result.rows:
            first, known = seen.setdefault(row.id, (result.case.id, row))
            same_face = known.face_sha256 == row.face_sha256
            # The ground truth is never degraded, so a run may keep no parameters for it.
            same_draw = _role(result) == "truth" or known.parameters == row.parameters
            if not (same_face and same_draw):
                what = "degraded differently" if same_face else "a different image"
                unalike.setdefault(f"{result.case.id} and {first} do not compare: {what} under one name", []).append(
                    row.id
                )
    found = [f"{text} for {plural(len(ids), 'image')} (first: {ids[0]})" for text, ids in unalike.items()]
    return (*found, *other_metrics(results).values())


def other_metrics(results: Sequence[Result]) -> dict[str, str]:
    """Metrics of which two Results hold figures of unlike identity, with a line that says what differs."""
    found: dict[str, str] = {}
    first: dict[str, Result] = {}
    for result in results:
        for name, record in {**result.metrics, **result.set_scores}.items():
            if not has_identity(record):
                continue
            known = first.setdefault(name, result)
            if name not in found and (differs := unlike(record, {**known.metrics, **known.set_scores}[name])):
                found[name] = f"{name} of {result.named} and of {known.named} do not compare: {differs}"
    return found


def _labels(results: Sequence[Result]) -> list[str]:
    """What each row is called. Two Results of one case are told apart by their labels, else by the code that measured
    them; where neither differs, they are numbered."""
    bare = [
        LABELS.get(one.case.restorer, one.case.restorer) if one.case.has_truth else one.case.restorer for one in results
    ]
    codes: dict[str, set[str]] = {}
    for name, one in zip(bare, results, strict=True):
        codes.setdefault(name, set()).add(str(one.environment.get("code_sha256", ""))[:8])
    labels: list[str] = []
    for name, one in zip(bare, results, strict=True):
        code = str(one.environment.get("code_sha256", ""))[:8]
        of = one.label or (f"code {code or 'unknown'}" if len(codes[name]) > 1 else "")
        label = first = f"{name} ({of})" if of else name
        count = 1
        while label in labels:
            count += 1
            label = f"{first} ({count})"
        labels.append(label)
    return labels


def _group(results: Sequence[Result]) -> Group:
    ordered = sorted(results, key=lambda result: {"input": 0, "restorer": 1, "truth": 2}[_role(result)])
    labels = _labels(ordered)
    columns: list[Column] = []
    cells: dict[str, list[Cell]] = {label: [] for label in labels}
    apart = other_metrics(ordered)
    everybody = {label: people_of(result) for label, result in zip(labels, ordered, strict=True)}
    definitions = _definitions(ordered)
    if any(len(result.rows) > MANY for result in ordered):
        prepare_intervals(_samples(ordered, definitions))
    for metric, definition in definitions.items():
        values = {label: measured(result, metric) for label, result in zip(labels, ordered, strict=True)}
        if not any(values.values()):
            continue
        everyone = set().union(*values.values())
        best = best_of(definition)
        means = {label: mean_of([*one.values()], best) for label, one in values.items()}
        column = _column(metric, definition, [mean for one in means.values() if (mean := one.value) is not None])
        columns.append(column)
        reference = next((values[label] for label, r in zip(labels, ordered, strict=True) if _role(r) == "input"), {})
        made: dict[str, Cell] = {}
        for label, result in zip(labels, ordered, strict=True):
            mine, people = values[label], everybody[label]
            made[label] = Cell(
                metric=metric,
                mean=means[label].value,
                interval=interval_of([*mine.values()], best, [people[name] for name in mine]),
                n=len(mine),
                blanks=sum(row.failure is None and row.id not in mine for row in result.rows),
                identical=means[label].identical,
                partial=bool(mine) and set(mine) != everyone,
                gain=gain_over(mine, reference, column.better, people)
                if _role(result) == "restorer" and metric not in apart
                else None,
            )
        contest = {
            label: values[label]
            for (label, cell), result in zip(made.items(), ordered, strict=True)
            if _role(result) == "restorer" and cell.mean is not None and not cell.partial and metric not in apart
        }
        winners = best_lines(contest, column.better, best)
        for label, cell in made.items():
            cells[label].append(replace(cell, best=label in winners))

    blank = {
        name: why
        for result in ordered
        for name, why in result.not_measured.items()
        if why != ITSELF_REASON or all(name not in other.metrics for other in ordered)
    }
    known = {name for result in ordered for name in result.metrics} - {column.metric for column in columns}
    blank = dict.fromkeys(known, "no image has a value") | blank
    return Group(
        case=ordered[0].case,
        columns=tuple(columns),
        lines=tuple(
            Line(
                label=label,
                role=_role(result),
                result=result,
                total=len(result.rows),
                failures=sum(row.failure is not None for row in result.rows),
                cells=tuple(cells[label]),
            )
            for label, result in zip(labels, ordered, strict=True)
        ),
        not_measured=dict(sorted(blank.items())),  # as on disk, so that a page read back is the same page
        warnings=_warnings(ordered),
    )


def _samples(
    results: Sequence[Result], definitions: Mapping[str, Mapping[str, Json]]
) -> Iterator[tuple[Sequence[float], float | None]]:
    """The columns whose intervals a table shows: the values of each row, and what each restorer gains."""
    first = next((result for result in results if _role(result) == "input"), None)
    for metric, definition in definitions.items():
        reference = {} if first is None else measured(first, metric)
        better = _column(metric, definition, ()).better
        for result in results:
            values = measured(result, metric)
            yield [*values.values()], best_of(definition)
            if _role(result) == "restorer" and better is not None:
                yield [*_gains(values, reference, better).values()], None


def problems_of(result: Result) -> tuple[Problem, ...]:
    """All that went wrong in one Result, each once: its own list, failed rows, and values that are no numbers."""
    found = list(result.problems)
    known = {(problem.stage, problem.subject) for problem in found}
    for row in result.rows:
        if row.failure is not None and not any((stage, row.id) in known for stage in ("restore", "degrade")):
            found.append(Problem("restore", row.id, row.failure))
        for metric, value in row.scores.items():
            if value is not None and math.isnan(value):
                found.append(Problem("metric", metric, f"gave NaN for {row.id}; it is left out of every mean"))
    return tuple(found)


def summary(results: Sequence[Result]) -> Summary:
    """The tables of a report: one for each set of faces, degradation, seed, size and limit.

    Args:
        results: in the order in which rows shall appear; ``input`` comes first and ``truth`` last whatever their place.

    Returns:
        A Summary. A mean is over the faces that were restored and have a value; how many is always beside it.

    Raises:
        BadInput: where results disagree about a metric, or one names a face twice.
    """
    groups: dict[Case, list[Result]] = {}
    for result in results:
        _check_names(result)
        groups.setdefault(replace(result.case, restorer=""), []).append(result)
    problems = tuple((result.case.id, problem) for result in results for problem in problems_of(result))
    return Summary(groups=tuple(map(_group, groups.values())), problems=problems)
