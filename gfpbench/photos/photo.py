"""One photograph: every face found, aligned, restored and put back, with a record of what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from gfpbench.images import Bytes, batch_from_uint8, moved, to_rgb_arrays
from gfpbench.photos.align import CROP_PX, Matrix, crop_face, scale_of, share_beyond, similarity
from gfpbench.photos.detect import Detector, Found
from gfpbench.photos.masks import MaskMaker, Square
from gfpbench.photos.paste import MAXIMUM_SIDE_PX, enlarged, paste_back
from gfpbench.restorers.checked import checked
from gfpbench.types import BadInput, GfpbenchError, Json, Restorer, batched

State: TypeAlias = Literal["restored", "left out", "failed"]
_SAID = {"left out": "was left out", "failed": "was not restored"}

MINIMUM_EYE_DISTANCE_PX = 5.0
"""Nearer eyes are left alone, as GFPGANer.enhance does in TencentARC/GFPGAN@7552a77."""
TINY_BELOW_PX = 64
"""A face whose square has a smaller side is restored and flagged: the networks were trained on faces down to an eighth
of 512 px (r up to 8 in Eq. 7 of the GFP-GAN paper), and smaller ones come out invented."""
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
    """

    restorer: Restorer
    detector: Detector
    mask: MaskMaker = Square()  # noqa: RUF009 - it has no state
    upscale: int = 1
    device: str = "cpu"
    batch_size: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.upscale <= 4:
            raise BadInput(f"photos are enlarged 1 to 4 times, not {self.upscale} times")
        if self.batch_size < 1:
            raise BadInput(f"a batch size of {self.batch_size} leaves nothing to restore")

    def record(self) -> dict[str, Json]:
        """What identifies it, for reports. JSON."""
        return {
            "restorer": {"name": self.restorer.name, **self.restorer.provenance()},
            **self.detector.provenance(),
            **self.mask.provenance(),
            "crop_px": CROP_PX,
            "upscale": self.upscale,
            "minimum_eye_distance_px": MINIMUM_EYE_DISTANCE_PX,
            "tiny_below_px": TINY_BELOW_PX,
        }


