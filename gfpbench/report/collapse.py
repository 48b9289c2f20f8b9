"""The page of collapse points: curves of several restorers on each axis, images along it, and failures by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gfpbench.collapse as searches
from gfpbench import results as stored
from gfpbench.collapse import Collapse, GroupDifference, Step, collapse_lines, group_difference, worst_faces_command
from gfpbench.collapse.text import verdict
from gfpbench.disk import disk, held
from gfpbench.report.curves import HEIGHT, WIDTH, CurveChart, curve_chart
from gfpbench.report.failures import failure_kinds
from gfpbench.report.formatting import pages, plural, printable, write_page
from gfpbench.report.selection import ENCODED
from gfpbench.report.strips import data_uri, images_of
from gfpbench.types import BadInput, Result

STRIP = (0.0, 0.25, 0.5, 0.75, 1.0)
RECORD = "collapse.json"
LISTED_AT_MOST = 4
__all__ = ["Searched", "collapse_lines", "earlier_searches", "write_collapse", "write_searches"]


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One row of the image strip of an axis: what it shows, and an image for each severity (None where not kept)."""

    label: str
    images: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class AxisSection:
    """Everything about one axis."""

    axis: str
    found: tuple[Collapse, ...]
    verdicts: tuple[str, ...]
    commands: tuple[str, ...]
    chart: CurveChart | None
    values: tuple[str, ...]
    rows: tuple[ImageRow, ...]
    groups: tuple[tuple[str, GroupDifference], ...]


@dataclass(frozen=True, slots=True)
class Searched:
    """What searches left in their report folder.

    Args:
        page: the path of collapse.html.
        replaced: how many of the questions an earlier search had answered.
        kept: answers of earlier searches to other questions; they stay in the page and in collapse.json.
    """

    page: Path
    replaced: int
    kept: tuple[Collapse, ...]

    def lines(self) -> list[str]:
        """What a person is told of earlier searches; nothing where the folder was empty."""
        folder = printable(self.page.parent)
        lines = [f"{folder}: replaced {plural(self.replaced, 'answer')} of an earlier search"] if self.replaced else []
        if self.kept:
            asked = [one.question for one in self.kept[:LISTED_AT_MOST]]
            names = ", ".join(printable(f"{one.restorer} on {one.axis} ({one.metric})", 80) for one in asked)
            more = f" and {len(self.kept) - LISTED_AT_MOST:,} more" if len(self.kept) > LISTED_AT_MOST else ""
            lines.append(
                f"{folder}: also holds {plural(len(self.kept), 'answer')} of earlier searches: {names}{more}; "
                "another --report keeps them apart"
            )
        return lines


def earlier_searches(folder: Path) -> tuple[Collapse, ...]:
    """What earlier searches found, of a report folder; nothing where there is no collapse.json.

    Raises:
        BadInput: where it cannot be read, so that a search could only destroy it.
    """
    path = folder / RECORD
    if not path.exists():
        return ()
    try:
        return searches.read(path)
    except BadInput as error:
        raise BadInput(f"{error}; remove it, or give another --report folder") from error


def write_searches(found: Sequence[Collapse], folder: Path, *, store: Path) -> Searched:
    """Write what searches found into their report folder: the page and collapse.json.

    Answers to other questions that earlier searches left there stay beside these; those to the same question are
    replaced. Two searches that end at the same time wait for each other, so that neither loses the other's.

    Args:
        found: the searches, in the order they shall appear.
        folder: of the report; made where it is missing.
        store: the folder in which the searches kept their cases.

    Raises:
        BadInput: where the folder's collapse.json cannot be read; nothing is written.
        DiskRefused: where the disk refuses.
    """
    asked = {one.question for one in found}
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder / ".lock"):
            before = earlier_searches(folder)
            kept = tuple(one for one in before if one.question not in asked)
            searches.write((*found, *kept), folder / RECORD)
            page = write_collapse((*found, *kept), folder, store=store)
    return Searched(page, len(before) - len(kept), kept)


