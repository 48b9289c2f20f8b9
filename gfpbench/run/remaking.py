"""Makes one image of a Result again, alone, from its record, and without the engine (see ``verify``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gfpbench import devices, images
from gfpbench.process_guard import contained
from gfpbench.run.parts import Parts, load, plain
from gfpbench.types import BadInput, Case, GfpbenchError, ImageBatch, Json, Result, Row


@dataclass(frozen=True, slots=True, eq=False)
class Remade:
    """One image made again: three batches of one image with 8-bit values, and what was drawn to degrade it."""

    degraded: ImageBatch
    restored: ImageBatch
    truth: ImageBatch
    parameters: Mapping[str, Json]


def remake(result_or_case: Result | Case, image_id: str, *, parts: Parts | None = None, device: str = "cpu") -> Remade:
    """Make one image again, alone, from its record.

    Args:
        result_or_case: with a Result, the face's hash and the drawn parameters must be those stored.
        image_id: its name in the Result.
        parts: already loaded; loaded by the names in the case where None.
        device: where the restorer works.

    Raises:
        BadInput: for a name that the Result does not hold.
        GfpbenchError: where the face or the draw is no longer what the record says.
    """
    result = result_or_case if isinstance(result_or_case, Result) else None
    case = result_or_case.case if isinstance(result_or_case, Result) else result_or_case
    row = None
    if result is not None:
        row = next((row for row in result.rows if row.id == image_id), None)
        if row is None:
            raise BadInput(f"{case.id}: has no image {image_id!r}")
    device = devices.resolve(device)
    parts = parts or load(case, device=device, metrics=())
    with devices.repeatable():
        truth, parameters, degraded = degraded_alone(case, parts, image_id)
        if row is not None:
            _check_record(case, row, truth, parameters)
        restored = truth
        if parts.restorer is not None:
            given = ImageBatch(degraded.pixels.clone().to(device), degraded.ids)
            with contained():
                answer = parts.restorer(given)
            restored = images.quantized(images.moved(answer, "cpu"))
    return Remade(degraded, restored, truth, parameters)


def degraded_alone(case: Case, parts: Parts, image_id: str) -> tuple[ImageBatch, dict[str, Json], ImageBatch]:
    """The truth, the drawn parameters and the degraded image of one face."""
    truth = ImageBatch(parts.faces.load(image_id).pixels[None].clone(), (image_id,))
    parameters = plain(parts.degradation.draw(image_id, case.seed, truth.size), "the drawn parameters")
    degraded = parts.degradation.apply(ImageBatch(truth.pixels.clone(), truth.ids), [parameters])
    return truth, parameters, degraded


def _check_record(case: Case, row: Row, truth: ImageBatch, parameters: Mapping[str, Json]) -> None:
    sha256 = images.pixels_sha256(images.to_rgb_arrays(truth)[0])
    if sha256 != row.face_sha256 or truth.size != row.size_px:
        raise GfpbenchError(f"{case.id}: {row.id!r} is another image than the one that was measured")
    changed = [key for key in {*parameters, *row.parameters} if parameters.get(key) != row.parameters.get(key)]
    if changed:
        raise GfpbenchError(f"{case.id}: {row.id!r} would be degraded differently now: {', '.join(sorted(changed))}")
