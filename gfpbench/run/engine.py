"""The evaluation pipeline for one batch: clean, degraded, restored, scored, with checks between the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from gfpbench import images
from gfpbench.images import only
from gfpbench.lazy import LazyModule
from gfpbench.metrics import needs_input
from gfpbench.process_guard import called
from gfpbench.restorers.checked import Seen, checked
from gfpbench.run.batches import Batch, joined
from gfpbench.run.fingerprints import described
from gfpbench.run.journal import Committed
from gfpbench.run.parts import Parts, plain
from gfpbench.run.recorder import Features, Kept
from gfpbench.run.sets import features_of
from gfpbench.run.shared import Degraded
from gfpbench.types import (
    AssetMissing,
    BadInput,
    Degradation,
    Face,
    GfpbenchError,
    ImageBatch,
    Json,
    Metric,
    Parameters,
    Problem,
    ReadsImages,
    Restorer,
    Row,
)

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one batch gave: its rows, what went wrong, and the images by name (8-bit values, on the CPU)."""

    rows: tuple[Row, ...] = ()
    problems: tuple[Problem, ...] = ()
    blank: Mapping[str, str] = field(default_factory=dict)  # metric -> the asset it lacks
    degraded: ImageBatch | None = None
    restored: ImageBatch | None = None
    truth: ImageBatch | None = None
    features: Mapping[str, torch.Tensor] = field(default_factory=dict)  # "restored/inception_clean" -> (B, D)

    @property
    def images(self) -> dict[str, ImageBatch | None]:
        """By kind: ``degraded``, ``restored``, ``truth``."""
        return {"degraded": self.degraded, "restored": self.restored, "truth": self.truth}


