"""The `gfpbench` command: the same engine as the pytest plugin, for people and scripts."""

from __future__ import annotations

import json
import os
import sys
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gfpbench import __version__

app = typer.Typer(
    name="gfpbench",
    help="Benchmark and regression tests for blind face restoration.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out = Console(soft_wrap=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a machine to read.")]


def main() -> None:
    """Run the command. Our own errors are one line on standard error and exit code 2."""
    # Spinning waits cost more than the work itself on small shared machines; read once, when torch loads OpenMP.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except Exception as error:
        from gfpbench.types import GfpbenchError

        if not isinstance(error, GfpbenchError):
            raise
        # Names come from files: none of them may drive the terminal, or break the one line in two.
        line = "".join(c if c.isprintable() else " " for c in str(error))
        print(f"gfpbench: {line}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("gfpbench: stopped; what was measured is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(130)


def _version(asked: bool) -> None:
    if asked:
        print(f"gfpbench {__version__}")
        raise typer.Exit


def _models_talk_to_stderr(as_json: bool) -> AbstractContextManager[object]:
    """Where standard output is for a machine, what a model prints while it loads and works goes beside it."""
    return redirect_stdout(sys.stderr) if as_json else nullcontext()


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Benchmark and regression tests for blind face restoration."""


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help="restorers, faces, degradations, metrics, protocols or assets")],
    as_json: AsJson = False,
) -> None:
    """Show what there is to choose from."""
    from gfpbench.catalogue import CATALOGUE, ON_A_SCREEN, readable
    from gfpbench.tables import unknown

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
        table.add_row(*(escape(readable(column, row[column])) for column in columns))
    Console(highlight=False).print(table)


@app.command()
def run(
    restorer: Annotated[list[str] | None, typer.Option(help="What to test; repeatable. [default: nano]")] = None,
    faces: Annotated[str, typer.Option(help="Clean faces: a name or a folder.")] = "embedded",
    degradation: Annotated[str, typer.Option(help="How they are degraded.")] = "paper",
    limit: Annotated[int | None, typer.Option(min=1, help="Use the first N faces only.")] = None,
    draws: Annotated[int | None, typer.Option(min=1, help="Degrade each face N times, differently.")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Side of the face crops in pixels.")] = None,
    seed: Annotated[int, typer.Option(help="Every random draw is keyed by it.")] = 0,
    metric: Annotated[list[str] | None, typer.Option(help="Measure these; repeatable.")] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="Measure as a paper does, `gfpbench list protocols`; repeatable. [default: ours]"),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Faces restored at once.")] = 8,
    whole_photo: Annotated[
        bool, typer.Option("--whole-photo", help="--faces holds photos: find, restore and paste back their faces.")
    ] = False,
    report: Annotated[Path, typer.Option(help="Where index.html, junit.xml and results.json go.")] = Path("report"),
    as_json: AsJson = False,
) -> None:
    """Degrade, restore and measure, then write the report. Exit code 1 where a restoration failed."""
    from gfpbench import devices
    from gfpbench import report as reports
    from gfpbench import run as engine
    from gfpbench.metrics.protocols import DEFAULT
    from gfpbench.photos import of_photos
    from gfpbench.report.progress import progress_bar
    from gfpbench.types import BadInput, Case

    if report.exists() and not report.is_dir():
        raise BadInput(f"--report {report}: is a file; give a folder")
    if whole_photo and size is not None:
        raise BadInput("--size makes square crops, and --whole-photo wants photos as they are: leave one of them away")
    wanted = [of_photos(name) if whole_photo else name for name in restorer or ["nano"]]
    cases = [
        Case(faces, degradation, name, seed=seed, size_px=size, limit=limit, draws=draws)
        for name in dict.fromkeys(["input", *wanted, "truth"])
    ]
    where = devices.resolve(device)
    protocols = tuple(dict.fromkeys(protocol or (() if metric else (DEFAULT,))))
    # Everything is loaded before anything is measured: a misspelt name is told now, not after an hour.
    with _models_talk_to_stderr(as_json):
        parts = [engine.load(case, device=where, metrics=metric, protocols=protocols) for case in cases]
    store = report / "cases"
    with _models_talk_to_stderr(as_json), progress_bar() as progress:
        results = tuple(
            engine.run_case(case, part, store=store, device=where, batch_size=batch_size, progress=progress)
            for case, part in zip(cases, parts, strict=True)
        )
    page = reports.write_report(results, report, store=store)
    reports.write_junit(results, report / "junit.xml")
    if as_json:
        print((report / "results.json").read_text())
    else:
        print("\n".join(reports.terminal_lines(results, page)))
    if any(row.failure for result in results for row in result.rows):
        raise typer.Exit(1)


@app.command()
def photos(
    paths: Annotated[list[Path], typer.Argument(help="Photos, and folders of photos.")],
    restorer: Annotated[str, typer.Option(help="What restores each face.")] = "nano",
    to: Annotated[Path, typer.Option("--out", help="Folder for the restored photos and photos.json.")] = Path("photos"),
    detector: Annotated[str, typer.Option(help="auto, retinaface, dlib or opencv.")] = "auto",
    mask: Annotated[str, typer.Option(help="What is pasted: auto, square or parsed.")] = "auto",
    upscale: Annotated[int, typer.Option(min=1, max=4, help="How many times larger the result is.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Faces restored at once.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Restore whole photos: find each face, restore it, paste it back. Exit code 1 where a photo was not restored."""
    from gfpbench.photos import load_pipeline, restore_paths

    pipeline = load_pipeline(
        restorer, detector=detector, mask=mask, device=device, upscale=upscale, batch_size=batch_size
    )

    def told(name: str, line: str, ok: bool) -> None:
        print(f"{name}: {line}", file=sys.stderr if as_json or not ok else sys.stdout, flush=True)

    record = restore_paths(paths, to, pipeline, told)
    if as_json:
        print(json.dumps(record, indent=1, allow_nan=False))
    else:
        print(f"{to}: faces found by {pipeline.detector.name}, restored by {restorer}, pasted {pipeline.mask.name}")
    if not all(photo["ok"] for photo in record["photos"]):
        raise typer.Exit(1)


@app.command()
def collapse(
    restorer: Annotated[list[str] | None, typer.Option(help="What to test; repeatable. [default: nano]")] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(help="Along what; repeatable. `default` is a set of twelve; noise+none leaves out the base."),
    ] = None,
    metric: Annotated[str, typer.Option(help="How quality is measured.")] = "ssim_rgb",
    criterion: Annotated[
        list[str] | None, typer.Option(help="input, face or identity; repeatable. [default: input and face]")
    ] = None,
    faces: Annotated[str, typer.Option(help="Clean faces: a name or a folder.")] = "embedded",
    limit: Annotated[int | None, typer.Option(min=1, help="Use the first N faces only.")] = None,
    draws: Annotated[int | None, typer.Option(min=1, help="Degrade each face N times. [default: embedded 4]")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Side of the face crops in pixels.")] = None,
    seed: Annotated[int, typer.Option(help="Every random draw is keyed by it.")] = 0,
    resolution: Annotated[int, typer.Option(help="The point is found to 1/N of the axis; a power of two.")] = 64,
    at: Annotated[
        float | None, typer.Option(help="Measure this one value of the axis instead, and show its faces.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    report: Annotated[Path, typer.Option(help="Where the report and everything measured go.")] = Path("report"),
    as_json: AsJson = False,
) -> None:
    """Find where restorers collapse: pushed along an axis until they are of no use. Goes on where it was stopped.

    Exit code 1 where restorations failed.
    """
    from gfpbench import collapse as search
    from gfpbench import devices
    from gfpbench import report as reports
    from gfpbench.report.progress import progress_bar
    from gfpbench.types import BadInput

    if report.exists() and not report.is_dir():
        raise BadInput(f"--report {report}: is a file; give a folder")
    names = dict.fromkeys(axis or ["noise"])
    axes = [name for given in names for name in (search.DEFAULT_AXES if given == "default" else (given,))]
    copies = search.DEFAULT_DRAWS if draws is None and faces == "embedded" else draws
    asked = [
        search.Question(
            one, name, metric, tuple(criterion) if criterion else None, faces, size, limit, copies, seed, resolution
        )
        for name in dict.fromkeys(axes)
        for one in dict.fromkeys(restorer or ["nano"])
    ]
    where, store = devices.resolve(device), report / "cases"
    if at is not None:
        report, store = report / "at", report / "at" / "cases"  # the search's own cases hold other scores
        measured = [result for one in asked for result in search.at_value(one, at, store=store, device=where)]
        results = tuple({result.case.id: result for result in measured}.values())
        page = reports.write_report(results, report, store=store)
        print("\n".join(reports.terminal_lines(results, page)))
        failed = any(row.failure for result in results for row in result.rows)
    else:
        loaded = search.loaded(asked, device=where)  # a misspelt name is told now, not after an hour
        with progress_bar() as progress:
            found = [
                search.collapse_point(one, store=store, device=where, restorer=loaded[one.restorer], progress=progress)
                for one in asked
            ]
        search.write(found, report / "collapse.json")
        page = reports.write_collapse(found, report, store=store)
        if as_json:
            print((report / "collapse.json").read_text())
        else:
            for one in found:
                print("\n".join(search.collapse_lines(one, report=str(report))))
            print(f"report: {page}")
        failed = any(step.failed for one in found for step in one.steps)
    if failed:
        raise typer.Exit(1)


@app.command("report")
def report_(
    results: Annotated[list[Path], typer.Argument(help="results.json files, or folders that hold one.")],
    to: Annotated[Path, typer.Option(help="Folder for the new report.")] = Path("report"),
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a summary as markdown instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a report of results measured before, together: other days, machines or checkpoints."""
    from gfpbench import report as reports
    from gfpbench import results as stored

    files = [path / "results.json" if path.is_dir() else path for path in results]
    read = tuple(result for file in files for result in stored.read(file))
    if markdown:
        print(reports.markdown(read))
        return
    if as_json:
        print(json.dumps([stored.to_json(result) for result in read], indent=2, allow_nan=False))
        return
    stores = [file.parent / "cases" for file in files]
    page = reports.write_report(read, to, store=[store for store in stores if store.is_dir()] or None)
    print("\n".join(reports.terminal_lines(read, page)))


@app.command()
def compare(
    result: Annotated[Path, typer.Argument(help="A results.json, or a folder that holds one.")],
    baseline: Annotated[Path, typer.Argument(help="A baseline, another results.json, or a folder of either.")],
    as_json: AsJson = False,
) -> None:
    """Compare results with a baseline, another checkpoint's or another machine's. Exit code 1 where something is worse.

    Cases are paired by name; where each side holds one other case (two checkpoints), these two are compared.
    """
    from gfpbench import baselines
    from gfpbench import report as reports

    pairs, alone = baselines.paired_cases(result, baseline)
    compared = [baselines.compare(now, before, cases=len(pairs)) for now, before in pairs]
    if as_json:
        cases = [comparison.to_json() for comparison in compared]
        print(json.dumps({"cases": cases, "only_in_one": list(alone)}, indent=2, allow_nan=False))
    else:
        for comparison in compared:
            out.print(*map(escape, reports.comparison_lines(comparison)), sep="\n")
            head, *rows = reports.comparison_table(comparison)
            table = Table(box=None, pad_edge=False, header_style="bold")
            for column in head:
                table.add_column(column, no_wrap=True)
            for row in rows:
                table.add_row(*map(escape, row))
            Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)
        for line in alone:
            out.print(escape(line))
    if not all(comparison.passed for comparison in compared):
        raise typer.Exit(1)


@app.command("matrix")
def matrix_(
    results: Annotated[
        list[Path], typer.Argument(help="results.json files, folders that hold one, or folders of such folders.")
    ],
    to: Annotated[Path, typer.Option(help="Folder for matrix.html.")] = Path("report"),
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as markdown instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the same cases under several versions of torch, or on several devices, with the newest.

    Exit code 1 where a version is worse than the newest or measured something else.
    """
    from gfpbench import report as reports
    from gfpbench import results as stored

    files: list[Path] = []
    for path in results:
        inside = sorted(path.glob("*/results.json")) if not (path / "results.json").exists() else []
        files += inside or [path / "results.json" if path.is_dir() else path]
    read = tuple(result for file in files for result in stored.read(file))
    found = reports.matrix(read)
    if markdown:
        print(reports.matrix_markdown(found))
    elif as_json:
        print(json.dumps(found.to_json(), indent=2, allow_nan=False))
    else:
        head, *rows = reports.matrix_table(found)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in head:
            table.add_column(column, no_wrap=True)
        for row in rows:
            table.add_row(*map(escape, row))
        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
        for note in found.notes:
            out.print(escape(note))
        print(f"report: {reports.write_matrix(read, to)}")
    if not found.passed:
        raise typer.Exit(1)


@app.command("claims")
def claims_(
    results: Annotated[list[Path] | None, typer.Argument(help="results.json files, or folders that hold one.")] = None,
    to: Annotated[Path, typer.Option(help="Folder for claims.html.")] = Path("report"),
    as_json: AsJson = False,
) -> None:
    """Hold published tables and claims against Results: held, failed, or open. Exit code 1 where one failed."""
    from dataclasses import asdict

    from gfpbench import claims as published
    from gfpbench import results as stored
    from gfpbench.report.claims import claim_lines, write_claims

    files = [path / "results.json" if path.is_dir() else path for path in results or ()]
    read = tuple(result for file in files for result in stored.read(file))
    outcomes = [*published.judge_claims(read), *(told for _, _, told in published.judge_numbers(read))]
    page = write_claims(read, to)
    if as_json:
        # Infinity is written as text, as in results.json.
        told = [{k: str(v) if v == float("inf") else v for k, v in asdict(one).items()} for one in outcomes]
        print(json.dumps(told, indent=2, allow_nan=False))
    else:
        print("\n".join([*claim_lines(read), f"page: {page}"]))
    if any(one.status == "failed" for one in outcomes):
        raise typer.Exit(1)


@app.command()
def explain(
    row: Annotated[str, typer.Argument(help="A row of `gfpbench list claims`, or figures: PSNR=14.4,SSIM=0.53")],
    faces: Annotated[str, typer.Option(help="Clean faces like the published ones: a name or a folder.")] = "embedded",
    size: Annotated[int | None, typer.Option(min=32, help="Side of the face crops in pixels.")] = None,
    limit: Annotated[int | None, typer.Option(min=5, help="Use the first N faces only.")] = None,
    seed: Annotated[int, typer.Option(help="Every random draw is keyed by it.")] = 0,
    hypothesis: Annotated[
        list[str] | None, typer.Option(help="Try only these of `gfpbench list hypotheses`; repeatable.")
    ] = None,
    report: Annotated[Path, typer.Option(help="Where explain.md, explain.json and pictures go.")] = Path("explanation"),
    as_json: AsJson = False,
) -> None:
    """Rank what may have gone wrong by how near it brings a measured input row to a published one."""
    from gfpbench.explaining import explained
    from gfpbench.report.explanation import explanation_lines

    told, page = explained(row, faces, report, size_px=size, limit=limit, seed=seed, wanted=hypothesis)
    if as_json:
        print((report / "explain.json").read_text())
    else:
        print("\n".join([*explanation_lines(told), f"report: {page}"]))


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Assets, as `gfpbench list assets` names them.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Everything in the table.")] = False,
    for_: Annotated[
        list[str] | None, typer.Option("--for", help="What this restorer or metric needs; repeatable.")
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Agree to non-commercial licences without being asked.")
    ] = False,
) -> None:
    """Download weights and statistics, checked by SHA-256, into GFPBENCH_HOME. Resumes where it was cut off."""
    from gfpbench.fetching import fetch_with_bars

    fetched = fetch_with_bars(names or [], everything=all_, wanted_for=for_ or [], accept_licence=accept_licence)
    for one in fetched:
        if one.problem:
            print(f"gfpbench: {one.name}: {one.problem}", file=sys.stderr)
        else:
            print(f"{one.name}: {one.path}")
    if any(one.problem for one in fetched):
        raise typer.Exit(2)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what this machine has, what is missing, and what that costs. Exit code 1 where something is broken."""
    from gfpbench.doctor import examine

    findings = examine()
    if as_json:
        print(json.dumps(findings, indent=2, allow_nan=False))
    else:
        mark: dict[Any, str] = {"fine": "[green]ok[/]", "absent": "[yellow]--[/]", "broken": "[red]!![/]"}
        for finding in findings:
            out.print(f"{mark[finding['state']]}  {finding['subject']:<24} {escape(finding['says'])}")
    if any(finding["state"] == "broken" for finding in findings):
        raise typer.Exit(1)


if __name__ == "__main__":
    main()
