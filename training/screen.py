"""Generated training faces: sampled from a prior, rejected where no face is found or a person is copied.

``python -m training.screen`` samples with a seed and a truncation, keeps what a detector takes for a face and what
is no nearer to any training face than those are to each other, and writes images with a record of all of it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from gfpbench.images import from_signed, pixels_sha256, quantized, to_rgb_arrays, write_png
from gfpbench.metrics.identity import dlib_embedder
from gfpbench.nano import networks
from gfpbench.restorers.gfpgan_sizes import Sizes
from gfpbench.types import BadInput, GfpbenchError
from training.data import Faces, read_faces
from training.prior import TRUNCATION, sampled
from training.start import fit_copied, read_start

Bytes = NDArray[np.uint8]
Embed = Callable[[Bytes], "NDArray[np.float64] | None"]
"""An (H, W, 3) uint8 RGB image to its face's embedding, or None where no face is found."""

SHRUNK_PX = 32
QUANTILE = 0.01
MOST_TRIES_FOR_EACH = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """How near a sample may come to a training face.

    Args:
        angle_degrees: between embeddings; nearer is the same person.
        pixels: root mean square distance in grey levels at 32 px, mirrored or not; nearer is the same image.
    """

    angle_degrees: float
    pixels: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one sample.

    Args:
        number: of the sample; with seed and truncation it can be made again.
        kept: whether it may be used.
        reason: why not; empty for a kept one.
        angle_degrees, pixels: to the nearest training face; None where no face was found.
        nearest: that training face.
    """

    number: int
    kept: bool
    reason: str
    angle_degrees: float | None
    pixels: float | None
    nearest: str | None


def embed_by_dlib(image: Bytes) -> NDArray[np.float64] | None:
    """dlib's 128 numbers for the one face of an image; None for no face. Raises PackageMissing without dlib."""
    embedder = dlib_embedder()
    box = embedder.find(image)
    return None if box is None else embedder.embed(image, box).numpy()


class Known:
    """The training faces, ready to be compared with.

    Args:
        faces: all that the prior was trained on.
        embed: which embedding.

    Raises:
        BadInput: where fewer than three of them show a face that is found.
    """

    def __init__(self, faces: Faces, embed: Embed = embed_by_dlib) -> None:
        self.embed = embed
        found = [embed(image) for image in faces.images]
        self.names = [name for name, vector in zip(faces.ids, found, strict=True) if vector is not None]
        if len(self.names) < 3:
            raise BadInput(f"a face is found in {len(self.names)} of {len(faces)} training images; 3 are needed")
        self.directions = np.stack([_unit(vector) for vector in found if vector is not None])
        self.ids = faces.ids
        self.small = np.stack([_small(image) for image in faces.images])
        self.mirrored = np.stack([_small(image[:, ::-1]) for image in faces.images])

    def limits(self, quantile: float = QUANTILE) -> Limits:
        """How near training faces are to their nearest fellow, at a low quantile: one person may be there twice."""
        cosines = self.directions @ self.directions.T
        np.fill_diagonal(cosines, -1)
        angles = np.degrees(np.arccos(np.clip(cosines.max(1), -1, 1)))
        distances = []
        for number, small in enumerate(self.small):
            others = np.delete(np.arange(len(self.small)), number)
            distances.append(self._pixel_distances(small)[others].min())
        return Limits(float(np.quantile(angles, quantile)), float(np.quantile(distances, quantile)))

    def nearest(self, image: Bytes) -> tuple[float, float, str] | None:
        """Angle and pixel distance to the nearest training faces, and who is nearest by angle; None for no face."""
        vector = self.embed(image)
        if vector is None:
            return None
        cosines = self.directions @ _unit(vector)
        angle = float(np.degrees(np.arccos(np.clip(cosines.max(), -1, 1))))
        return angle, float(self._pixel_distances(_small(image)).min()), self.names[int(cosines.argmax())]

    def _pixel_distances(self, small: NDArray[np.float64]) -> NDArray[np.float64]:
        both = [np.sqrt(np.square(known - small).mean((1, 2, 3))) for known in (self.small, self.mirrored)]
        return np.asarray(np.minimum(*both), np.float64)


def screened(
    images: Iterable[tuple[int, Bytes]], known: Known, limits: Limits, count: int
) -> tuple[list[tuple[int, Bytes]], list[Verdict]]:
    """Look at samples until ``count`` are kept: the kept ones, and a verdict on every one that was looked at.

    A sample also has to differ from those kept before it, so that one face does not come twice.
    """
    kept: list[tuple[int, Bytes]] = []
    verdicts: list[Verdict] = []
    for number, image in images:
        found = known.nearest(image)
        reason = _refusal(image, found, known, limits, kept)
        angle, pixels, nearest = found or (None, None, None)
        verdicts.append(Verdict(number, not reason, reason, angle, pixels, nearest))
        if not reason:
            kept.append((number, image))
        if len(kept) == count:
            break
    return kept, verdicts


