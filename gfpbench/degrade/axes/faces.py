"""Faces along an axis: the set that a restorer should return at one severity, and one face at several severities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from gfpbench.degrade.axes.axis import Axis, Geometry, severity_in
from gfpbench.images import Bytes, pixels_sha256, to_rgb_arrays
from gfpbench.types import Face, FaceSet, ImageBatch, Json


def faces_to_restore(axis: Axis, faces: FaceSet, severity: float, seed: int) -> FaceSet:
    """What a restorer should return along an axis: the same set for images, each face changed for scenes. Names stay.

    ``seed`` must be that of the Case.
    """
    return faces if axis.acts_on == "image" else AxisFaces(faces, axis, severity_in(severity), seed)


class AxisFaces:
    """The faces of another set under the same names, each changed by an axis at one severity.

    Args:
        faces: the clean set.
        axis: one that acts on scenes.
        severity: in [0, 1]; at 0 every face is the clean one to the byte.
        seed: of the run, so that direction and shape are those in its records.
    """

    def __init__(self, faces: FaceSet, axis: Axis, severity: float, seed: int) -> None:
        self.name = f"{faces.name}+{axis.name}@{severity!r}"
        self._faces, self._axis, self._severity, self._seed = faces, axis, severity, seed

    def ids(self) -> tuple[str, ...]:
        """The clean set's names in its order."""
        return self._faces.ids()

    def load(self, face_id: str) -> Face:
        """One face, changed. ``attributes["scene"]`` holds what was drawn; ``landmarks_px`` move along."""
        face = self._faces.load(face_id)
        size = int(face.pixels.shape[1]), int(face.pixels.shape[2])
        record = self._axis.draw(self._severity, face_id, self._seed, size)
        batch = self._axis.applied(ImageBatch(face.pixels[None], (face_id,)), [record])
        scene = {"axis": self._axis.name, "severity": self._severity, **record}
        attributes = {**face.attributes, "scene": scene}
        if "landmarks_px" in attributes:
            attributes["landmarks_px"] = self._moved(attributes["landmarks_px"], record, size)
        return Face(face_id, batch.pixels[0], attributes, pixels_sha256(to_rgb_arrays(batch)[0]), face.read)

    def source(self) -> Mapping[str, Json]:
        """The clean set's source, with what was done to it."""
        scene = {**self._axis.describe(), "severity": self._severity, "seed": self._seed}
        return {**self._faces.source(), "scene": scene}

    def _moved(self, landmarks: Mapping[str, Json], record: Mapping[str, Json], size: tuple[int, int]) -> Json:
        effect = self._axis.effect
        if not isinstance(effect, Geometry) or not landmarks:
            return dict(landmarks)
        places = effect.moved(np.array(list(landmarks.values()), dtype=np.float64), record, size)
        return {name: [round(float(v), 3) for v in place] for name, place in zip(landmarks, places, strict=True)}


def strip(
    axis: Axis,
    face: Face,
    severities: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    *,
    seed: int = 0,
    show: Literal["degraded", "truth"] = "degraded",
) -> list[Bytes]:
    """One clean face at several severities: (H, W, 3) uint8 RGB each, in their order.

    Args:
        axis: along which.
        face: the clean face.
        severities: each in [0, 1].
        seed: as of a run; the same face and seed show what that run restores.
        show: ``degraded`` for what a restorer is given, ``truth`` for what it should return.
    """
    clean = ImageBatch(face.pixels[None], (face.id,))
    make = axis.degraded if show == "degraded" else axis.truth
    return [to_rgb_arrays(make(clean, severity, seed))[0] for severity in severities]