@dataclass(slots=True)
class _Notes:
    """What is collected while a batch passes: who failed and why, and which metrics stay blank."""

    problems: list[Problem]
    failures: dict[str, str] = field(default_factory=dict)
    blank: dict[str, str] = field(default_factory=dict)

    def failed(self, stage: str, image_id: str, reason: str) -> None:
        self.failures[image_id] = reason
        self.problems.append(Problem(stage, image_id, reason))


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the batches of a case, from the first: what is measured, and what was kept of it so far.

    Args:
        parts, seed, device: as ``measure_batch`` takes them.
        kept: the images.
        features: of set metrics.
        seen: the restored images, so that one that is given twice is noticed.
    """

    parts: Parts
    seed: int
    device: str
    kept: Kept
    features: Features
    seen: Seen

    def measured(self, batch: Batch) -> tuple[Committed, Measured]:
        """One batch, without its images and files, and everything that it gave; its features are on the disk."""
        known = len(self.seen.images)
        found = measure_batch(batch, self.parts, self.seed, self.device, self.seen)
        sha256 = self.features.write(batch.start, found.features) if self.parts.sets else None
        new = dict(islice(self.seen.images.items(), known, None))
        line = Committed(batch.start, batch.stop, found.rows, found.problems, found.blank, new, sha256)
        return line, found


def measure_batch(batch: Batch, parts: Parts, seed: int, device: str, seen: Seen) -> Measured:
    """Degrade, restore and score the faces of one batch. ``seen`` holds what earlier batches gave, and is extended.

    An image that cannot be degraded or restored becomes a row with a failure and blank scores, never with a number.

    Raises:
        GfpbenchError: where a degradation, the restorer check or a metric breaks its contract.
    """
    notes = _Notes(list(batch.unreadable))
    if not batch.faces:
        return Measured(problems=tuple(notes.problems))
    truth = batch.truth()
    how = parts.degradation
    made = parts.shared.degraded(how, seed, truth, partial(degraded_images, how, truth, seed))
    parameters, degraded = made.parameters, made.images
    notes.problems += made.problems
    notes.failures |= {problem.subject: problem.reason for problem in made.problems}
    if parts.restorer is None:
        restored = None if degraded is None else only(truth, degraded.ids)
    else:
        restored = without_the_truth(restore(parts.restorer, degraded, device, seen, notes), degraded, truth, notes)
    scores: dict[str, dict[str, float]] = {metric.name: {} for metric in parts.metrics}
    if restored is not None:
        clean, given = (only(batch, restored.ids) for batch in (truth, degraded or truth))
        scores = score_all(parts.metrics, restored, clean, notes, given)
    features = features_of(parts.sets, restored, truth, notes.blank) if parts.sets else {}
    looks = {"degraded": made.fingerprints, "restored": described(restored, blocks=True)}
    rows = tuple(
        Row(
            id=face.id,
            face_sha256=face.sha256,
            size_px=truth.size,
            attributes=plain(face.attributes, f"the attributes of face {face.id!r}"),
            parameters=parameters.get(face.id, {}),
            scores={metric.name: scores[metric.name].get(face.id) for metric in parts.metrics},
            failure=notes.failures.get(face.id),
            fingerprint={kind: records[face.id] for kind, records in looks.items() if face.id in records},
            read=read_records(face, parts),
        )
        for face in batch.faces
    )
    shown = truth if parts.has_truth else None
    return Measured(rows, tuple(notes.problems), notes.blank, degraded, restored, shown, features)


def read_records(face: Face, parts: Parts) -> dict[str, Mapping[str, Json]]:
    """How the files behind one image were read: of the face, and of a degradation or restorer that reads files."""
    found = {parts.kind_of_faces: face.read}
    for kind, what, part in (("degraded", "degradation", parts.degradation), ("restored", "restorer", parts.restorer)):
        if part is not None and isinstance(part, ReadsImages):
            record = called(f"{what} {part.name!r}: read_record", part.read_record, face.id)
            found[kind] = record or found.get(kind, {})
    return {kind: plain(record, f"how {face.id!r} was read") for kind, record in found.items() if record}


def degrade(
    degradation: Degradation, truth: ImageBatch, seed: int, notes: _Notes
) -> tuple[dict[str, Parameters], ImageBatch | None]:
    """Draw for each image and degrade it: the drawn records by name, and those images that could be degraded."""
    records: dict[str, Parameters] = dict(zip(truth.ids, drawn(degradation, truth.ids, seed, truth.size), strict=True))
    try:
        return records, apply(degradation, truth, records)
    except BadInput:  # one image may have spoilt it for all: take them one at a time
        done: list[ImageBatch] = []
        for image_id in truth.ids:
            try:
                done.append(apply(degradation, only(truth, (image_id,)), records))
            except BadInput as error:
                notes.failed("degrade", image_id, str(error))
        return records, joined(done)


def degraded_images(degradation: Degradation, truth: ImageBatch, seed: int) -> Degraded:
    """A batch degraded, with everything that is recorded of it."""
    parameters, degraded = degrade(degradation, truth, seed, notes := _Notes([]))
    return Degraded(parameters, degraded, tuple(notes.problems), described(degraded))


def degrade_alone(
    degradation: Degradation, truth: ImageBatch, seed: int
) -> tuple[ImageBatch | None, Sequence[Problem]]:
    """The degraded images as a run makes them, without restoring any, and why others could not be degraded."""
    notes = _Notes([])
    return degrade(degradation, truth, seed, notes)[1], tuple(notes.problems)


def drawn(degradation: Degradation, ids: Sequence[str], seed: int, size: tuple[int, int]) -> list[dict[str, Json]]:
    """What the degradation draws for each of some images of (height, width) pixels, as plain JSON values."""

    def draw() -> list[Parameters]:
        return [degradation.draw(image_id, seed, size) for image_id in ids]

    what = f"the parameters that degradation {degradation.name!r} drew"
    return [plain(record, what) for record in called(f"degradation {degradation.name!r}", draw)]


def apply(degradation: Degradation, truth: ImageBatch, drawn: Mapping[str, Parameters]) -> ImageBatch:
    """The degraded images, checked for names, size and 8-bit values. The degradation works on a copy of the truth."""
    what = f"degradation {degradation.name!r}"
    records = [drawn[image_id] for image_id in truth.ids]
    degraded = called(what, degradation.apply, ImageBatch(truth.pixels.clone(), truth.ids), records)
    if not isinstance(degraded, ImageBatch) or degraded.ids != truth.ids or degraded.size != truth.size:
        raise GfpbenchError(f"{what} must return the images it was given: {_shape(truth)}, not {_shape(degraded)}")
    degraded = images.moved(degraded, "cpu")
    if not images.is_quantized(degraded):
        raise GfpbenchError(f"{what} returned values that are not 8-bit for one of {', '.join(truth.ids)}")
    return degraded


def restore(
    restorer: Restorer, degraded: ImageBatch | None, device: str, seen: Seen, notes: _Notes
) -> ImageBatch | None:
    """The restored images as they would be saved: 8-bit values, on the CPU. Failures are named and left out."""
    if degraded is None:
        return None
    what = f"restorer {restorer.name!r}"
    restored, failures = called(what, checked, restorer, images.moved(degraded, device), seen)
    good = () if restored is None else restored.ids
    if tuple(image_id for image_id in degraded.ids if image_id not in failures) != good:
        raise GfpbenchError(f"{what}: {len(degraded)} images went in; {len(good)} came out and {len(failures)} failed")
    for image_id in degraded.ids:
        if image_id in failures:
            notes.failed("restore", image_id, failures[image_id])
    if restored is None:
        return None
    if restored.size != degraded.size:
        raise GfpbenchError(f"{what} must return the images it was given: {_shape(degraded)}, not {_shape(restored)}")
    return images.quantized(images.moved(restored, "cpu"))


def without_the_truth(
    restored: ImageBatch | None, degraded: ImageBatch | None, truth: ImageBatch, notes: _Notes
) -> ImageBatch | None:
    """The restored images but for those that are the truth itself: these were found somewhere, not restored.

    No restorer undoes a loss to the last bit. Where the degradation changed no more than half of an image's values
    (an occluder, nothing at all), it might, and nothing is said.
    """
    if restored is None or degraded is None:
        return restored
    clean, given = (images.to_uint8(only(batch, restored.ids)) for batch in (truth, degraded))
    same = [images.are_equal(*pair) for pair in zip(images.to_uint8(restored), clean, strict=True)]
    leaked = [
        image_id
        for image_id, found, true, was in zip(restored.ids, same, clean, given, strict=True)
        if found and 2 * int((was != true).count_nonzero()) > true.numel()
    ]
    for image_id in leaked:
        notes.failed("restore", image_id, "returned the true image to the last bit: it was found, not restored")
    kept = [image_id for image_id in restored.ids if image_id not in leaked]
    return only(restored, kept) if kept else None


def score_all(
    metrics: Sequence[Metric],
    restored: ImageBatch,
    truth: ImageBatch,
    notes: _Notes,
    degraded: ImageBatch | None = None,
) -> dict[str, dict[str, float]]:
    """Every metric's values by name of the metric and of the image; of those that need it, against ``degraded``."""
    with_input = degraded is not None and any(map(needs_input, metrics))
    shown = (restored, truth, degraded) if degraded is not None and with_input else (restored, truth)
    before = [(batch, batch.pixels.clone(), images.to_uint8(batch).clone()) for batch in shown]
    scores = {
        metric.name: score(metric, restored, shown[-1] if needs_input(metric) else truth, notes) for metric in metrics
    }
    # Metrics share their images and one 0..255 view of them: one that writes to them changes what the next one sees.
    for batch, pixels, levels in before:
        if not (images.are_equal(batch.pixels, pixels) and images.are_shared_views_of(batch, levels)):
            raise GfpbenchError(f"one of the metrics {', '.join(scores)} wrote to the images it was given")
    return scores


