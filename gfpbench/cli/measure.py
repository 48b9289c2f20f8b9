"""Subcommands that measure restorers on degraded faces: run, and merge for a run that was divided."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gfpbench.cli.app import (
    Address,
    AsJson,
    Engine,
    GpusPerWorker,
    Isolate,
    MaxUnreadable,
    SecondsPerImage,
    WorkerCount,
    complain,
    models_talk_to_stderr,
    say,
)
from gfpbench.cli.places import fetched_whole, leaves_report, report_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gfpbench.types import Result


Report = Annotated[
    Path,
    typer.Option(
        parser=report_place,
        metavar="<path>",
        help="Folder, or address such as s3://bucket/report, for index.html, junit.xml and results.json.",
    ),
]


@leaves_report("report")
def run(
    restorer: Annotated[
        list[str] | None, typer.Option(help="Restorer to test, `gfpbench list restorers`; repeatable. [default: nano]")
    ] = None,
    faces: Annotated[
        str, typer.Option(help="Clean faces: a name of `gfpbench list faces`, a folder or archives.")
    ] = "embedded",
    degradation: Annotated[
        str | None,
        typer.Option(help="Degradation of the faces, `gfpbench list degradations`. [default: paper]"),
    ] = None,
    no_truth: Annotated[
        bool,
        typer.Option(
            "--no-truth",
            help="The faces are low-quality images without ground truth: nothing is degraded, and only what needs no"
            " truth is measured.",
        ),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use the first N images only; each draw of a face counts as one.")
    ] = None,
    draws: Annotated[int | None, typer.Option(min=1, help="Degrade each face N times with independent draws.")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Side of the face crops in pixels.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random draws.")] = 0,
    metric: Annotated[
        list[str] | None, typer.Option(help="Metric to compute, `gfpbench list metrics`; repeatable.")
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="Evaluation protocol, `gfpbench list protocols`; repeatable. [default: ours]"),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, mps, xpu or directml.")] = "auto",
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Faces per batch. [default: 8, or fewer, so that the last batch is smaller]"),
    ] = None,
    workers: WorkerCount = None,
    on: Engine = "processes",
    address: Address = "",
    gpus_per_worker: GpusPerWorker = None,
    shard: Annotated[
        str,
        typer.Option(
            metavar="K/N",
            help="Measure the K-th of N shares only and leave it in --report as a part, for `gfpbench merge`.",
        ),
    ] = "",
    isolate: Isolate = False,
    seconds_per_image: SecondsPerImage = 120.0,
    whole_photo: Annotated[
        bool,
        typer.Option("--whole-photo", help="--faces holds whole photos: detect, restore and paste back their faces."),
    ] = False,
    max_unreadable: MaxUnreadable = 0.0,
    keep: Annotated[
        str,
        typer.Option(
            metavar="N|all",
            help="Images to keep as PNG: the first N and the worst, of more than 2,000 also the best and a sample; "
            "`all` also keeps every degraded image.",
        ),
    ] = "24",
    report: Report = Path("report"),
    as_json: AsJson = False,
) -> None:
    """Degrade, restore and measure, then write the report. Exit code 1 if a restoration failed, a face cannot be read,
    or a metric can score no image.

    Cases that an earlier run left in the report folder stay in it, and those measured again are replaced.
    A run that was stopped goes on where it was; what it had measured is kept while all that it came from is unchanged.
    """
    from gfpbench import completion, devices
    from gfpbench import report as reports
    from gfpbench import run as engine
    from gfpbench.degrade import named_for
    from gfpbench.metrics.protocols import DEFAULT
    from gfpbench.report.progress import progress_bar
    from gfpbench.types import NO_TRUTH, BadInput, Case

    if report.exists() and not report.is_dir():
        raise BadInput(f"--report {report}: is a file; give a folder")
    one_of = engine.number_of(shard) if shard else None
    if reports.earlier(report) and one_of:  # one that cannot be read is told now, not after an hour
        raise BadInput(f"--report {report}: holds the results of a whole run; give each shard a folder of its own")
    there = engine.read_part(report) if (report / completion.PART).exists() else None
    if there is not None and (there.number, there.of) != one_of:
        raise BadInput(f"--report {report}: holds shard {there.number}/{there.of} of a run; give another folder")
    if one_of and keep == "all":
        raise BadInput("--keep all with --shard: every shard would write all degraded images; use `gfpbench degrade`")
    if whole_photo and size is not None:
        raise BadInput("--size makes square crops, and --whole-photo wants photos as they are: leave one of them away")
    wanted = restorer or ["nano"]
    if whole_photo:
        from gfpbench.photos import of_photos

        wanted = [of_photos(name) for name in wanted]
    degraded_by = named_for(faces, degradation, False if no_truth else None)
    cases = [
        Case(faces, degraded_by, name, seed=seed, size_px=size, limit=limit, draws=draws)
        for name in dict.fromkeys(["input", *wanted, *(["truth"] if degraded_by != NO_TRUTH else [])])
    ]
    if keep != "all" and not keep.isdecimal():
        raise BadInput(f"--keep {keep}: give a whole number, or all")
    where = devices.resolve(device)
    protocols = tuple(dict.fromkeys(protocol or (() if metric else (DEFAULT,))))
    options: dict[str, Any] = {
        "metrics": metric,
        "protocols": protocols,
        "isolate": isolate,
        "seconds_per_image": seconds_per_image,
    }
    measured_by = engine.spread(workers, on, address, gpus_per_worker, where)
    measured_by.pin_threads()
    # Everything is loaded before anything is measured: a misspelt name is told now, not after an hour.
    with models_talk_to_stderr(as_json):
        shared = engine.SharedInputs()
        parts = [engine.load(case, device=where, shared=shared, **options) for case in cases]
    for case in cases:
        engine.refuse_inside_inputs(case, report)
    pool = measured_by.pool(options)
    stopped = completion.is_unfinished(report)
    completion.begin(report)
    store = report / "cases"
    kept = len(parts[0].ids(cases[0])) if keep == "all" else int(keep)
    if one_of:
        with models_talk_to_stderr(as_json), pool as processes, progress_bar() as progress:
            per_batch = batch_size or engine.batch_size_for(len(parts[0].ids(cases[0])))
            share = engine.share_of(cases[0], parts[0], *one_of, batch_size=per_batch, progress=progress)
            how: dict[str, Any] = {"device": where, "batch_size": per_batch, "keep_images": kept, "progress": progress}
            for case, part in zip(cases, parts, strict=True):
                engine.run_shard(case, part, share, store=store, options=options, workers=processes, **how)
        engine.write_part(report, cases, *one_of)
        completion.complete(report)
        measured = (
            f"faces {share.begin + 1} to {share.end} of {len(parts[0].ids(cases[0]))} and the rest of the last batch"
        )
        if share.begin == share.end:
            measured = "no face: no batch begins in this share"
        line = f"{report}: shard {shard}, {measured}; join all with gfpbench merge"
        print(line, file=sys.stderr) if as_json else say(line)
        return
    with models_talk_to_stderr(as_json), pool as processes, progress_bar() as progress:
        if keep == "all":
            engine.write_degraded(cases[0], parts[0], engine.degraded_folder(report, cases[0]), progress=progress)
        results = tuple(
            engine.run_case(
                case,
                part,
                store=store,
                device=where,
                batch_size=batch_size or engine.batch_size_for(len(part.ids(case))),
                keep_images=kept,
                progress=progress,
                reuse=stopped,
                workers=processes,
            )
            for case, part in zip(cases, parts, strict=True)
        )
    _reported(results, report, as_json=as_json, max_unreadable=max_unreadable)


@leaves_report("report")
def merge(
    paths: Annotated[
        list[Path],
        typer.Argument(
            parser=fetched_whole, metavar="PART...", help="Folders that `run --shard K/N` wrote, or their addresses."
        ),
    ],
    max_unreadable: MaxUnreadable = 0.0,
    report: Report = Path("report"),
    as_json: AsJson = False,
) -> None:
    """Join the parts of one run that was measured in shards. The results are those of one run, byte for byte.

    Refused where a part is missing, unfinished, there twice, or measured otherwise (faces, options, environment, code).
    Exit code 1 if a restoration failed, a face cannot be read, or a metric can score no image, as of `run`.
    """
    from gfpbench import report as reports
    from gfpbench import run as engine
    from gfpbench.report.progress import progress_bar
    from gfpbench.types import BadInput

    if report.exists() and not report.is_dir():
        raise BadInput(f"--report {report}: is a file; give a folder")
    inside = report.absolute().resolve()
    for path in paths:
        if path.resolve() in (inside, *inside.parents):
            raise BadInput(f"--report {report}: lies in the part {path}, where nothing is written")
    reports.earlier(report)
    with models_talk_to_stderr(as_json), progress_bar() as progress:
        results = engine.merge(paths, report, progress=progress)
    _reported(results, report, as_json=as_json, max_unreadable=max_unreadable)


def _reported(results: Sequence[Result], report: Path, *, as_json: bool, max_unreadable: float) -> None:
    """Write the report, which is complete then, and say what is in it. Exit code 1 as ``run`` says."""
    from gfpbench import completion
    from gfpbench import report as reports
    from gfpbench import results as stored

    written = reports.write_run(results, report, store=report / "cases")
    completion.complete(report)
    if as_json:
        print(stored.text(results), end="")
    else:
        *lines, last = reports.terminal_lines(results, written.page)
        say(*lines, *written.lines(), last)
    wrong: list[str] = []
    if results[0].unreadable or any(problem.stage == "metric" for result in results for problem in result.problems):
        from gfpbench import baselines

        unread = baselines.too_many_unreadable(results[0], max_unreadable)
        wrong = [*filter(None, (unread,)), *baselines.metrics_without_a_score(results)]
    for line in wrong:
        complain(line)
    if wrong or any(row.failure for result in results for row in result.rows):
        raise typer.Exit(1)
