"""Repeats each face under numbered names, so that a few faces are degraded with many draws."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from gfpbench.types import BadInput, Face, FaceSet, Json

KEPT_FACES = 16
"""Faces held in memory at once: enough that a small set is decoded once, few enough that memory stays flat."""


class Draws:
    """A face set in which every face appears ``draws`` times, as ``name~0``, ``name~1`` and so on.

    The pixels are the same; what is drawn to degrade them depends on the id, so each copy is degraded differently.
    All faces come once before any comes again, so a limit keeps as many different faces as it can.

    Args:
        faces: the underlying set.
        draws: copies of each face, at least 1.
    """

    def __init__(self, faces: FaceSet, draws: int) -> None:
        self.name = faces.name
        self.draws = draws
        self._faces = faces
        self._ids = {f"{face_id}~{draw}": face_id for draw in range(draws) for face_id in faces.ids()}
        self._kept: OrderedDict[str, Face] = OrderedDict()

    def ids(self) -> tuple[str, ...]:
        """All names: first every face's copy 0, then every face's copy 1, and so on."""
        return tuple(self._ids)

    def load(self, face_id: str) -> Face:
        """One copy; it shares its pixels with the other copies, so nobody may write to them."""
        if face_id not in self._ids:
            raise BadInput(f"{self.name}: has no face {face_id!r}")
        base = self._ids[face_id]
        if base not in self._kept:
            self._kept[base] = self._faces.load(base)
            if len(self._kept) > KEPT_FACES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(base)
        return replace(self._kept[base], id=face_id)

    def source(self) -> Mapping[str, Json]:
        """The underlying set's source, with the number of copies."""
        return {**self._faces.source(), "draws": self.draws}
