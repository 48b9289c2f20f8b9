"""Subcommands that put several runs of the same cases beside each other: matrix (versions, devices), history (time)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from gfpbench.cli.app import AsJson, print_table, result_file, say
from gfpbench.cli.places import fetched, refuse_inputs_of


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
    refuse_inputs_of(read, to)
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
    refuse_inputs_of([result for run in read for result in run.results], to)
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
