"""Subcommands about published numbers: claims checks them against stored results, explain says what gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gfpbench.cli.app import AsJson, result_file, say
from gfpbench.cli.places import fetched, leaves_report, refuse_inputs_of, report_place


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
    from gfpbench import claims, codec
    from gfpbench import results as stored
    from gfpbench.report.claims import claim_lines, write_claims

    files = [result_file(path) for path in results or ()]
    read = tuple(result for file in files for result in stored.read_measured(file))
    refuse_inputs_of(read, to)
    judged = claims.judged(read)
    page = write_claims(judged, to)
    if as_json:
        print(json.dumps(codec.encode(judged.outcomes, infinite=True), indent=2, allow_nan=False))
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
