"""Verifies a Result: makes some of its images again and checks the records, the scores and the kept images.

Nothing here uses the engine: a mistake in the engine would otherwise be repeated and found equal to itself.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from gfpbench import devices, images
from gfpbench.decode import KEPT_LIMITS, read_rgb
from gfpbench.metrics import needs_input
from gfpbench.metrics.figure_identity import unlike
from gfpbench.process_guard import contained, text_of
from gfpbench.restorers.checked import ignores_input
from gfpbench.run.fingerprints import fingerprints
from gfpbench.run.parts import Parts, identity, load
from gfpbench.run.recorder import image_path
from gfpbench.run.remaking import degraded_alone, remake
from gfpbench.types import (
    AssetMissing,
    BadInput,
    GfpbenchError,
    ImageBatch,
    Json,
    Metric,
    Problem,
    Result,
    Row,
    UnreadableFace,
    any_scored,
)

SAME_IMAGES = 1e-5
"""Relative slack for a score measured again from the same 8-bit images: float32 networks sum in another order."""
SAME_RECORD = 1e-3
"""Relative slack for a score of an image restored again alone: float32 networks differ by some 1e-5 with the batch
size, which moves few pixels by one grey level."""
GREY_LEVELS = 0.25
"""How far, on average, an image restored again alone may lie from the one restored in a batch."""


def verify(
    result: Result,
    *,
    parts: Parts | None = None,
    store: Path | None = None,
    device: str = "cpu",
    count: int | None = 4,
) -> tuple[Problem, ...]:
    """Check a Result against what it claims to be a record of. Empty where everything holds.

    It looks at: rows against faces, by name and order; failures beside numbers; the records of restorer, degradation
    and metrics; some rows, made again alone and scored again; a mirrored input, whose answer must be another, and
    one under another name, whose answer must be the same; and the kept images, scored again.

    Args:
        result: as measured or read from disk.
        parts: already loaded; loaded by the names in the case where None.
        store: where the run kept its images; without it, images are not compared.
        device: where the restorer works.
        count: how many rows are made again, spread over the run (never only the first of a batch); all where None.
    """
    device = devices.resolve(device)
    parts = parts or load(result.case, device=device, metrics=tuple(result.metrics))
    problems = _records(result, parts) + _names(result, parts)
    metrics = [metric for metric in parts.metrics if metric.name in result.metrics]
    folder = None if store is None else store / result.case.id
    chosen = result.rows if count is None else _spread(result, count)
    for row in chosen:
        problems += _made_again(result, row, parts, metrics, folder, device)
    problems += _constant(result, chosen, parts, device)
    problems += _by_name(result, chosen, parts, device)
    if folder is not None:
        problems += [found for row in result.rows for found in _kept(row, parts, metrics, folder)]
    return tuple(problems)


def _records(result: Result, parts: Parts) -> list[Problem]:
    """What the Result says about its parts must be what the parts say."""
    now = parts.records()
    said = {"restorer": result.restorer, "degradation": result.degradation, "faces": result.faces}
    problems = [
        Problem(stage, result.case.id, f"the Result was measured with another: its {field} record differs")
        for field, stage in (("restorer", "restore"), ("degradation", "degrade"), ("faces", "faces"))
        if identity(said[field]) != identity(now[field])
    ]
    for name, record in result.metrics.items():
        if name not in now["metrics"]:
            problems.append(Problem("metric", name, "cannot be measured here, so its scores were not checked"))
        elif differs := unlike(record, now["metrics"][name]):
            problems.append(Problem("metric", name, f"was measured by another version of it: {differs}"))
        elif _convention(record) != _convention(now["metrics"][name]):
            problems.append(Problem("metric", name, "was measured under another convention: its record differs"))
    return problems


def _convention(record: Mapping[str, Json]) -> dict[str, Json]:
    """A metric's record without its identity, which older Results do not have."""
    return {field: value for field, value in record.items() if field != "identity"}


def _names(result: Result, parts: Parts) -> list[Problem]:
    """Rows and unreadable faces together are the faces asked for, each once, in order."""
    unreadable = [problem.subject for problem in result.problems if problem.stage == "faces"]
    expected = [name for name in parts.ids(result.case) if name not in unreadable]
    problems = []
    if expected != list(result.image_ids):
        missing = [name for name in expected if name not in result.image_ids]
        reason = f"lacks {', '.join(missing[:5])}" if missing else "has rows in another order, or of other faces"
        problems.append(Problem("faces", result.case.id, f"{reason}: pairs must match by name"))
    for name in unreadable[:4]:
        try:
            parts.faces.load(name)
        except UnreadableFace:
            continue
        problems.append(Problem("faces", name, "is listed as unreadable, but can be read"))
    for row in result.rows:
        if row.failure is not None and any_scored([row]):
            problems.append(Problem("restore", row.id, "failed, and carries a number all the same"))
        if set(row.scores) != set(result.metrics):
            problems.append(Problem("metric", row.id, "its scores are not those of the Result's metrics"))
    return problems


