"""The subcommands `parity` and `export`: is the converted model still the same, and its ONNX file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gfpbench.cli.app import AsJson, complain, models_talk_to_stderr, print_table, say

if TYPE_CHECKING:
    from gfpbench.parity import Measured


def parity_(
    reference: Annotated[str, typer.Argument(help="The restorer that is right: a name, onnx:PATH, checkpoint:PATH.")],
    candidates: Annotated[
        list[str], typer.Argument(help="Converted, faster or other ones: onnx:PATH?provider=cuda, nano?dtype=bf16.")
    ],
    faces: Annotated[
        str, typer.Option(help="Clean faces: a name of `gfpbench list faces`, a folder or archives.")
    ] = "embedded",
    degradation: Annotated[
        str | None, typer.Option(help="Degradation of the faces, `gfpbench list degradations`. [default: paper]")
    ] = None,
    no_truth: Annotated[
        bool, typer.Option("--no-truth", help="The faces are real low-quality inputs: outputs are compared alone.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Use the first N images only.")] = 16,
    draws: Annotated[int | None, typer.Option(min=1, help="Degrade each face N times with independent draws.")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Side of the face crops in pixels.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random draws.")] = 0,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Against the truth and between outputs; repeatable. [default: psnr_rgb, ssim_rgb, gmsd, colour_shift]"
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=2, help="Images per call; some are restored alone as well.")] = 8,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, mps, xpu or directml.")] = "auto",
    speed: Annotated[
        bool, typer.Option("--speed", help="Measure time and memory of each in turn as well, in batches of 1 and 8.")
    ] = False,
    report: Annotated[Path, typer.Option(help="Folder for parity.html and parity.json.")] = Path("parity"),
    as_json: AsJson = False,
) -> None:
    """Compare the outputs of converted restorers with a reference: bit-equal, equal, as good, worse or broken.

    Exit code 1 where a candidate is unsafe; 2 where a control fails (the reference against itself, a damaged copy).
    """
    from gfpbench.degrade import named_for
    from gfpbench.disk import refuse_unwritable
    from gfpbench.parity import measure_parity
    from gfpbench.report.parity import parity_lines, parity_table, write_parity
    from gfpbench.run import refuse_inside_inputs
    from gfpbench.types import BadInput, Case

    if report.exists() and not report.is_dir():
        raise BadInput(f"--report {report}: is a file; give a folder")
    degraded_by = named_for(faces, degradation, False if no_truth else None)
    case = Case(faces, degraded_by, reference, seed=seed, size_px=size, limit=limit, draws=draws)
    refuse_inside_inputs(case, report)
    refuse_unwritable(report)
    with models_talk_to_stderr(as_json):
        found = measure_parity(
            case,
            list(dict.fromkeys(candidates)),
            device=device,
            batch_size=batch_size,
            metrics=metric,
        )
        if speed:
            found = _timed(found, device)
    page = write_parity(found, report)
    if as_json:
        print(json.dumps(found.parity.to_json(), indent=2, allow_nan=False))
    else:
        print_table(*parity_table(found.parity), width_of_a_file=220)
        say(*parity_lines(found.parity), f"report: {page}")
    if not found.parity.passed:
        raise typer.Exit(1)


def export_(
    restorer: Annotated[
        str, typer.Argument(help="A restorer whose network torch has: nano, gfpgan-1.4, checkpoint:PATH.")
    ],
    onnx: Annotated[Path, typer.Option("--onnx", help="The file to write, whole or not at all.")],
    dtype: Annotated[str, typer.Option(help="fp32, fp16 (sums of squares stay fp32), or int8.")] = "fp32",
    opset: Annotated[int, typer.Option(min=11, max=25, help="Version of ONNX's operators.")] = 18,
    faces: Annotated[str, typer.Option(help="Faces to compare on, and to calibrate int8 with.")] = "embedded",
    degradation: Annotated[str, typer.Option(help="Degradation of these faces.")] = "paper",
    limit: Annotated[int, typer.Option(min=1, help="Use the first N images only.")] = 8,
    size: Annotated[int | None, typer.Option(min=16, help="Side of the face crops in pixels.")] = None,
    even_unsafe: Annotated[bool, typer.Option("--even-unsafe", help="Keep a file whose parity is unsafe.")] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for parity.html and parity.json of the file.")] = None,
) -> None:
    """Write a restorer as an ONNX file, and compare the file with the restorer before it is put into place.

    Exit code 1 where the file is unsafe: then it was not written.
    """
    from gfpbench.disk import refuse_unwritable
    from gfpbench.parity.export import Unlike, export
    from gfpbench.report.parity import parity_lines, write_parity
    from gfpbench.run import refuse_inside_inputs
    from gfpbench.types import BadInput, Case

    if onnx.is_dir():
        raise BadInput(f"--onnx {onnx}: is a folder; give the file to write, as in {onnx / 'network.onnx'}")
    if report is not None and report.exists() and not report.is_dir():
        raise BadInput(f"--report {report}: is a file; give a folder")
    case = Case(faces, degradation, restorer, limit=limit, size_px=size)
    for folder in (onnx.parent, report):
        if folder is not None:
            refuse_inside_inputs(case, folder)
            refuse_unwritable(folder)
    try:
        done = export(restorer, onnx, case=case, number=dtype, opset=opset, even_unsafe=even_unsafe)
    except Unlike as unlike:
        if report is not None:
            write_parity(unlike.measured, report)
        say(*parity_lines(unlike.measured.parity))
        complain(str(unlike))
        raise typer.Exit(1) from unlike
    if report is not None:
        write_parity(done.measured, report)
    say(*parity_lines(done.measured.parity))
    kept = f"; in fp32: {done.kept_in_fp32}" if done.kept_in_fp32 else ""
    say(f"{done.path}: {done.number}, opset {done.opset}, by {done.exporter}{kept}", f"load it as {done.restorer}")


def _timed(found: Measured, device: str) -> Measured:
    from dataclasses import replace

    from gfpbench.parity.timing import with_speed

    return replace(found, parity=with_speed(found.parity, device=device))
