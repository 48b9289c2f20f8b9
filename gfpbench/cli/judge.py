"""Subcommands that judge stored results: report, compare, matrix, history, claims, explain."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gfpbench.cli.app import AsJson, MaxUnreadable, print_table, result_file, say
from gfpbench.cli.places import fetched, fetched_with_images, leaves_report, report_place

if TYPE_CHECKING:
    from gfpbench.types import Result


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
    _refuse_inside_inputs(read, to)
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
        _refuse_inside_inputs(measured, report)
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


def matrix_(
    results: Annotated[
        list[str],
        typer.Argument(
            help="results.json files, folders that hold one, or folders of such folders. Runs of one torch on one "
            "device become columns, the last one the newest: NAME=PATH names a run; else its folder does."
        ),
    ],
    to: Annotated[Path, typer.Option(help="Folder for matrix.html.")] = Path("report"),
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as markdown instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the same cases across torch versions, devices or runs, relative to the newest.

    Exit code 1 where a version is worse than the newest or measured something else.
    """
    from gfpbench import report as reports
    from gfpbench import results as stored

    named = [(name, result) for name, file in _named_files(results) for result in stored.read_measured(file)]
    runs, read = [name for name, _ in named], [result for _, result in named]
    _refuse_inside_inputs(read, to)
    found = reports.matrix(read, runs)
    if markdown:
        print(reports.matrix_markdown(found))
    elif as_json:
        print(json.dumps(found.to_json(), indent=2, allow_nan=False))
    else:
        head, *rows = reports.matrix_table(found)
        print_table(head, rows, 200)
        say(*found.notes, f"report: {reports.write_matrix(read, to, runs)}")
    if not found.passed:
        raise typer.Exit(1)


