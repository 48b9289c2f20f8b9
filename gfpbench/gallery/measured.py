"""Measures the gallery: the untouched restorations of one face, and the same with each defect, by every metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gfpbench import faces, metrics, restorers
from gfpbench.degrade.axes import load_at, load_axis
from gfpbench.gallery.cases import CASES, COLUMNS, GalleryCase
from gfpbench.gallery.defects import Material, Place
from gfpbench.images import Bytes, batch_from_uint8, to_rgb_arrays
from gfpbench.statistics import Floats
from gfpbench.types import BadInput, Better, Face, ImageBatch, Metric, Restorer

FACE, OTHER = "astronaut", "grace_hopper"
DEGRADATION = "all@0.1"
"""Every step of the paper's at 0.24 of its range: mild enough for a restoration that is right to the eye."""
DRAWS = 6


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one case.

    Args:
        untouched, defect: mean over the draws, without and with the defect; None where the metric is undefined.
        noise: the largest difference between two untouched restorations, which differ in the drawn noise only.
        why: the reason where it is undefined.
    """

    metric: str
    unit: str
    better: Better
    untouched: float | None
    defect: float | None
    noise: float | None
    why: str = ""

    @property
    def change(self) -> float | None:
        """Of the mean by the defect; positive is a larger value, whether that is better or worse."""
        return None if self.defect is None or self.untouched is None else self.defect - self.untouched

    @property
    def moved(self) -> bool:
        """Whether the change is beyond the noise."""
        return self.change is not None and self.noise is not None and abs(self.change) > self.noise

    @property
    def times_noise(self) -> float | None:
        """The size of the change in units of the noise."""
        if self.change is None or self.noise is None:
            return None
        return abs(self.change) / self.noise if self.noise else math.inf if self.change else 0.0


@dataclass(frozen=True, slots=True)
class Shown:
    """One case measured: the images of its first draw, (H, W, 3) uint8 RGB, and the score of every metric."""

    case: GalleryCase
    truth: Bytes
    untouched: Bytes
    defect: Bytes
    scores: Mapping[str, Score]


@dataclass(frozen=True, slots=True)
class Gallery:
    """All cases, in the order of ``CASES``, and what they were made from."""

    shown: tuple[Shown, ...]
    face: str
    degradation: str
    restorer: str
    draws: int


@dataclass(frozen=True, slots=True)
class Bench:
    """What all cases share: the faces, the degradation, the restorer and the metrics."""

    face: Face
    other: Face
    restorer: Restorer
    metrics: tuple[Metric, ...]
    draws: int

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(f"{self.face.id}~{draw}" for draw in range(self.draws))

    def truth(self, face: Face, scene: str = "") -> ImageBatch:
        """The clean face once for each draw, with what a scene puts before it: the same on every copy."""
        pixels = face.pixels[None].repeat(self.draws, 1, 1, 1)
        clean = ImageBatch(pixels, self.ids)
        if not scene:
            return clean
        name, _, severity = scene.partition("@")
        axis = load_axis(name)
        record = axis.draw(float(severity), face.id, 0, clean.size)
        return axis.applied(clean, [record] * self.draws)

    def restored(self, truth: ImageBatch) -> list[Bytes]:
        """Degraded and restored, one (H, W, 3) uint8 RGB image for each draw."""
        degradation = load_at(DEGRADATION)
        drawn = [degradation.draw(name, 0, truth.size) for name in truth.ids]
        return to_rgb_arrays(self.restorer(degradation.apply(truth, drawn)))


def open_bench(columns: Sequence[str] = COLUMNS, draws: int = DRAWS) -> Bench:
    """The embedded faces, the restorer ``nano`` and the metrics.

    Raises:
        AssetMissing: where a metric needs a package that is not here.
    """
    embedded = faces.load("embedded", draws=1)
    return Bench(
        face=embedded.load(FACE),
        other=embedded.load(OTHER),
        restorer=restorers.load("nano", device="cpu"),
        metrics=tuple(metrics.load(list(columns))),
        draws=draws,
    )


@dataclass(frozen=True, slots=True)
class Untouched:
    """The restorations of one scene without a defect, and their scores: metric -> (draws,), or why it has none."""

    truth: ImageBatch
    restored: list[Bytes]
    scores: Mapping[str, Floats | str]


def measure(bench: Bench | None = None) -> Gallery:
    """Every case of the gallery, some ten seconds in all. Raises as ``open_bench`` and ``shown`` do."""
    bench = open_bench() if bench is None else bench
    scenes = {scene: untouched(bench, scene) for scene in dict.fromkeys(["", *(case.scene for case in CASES)])}
    other = bench.restored(bench.truth(bench.other))
    cases = tuple(shown(case, bench, scenes[case.scene], scenes[""], other) for case in CASES)
    return Gallery(cases, bench.face.id, DEGRADATION, bench.restorer.name, bench.draws)


def untouched(bench: Bench, scene: str = "") -> Untouched:
    """The face of the gallery restored, with nothing done to the restorations."""
    truth = bench.truth(bench.face, scene)
    restored = bench.restored(truth)
    return Untouched(truth, restored, {metric.name: _values(metric, restored, truth) for metric in bench.metrics})


def shown(case: GalleryCase, bench: Bench, own: Untouched, plain: Untouched, other: Sequence[Bytes]) -> Shown:
    """Make one case of every draw and measure it.

    Args:
        own: of the case's scene; ``plain``: of the face with nothing before it.
        other: restored faces of another person, one for each draw.

    Raises:
        BadInput: where one of the two metrics that the case is about cannot be computed.
    """
    clean = to_rgb_arrays(own.truth)
    changed = [
        case.defect(Material(*images, places=places_of(bench.face), other_places=places_of(bench.other)))
        for images in zip(own.restored, clean, plain.restored, other, strict=True)
    ]
    scores = {}
    for metric in bench.metrics:
        before, after = own.scores[metric.name], _values(metric, changed, own.truth)
        if isinstance(before, str) or isinstance(after, str):
            why = before if isinstance(before, str) else str(after)
            if metric.name in (case.sees, case.blind):
                raise BadInput(f"gallery: {case.name}: {why}")
            means: tuple[float | None, float | None, float | None] = (None, None, None)
        else:
            why, means = "", (float(before.mean()), float(after.mean()), float(np.ptp(before)))
        scores[metric.name] = Score(metric.name, metric.unit, metric.better, *means, why)
    return Shown(case, clean[0], own.restored[0], changed[0], scores)


def places_of(face: Face) -> dict[str, Place]:
    """Eyes and mouth of an embedded face, (2,) x, y in pixels each."""
    return {name: np.array(place, np.float64) for name, place in face.attributes["landmarks_px"].items()}


def _values(metric: Metric, images: Sequence[Bytes], truth: ImageBatch) -> Floats | str:
    """(draws,) scores, or why there are none: a covered face is not found, and what is not found has no landmarks."""
    try:
        return np.asarray(metric(batch_from_uint8(list(images), truth.ids), truth).numpy())
    except BadInput as error:
        return str(error)
