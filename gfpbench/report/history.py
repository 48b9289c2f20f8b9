"""The same cases over many runs: each metric's mean with its interval, and where a verdict changed."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from gfpbench.baselines import FAILING, Comparison, compare, holds_scores
from gfpbench.report.charts import ticks
from gfpbench.report.formatting import BLANK, decimals_for, pages, printable, shown, write_page
from gfpbench.report.summary import measured
from gfpbench.statistics import best_of, interval_of, mean_of, people_of
from gfpbench.types import BadInput, Better, Case, Json, Result, VerdictKind

PointKind: TypeAlias = VerdictKind | Literal["first"]
WIDTH, HEIGHT, MARGIN = 640.0, 150.0, 8.0  # of a chart, in its own units


@dataclass(frozen=True, slots=True)
class Run:
    """The results of one run, by the name that it has in a history: a commit, a date, a version."""

    label: str
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One metric of one case in one run.

    Args:
        label: of the run.
        mean: over images, as every table shows it.
        interval: 95 %, over people; None where it cannot be told.
        n: images in the mean.
        kind: the verdict of `gfpbench compare` against the last run before that measured the case and holds a score of
            it; ``first`` where there is none.
        note: what the verdict says.
    """

    label: str
    mean: float
    interval: tuple[float, float] | None
    n: int
    kind: PointKind
    note: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one case over the runs that measured it, in their order."""

    case: str
    metric: str
    unit: str
    better: Better | None
    points: tuple[Point, ...]

    @property
    def changes(self) -> tuple[Point, ...]:
        """The runs whose verdict is neither the same nor the first."""
        return tuple(point for point in self.points if point.kind not in ("same", "alike", "first"))


@dataclass(frozen=True, slots=True)
class History:
    """All series, and the labels of all runs in their order.

    ``lost`` says what no point can, a line each: restorations that fail in the last run and did not before, and metrics
    that it could not score as before.
    """

    labels: tuple[str, ...]
    series: tuple[Series, ...]
    lost: tuple[str, ...] = ()

    @property
    def newest_is_worse(self) -> bool:
        """Whether the last run fails against the one before it, in any metric that it measured, or has lost some."""
        last = self.labels[-1]
        return bool(self.lost) or any(
            one.points[-1].label == last and one.points[-1].kind in FAILING for one in self.series
        )


def history(runs: Sequence[Run]) -> History:
    """Line up the same cases of several runs, oldest first.

    Raises:
        BadInput: where there are not two runs, two have one label, or one measured a case twice.
    """
    labels = tuple(run.label for run in runs)
    if len(labels) < 2:
        raise BadInput(f"a history needs two runs or more, and there is {labels[0] if labels else 'none'}")
    for run in runs:
        if labels.count(run.label) > 1:
            raise BadInput(f"{run.label}: is the name of two runs; name one of them otherwise: NAME=PATH")
        cases = [result.case for result in run.results]
        for case in cases:
            if cases.count(case) > 1:
                raise BadInput(f"{run.label}: holds {case.id} twice")
    cases = list(dict.fromkeys(result.case for run in runs for result in run.results))
    found = [_series_of(case, runs, len(cases)) for case in cases]
    series = tuple(one for own, _ in found for one in own)
    lost = tuple(line for _, lines in found for line in lines)
    return History(labels, series, lost)


def _series_of(case: Case, runs: Sequence[Run], cases: int) -> tuple[list[Series], list[str]]:
    """The series of one case, and what its last run has lost (``History``)."""
    lost: list[str] = []
    points: dict[str, list[Point]] = {}
    records: dict[str, Mapping[str, Json]] = {}
    before: Result | None = None
    for run in runs:
        result = next((one for one in run.results if one.case == case), None)
        if result is None:
            continue
        compared: Comparison | str = "" if before is None else _compared(result, before, cases)
        people = people_of(result)
        for name, definition in result.metrics.items():
            scored = measured(result, name)
            values, best = [*scored.values()], best_of(definition)
            mean = mean_of(values, best)
            if mean.value is not None:
                ends = interval_of(values, best, [people[one] for one in scored])
                kind, note = _verdict(compared, name)
                points.setdefault(name, []).append(Point(run.label, mean.value, ends, mean.n, kind, note))
                records[name] = definition
        for name, score in result.set_scores.items():
            value = score.get("value")
            if isinstance(value, int | float) and not isinstance(value, bool):
                kind, note = _verdict(compared, name)
                points.setdefault(name, []).append(Point(run.label, float(value), None, len(result.rows), kind, note))
                records[name] = score
        if run is runs[-1] and isinstance(compared, Comparison):
            lost = [
                f"{case.id}: {verdict.metric} {verdict.kind}: {verdict.reason}"
                for verdict in compared.failures
                if verdict.metric == "restoration" or (verdict.kind == "missing" and verdict.metric in result.metrics)
            ]
        before = result if holds_scores(result) else before
    found = []
    for name, own in points.items():
        better = records[name].get("better")
        direction: Better | None = "higher" if better == "higher" else "lower" if better == "lower" else None
        found.append(Series(case.id, name, str(records[name].get("unit", "")), direction, tuple(own)))
    return found, lost


def _compared(result: Result, before: Result, cases: int) -> Comparison | str:
    """The comparison, or why there is none."""
    try:
        return compare(result, before, cases=cases)
    except BadInput as error:
        return str(error)


def _verdict(compared: Comparison | str, name: str) -> tuple[PointKind, str]:
    if isinstance(compared, str):
        return ("changed", compared) if compared else ("first", "")
    said = next((verdict for verdict in compared.verdicts if verdict.metric == name), None)
    if said is not None:
        return said.kind, said.reason
    known = next((metric for metric in compared.metrics if metric.metric == name), None)
    return (known.kind, "") if known is not None else ("first", "not measured in the run before")


def history_lines(found: History) -> list[str]:
    """What changed, a line each; that nothing did, otherwise."""
    lines = [
        f"{printable(point.label, 60)}: {printable(one.case)}: {one.metric} {point.kind}"
        f"{f': {printable(point.note)}' if point.note else ''}"
        for one in found.series
        for point in one.changes
    ]
    lines += [f"{printable(found.labels[-1], 60)}: {printable(line)}" for line in found.lost]
    return lines or [f"nothing changed over {len(found.labels)} runs"]


def history_rows(found: History) -> list[dict[str, Json]]:
    """A record for each run, case and metric: ``pandas.DataFrame(history_rows(found))``."""
    records: list[dict[str, Json]] = []
    for one in found.series:
        for point in one.points:
            low, high = point.interval or (None, None)
            head = {"run": point.label, "case": one.case, "metric": one.metric, "unit": one.unit, "better": one.better}
            bounds = {"mean": point.mean, "low": low, "high": high, "images": point.n}
            records.append({**head, **bounds, "verdict": point.kind, "note": point.note})
    return records


def history_csv(found: History) -> str:
    """The records of ``history_rows`` as CSV, as pandas reads it: ``pandas.read_csv``."""
    text = io.StringIO()
    names = ("run", "case", "metric", "unit", "better", "mean", "low", "high", "images", "verdict", "note")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history_rows(found))
    return text.getvalue()


def benchmark_json(found: History, better: Better) -> list[dict[str, Json]]:
    """The newest run as github-action-benchmark takes it: one file of ``higher``, one of ``lower``.

    Source: benchmark-action/github-action-benchmark, tools customBiggerIsBetter and customSmallerIsBetter. Infinite
    means have no place there and are left out.
    """
    rows: list[dict[str, Json]] = []
    for one in found.series:
        point = one.points[-1]
        if point.label == found.labels[-1] and one.better == better and math.isfinite(point.mean):
            row: dict[str, Json] = {"name": f"{one.case} {one.metric}", "unit": one.unit or "1", "value": point.mean}
            if point.interval is not None:
                row["range"] = f"{point.interval[0]:.6g} to {point.interval[1]:.6g}"
            rows.append(row)
    return rows


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart: positions in units of 640 x 150, texts as shown."""

    series: Series
    line: str
    dots: tuple[tuple[float, float, float | None, float | None, Point, str], ...]  # x, y, ends of the interval, shown
    ticks: tuple[tuple[float, str], ...]
    newest: str


