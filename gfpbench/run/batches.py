"""Batches of consecutive faces of equal size, decoded when needed; unreadable files are recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gfpbench import images
from gfpbench.lazy import LazyModule
from gfpbench.results import dumps
from gfpbench.run.shared import SharedFaces
from gfpbench.types import BadInput, Face, FaceSet, GfpbenchError, ImageBatch, Problem, UnreadableFace

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


@dataclass(frozen=True, slots=True)
class Batch:
    """Some consecutive faces of one size.

    Args:
        start, stop: which of the run's names it covers, readable or not.
        faces: those that could be read; only the last batch of a run may have none.
        unreadable: the others, with the reason.
    """

    start: int
    stop: int
    faces: tuple[Face, ...]
    unreadable: tuple[Problem, ...]

    def truth(self) -> ImageBatch:
        """The clean images, as a fresh tensor that shares nothing with the faces."""
        return ImageBatch(torch.stack([face.pixels for face in self.faces]), tuple(face.id for face in self.faces))


def batch_size_for(images: int, at_most: int = 8) -> int:
    """The default number of images per batch: 8, or what is nearest below with which the last batch is not
    full. A mistake in a last, smaller batch would not be seen where 16 images make two batches of 8."""
    sizes = (*range(at_most, 1, -1), *range(at_most + 1, at_most + 100))
    return next((size for size in sizes if images % size), at_most)


def batches(faces: FaceSet, ids: Sequence[str], size: int, begin: int = 0) -> Iterator[Batch]:
    """Cut the faces into batches of up to ``size``. The cuts depend on the images only, never on where a run stopped.

    Holds one batch and one more face in memory.

    Args:
        begin: where one batch ends and the next one starts; those before it are left out.
    """
    start, group, unreadable = begin, list[Face](), list[Problem]()
    for index in range(begin, len(ids)):
        face_id = ids[index]
        try:
            face = load_face(faces, face_id)
        except UnreadableFace as error:
            unreadable.append(Problem("faces", face_id, str(error)))
            continue
        if group and face.pixels.shape != group[0].pixels.shape:
            # Unreadable ones since the last cut came before this face: they belong to the batch that ends here.
            yield Batch(start, index, tuple(group), tuple(unreadable))
            start, group, unreadable = index, [], []
        group.append(face)
        if len(group) == size:
            yield Batch(start, index + 1, tuple(group), tuple(unreadable))
            start, group, unreadable = index + 1, [], []
    if start < len(ids):
        yield Batch(start, len(ids), tuple(group), tuple(unreadable))


def joined(parts: Sequence[ImageBatch]) -> ImageBatch | None:
    """Batches of one size as one; None where there are none."""
    if not parts:
        return None
    return ImageBatch(torch.cat([part.pixels for part in parts]), tuple(name for part in parts for name in part.ids))


def load_face(faces: FaceSet, face_id: str) -> Face:
    """One face, checked.

    Raises:
        UnreadableFace: as the face set says.
        GfpbenchError: where the face set breaks its contract (another face, values that are not 8-bit, a wrong hash).
    """
    if isinstance(faces, SharedFaces):
        return faces.shared.face(faces.faces, face_id, lambda: load_face(faces.faces, face_id))
    try:
        face = faces.load(face_id)
    except GfpbenchError:
        raise
    except Exception as error:
        raise GfpbenchError(f"faces {faces.name!r}: {face_id!r} failed: {type(error).__name__}: {error}") from error
    if face.id != face_id:
        raise GfpbenchError(f"faces {faces.name!r}: asked for {face_id!r} and got {face.id!r}")
    try:
        batch = ImageBatch(face.pixels[None].cpu(), (face_id,))
    except BadInput as error:
        raise GfpbenchError(f"faces {faces.name!r}: {face_id!r}: {error}") from error
    if not images.is_quantized(batch):
        raise GfpbenchError(f"faces {faces.name!r}: {face_id!r} does not hold 8-bit values")
    if face.sha256 != images.images_sha256(batch)[0]:
        raise GfpbenchError(f"faces {faces.name!r}: {face_id!r} is not the image that its sha256 says")
    return face


def ids_sha256(ids: Sequence[str]) -> str:
    """Hash of the names of a run, in order."""
    return hashlib.sha256(dumps(list(ids)).encode()).hexdigest()
