"""Face sets with a changed scene (head turned, face occluded, lit from a side): the ground truth of scene axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gfpbench.images import pixels_sha256, to_rgb_arrays
from gfpbench.types import Face, FaceSet, ImageBatch, Json

if TYPE_CHECKING:
    from gfpbench.degrade.axes.axis import Axis


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
        from gfpbench.degrade.axes.axis import Geometry

        effect = self._axis.effect
        if not isinstance(effect, Geometry) or not landmarks:
            return dict(landmarks)
        places = effect.moved(np.array(list(landmarks.values()), dtype=np.float64), record, size)
        return {name: [round(float(v), 3) for v in place] for name, place in zip(landmarks, places, strict=True)}
