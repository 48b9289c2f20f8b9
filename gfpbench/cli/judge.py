"""Subcommands that show and judge stored results: report, compare."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gfpbench.cli.app import AsJson, MaxUnreadable, print_table, result_file, say
from gfpbench.cli.places import fetched_with_images, leaves_report, refuse_inputs_of, report_place


class AnotherFile(StrEnum):
    """What becomes of other weights under the same name."""

    fail = "fail"
    judge = "judge"


@leaves_report("to")
def report_(
    results: Annotated[
        list[Path],
        typer.Argument(
            parser=fetched_with_images,
            help="results.json files, or folders that hold one; paths or addresses.",
        ),
    ],
    to: Annotated[
        Path, typer.Option(parser=report_place, metavar="<path>", help="Folder or address for the new report.")
    ] = Path("report"),
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a summary as markdown instead.")] = False,
    unless_same: Annotated[
        bool, typer.Option("--unless-same", help="With --markdown: nothing where all is as its baseline.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Also write a table of all images, for pandas and others.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="The same table as a Parquet file (needs pyarrow).")] = None,
    as_json: AsJson = False,
) -> None:
    """Write one report of several stored results: other days, machines or checkpoints."""
    from gfpbench import claims
    from gfpbench import report as reports
    from gfpbench import results as stored
    from gfpbench.types import BadInput

    if unless_same and not markdown:
        raise BadInput("--unless-same goes with --markdown")
    files = [result_file(path) for path in results]
    read, labels = reports.told_apart([(file, stored.read_measured(file)) for file in files])
    gate = reports.read_gate([file.parent for file in files]).of(read)
    if csv is not None or parquet is not None:
        from gfpbench.disk import write_whole
        from gfpbench.report.rows import csv_text, parquet_bytes, rows

        if parquet is not None:
            write_whole(parquet, parquet_bytes(rows(read)))
        if csv is not None:
            write_whole(csv, csv_text(read))
    if markdown:
        if not (unless_same and gate.all_same):
            print(reports.markdown(read) + reports.gate_markdown(gate))
        return
    if as_json:
        print(json.dumps([stored.to_json(result) for result in read], indent=2, allow_nan=False))
        return
    refuse_inputs_of(read, to)
    reports.refuse_to_replace_a_run(read, to)
    stores = {label: file.parent / "cases" for label, file in labels.items()}
    page = reports.write_report(read, to, store=stores, gate=gate, claims=claims.judged(read))
    reports.write_junit(read, to / "junit.xml", gate=gate)
    say(*reports.terminal_lines(read, page))


@leaves_report("report")
def compare(
    result: Annotated[
        Path,
        typer.Argument(
            parser=fetched_with_images,
            help="A results.json, or a folder that holds one; path or address.",
        ),
    ],
    baseline: Annotated[
        Path,
        typer.Argument(
            parser=fetched_with_images,
            help="A baseline, another results.json, or a folder of either.",
        ),
    ],
    report: Annotated[
        Path | None,
        typer.Option(
            parser=report_place,
            metavar="<path>",
            help="Folder or address for a page with the verdicts and the worst images.",
        ),
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="A case that only the baseline holds is listed and does not fail.")
    ] = False,
    max_unreadable: MaxUnreadable = 0.0,
    another_file: Annotated[
        AnotherFile | None,
        typer.Option(
            help="Other weights under the same name: fail where images moved, or judge quality alone. "
            "[default: fail against a stored baseline, else judge]"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare results with a baseline, or with another checkpoint or machine. Exit code 1 if something is worse.

    Cases are paired by name; where each side holds one other case (two checkpoints), these two are compared. A case
    of the baseline that the new results lack fails; one that only the new results hold is named.
    """
    from gfpbench import baselines, claims
    from gfpbench import report as reports

    for path in (result, baseline):
        result_file(path)  # refuses the folder of a run that is not finished
    found = baselines.paired_cases(result, baseline)
    compared = [
        baselines.compare(
            now,
            before,
            cases=len(found.pairs),
            max_unreadable=max_unreadable,
            another_file=None if another_file is None else another_file.value,
        )
        for now, before in found.pairs
    ]
    compared += [] if allow_missing else map(baselines.vanished, found.vanished)
    if report is not None:
        measured = (*(now for now, _ in found.pairs), *found.added)
        refuse_inputs_of(measured, report)
        reports.refuse_to_replace_a_run(measured, report)
        stores = [(path if path.is_dir() else path.parent) / "cases" for path in (result, baseline)]
        gate = reports.Gate(tuple(compared), before=(stores[1],))
        outcomes = claims.judged(measured)
        page = reports.write_report(measured, report, store=stores[0], gate=gate, claims=outcomes)
        reports.write_junit(measured, report / "junit.xml", gate=gate)
        if not as_json:
            say(f"report: {page}")
    if as_json:
        cases = [comparison.to_json() for comparison in compared]
        print(json.dumps({"cases": cases, "only_in_one": list(found.notes)}, indent=2, allow_nan=False))
    else:
        for comparison in compared:
            say(*reports.comparison_lines(comparison))
            head, *rows = reports.comparison_table(comparison)
            if rows:
                print_table(head, rows, 160)
        say(*found.notes)
    if not all(comparison.passed for comparison in compared):
        raise typer.Exit(1)