def _spread(result: Result, count: int) -> Sequence[Row]:
    """Some rows, chosen by the hash of their names: any place in a batch, the same rows every time. Failed ones first
    to a half, because a failure that is none hides a number."""
    by_hash = sorted(result.rows, key=lambda row: hashlib.sha256(row.id.encode("utf-8", "surrogatepass")).digest())
    failed = [row for row in by_hash if row.failure is not None][: count // 2]
    return failed + [row for row in by_hash if row.failure is None][: count - len(failed)]


def _constant(result: Result, rows: Sequence[Row], parts: Parts, device: str) -> list[Problem]:
    """A restorer that answers everything with one image is good at nothing, whatever its numbers."""
    row = next((row for row in rows if row.failure is None), None)
    if parts.restorer is None or row is None or parts.restorer.provenance().get("restorer") == "outputs":
        return []
    with devices.repeatable():
        _, _, degraded = degraded_alone(result.case, parts, row.id)
        if ignores_input(parts.restorer, images.moved(degraded, device)):
            return [Problem("restore", row.id, "its mirror image gives the same image: the input is ignored")]
    return []


def _by_name(result: Result, rows: Sequence[Row], parts: Parts, device: str) -> list[Problem]:
    """A restorer that answers by the name of an image has looked something up: the truth, or an older answer."""
    whole = [row for row in rows if row.failure is None]
    if parts.restorer is None or not whole or parts.restorer.provenance().get("restorer") == "outputs":
        return []
    # Of another face: draws of one face share their truth.
    others = [row.id for row in result.rows if row.face_sha256 != whole[0].face_sha256]
    other = next(iter(others), f"not {whole[0].id}")
    with devices.repeatable(), contained():
        _, _, degraded = degraded_alone(result.case, parts, whole[0].id)
        answers = []
        for name in (whole[0].id, other):
            given = images.moved(ImageBatch(degraded.pixels.clone(), (name,)), device)
            try:
                answers.append(images.quantized(images.moved(parts.restorer(given), "cpu")))
            except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it raises is what has to be reported
                reason = f"cannot be restored under the name {name!r}: {type(error).__name__}: {text_of(error)}"
                return [Problem("restore", whole[0].id, reason)]
    apart = _grey_levels_apart(*answers)
    if apart <= GREY_LEVELS:
        return []
    reason = f"under the name {other!r} it is restored {apart:.3g} grey levels away: names tell the restorer something"
    return [Problem("restore", whole[0].id, reason)]


def _made_again(
    result: Result, row: Row, parts: Parts, metrics: Sequence[Metric], folder: Path | None, device: str
) -> list[Problem]:
    try:
        again = remake(result, row.id, parts=parts, device=device)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a restorer raises is what has to be reported
        if row.failure is not None:
            return []
        stage = "degrade" if isinstance(error, GfpbenchError) else "restore"
        return [Problem(stage, row.id, f"cannot be made again: {type(error).__name__}: {text_of(error)}")]
    problems = []
    recorded = row.fingerprint.get("degraded")
    if recorded is not None and recorded != fingerprints(again.degraded)[0]:
        problems.append(Problem("degrade", row.id, "made again alone, the degraded image is another"))
    if folder is not None:
        for kind, batch, slack in (("degraded", again.degraded, 0.0), ("restored", again.restored, GREY_LEVELS)):
            path = image_path(folder, row.id, kind)
            if path.exists() and row.failure is None:
                apart = _grey_levels_apart(_image(path, row.id), batch)
                if apart > slack:
                    stage = "degrade" if kind == "degraded" else "restore"
                    reason = f"made again alone, the {kind} image is {apart:.3g} grey levels away on average"
                    problems.append(Problem(stage, row.id, reason))
    if row.failure is None:
        pairs = again.restored, again.truth, again.degraded
        problems += _scored_again(row, metrics, *pairs, SAME_RECORD, "made again alone")
    return problems


def _kept(row: Row, parts: Parts, metrics: Sequence[Metric], folder: Path) -> list[Problem]:
    """The kept images of a row must be its face, and give its scores."""
    face_path, degraded_path, restored_path = (
        image_path(folder, row.id, kind) for kind in (parts.kind_of_faces, "degraded", "restored")
    )
    if not face_path.exists():
        return []
    face = _image(face_path, row.id)
    if images.pixels_sha256(images.to_rgb_arrays(face)[0]) != row.face_sha256:
        return [Problem("faces", row.id, f"the kept image of the {parts.kind_of_faces} is not the face of this row")]
    if row.failure is not None:
        return [Problem("restore", row.id, "failed, and has a restored image")] if restored_path.exists() else []
    if not restored_path.exists():
        return [Problem("restore", row.id, "was restored, but its image was not kept")]
    restored, degraded = _image(restored_path, row.id), _image(degraded_path, row.id)
    return _scored_again(row, metrics, restored, face, degraded, SAME_IMAGES, "from the kept images")


def _scored_again(
    row: Row,
    metrics: Sequence[Metric],
    restored: ImageBatch,
    truth: ImageBatch,
    degraded: ImageBatch,
    slack: float,
    how: str,
) -> list[Problem]:
    problems = []
    for metric in metrics:
        stored = row.scores.get(metric.name)
        try:
            small = min(truth.size) < metric.minimum_side_px
            now = None if small else float(metric(restored, degraded if needs_input(metric) else truth)[0])
        except (AssetMissing, BadInput):  # a metric that lacks its weights has no score in the Result either
            now = None
        tolerated = metric.tolerance if slack == SAME_RECORD else 0.0
        if stored is None or now is None:
            differ = stored is not now
        elif math.isinf(stored) or math.isinf(now):
            differ = stored != now
        else:
            differ = abs(stored - now) > max(slack * max(abs(stored), abs(now)), tolerated, 1e-9)
        if differ:
            problems.append(Problem("metric", row.id, f"{metric.name} is {stored} in the Result and {now} {how}"))
    return problems


def _image(path: Path, image_id: str) -> ImageBatch:
    return images.batch_from_uint8([read_rgb(path, KEPT_LIMITS)], (image_id,))


def _grey_levels_apart(one: ImageBatch, other: ImageBatch) -> float:
    if one.size != other.size:
        return math.inf
    return float((images.to_255(one) - images.to_255(other)).abs().mean())
