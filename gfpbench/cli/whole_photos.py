"""Subcommand that restores whole photographs: photos."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from gfpbench.cli.app import AsJson, Isolate, SecondsPerImage, models_talk_to_stderr, say


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
