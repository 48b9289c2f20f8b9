"""The impostor score: any metric, measured against the truth of another face of the set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, Better, FaceSet, ImageBatch, Metric, UnreadableFace

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

RESTORED, PERFECT = "_other", "_truth_other"


def pair_with_others(faces: FaceSet, ids: Sequence[str]) -> dict[str, str]:
    """Each image with one of another face: a permutation of the images wherever each face has as many of them.

    Faces are told apart by their pixels, so copies of one face under several names are one face. One that cannot be
    read is in no pair.

    Raises:
        BadInput: where there is only one face.
    """
    groups: dict[str, list[str]] = {}
    for name in ids:
        with suppress(UnreadableFace):  # it is measured nowhere, and counted by who measures
            groups.setdefault(faces.load(name).sha256, []).append(name)
    people = list(groups.values())
    if len(people) < 2:
        raise BadInput(
            f"faces {faces.name!r}: one face alone cannot be told from another; take more, or --criterion input"
        )
    return {
        name: following[place % len(following)]
        for own, following in zip(people, people[1:] + people[:1], strict=True)
        for place, name in enumerate(own)
    }


@dataclass(frozen=True, slots=True)
class AgainstOther:
    """A metric measured against another face's truth; a ``types.Metric``, so that the engine checks and keeps it.

    Args:
        metric: the metric itself.
        faces: the truths at this severity.
        others: name of an image -> name of the image whose truth it is held against.
        of_truth: measure the truth itself instead of the restored image: what the perfect answer would score.
    """

    metric: Metric
    faces: FaceSet
    others: Mapping[str, str]
    of_truth: bool = False
    best: float | None = None
    needs_truth: bool = True

    @property
    def name(self) -> str:
        return self.metric.name + (PERFECT if self.of_truth else RESTORED)

    @property
    def unit(self) -> str:
        return self.metric.unit

    @property
    def better(self) -> Better:
        return self.metric.better

    @property
    def tolerance(self) -> float:
        return self.metric.tolerance

    @property
    def tolerance_reason(self) -> str:
        return self.metric.tolerance_reason

    @property
    def minimum_side_px(self) -> int:
        return self.metric.minimum_side_px

    @property
    def source(self) -> str:
        what = "the truth" if self.of_truth else "the restored image"
        return f"{self.metric.name} between {what} and the truth of another face ({self.metric.source})"

    def __call__(self, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        """(B,) float64. Raises BadInput where the other face is an image of another size, or cannot be scored."""
        images = [self.faces.load(self.others[name]).pixels for name in restored.ids]
        if any(image.shape != restored.pixels.shape[1:] for image in images):
            raise BadInput(f"{self.name}: the other face has another size; give --size, or --criterion input")
        other = ImageBatch(torch.stack(images), restored.ids)
        return self.metric(truth if self.of_truth else restored, other)
