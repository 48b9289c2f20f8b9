"""``python -m training.train``: trains a prior or a restorer, and goes on where it was stopped."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from gfpbench import devices
from gfpbench.types import BadInput, GfpbenchError
from training.config import read_config
from training.data import read_faces
from training.learning import prepare_device
from training.loop import Training
from training.prior import Prior
from training.progress import Shown
from training.restore import Restore
from training.start import Start, read_start
from training.steer import Steer, fetched_prior, made_faces
from training.validation import Validation

LEAST_FACES = 8


def train(
    stage: Annotated[str, typer.Argument(help="prior, restore or steer")],
    data: Annotated[str, typer.Option(help="Aligned faces: a folder, or a name of `gfpbench list faces`.")],
    out: Annotated[Path, typer.Option(help="Where checkpoint, sheets, log and weights go.")],
    config: Annotated[str, typer.Option(help="gpu, cpu, or a TOML file with what differs from gpu.")] = "gpu",
    start: Annotated[
        str | None, typer.Option(help="A restorer, nano or, for restore, a prior. [default: scratch]")
    ] = None,
    val: Annotated[str | None, typer.Option(help="Faces to validate on. [default: some of --data, held out]")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Train for so many steps ...")] = None,
    minutes: Annotated[float | None, typer.Option(help="... or for so many minutes.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[int, typer.Option(help="Every random draw is keyed by it.")] = 0,
) -> None:
    """Train a stage. Run the same command again to go on after a stop."""
    if stage not in ("prior", "restore", "steer"):
        raise BadInput(f"no stage {stage!r}: choose prior, restore or steer")
    if (steps is None) == (minutes is None) or (minutes is not None and not 0 < minutes < 1e6):
        raise BadInput("say how long: --steps N or --minutes M, one of them")
    if stage == "prior" and start is not None:
        raise BadInput("--start is for the stages restore and steer; a prior begins at random")
    settings, where = read_config(config), devices.resolve(device)
    prepare_device(where)
    size = settings.network["size_px"]
    faces = read_faces(data, size, LEAST_FACES)
    held = read_faces(val, size, 1) if val is not None else None
    if held is None:
        every = min(settings.data["held_out"], len(faces))
        faces, held = faces.apart(every)
    begun = read_start(start) if start is not None else None
    _make(out)
    learner: Prior | Restore
    if stage == "prior":
        learner = Prior(settings, where, seed)
    elif stage == "restore":
        learner = Restore(settings, faces, where, seed, begun)
    else:
        frozen = fetched_prior().to(where)
        made = made_faces(frozen, settings, seed, out)
        faces = made.beside(faces, settings.steer)
        learner = Steer(settings, faces, where, seed, begun, frozen, made)
    training = Training(
        learner,
        settings,
        faces,
        Validation(held),
        out,
        device=where,
        seed=seed,
        steps=steps,
        minutes=minutes,
        started_from=_named(start, begun),
    )
    with Shown() as shown:
        if stage != "prior":
            shown.say("input", training.validation.scores(training.validation.degraded))
        training.run(shown)
    print(out / learner.file)


def _named(start: str | None, begun: Start | None) -> str:
    if begun is None:
        return "scratch"
    digest = hashlib.sha256(begun.path.read_bytes()).hexdigest()
    return f"{'nano' if start == 'nano' else begun.path.name}, sha256 {digest[:16]}"


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}") from error


def main() -> None:
    """Run the program. Our own errors are one line on standard error and exit code 2."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(train)
    try:
        app()
    except GfpbenchError as error:
        line = "".join(c if c.isprintable() else " " for c in str(error))
        print(f"training.train: {line}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("training.train: stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
