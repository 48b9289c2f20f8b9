"""The report as one HTML file: everything inline, nothing requested, every name escaped."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from gfpbench import results as stored
from gfpbench.claims import Judged, Standing
from gfpbench.metrics.protocols import DEFAULT
from gfpbench.report.charts import Chart, chart_of
from gfpbench.report.claims import write_claims
from gfpbench.report.disagreement import Disagreement, disagreement_of
from gfpbench.report.formatting import brief, own, pages, plural, printable, write_page
from gfpbench.report.gate import Gate, write_gate
from gfpbench.report.model import Group, is_identity
from gfpbench.report.reading import readings
from gfpbench.report.row_table import RowTable, row_table, write_row_tables
from gfpbench.report.scatter import Scatter, scatter_of
from gfpbench.report.selection import ROOM
from gfpbench.report.side_tables import (
    GroupLine,
    SetLine,
    SideBySide,
    group_lines,
    set_lines,
    side_by_side,
    standings,
)
from gfpbench.report.strips import Stores, Strips, any_of, strips_of
from gfpbench.report.summary import summary
from gfpbench.report.text import counted
from gfpbench.run.left_out import left_out
from gfpbench.types import Json, Result

PROBLEMS_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Section:
    """One table with its images, its distributions and the command that makes it again."""

    group: Group
    strips: Strips
    charts: tuple[Chart, ...]
    scatter: Scatter | None
    command: str
    sets: tuple[SetLine, ...]
    protocols: tuple[SideBySide, ...]
    challenges: tuple[Standing, ...]
    groups: tuple[GroupLine, ...]
    disagreement: Disagreement | None
    table: RowTable | None


def write_report(
    results: Sequence[Result],
    directory: Path,
    *,
    store: Stores | None,
    title: str = "Face restoration report",
    gate: Gate | None = None,
    claims: Judged | None = None,
) -> Path:
    """Write ``index.html`` and ``results.json`` into a folder, each whole or not at all.

    Where something was compared with baselines, ``verdicts.json`` too; where published tables were held against the
    Results, ``claims.html``; for each table of more than 2,000 images ``rows-N.js``, which the page reads when it is
    asked for all of them; of more than 10,000 rows ``rows.parquet`` (``results.write_report_file``).

    Args:
        results: rows in the order they shall appear; none at all gives a page that says so.
        store: the folder (or folders) where runs kept images; None for no images. A mapping says which folder holds
            the images of the Results with a label.
        title: the heading of the page.
        gate: what comparisons with baselines found.
        claims: what became of published claims and numbers (``gfpbench.claims.judged``).

    Returns:
        The path of index.html. Equal results and images give equal bytes.

    Raises:
        BadInput: where a Result holds what may not be written (NaN, a number beside a failure).
    """
    stores: Stores = [] if store is None else [store] if isinstance(store, Path) else store
    stored.write_report_file(results, directory / "results.json")
    if claims is not None:
        write_claims(claims, directory)
    found = (gate or Gate()).of(results)
    write_gate(found, directory)
    html, tables = rendered(results, stores, title, found, claims is not None)
    if tables or next(directory.glob("rows-*.js"), None) is not None:
        write_row_tables(tables, directory)
    return write_page(html, directory / "index.html")


def render(
    results: Sequence[Result], stores: Stores, title: str, gate: Gate | None = None, claims: bool = False
) -> str:
    """The page as text. Reads kept images from ``stores``; writes nothing."""
    return rendered(results, stores, title, gate, claims)[0]


def rendered(
    results: Sequence[Result], stores: Stores, title: str, gate: Gate | None = None, claims: bool = False
) -> tuple[str, tuple[RowTable, ...]]:
    """The page as text, and the tables that belong beside it."""
    whole = summary(results)
    large = [group for group in whole.groups if group.is_large]
    script = own("page.js") + own("viewer.js") + own("scatter.js") + (own("row_table.js") if large else "")
    judged = None
    if gate:
        from gfpbench.report.gate_view import gate_view

        judged = gate_view(gate, any_of(stores), many=bool(large))
    environment = pages(brief=brief, counted=counted, code=_code, words=_words)
    environment.tests["mapping"] = _is_mapping
    environment.tests["records"] = lambda value: isinstance(value, list) and any(map(_is_mapping, value))
    environment.tests["hash"] = lambda value: re.fullmatch("[0-9a-f]{32,64}", value) is not None
    environments = _distinct([(result.named, result.environment) for result in results])
    found: dict[tuple[str, str, str], list[str]] = {}
    for case, problem in whole.problems:  # an unreadable face is met by every case: say it once
        found.setdefault((problem.stage, problem.subject, problem.reason), []).append(case)
    everyone = len({result.case.id for result in results})
    problems = [
        (*what, "every case" if len(set(cases)) == everyone > 1 else ", ".join(dict.fromkeys(cases)))
        for what, cases in found.items()
    ]
    room = ROOM // max(1, len(large))
    tables = enumerate(whole.groups, 1)
    sections = tuple(_section(group, stores, number, room if group.is_large else None) for number, group in tables)
    html = environment.get_template("index.html").render(
        title=title,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        sections=sections,
        tables=bool(large),
        rows_beside=stored.is_large(results),
        table_style=own("row_table.css") if large else "",
        gate=judged,
        claims=claims,
        facts=_facts(whole.groups, [stage for stage, _, _ in found])
        + ([] if judged is None else [(judged.fact, "" if judged.passed else "bad")]),
        problems=problems[:PROBLEMS_AT_MOST],
        problems_left_out=max(0, len(problems) - PROBLEMS_AT_MOST),
        left_out=left_out(results),
        readings=readings(results),
        environments=environments if len(environments) > 1 else [("every case", record) for _, record in environments],
        restorers=_distinct([(result.case.restorer, result.restorer) for result in results]),
        degradations=_distinct([(result.case.degradation, result.degradation) for result in results]),
        face_sources=_distinct([(result.case.faces, result.faces) for result in results]),
    )
    return html, tuple(section.table for section in sections if section.table is not None)


def reproduce(group: Group) -> str:
    """The command that measures one table again, quoted for a shell."""
    case = group.case
    words = ["gfpbench", "run"]
    names = dict.fromkeys(line.result.case.restorer for line in group.restorers)
    for name in names or {"input": None}:
        words += ["--restorer", name]
    along = _along_axis(case.degradation)
    words[1:2] = ["collapse"] if along else ["run"]
    words += ["--faces", case.faces, *(along or case.degradation_options), "--seed", str(case.seed)]
    for option, value in (("--limit", case.limit), ("--draws", case.draws), ("--size", case.size_px)):
        words += [option, str(value)] if value is not None else []
    protocols = dict.fromkeys(name for line in group.lines for name in line.result.protocols)
    for name in protocols if list(protocols) != [DEFAULT] else ():
        words += ["--protocol", name]
    return shlex.join(words)


def _along_axis(degradation: str) -> list[str]:
    """One value of an axis as options of ``gfpbench collapse``, empty for any other degradation.

    ``gfpbench run`` knows no axes: it could not change a scene along with its truth.
    """
    name, _, severity = degradation.rpartition("@")
    if re.fullmatch(r"[0-9.e+-]+", severity) is None:
        return []
    from gfpbench.collapse.measuring import axis_name  # which loads everything that measures
    from gfpbench.degrade.axes import AXES, load_axis

    if name.partition("+")[0] not in AXES:
        return []
    axis = load_axis(name)
    return ["--axis", axis_name(axis), "--at", f"{axis.value_at(float(severity)):.12g}"]


def _section(group: Group, stores: Stores, number: int, room: int | None) -> Section:
    charts = tuple(chart for column in group.columns if (chart := chart_of(group, column)) is not None)
    strips, names = strips_of(group, stores, room), [column.metric for column in group.columns]
    return Section(
        group=group,
        strips=strips,
        charts=charts,
        scatter=scatter_of(group),
        command=reproduce(group),
        sets=set_lines(group),
        protocols=side_by_side(group),
        challenges=standings(group),
        groups=group_lines(group),
        disagreement=disagreement_of(group, strips) if any(map(is_identity, names)) else None,
        table=row_table(group, number) if group.is_large else None,
    )


def _facts(groups: Sequence[Group], stages: Sequence[str]) -> list[tuple[str, str]]:
    """The figures at the head of the page: what was counted, and whether it is bad news."""
    lines = [line for group in groups for line in group.lines]
    failures = sum(line.failures for line in lines)
    blank = {name for group in groups for name in group.not_measured}
    facts = [
        (max(groups, key=lambda group: len(group.image_ids)).counted if groups else plural(0, "image"), ""),
        (plural(len({line.result.case.restorer for line in lines if line.role == "restorer"}), "restorer"), ""),
        (plural(len({column.metric for group in groups for column in group.columns}), "metric"), ""),
        (plural(failures, "failed restoration"), "bad" if failures else ""),
    ]
    for stage, what in (("faces", "unreadable face"), ("metric", "failed score")):
        facts += [(plural(stages.count(stage), what), "bad")] if stage in stages else []
    return facts + ([(f"{len(blank):,} not measured", "warn")] if blank else [])


def _distinct(records: Sequence[tuple[str, Mapping[str, Json]]]) -> list[tuple[str, Mapping[str, Json]]]:
    """Each record once, under the names of all that share it, in order."""
    found: list[tuple[list[str], Mapping[str, Json]]] = []
    for name, record in records:
        names = next((names for names, known in found if known == record), None)
        if names is None:
            found.append(([name], record))
        elif name not in names:
            names.append(name)
    return [(", ".join(names), record) for names, record in found]


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _code(text: str) -> Markup:
    """Escaped text in which `commands` between backticks are set as code."""
    parts = printable(text).split("`")
    if len(parts) % 2 == 0:
        return Markup(escape(printable(text)))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def _words(name: str) -> Markup:
    """A name that may break after its separators, so that a narrow column does not cut it in the middle."""
    return Markup(re.sub(r"([_/.\-]+)", r"\1<wbr>", str(escape(printable(name)))))