def write_collapse(
    found: Sequence[Collapse], directory: Path, *, store: Path, title: str = "Where quality collapses"
) -> Path:
    """Write ``collapse.html`` into a folder, whole or not at all.

    Args:
        found: the searches, in the order they shall appear; those of one axis share a chart.
        directory: where the page goes.
        store: the folder in which the searches kept their cases.

    Returns:
        The path of the page. It asks for nothing outside itself, and equal searches give equal bytes.
    """
    failing = [result for one in found if (result := _result(store, collapsed_step(one))) is not None]
    distinct = {result.case.id: result for result in failing if result.case.restorer != "input"}
    html = (
        pages()
        .get_template("collapse.html")
        .render(
            title=title,
            sections=sections(found, store, str(directory)),
            kinds=failure_kinds(list(distinct.values()), store),
            width=WIDTH,
            height=HEIGHT,
        )
    )
    return write_page(html, directory / "collapse.html")


def sections(found: Sequence[Collapse], store: Path, report: str) -> tuple[AxisSection, ...]:
    """Searches that share axis, metric, faces and seed, together."""
    shared: dict[tuple[object, ...], list[Collapse]] = {}
    for one in found:
        asked = one.question
        key = (asked.axis, asked.metric, asked.faces, asked.size_px, asked.limit, asked.draws, asked.seed)
        shared.setdefault(key, []).append(one)
    return tuple(_section(group, store, report) for group in shared.values())


def collapsed_step(one: Collapse) -> Step:
    """The first severity measured at or after the collapse: the hardest where there is none, the first for at once."""
    if one.kind == "at once":
        return one.steps[0]
    after = [step for step in one.steps if one.severity is not None and step.severity >= one.severity]
    return after[0] if after else one.steps[-1]


def _section(found: Sequence[Collapse], store: Path, report: str) -> AxisSection:
    groups = []
    for one in found:
        result = _result(store, collapsed_step(one))
        if result is not None and one.question.metric in result.metrics:
            names = sorted({name for row in result.rows for name in row.attributes})
            groups += [
                (one.question.restorer, difference)
                for name in names
                for difference in group_difference(result, one.question.metric, name)
            ]
    values = {step.severity: f"{step.value:.3g}" for step in found[0].steps}
    return AxisSection(
        axis=found[0].question.axis,
        found=tuple(found),
        verdicts=tuple(verdict(one) for one in found),
        commands=tuple(worst_faces_command(one, report=report) for one in found),
        chart=curve_chart(found),
        values=tuple(values.get(severity, "") for severity in STRIP),
        rows=_rows(found, store),
        groups=tuple(groups),
    )


def _rows(found: Sequence[Collapse], store: Path) -> tuple[ImageRow, ...]:
    """The first face of which images were kept, along the axis: degraded, each restorer's answer, the truth."""
    kept: dict[str, list[Mapping[str, Path]]] = {}
    for one in found:
        steps = {step.severity: step for step in one.steps}
        here = [_result(store, steps[severity]) if severity in steps else None for severity in STRIP]
        first = next((result for result in here if result is not None), None)
        if first is None:
            continue
        face = first.rows[0].id
        kept[one.question.restorer] = [_kept(store, result, face) for result in here]
    if not kept:
        return ()

    def row(label: str, paths: Sequence[Path | None]) -> ImageRow:
        return ImageRow(label, tuple(None if path is None else data_uri(path, ENCODED) for path in paths))

    any_of = next(iter(kept.values()))
    rows = [row("degraded", [paths.get("degraded") for paths in any_of])]
    rows += [row(name, [paths.get("restored") for paths in places]) for name, places in kept.items() if name != "input"]
    rows.append(row("truth", [paths.get("truth") for paths in any_of]))
    return tuple(rows)


def _kept(store: Path, result: Result | None, face: str) -> Mapping[str, Path]:
    return {} if result is None else {str(kind): path for kind, path in images_of(store, result.case.id, face).items()}


def _result(store: Path, step: Step) -> Result | None:
    """The stored Result of one step; None where it is no longer there, or broken."""
    path = store / step.case / "result.json"
    if not step.case or not path.exists():
        return None
    try:
        return stored.read(path)[0]
    except (BadInput, IndexError):
        return None