def _refusal(
    image: Bytes,
    found: tuple[float, float, str] | None,
    known: Known,
    limits: Limits,
    kept: list[tuple[int, Bytes]],
) -> str:
    if found is None:
        return "no face is found in it"
    angle, pixels, nearest = found
    if angle < limits.angle_degrees:
        return f"too like {nearest}: {angle:.1f} degrees, {limits.angle_degrees:.1f} wanted"
    if pixels < limits.pixels:
        return f"too near to a training image: {pixels:.1f} grey levels, {limits.pixels:.1f} wanted"
    small = _small(image)
    for number, other in kept:
        if np.sqrt(np.square(_small(other) - small).mean()) < limits.pixels:
            return f"the same image as sample {number}"
    return ""


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector), np.float64)


def _small(image: Bytes) -> NDArray[np.float64]:
    import cv2

    shrunk = cv2.resize(np.ascontiguousarray(image), (SHRUNK_PX, SHRUNK_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.float64)


def samples(prior: Path, truncation: float, seed: int, most: int) -> Iterable[tuple[int, Bytes]]:
    """Numbered faces of a prior that ``training.train`` wrote, one after another. Raises BadInput for another."""
    start = read_start(str(prior))
    if start.kind != "prior":
        raise BadInput(f"{prior} is no prior: faces are sampled from prior.safetensors")
    network = networks.prior(_sizes(start.weights), seed=0)
    fit_copied(network, start.weights, prior)
    for number in range(most):
        face = from_signed(sampled(network, 1, truncation, seed, first=number), (str(number),))
        yield number, to_rgb_arrays(quantized(face))[0]


def _sizes(weights: Mapping[str, torch.Tensor]) -> Sizes:
    style = weights["style_conv1.modulated_conv.modulation.weight"].shape[1]
    levels = max(int(name.split(".")[1]) for name in weights if name.startswith("to_rgbs.")) + 1
    layers = sum(name.startswith("style_mlp.") and name.endswith(".weight") for name in weights)
    narrow, side = weights["constant_input.weight"].shape[1] / 512, 4 << levels
    last = weights[f"to_rgbs.{levels - 1}.modulated_conv.weight"].shape[2]
    multiplier = max(1, round(last / (16384 // side * narrow))) if side > 32 else 2
    return Sizes.made(side, style, layers, narrow, multiplier)


def screen(
    prior: Annotated[Path, typer.Option(help="prior.safetensors of training.train.")],
    data: Annotated[str, typer.Option(help="The faces it was trained on, all of them.")],
    out: Annotated[Path, typer.Option(help="Where the kept faces and screening.json go.")],
    count: Annotated[int, typer.Option(min=1, help="How many faces to keep.")] = 64,
    truncation: Annotated[
        float, typer.Option(min=0, max=1, help="1: as the prior has it; less: safer, more alike.")
    ] = TRUNCATION,
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 0,
) -> None:
    """Sample faces of nobody, and keep those that are faces and no copies."""
    images = samples(prior, truncation, seed, MOST_TRIES_FOR_EACH * count)
    side = next(iter(samples(prior, truncation, seed, 1)))[1].shape[0]
    known = Known(read_faces(data, side, 3))
    limits = known.limits()
    kept, verdicts = screened(images, known, limits, count)
    out.mkdir(parents=True, exist_ok=True)
    for number, image in kept:
        write_png(out / f"nobody-{number:04d}.png", image)
    record = {
        "prior_sha256": _sha256(prior),
        "truncation": truncation,
        "seed": seed,
        "limits": asdict(limits),
        "kept": {f"nobody-{number:04d}": pixels_sha256(image) for number, image in kept},
        "looked_at": [asdict(verdict) for verdict in verdicts],
    }
    partial = out / f".screening.{os.getpid()}.part"
    partial.write_text(json.dumps(record, indent=1), encoding="utf-8")
    partial.replace(out / "screening.json")
    print(f"{len(kept)} of {len(verdicts)} samples kept in {out}")
    if len(kept) < count:
        raise BadInput(
            f"only {len(kept)} of {count} wanted faces passed: train the prior longer, or lower --truncation"
        )


def _sha256(path: Path) -> str:
    from gfpbench.restorers.checkpoint_file import file_sha256

    return file_sha256(path)


def main() -> None:
    """Run the program. Our own errors are one line on standard error and exit code 2."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(screen)
    try:
        with torch.inference_mode():
            app()
    except GfpbenchError as error:
        print(f"training.screen: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