@dataclass(frozen=True, slots=True)
class FaceRecord:
    """What became of one face. Places and lengths are pixels of the photo before it is enlarged.

    Args:
        box: left, top, right, bottom, as detected.
        landmarks: five (x, y): eyes, tip of the nose, corners of the mouth; the viewer's left first.
        confidence: the detector's own score.
        size_px: side of the square that becomes the 512-px crop; 0 where the face could not be aligned.
        beyond_photo: share of that square, 0 to 1, that lies beyond the photo and was filled with grey.
        state: ``restored`` and pasted; ``left out`` because it cannot be aligned or is too small; ``failed`` where the
            restorer gave no restoration.
        reason: why it was not restored; None where it was.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    confidence: float
    size_px: float
    beyond_photo: float
    state: State
    reason: str | None = None

    @property
    def restored(self) -> bool:
        return self.state == "restored"

    @property
    def at_border(self) -> bool:
        """Part of what the restorer was given is no photo."""
        return self.beyond_photo > 0

    @property
    def tiny(self) -> bool:
        """Smaller than anything the networks were trained on."""
        return 0 < self.size_px < TINY_BELOW_PX

    def to_json(self) -> dict[str, Json]:
        return {
            "box": [round(value, 2) for value in self.box],
            "landmarks": [[round(x, 2), round(y, 2)] for x, y in self.landmarks],
            "confidence": round(self.confidence, 4),
            "size_px": round(self.size_px, 1),
            "tiny": self.tiny,
            "at_border": self.at_border,
            "beyond_photo": round(self.beyond_photo, 4),
            "state": self.state,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, eq=False)
class PhotoResult:
    """A photo after all that.

    Args:
        name: of the photo.
        size_px: height and width of the photo that was given.
        restored: (H, W, 3) uint8 RGB, enlarged; None where not one face was restored. Never the photo as it was.
        faces: every face that was found, in the order of the detector.
        grey: the photo has no colour; restored faces may have.
        problems: why faces were not restored, a line each; empty where every face that was found was.
    """

    name: str
    size_px: tuple[int, int]
    restored: Bytes | None
    faces: tuple[FaceRecord, ...]
    grey: bool
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """At least one face was restored, and the restorer failed on none."""
        return self.restored is not None and not any(face.state == "failed" for face in self.faces)

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "size_px": list(self.size_px),
            "grey": self.grey,
            "ok": self.ok,
            "faces_found": len(self.faces),
            "faces_restored": sum(face.restored for face in self.faces),
            "faces": [face.to_json() for face in self.faces],
            "problems": list(self.problems),
        }

    def line(self) -> str:
        """What a person is told: how many faces, and what is special about them."""
        done = sum(face.restored for face in self.faces)
        notes = [f"{len(self.faces)} found"] if len(self.faces) != done else []
        for what, number in (
            ("at the border", sum(face.restored and face.at_border for face in self.faces)),
            (f"under {TINY_BELOW_PX} px", sum(face.restored and face.tiny for face in self.faces)),
        ):
            notes += [f"{number} {what}"] if number else []
        notes += ["a grey photo"] if self.grey else []
        aside = f" ({', '.join(notes)})" if notes else ""
        return "; ".join([f"{done} {'face' if done == 1 else 'faces'} restored{aside}", *self.problems])


def restore_photo(rgb: Bytes, pipeline: Pipeline, name: str = "photo") -> PhotoResult:
    """Find, align, restore and paste back every face of a photo, as GFPGANer does; a failed face stays as it was.

    Args:
        rgb: (H, W, 3) uint8 RGB. Not changed.
        pipeline: the restorer, the detector and how faces are pasted.
        name: what records and error lines call the photo.

    Raises:
        BadInput: where it is no such picture, or would be too large when enlarged.
        GfpbenchError: where the detector fails.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise BadInput(f"{name}: a photo is (H, W, 3) uint8, not {rgb.shape} {rgb.dtype}")
    refuse_too_large(name, rgb.shape[:2], pipeline.upscale)
    faces = [_aligned(rgb, face) for face in detected(pipeline.detector, rgb, name)]
    crops = {n: crop_face(rgb, face.matrix) for n, face in enumerate(faces) if face.matrix is not None and not face.why}
    restored, failures = _restored(crops, pipeline, name)
    out = _pasted(rgb, restored, {n: face.matrix for n, face in enumerate(faces)}, pipeline) if restored else None
    records = tuple(_record(face, rgb.shape[:2], failures.get(number)) for number, face in enumerate(faces))
    return PhotoResult(name, rgb.shape[:2], out, records, is_grey(rgb), _problems(records, pipeline.detector))


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
    for ids in batched(numbers, pipeline.batch_size):
        batch = moved(batch_from_uint8([crops[numbers[face_id]] for face_id in ids], ids), pipeline.device)
        answer, failures = checked(pipeline.restorer, batch)
        if answer is not None:
            restored |= {
                numbers[face_id]: face for face_id, face in zip(answer.ids, to_rgb_arrays(answer), strict=True)
            }
        reasons |= {numbers[face_id]: f"{pipeline.restorer.name}: {why}" for face_id, why in failures.items()}
    return restored, reasons


def _pasted(
    rgb: Bytes, restored: Mapping[int, Bytes], matrices: Mapping[int, Matrix | None], pipeline: Pipeline
) -> Bytes:
    order = [(number, matrix) for number, matrix in sorted(matrices.items()) if matrix is not None]
    order = [(number, matrix) for number, matrix in order if number in restored]
    return paste_back(
        enlarged(rgb, pipeline.upscale),
        [restored[number] for number, _ in order],
        [matrix for _, matrix in order],
        [pipeline.mask(restored[number]) for number, _ in order],
        pipeline.upscale,
    )


def _record(face: _Aligned, size: tuple[int, int], failure: str | None) -> FaceRecord:
    reason = face.why or failure
    return FaceRecord(
        box=face.found.box,
        landmarks=tuple((float(x), float(y)) for x, y in face.found.landmarks),
        confidence=face.found.confidence,
        size_px=0.0 if face.matrix is None else CROP_PX / scale_of(face.matrix),
        beyond_photo=0.0 if face.matrix is None else share_beyond(face.matrix, size),
        state="restored" if reason is None else "left out" if face.why else "failed",
        reason=reason,
    )


def _problems(faces: Sequence[FaceRecord], detector: Detector) -> tuple[str, ...]:
    if not faces:
        return (f"no face was found by {detector.name}",)
    return tuple(
        f"face {number} at {face.box[0]:.0f}, {face.box[1]:.0f} {_SAID[face.state]}: {face.reason}"
        for number, face in enumerate(faces)
        if not face.restored
    )
