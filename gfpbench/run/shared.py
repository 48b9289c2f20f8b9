"""What cases measured one after the other have in common: the open face set, decoded faces, degraded images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from gfpbench import images
from gfpbench.lazy import LazyModule
from gfpbench.types import Degradation, Face, FaceSet, ImageBatch, Json, Parameters, Problem

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

BYTES_AT_MOST = 256 * 2**20
"""Of 8-bit pixels that are kept: 2,700 faces of 128 px with their degraded images, or 170 of 512 px."""


@dataclass(frozen=True, slots=True)
class Degraded:
    """One batch, degraded.

    Args:
        parameters: what was drawn, by name.
        images: 8-bit values, on the CPU; None where none could be degraded.
        problems: why the others could not.
        fingerprints: of the images, by name.
    """

    parameters: Mapping[str, Parameters]
    images: ImageBatch | None
    problems: tuple[Problem, ...]
    fingerprints: Mapping[str, Json]


_Levels: TypeAlias = "tuple[Degraded, tuple[str, ...], torch.Tensor | None]"
"""A batch without its images, their names, and their 8-bit values."""


@dataclass
class SharedInputs:
    """Faces and degraded images of the cases of one command or session: made for the first case, kept for the others.

    Images are kept as 8-bit values, which is all that they hold, until ``bytes_at_most`` is used; what does not fit is
    made again. What is kept belongs to one open face set, and degraded images to one degradation and seed: others take
    their place. A file that changes while the cases are measured changes none of them: all are of the same faces.
    """

    bytes_at_most: int = BYTES_AT_MOST  # 0 for a case that is measured alone
    bytes_kept: int = 0
    _opened: tuple[tuple[object, ...], FaceSet] | None = None
    _faces_of: FaceSet | None = None
    _faces: dict[str, tuple[Face, torch.Tensor]] = field(default_factory=dict)
    _degraded_by: tuple[Degradation, int] | None = None
    _degraded: dict[tuple[str, ...], _Levels] = field(default_factory=dict)

    def opened(self, named: tuple[object, ...], load: Callable[[], FaceSet]) -> FaceSet:
        """The face set of this name, size and number of draws: the one of the case before, where that had the same."""
        if self._opened is None or self._opened[0] != named:
            self._opened = named, load()
        return self._opened[1]

    def face(self, faces: FaceSet, face_id: str, load: Callable[[], Face]) -> Face:
        """One face, checked by ``load`` when it was asked for first."""
        if self._faces_of is not faces:
            self._forget_degraded()
            self.bytes_kept -= sum(levels.numel() for _, levels in self._faces.values())
            self._faces_of, self._faces = faces, {}
        if face_id in self._faces:
            face, levels = self._faces[face_id]
            return replace(face, pixels=images.from_levels(levels[None], (face_id,)).pixels[0])
        face = load()
        if self._has_room(face.pixels):
            levels = images.to_uint8(ImageBatch(face.pixels[None], (face_id,)))[0].cpu()
            self._faces[face_id] = replace(face, pixels=levels), levels
        return face

    def degraded(
        self, degradation: Degradation, seed: int, truth: ImageBatch, make: Callable[[], Degraded]
    ) -> Degraded:
        """One batch of the faces that were asked for last, degraded by ``make`` when it was asked for first."""
        by = self._degraded_by
        if by is None or by[0] is not degradation or by[1] != seed:
            self._forget_degraded()
            self._degraded_by = degradation, seed
        if truth.ids in self._degraded:
            known, ids, levels = self._degraded[truth.ids]
            return known if levels is None else replace(known, images=images.from_levels(levels, ids))
        made = make()
        ids, levels = ((), None) if made.images is None else (made.images.ids, images.to_uint8(made.images))
        # Only of faces that are kept themselves: of others nobody knows that they are the same in the next case.
        if all(name in self._faces for name in truth.ids) and self._has_room(levels):
            self._degraded[truth.ids] = replace(made, images=None), ids, levels
        return made

    def _forget_degraded(self) -> None:
        self.bytes_kept -= sum(0 if levels is None else levels.numel() for *_, levels in self._degraded.values())
        self._degraded_by, self._degraded = None, {}

    def _has_room(self, levels: torch.Tensor | None) -> bool:
        """Whether there is room for as many values, which is taken then; for nothing there always is."""
        size = 0 if levels is None else levels.numel()
        if self.bytes_kept + size > self.bytes_at_most:
            return False
        self.bytes_kept += size
        return True


class SharedFaces:
    """A face set as ``SharedInputs`` has it: ``load_face`` checks a face of it once."""

    def __init__(self, faces: FaceSet, shared: SharedInputs) -> None:
        self.faces, self.shared = faces, shared
        self.name, self.ids, self.load, self.source = faces.name, faces.ids, faces.load, faces.source