def history_(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Oldest first: results.json files, folders that hold one, or folders of such folders, which are taken "
            "in the order of their names. NAME=PATH names a run; else its folder does."
        ),
    ],
    to: Annotated[Path, typer.Option(help="Folder for history.html.")] = Path("report"),
    csv: Annotated[Path | None, typer.Option(help="Also write a table of all runs, for pandas and others.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="The same table as a Parquet file (needs pyarrow).")] = None,
    benchmark_json: Annotated[
        Path | None,
        typer.Option(help="Folder for bigger.json and smaller.json of the newest run, for github-action-benchmark."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw each metric over several runs, with intervals, and mark where it changed from one run to the next.

    Exit code 1 where the newest run is worse than the one before it.
    """
    from gfpbench import codec
    from gfpbench import results as stored
    from gfpbench.disk import write_whole
    from gfpbench.report import history as over

    read = [over.Run(name, stored.read_measured(file)) for name, file in _named_files(runs)]
    _refuse_inside_inputs([result for run in read for result in run.results], to)
    found = over.history(read)
    if parquet is not None:
        from gfpbench.report.rows import parquet_bytes

        write_whole(parquet, parquet_bytes(over.history_rows(found)))
    if csv is not None:
        write_whole(csv, over.history_csv(found))
    if benchmark_json is not None:
        for file, rows in (
            ("bigger.json", over.benchmark_json(found, "higher")),
            ("smaller.json", over.benchmark_json(found, "lower")),
        ):
            write_whole(benchmark_json / file, json.dumps(rows, indent=2, allow_nan=False) + "\n")
    if as_json:
        print(json.dumps(codec.encode(found, infinite=True), indent=2, allow_nan=False))
    else:
        say(*over.history_lines(found), f"history: {over.write_history(found, to)}")
    if found.newest_is_worse:
        raise typer.Exit(1)


def _named_files(runs: Iterable[str]) -> list[tuple[str, Path]]:
    """The results.json of ``NAME=PATH`` or ``PATH``, each with a name of its run: else its folder's."""
    from gfpbench.types import BadInput

    found: list[tuple[str, Path]] = []
    for text in runs:
        name, given, path = text.rpartition("=") if not Path(text).exists() else ("", "", text)
        if "://" in name:  # the = is of the address
            name, given, path = "", "", text
        files = _files_in(fetched(path))
        if given and len(files) > 1:
            raise BadInput(f"{text}: {path} holds {len(files)} runs, which one name cannot tell apart")
        found += [(name or file.parent.absolute().name, file) for file in files]
    return found


def _files_in(path: Path) -> list[Path]:
    """The results.json that a path names, or those of the folders in it, ``run-2`` before ``run-10``."""
    from gfpbench.report.history import by_name

    inside = sorted(path.glob("*/results.json"), key=lambda file: by_name(file.parent))
    return inside if inside and not (path / "results.json").exists() else [result_file(path)]


@leaves_report("to")
def claims_(
    results: Annotated[
        list[Path] | None,
        typer.Argument(
            parser=fetched,
            help="results.json files, or folders that hold one; paths or addresses.",
        ),
    ] = None,
    to: Annotated[
        Path, typer.Option(parser=report_place, metavar="<path>", help="Folder or address for claims.html.")
    ] = Path("report"),
    as_json: AsJson = False,
) -> None:
    """Check published tables and claims against stored results: held, failed or open. Exit code 1 if one failed."""
    from dataclasses import asdict

    from gfpbench import claims as published
    from gfpbench import results as stored
    from gfpbench.report.claims import claim_lines, write_claims

    files = [result_file(path) for path in results or ()]
    read = tuple(result for file in files for result in stored.read_measured(file))
    _refuse_inside_inputs(read, to)
    judged = published.judged(read)
    page = write_claims(judged, to)
    if as_json:
        # Infinity is written as text, as in results.json.
        told = [{k: str(v) if v == float("inf") else v for k, v in asdict(one).items()} for one in judged.outcomes]
        print(json.dumps(told, indent=2, allow_nan=False))
    else:
        say(*claim_lines(judged), f"page: {page}")
    if any(one.status == "failed" for one in judged.outcomes):
        raise typer.Exit(1)


def explain(
    row: Annotated[str, typer.Argument(help="A row of `gfpbench list claims`, or figures: PSNR=14.4,SSIM=0.53")],
    faces: Annotated[
        list[str] | None,
        typer.Option(
            help="Clean faces like those of the publication: a name or a folder; repeatable: ranks by what holds on "
            "every set. [default: embedded]"
        ),
    ] = None,
    size: Annotated[int | None, typer.Option(min=32, help="Side of the face crops in pixels.")] = None,
    limit: Annotated[int | None, typer.Option(min=5, help="Use the first N faces of each set only.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random draws.")] = 0,
    hypothesis: Annotated[
        list[str] | None, typer.Option(help="Try only these of `gfpbench list hypotheses`; repeatable.")
    ] = None,
    report: Annotated[Path, typer.Option(help="Folder for explain.md, explain.json and images.")] = Path("explanation"),
    as_json: AsJson = False,
) -> None:
    """Rank hypotheses about a published number by how close they bring a measured input row to it."""
    from gfpbench.cli.explaining import explained
    from gfpbench.report.explanation_sets import found_lines
    from gfpbench.run import refuse_inside_inputs
    from gfpbench.types import Case

    names = faces or ["embedded"]
    for name in names:
        refuse_inside_inputs(Case(name, "paper", "input"), report)
    told, page = explained(row, names, report, size_px=size, limit=limit, seed=seed, wanted=hypothesis)
    if as_json:
        print((report / "explain.json").read_text(encoding="utf-8"))
    else:
        say(*found_lines(told), f"report: {page}")


def _refuse_inside_inputs(results: Iterable[Result], folder: Path) -> None:
    """Raises BadInput for a folder among the faces, or the outputs, that these Results were measured on."""
    from gfpbench.run import refuse_inside_inputs

    for one in results:
        refuse_inside_inputs(one.case, folder)
