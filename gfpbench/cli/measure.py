"""Subcommands that restore faces: run, photos, collapse."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from gfpbench.cli.app import AsJson, Isolate, MaxUnreadable, SecondsPerImage, complain, models_talk_to_stderr, say


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
    report: Annotated[Path, typer.Option(help="Folder for index.html, junit.xml and results.json.")] = Path("report"),
    as_json: AsJson = False,
) -> None:
    """Degrade, restore and measure, then write the report. Exit code 1 if a restoration failed or a face cannot be
    read.

    Cases that an earlier run left in the report folder stay in it, and those measured again are replaced.
    A run that was stopped goes on where it was; what it had measured is kept while all that it came from is unchanged.
    """
    from gfpbench import completion, devices
    from gfpbench import report as reports
    from gfpbench import results as stored
    from gfpbench import run as engine
    from gfpbench.degrade import named_for
    from gfpbench.metrics.protocols import DEFAULT
    from gfpbench.report.text import progress_bar
    from gfpbench.types import NO_TRUTH, BadInput, Case

    if report.exists() and not report.is_dir():
        raise BadInput(f"--report {report}: is a file; give a folder")
    reports.earlier(report)  # one that cannot be read is told now, not after an hour
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
    # Everything is loaded before anything is measured: a misspelt name is told now, not after an hour.
    with models_talk_to_stderr(as_json):
        shared = engine.SharedInputs()
        parts = [
            engine.load(
                case,
                device=where,
                metrics=metric,
                protocols=protocols,
                isolate=isolate,
                seconds_per_image=seconds_per_image,
                shared=shared,
            )
            for case in cases
        ]
    for case in cases:
        engine.refuse_inside_inputs(case, report)
    stopped = completion.is_unfinished(report)
    completion.begin(report)
    store = report / "cases"
    kept = len(parts[0].ids(cases[0])) if keep == "all" else int(keep)
    with models_talk_to_stderr(as_json), progress_bar() as progress:
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
            )
            for case, part in zip(cases, parts, strict=True)
        )
    written = reports.write_run(results, report, store=store)
    completion.complete(report)
    if as_json:
        print(stored.text(results), end="")
    else:
        *lines, last = reports.terminal_lines(results, written.page)
        say(*lines, *written.lines(), last)
    unread = results[0].unreadable_share > max_unreadable
    if unread:
        from gfpbench import baselines

        complain(baselines.too_many_unreadable(results[0], max_unreadable))
    if unread or any(row.failure for result in results for row in result.rows):
        raise typer.Exit(1)


def photos(
    paths: Annotated[list[Path], typer.Argument(help="Photos, and folders of photos.")],
    restorer: Annotated[str, typer.Option(help="Restorer of the faces.")] = "nano",
    to: Annotated[Path, typer.Option("--out", help="Folder for the restored photos and photos.json.")] = Path("photos"),
    detector: Annotated[str, typer.Option(help="auto, retinaface, dlib, opencv or mediapipe.")] = "auto",
    mask: Annotated[str, typer.Option(help="Region to paste: auto, square or parsed.")] = "auto",
    face: Annotated[
        str, typer.Option(help="Faces to restore: all, largest, centre, or an index of photos.json, from 0.")
    ] = "all",
    upscale: Annotated[int, typer.Option(min=1, max=4, help="Upscaling factor of the output.")] = 1,
    background: Annotated[
        str, typer.Option(help="Network that enlarges the background, such as realesrgan-x4plus. [default: Lanczos]")
    ] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, mps, xpu or directml.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Faces per batch.")] = 8,
    isolate: Isolate = False,
    seconds_per_image: SecondsPerImage = 120.0,
    as_json: AsJson = False,
) -> None:
    """Restore whole photos: detect, restore and paste back each face. Resumes an interrupted run.

    Exit code 1 where a photo was not restored.
    """
    from gfpbench.decode.files import summed
    from gfpbench.photos import load_pipeline, restore_paths
    from gfpbench.photos.face_selection import check_choice
    from gfpbench.run import guarded, surroundings

    with models_talk_to_stderr(as_json):
        check_choice(face)  # before anything is loaded
        loaded = guarded(restorer, device, isolate=isolate, seconds_per_image=seconds_per_image)
        pipeline = load_pipeline(
            loaded,
            detector=detector,
            mask=mask,
            device=device,
            upscale=upscale,
            batch_size=batch_size,
            face=face,
            background=background,
        )

    def told(name: str, line: str, ok: bool) -> None:
        text = "".join(c if c.isprintable() else " " for c in f"{name}: {line}")
        print(text, file=sys.stderr if as_json or not ok else sys.stdout, flush=True)

    with models_talk_to_stderr(as_json):
        around = surroundings(pipeline.restorer, pipeline.device)
        record = restore_paths(paths, to, pipeline, told, surroundings=around)
    if as_json:
        print(json.dumps(record, indent=1, allow_nan=False))
    else:
        say(f"{to}: faces found by {pipeline.detector.name}, restored by {restorer}, pasted {pipeline.mask.name}")
        for folder, reasons in record["left_out"].items():
            say(f"{folder}: left out {summed(reasons)}")
    if not all(photo["ok"] for photo in record["photos"]):
        raise typer.Exit(1)


def collapse(
    restorer: Annotated[
        list[str] | None, typer.Option(help="Restorer to test, `gfpbench list restorers`; repeatable. [default: nano]")
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(help="Degradation axis; repeatable. `default`: a set of twelve; noise+none: without the base."),
    ] = None,
    metric: Annotated[str, typer.Option(help="Metric of quality.")] = "ssim_rgb",
    criterion: Annotated[
        list[str] | None, typer.Option(help="input, face or identity; repeatable. [default: input and face]")
    ] = None,
    faces: Annotated[
        str, typer.Option(help="Clean faces: a name of `gfpbench list faces`, a folder or archives.")
    ] = "embedded",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use the first N images only; each draw of a face counts as one.")
    ] = None,
    draws: Annotated[int | None, typer.Option(min=1, help="Degrade each face N times. [default: embedded 4]")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Side of the face crops in pixels.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random draws.")] = 0,
    resolution: Annotated[int, typer.Option(help="Resolution of the search: 1/N of the axis; a power of two.")] = 64,
    at: Annotated[float | None, typer.Option(help="Measure only this value of the axis, and show its faces.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, mps, xpu or directml.")] = "auto",
    isolate: Isolate = False,
    seconds_per_image: SecondsPerImage = 120.0,
    report: Annotated[Path, typer.Option(help="Folder for the report and the measurements.")] = Path("report"),
    as_json: AsJson = False,
) -> None:
    """Find the severity at which restorers collapse along degradation axes. Resumes an interrupted run.

    Exit code 1 where restorations failed.
    """
    import gfpbench.collapse as search
    from gfpbench import devices
    from gfpbench import report as reports
    from gfpbench import run as engine
    from gfpbench.report.text import progress_bar
    from gfpbench.types import BadInput

    if report.exists() and not report.is_dir():
        raise BadInput(f"--report {report}: is a file; give a folder")
    names = dict.fromkeys(axis or ["noise"])
    axes = [name for given in names for name in (search.default_axes() if given == "default" else (given,))]
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
        written = reports.write_run(results, report, store=store)
        *lines, last = reports.terminal_lines(results, written.page)
        say(*lines, *written.lines(), last)
        failed = any(row.failure for result in results for row in result.rows)
    else:
        # A misspelt name, or a file that cannot be read, is told now, not after an hour.
        reports.earlier_searches(report)
        loaded = search.loaded(
            asked, load=lambda name: engine.guarded(name, where, isolate=isolate, seconds_per_image=seconds_per_image)
        )
        with progress_bar() as progress:
            found = [
                search.collapse_point(one, store=store, device=where, restorer=loaded[one.restorer], progress=progress)
                for one in asked
            ]
        searched = reports.write_searches(found, report, store=store)
        if as_json:
            print(search.text_of(found), end="")
        else:
            for one in found:
                say(*search.collapse_lines(one, report=str(report)))
            say(*searched.lines(), f"report: {searched.page}")
        failed = any(step.failed for one in found for step in one.steps)
    if failed:
        raise typer.Exit(1)