def score(metric: Metric, restored: ImageBatch, truth: ImageBatch, notes: _Notes) -> dict[str, float]:
    """One metric's value for each image that it can score. Too small an image is left out, not guessed."""
    if min(truth.size) < metric.minimum_side_px:
        return {}
    try:
        return scored(metric, restored, truth)
    except AssetMissing as error:
        notes.blank[metric.name] = str(error)
        return {}
    except BadInput:  # one image may have spoilt it for all: take them one at a time
        values: dict[str, float] = {}
        for image_id in restored.ids:
            try:
                values |= scored(metric, only(restored, (image_id,)), only(truth, (image_id,)))
            except BadInput as error:
                said = str(error).removeprefix(f"{metric.name}: ")
                notes.problems.append(Problem("metric", image_id, f"{metric.name}: {said}"))
        return values


def scored(metric: Metric, restored: ImageBatch, truth: ImageBatch) -> dict[str, float]:
    """Call a metric and check what it returns: one float64 for each image, on the CPU, never NaN."""
    if restored.ids != truth.ids:
        raise GfpbenchError(f"pairs do not match by name: {restored.ids} beside {truth.ids}")
    what = f"metric {metric.name!r}"
    values = called(what, metric, restored, truth)
    if not isinstance(values, torch.Tensor) or values.shape != (len(restored),) or values.dtype != torch.float64:
        got = f"{tuple(values.shape)} {values.dtype}" if isinstance(values, torch.Tensor) else type(values).__name__
        raise GfpbenchError(f"{what} must return ({len(restored)},) float64, not {got}")
    numbers = [float(value) for value in values.tolist()]
    if any(number != number for number in numbers):
        bad = [image_id for image_id, number in zip(restored.ids, numbers, strict=True) if number != number]
        raise GfpbenchError(
            f"{what} returned NaN for {', '.join(bad)}; it has to raise BadInput for what it cannot score"
        )
    return dict(zip(restored.ids, numbers, strict=True))


def _shape(batch: object) -> str:
    if not isinstance(batch, ImageBatch):
        return type(batch).__name__
    return f"{', '.join(batch.ids)} of {batch.size[0]}x{batch.size[1]} px"