def _drawn(one: Series, labels: Sequence[str]) -> Drawn:
    finite = [point.mean for point in one.points if math.isfinite(point.mean)]
    ends = [end for point in one.points for end in point.interval or () if math.isfinite(end)]
    low, high = (min(finite + ends), max(finite + ends)) if finite else (0.0, 1.0)
    margin = (high - low) * 0.08 or abs(high) * 0.02 or 0.5
    low, high = low - margin, high + margin
    decimals = decimals_for(finite)

    def up(value: float) -> float:
        return round(MARGIN + (HEIGHT - 2 * MARGIN) * (high - value) / (high - low), 1)

    dots = []
    for point in one.points:
        if math.isfinite(point.mean):
            x = round(MARGIN + (WIDTH - 2 * MARGIN) * (labels.index(point.label) + 0.5) / len(labels), 1)
            span = point.interval if point.interval and all(map(math.isfinite, point.interval)) else None
            bars = (up(span[1]), up(span[0])) if span else (None, None)
            dots.append((x, up(point.mean), *bars, point, shown(point.mean, decimals)))
    line = "M" + "L".join(f"{x} {y}" for x, y, *_ in dots) if dots else ""
    marks = tuple((up(value), shown(value, decimals)) for value in ticks(low, high, 3))
    return Drawn(one, line, tuple(dots), marks, dots[-1][-1] if dots else BLANK)


def write_history(found: History, directory: Path, *, title: str = "History") -> Path:
    """Write ``history.html`` into a folder, whole or not at all; it asks nothing of the network."""
    cases: dict[str, list[Drawn]] = {}
    for one in found.series:
        cases.setdefault(one.case, []).append(_drawn(one, found.labels))
    changes = [(point, one) for one in found.series for point in one.changes]
    order = {label: place for place, label in enumerate(found.labels)}
    changes.sort(key=lambda change: -order[change[0].label])
    page = pages().get_template("history.html")
    html = page.render(title=title, history=found, cases=cases, changes=changes, failing=FAILING)
    return write_page(html, directory / "history.html")


def by_name(path: Path) -> list[str | int]:
    """Sorts ``run-2`` before ``run-10``."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]
