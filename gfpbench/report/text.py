"""The summary as text: the last lines of a run on a terminal, and a table for a pull request."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from gfpbench.report.formatting import BLANK, markdown_text, plural, printable, shown
from gfpbench.report.model import Cell, Column, Group, Line, Summary
from gfpbench.report.reading import readings
from gfpbench.report.side_tables import missing_lines, set_lines, standings
from gfpbench.report.summary import summary
from gfpbench.run.left_out import left_out
from gfpbench.types import Result

LISTED_AT_MOST = 8
WIDTH = 120
"""Where nothing tells how wide the terminal is, as in the log of a CI job."""


def heading(column: Column) -> str:
    """``psnr_rgb ↑ dB``: the convention, which way is better, the unit."""
    return " ".join(filter(None, (printable(column.metric, 60), column.arrow, printable(column.unit, 40))))


def counted(line: Line) -> str:
    """``20``, or ``18 of 20`` where some failed."""
    return f"{line.total - line.failures:,} of {line.total:,}" if line.failures else f"{line.total:,}"


def cell_text(cell: Cell, column: Column) -> str:
    """A mean as shown, with ``*`` where it covers fewer faces than another row, and how many are identical."""
    if cell.mean is None:
        return BLANK
    note = f" ({cell.note})" if cell.note else ""
    return shown(cell.mean, column.decimals) + ("*" if cell.partial else "") + note


def terminal_lines(results: Sequence[Result], report_path: Path | None, width: int | None = None) -> list[str]:
    """The end of a run in a few lines: what was measured, what was not and why, what failed, where the report is.

    Args:
        report_path: the page, or None where none was written.
        width: a table that is wider goes on below, its rows named again; that of the terminal (``COLUMNS``) where None.

    Returns:
        Plain lines without colour; nothing in a name can drive the terminal.
    """
    whole = summary(results)
    width = shutil.get_terminal_size((WIDTH, 24)).columns if width is None else width
    lines: list[str] = []
    for group in whole.groups:
        lines += _table_lines(group, width)
    if not whole.groups:
        lines.append("nothing was measured")
    lines += _problem_lines(whole)
    lines += _file_lines(results)
    if report_path is not None:
        lines.append(f"report: {printable(report_path)}")
    return lines


def _table_lines(group: Group, width: int) -> list[str]:
    lines = [f"{group.counted}: {printable(group.title, 120)}"]
    table = [["", "images", *map(heading, group.columns)]]
    for line in group.lines:
        cells = [cell_text(cell, column) for cell, column in zip(line.cells, group.columns, strict=True)]
        table.append([printable(line.label, 40), counted(line), *cells])
    lines += folded(table, width)
    for score in set_lines(group):
        interval = f" ({score.interval})" if score.interval else ""
        note = f"; {printable(score.note, 200)}" if score.note else ""
        of = f"{printable(score.metric, 40)} {score.arrow} {printable(score.label, 40)}"
        lines.append(f"  {of}: {score.value}{interval}, {score.counted} images{note}")
    challenges = standings(group)
    lines += [f"  {printable(one.restorer, 40)} under {printable(one.lines[0], 300)}" for one in challenges]
    lines += missing_lines(challenges)
    if any(cell.partial for line in group.lines for cell in line.cells):
        lines.append("  * mean over fewer images than another row: not comparable")
    lines += [f"  not comparable: {printable(warning, 200)}" for warning in group.warnings]
    for why in dict.fromkeys(group.not_measured.values()):
        names = ", ".join(printable(name, 40) for name, reason in group.not_measured.items() if reason == why)
        lines.append(f"not measured: {names}: {printable(why, 200)}")
    return lines


def folded(table: Sequence[Sequence[str]], width: int) -> list[str]:
    """Rows of text as aligned lines; columns that do not fit go on below, beside the first column once more.

    Nothing is ever cut: a line is wider than ``width`` only where the first column and one other are.
    """
    widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    blocks: list[list[int]] = [[]]
    for place in range(1, len(widths)):
        used = 2 + widths[0] + sum(2 + widths[one] for one in blocks[-1])
        if blocks[-1] and used + 2 + widths[place] > width:
            blocks.append([])
        blocks[-1].append(place)
    lines = []
    for number, block in enumerate(blocks):
        for place, row in enumerate(table):
            first = "…" if number and not place and not row[0] else row[0]
            cells = [row[column].rjust(widths[column]) for column in block]
            lines.append("  ".join(["", first.ljust(widths[0]), *cells]).rstrip())
    return lines


def listed_problems(whole: Summary) -> list[tuple[str, str, str, str]]:
    """Case, stage, subject and reason of each problem, each once.

    The case is empty where all failed restorations are of one. Where they are of several, each case has its turn, so
    that the first few of the list are not all of one.
    """
    cases = {case for case, problem in whole.problems if problem.stage == "restore"}
    turns: dict[str, int] = {}
    found: dict[tuple[str, str, str, str], int] = {}
    for case, problem in whole.problems:
        owner = case if len(cases) > 1 and problem.stage == "restore" else ""
        key = (owner, problem.stage, problem.subject, problem.reason)
        if key not in found:
            found[key] = turns.get(owner, 0)
            turns[owner] = found[key] + 1
    return sorted(found, key=found.__getitem__)


def _problem_lines(whole: Summary) -> list[str]:
    seen = listed_problems(whole)
    lines = [
        f"failed ({printable(stage, 20)}): {printable(subject, 60)}: {printable(why, 240)}"
        + (f" [{printable(case, 60)}]" if case else "")
        for case, stage, subject, why in seen[:LISTED_AT_MOST]
    ]
    if len(seen) > LISTED_AT_MOST:
        lines.append(f"… and {plural(len(seen) - LISTED_AT_MOST, 'more problem')}, listed in the report")
    return lines


def _file_lines(results: Sequence[Result]) -> list[str]:
    found = sorted(readings(results), key=lambda one: not one.warning)
    lines = [f"left out of {printable(one.line, 240)}" for one in left_out(results)]
    lines += [f"{'warning' if one.warning else 'read'}: {printable(one.line, 240)}" for one in found[:LISTED_AT_MOST]]
    if len(found) > LISTED_AT_MOST:
        lines.append(f"… and {plural(len(found) - LISTED_AT_MOST, 'more line')} of how files were read, in the report")
    return lines


def markdown(results: Sequence[Result]) -> str:
    """The summary table as GitHub Markdown, for a pull-request comment; names are escaped, intervals in brackets."""
    whole = summary(results)
    parts: list[str] = []
    for group in whole.groups:
        parts.append(f"**{markdown_text(group.title, 120)}** ({group.counted})\n")
        parts.append(f"| | images | {' | '.join(markdown_text(heading(column)) for column in group.columns)} |")
        parts.append(f"|:--|--:|{'--:|' * len(group.columns)}")
        for line in group.lines:
            cells = [_markdown_cell(cell, column) for cell, column in zip(line.cells, group.columns, strict=True)]
            parts.append(f"| {markdown_text(line.label, 60)} | {counted(line)} | {' | '.join(cells)} |")
        parts.append("")
        parts += [f"{group.interval_note}\n"] if group.interval_note else []
        if any(cell.partial for line in group.lines for cell in line.cells):
            parts.append("\\* mean over fewer images than another row: not comparable\n")
        parts += [f"Not comparable: {markdown_text(warning, 200)}\n" for warning in group.warnings]
        parts += [
            f"- not measured: {markdown_text(name, 60)}: {markdown_text(why, 200)}"
            for name, why in group.not_measured.items()
        ]
    failed = listed_problems(whole)
    parts += [
        f"- failed ({markdown_text(stage, 20)}): {markdown_text(subject, 60)}: {markdown_text(why, 160)}"
        + (f" ({markdown_text(case, 60)})" if case else "")
        for case, stage, subject, why in failed[:LISTED_AT_MOST]
    ]
    if len(failed) > LISTED_AT_MOST:
        parts.append(f"- … and {plural(len(failed) - LISTED_AT_MOST, 'more problem')}")
    parts += [f"- left out of {markdown_text(one.line, 240)}" for one in left_out(results)]
    parts += [f"- warning: {markdown_text(one.line, 240)}" for one in readings(results) if one.warning]
    return "\n".join(parts or ["Nothing was measured."]).rstrip() + "\n"


def _markdown_cell(cell: Cell, column: Column) -> str:
    text = cell_text(cell, column).replace("*", "\\*")
    text = f"**{text}**" if cell.best else text
    if cell.interval is None or cell.interval[0] == cell.interval[1]:
        return text
    return f"{text} <sub>[{shown(cell.interval[0], column.decimals)}, {shown(cell.interval[1], column.decimals)}]</sub>"
