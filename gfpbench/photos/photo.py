"""Restores one photograph: detects, aligns, restores and pastes each face, with a record per face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gfpbench.images import Bytes, batch_from_uint8, moved, to_rgb_arrays
from gfpbench.photos.align import CROP_PX, Matrix, crop_face, scale_of, share_beyond, similarity
from gfpbench.photos.background import Background
from gfpbench.photos.canvas import Canvas
from gfpbench.photos.detect import Detector, Found
from gfpbench.photos.face_selection import ALL, check_choice, chosen
from gfpbench.photos.masks import MaskMaker, Square
from gfpbench.photos.paste import MAXIMUM_SIDE_PX, paste_back
from gfpbench.photos.result import TINY_BELOW_PX, FaceRecord, PhotoResult
from gfpbench.restorers.checked import checked, provenance_of
from gfpbench.types import BadInput, GfpbenchError, Json, Restorer

_SAID = {"left out": "was left out", "failed": "was not restored"}

MINIMUM_EYE_DISTANCE_PX = 5.0
"""Nearer eyes are left alone, as GFPGANer.enhance does in TencentARC/GFPGAN@7552a77."""
MAXIMUM_PIXELS = 100_000_000
"""Of the photo that is written, after enlarging."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a photo goes through.

    Args:
        restorer: of aligned faces; called with batches of 512-px crops.
        detector: finds the faces.
        mask: which part of a restored face is pasted.
        upscale: how many times larger the restored photo is, 1 to 4.
        device: where the restorer is given its crops.
        batch_size: faces restored at once.
        face: which faces are restored: ``all``, ``largest``, ``centre`` or a number, counted from 0, the surest first.
        background: enlarges what is no face; Lanczos unless told.
    """

    restorer: Restorer
    detector: Detector
    mask: MaskMaker = Square()  # noqa: RUF009 - it has no state
    upscale: int = 1
    device: str = "cpu"
    batch_size: int = 8
    face: str = ALL
    background: Background | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.upscale <= 4:
            raise BadInput(f"photos are enlarged 1 to 4 times, not {self.upscale} times")
        if self.batch_size < 1:
            raise BadInput(f"a batch size of {self.batch_size} leaves nothing to restore")
        check_choice(self.face)

    def record(self) -> dict[str, Json]:
        """What identifies it, for reports. JSON."""
        return {
            "restorer": {"name": self.restorer.name, **provenance_of(self.restorer)},
            **self.detector.provenance(),
            **self.mask.provenance(),
            "crop_px": CROP_PX,
            "upscale": self.upscale,
            "minimum_eye_distance_px": MINIMUM_EYE_DISTANCE_PX,
            "tiny_below_px": TINY_BELOW_PX,
            **({} if self.face == ALL else {"face": self.face}),
            **({} if self.background is None else self.background.provenance()),
        }


def restore_photo(rgb: Bytes, pipeline: Pipeline, name: str = "photo", *, canvas: Canvas | None = None) -> PhotoResult:
    """Find, align, restore and paste back every face of a photo, as GFPGANer does; a failed face stays as it was.

    Args:
        rgb: (H, W, 3) uint8 RGB, on white where it is transparent: what faces are found in and cut from. Not changed.
        pipeline: the restorer, the detector, which faces are restored and how they are pasted.
        name: what records and error lines call the photo.
        canvas: the same photo in its full depth and with its alpha, into which faces are pasted; ``rgb`` unless told.

    Raises:
        BadInput: where it is no such image, or would be too large when enlarged.
        GfpbenchError: where the detector fails.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise BadInput(f"{name}: a photo is (H, W, 3) uint8, not {rgb.shape} {rgb.dtype}")
    refuse_too_large(name, rgb.shape[:2], pipeline.upscale)
    size = (rgb.shape[0], rgb.shape[1])
    faces = [_aligned(rgb, face) for face in detected(pipeline.detector, rgb, name)]
    candidates = {n: face.found for n, face in enumerate(faces) if face.matrix is not None and not face.why}
    wanted = chosen(pipeline.face, candidates, size)
    matrices = {n: face.matrix for n, face in enumerate(faces) if n in wanted and face.matrix is not None}
    crops = {n: crop_face(rgb, matrix) for n, matrix in matrices.items()}
    restored, failures = _restored(crops, pipeline, name)
    whole = _pasted(canvas or Canvas(rgb), restored, matrices, pipeline) if restored else None
    records = tuple(
        _record(face, size, failures.get(n), n in wanted or n not in candidates) for n, face in enumerate(faces)
    )
    return PhotoResult(name, size, whole, records, is_grey(rgb), _problems(records, pipeline, wanted))


