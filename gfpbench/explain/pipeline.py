"""The evaluation pipeline from a clean face to a published number, in steps that a hypothesis can replace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from gfpbench import images
from gfpbench.degrade import blur, jpeg, noise, resample
from gfpbench.degrade.chain import Chain
from gfpbench.degrade.presets import PAPER
from gfpbench.types import BadInput, Face, FaceSet, ImageBatch, Metric, UnreadableFace

Pair: TypeAlias = tuple[ImageBatch, ImageBatch]


def _same(truth: ImageBatch) -> ImageBatch:
    return truth


def _as_they_are(degraded: ImageBatch, truth: ImageBatch, other: ImageBatch) -> Pair:
    return degraded, truth


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How an input row of a table comes about. The defaults are what GFP-GAN's paper describes.

    Args:
        prepared: face -> the image taken for the truth.
        chain: what degrades it.
        times: how often.
        enlarged: whether the degraded image is brought back to its size.
        compared: (degraded, truth, the truth of another face) -> the two images that metrics are given.
        images: how many the row is a mean of.
    """

    prepared: Callable[[ImageBatch], ImageBatch] = _same
    chain: Chain = PAPER
    times: int = 1
    enlarged: bool = True
    compared: Callable[[ImageBatch, ImageBatch, ImageBatch], Pair] = _as_they_are
    images: int = 3000

    def pair(self, face: ImageBatch, other: ImageBatch, seed: int) -> Pair:
        """The two images compared for one face, with 8-bit values. ``other`` is the next face of the set.

        Raises:
            BadInput: where the pipeline ends in images that no metric can compare.
        """
        truth = images.quantized(self.prepared(face))
        rival = images.quantized(self.prepared(other))
        degraded = truth
        for turn in range(self.times):
            degraded = self._degraded(degraded, seed, turn)
        compared, against = self.compared(degraded, truth, rival)
        return images.quantized(compared), images.quantized(ImageBatch(against.pixels, compared.ids))

    def _degraded(self, clean: ImageBatch, seed: int, turn: int) -> ImageBatch:
        """Eq. 6 step by step, as ``Chain.apply``, with the last step left out where the pipeline says so."""
        (name,) = clean.ids
        record = self.chain.draw(name if turn == 0 else f"{name}, degraded again", seed, clean.size)
        if self.enlarged or turn < self.times - 1:
            return self.chain.apply(clean, [record])
        (bgr,) = images.to_bgr_floats(clean)
        small = noise.noisy(resample.downsampled(blur.blurred(bgr, record), record), record)
        return images.from_bgr_arrays([jpeg.to_bytes(jpeg.compressed(small, record))], clean.ids)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Faces in memory with the next face of each, so that every hypothesis sees the same ones.

    Args:
        faces: one image each.
        left_out: id -> why it could not be read: it is in no row.
    """

    faces: tuple[ImageBatch, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    def pairs(self, pipeline: Pipeline, seed: int) -> Iterator[Pair]:
        for number, face in enumerate(self.faces):
            other = self.faces[(number + 1) % len(self.faces)]
            if other.size != face.size:
                other = images.resized(other, face.size)
            yield pipeline.pair(face, other, seed)


MINIMUM_FACES = 5


def load(faces: FaceSet, limit: int | None) -> Loaded:
    """Decode the faces. Unreadable ones are named. Raises BadInput below five: nothing could be told apart."""
    found: list[Face] = []
    left_out: dict[str, str] = {}
    for face_id in faces.ids()[:limit]:
        try:
            found.append(faces.load(face_id))
        except UnreadableFace as error:
            left_out[face_id] = str(error)
    if len(found) < MINIMUM_FACES:
        reason = f" ({next(iter(left_out.values()))})" if left_out else ""
        raise BadInput(
            f"faces {faces.name!r}: {len(found)} can be read, and {MINIMUM_FACES} are needed to explain a row{reason}"
        )
    return Loaded(tuple(ImageBatch(face.pixels[None], (face.id,)) for face in found), left_out)


def measured(pipeline: Pipeline, faces: Loaded, metrics: Mapping[str, Metric], seed: int) -> dict[str, list[float]]:
    """Figure -> one score per face, in the faces' order."""
    scores: dict[str, list[float]] = {figure: [] for figure in metrics}
    for compared, truth in faces.pairs(pipeline, seed):
        for figure, metric in metrics.items():
            scores[figure].append(float(metric(compared, truth)[0]))
    return scores


def only(faces: Loaded, count: int) -> Loaded:
    """The first so many faces."""
    return Loaded(faces.faces[:count])


def names(parts: Sequence[str]) -> str:
    """How a combination is called."""
    return " + ".join(parts)