def refuse_too_large(name: str, size: Sequence[int], upscale: int) -> None:
    """Raises BadInput for a photo of (height, width) that memory or OpenCV's warps could not hold when enlarged."""
    height, width = (side * upscale for side in size[:2])
    if height * width > MAXIMUM_PIXELS or max(height, width) > MAXIMUM_SIDE_PX:
        raise BadInput(
            f"{name}: {width} x {height} px restored is above the limit of {MAXIMUM_PIXELS} pixels, or of "
            f"{MAXIMUM_SIDE_PX} px for a side: shrink it or use a smaller --upscale"
        )


def detected(detector: Detector, rgb: Bytes, name: str) -> list[Found]:
    """The faces of a photo, on a copy of it. Raises GfpbenchError where the detector fails, whatever it raises."""
    try:
        return list(detector(rgb.copy()))
    except GfpbenchError:
        raise
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        raise GfpbenchError(f"{name}: the detector {detector.name} failed: {type(error).__name__}: {line}") from error


def is_grey(rgb: Bytes) -> bool:
    """Whether its three channels are one."""
    return bool((rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 1] == rgb[..., 2]).all())


@dataclass(frozen=True, slots=True, eq=False)
class _Aligned:
    found: Found
    matrix: Matrix | None
    why: str | None = None  # it is left out


def _aligned(rgb: Bytes, face: Found) -> _Aligned:
    try:
        matrix = similarity(face.landmarks)
    except BadInput as error:
        return _Aligned(face, None, str(error))
    distance = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    if distance < MINIMUM_EYE_DISTANCE_PX:
        return _Aligned(
            face, matrix, f"too small: its eyes are {distance:.1f} px apart, {MINIMUM_EYE_DISTANCE_PX:g} are needed"
        )
    if share_beyond(matrix, rgb.shape[:2]) >= 1:
        return _Aligned(face, matrix, "it lies beyond the photo")
    return _Aligned(face, matrix)


def _restored(crops: dict[int, Bytes], pipeline: Pipeline, name: str) -> tuple[dict[int, Bytes], dict[int, str]]:
    """Restored crops, and reasons, by the number of the face. Every face is in one of the two."""
    numbers = {f"{name}#{index}": index for index in crops}
    restored: dict[int, Bytes] = {}
    reasons: dict[int, str] = {}
    for begin in range(0, len(numbers), pipeline.batch_size):
        ids = tuple(numbers)[begin : begin + pipeline.batch_size]
        batch = moved(batch_from_uint8([crops[numbers[face_id]] for face_id in ids], ids), pipeline.device)
        answer, failures = checked(pipeline.restorer, batch)
        if answer is not None:
            restored |= {
                numbers[face_id]: face for face_id, face in zip(answer.ids, to_rgb_arrays(answer), strict=True)
            }
        reasons |= {numbers[face_id]: f"{pipeline.restorer.name}: {why}" for face_id, why in failures.items()}
    return restored, reasons


def _pasted(
    canvas: Canvas, restored: Mapping[int, Bytes], matrices: Mapping[int, Matrix], pipeline: Pipeline
) -> Canvas:
    order = sorted(restored)
    larger = canvas.enlarged(pipeline.upscale, pipeline.background)
    pasted = paste_back(
        larger.colour,
        [canvas.below_white(restored[number], matrices[number]) for number in order],
        [matrices[number] for number in order],
        [pipeline.mask(restored[number]) for number in order],
        pipeline.upscale,
    )
    return replace(larger, colour=pasted)


def _record(face: _Aligned, size: tuple[int, int], failure: str | None, wanted: bool) -> FaceRecord:
    reason = face.why or failure
    return FaceRecord(
        box=face.found.box,
        landmarks=tuple((float(x), float(y)) for x, y in face.found.landmarks),
        confidence=face.found.confidence,
        size_px=0.0 if face.matrix is None else CROP_PX / scale_of(face.matrix),
        beyond_photo=0.0 if face.matrix is None else share_beyond(face.matrix, size),
        state="left out" if face.why else "failed" if failure else "restored" if wanted else "not chosen",
        reason=reason,
    )


def _problems(faces: Sequence[FaceRecord], pipeline: Pipeline, wanted: frozenset[int]) -> tuple[str, ...]:
    if not faces:
        return (f"no face was found by {pipeline.detector.name}",)
    asked = wanted if wanted and pipeline.face != ALL else frozenset(range(len(faces)))
    if pipeline.face.isdecimal():
        asked &= {int(pipeline.face)}
        if not asked:
            return (f"there is no face {pipeline.face}: {len(faces)} found, counted from 0",)
    return tuple(
        f"face {number} at {face.box[0]:.0f}, {face.box[1]:.0f} {_SAID[face.state]}: {face.reason}"
        for number, face in enumerate(faces)
        if number in asked and face.state in _SAID
    )
