"""A degradation axis: one physical quantity from harmless to beyond any training range.

Two kinds, by who did it. The truth is what a restorer is asked to return, and it is asked to undo what happened between
the scene and the file, not to change the scene:

- ``image``: camera and file (blur, noise, compression, sampling, exposure, colour cast). The truth is the clean face.
  GFP-GAN's paper trains colour jitter against an untouched target ("color enhancement"), so it counts colour here too.
- ``scene``: what was before the camera and how it was framed (pose, framing, occluders, light falling on the face).
  The truth is changed alike: a restorer is right to keep a mask, and wrong to smear the cheek beside it. The
  scene itself may be easier to reproduce (a dark half, a flat mask), so a score along such an axis means something
  beside the score of the degraded input at the same severity, and little alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gfpbench.degrade import rng
from gfpbench.degrade.axes.steps import BASES, base_record, channel
from gfpbench.degrade.chain import Path
from gfpbench.images import Floats, from_bgr_floats, moved, quantized, to_bgr_floats
from gfpbench.registry import unknown
from gfpbench.types import BadInput, Degradation, ImageBatch, Json, Parameters

Points: TypeAlias = NDArray[np.float64]


class Effect(Protocol):
    """What an axis does to one image, at any value of its physical quantity."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its records: what ``apply`` reads, or steps of Eq. 6."""
        ...

    def draw(self, value: float, source: np.random.Generator, size_px: tuple[int, int]) -> Parameters:
        """The record for an image of (height, width) px.

        ``source`` starts alike at every value, and what is taken from it must not depend on the value: so the same
        face meets the same direction, shape or field at every severity. Lengths in the record are px of the image.
        """
        ...

    def apply(self, bgr: Floats, record: Parameters) -> Floats:
        """(H, W, 3) float32 BGR in [0, 1], changed as its record says; a new array or the same one."""
        ...


@runtime_checkable
class Geometry(Protocol):
    """An effect that moves things."""

    def moved(self, points: Points, record: Parameters, size_px: tuple[int, int]) -> Points:
        """Where (N, 2) points x, y of the image go; whole numbers are pixel centres."""
        ...


@dataclass(frozen=True, slots=True)
class Axis:
    """One way for an image to get worse, from severity 0 (harmless) to 1 (beyond anything trained on).

    Args:
        name: as in the table of axes; ``name+base`` on another base than its own.
        summary: one line for lists.
        unit: of the physical quantity, as a person knows it. Pixels are those of a 512-px crop.
        harmless: the value at severity 0, where the axis changes no byte.
        hardest: the value at severity 1.
        trained_range: what GFP-GAN's paper trains on, (low, high) in the unit; None where it says nothing, and then
            severity 0 alone counts as trained.
        effect: what is done.
        acts_on: ``image`` (the truth stays clean) or ``scene`` (the truth is changed alike).
        base: what else is done to the image, at every severity alike, a name in ``BASES``: ``none`` for what camera
            and file do, so that severity 0 is the clean face; ``middle`` for scenes, whose truth is changed alike, so
            that without it there would be nothing to restore. The base follows the effect; a step of Eq. 6 that the
            axis varies takes the place of the base's.
        spacing: ``linear``, or ``geometric`` where equal ratios are equal steps.
        source: where range and model come from.
    """

    name: str
    summary: str
    unit: str
    harmless: float
    hardest: float
    trained_range: tuple[float, float] | None
    effect: Effect
    acts_on: Literal["image", "scene"] = "image"
    base: str = "none"
    spacing: Literal["linear", "geometric"] = "linear"
    source: str = ""

    def value_at(self, severity: float) -> float:
        """Severity in [0, 1] to the physical quantity: strictly monotone, ``harmless`` and ``hardest`` at the ends.

        Raises BadInput outside [0, 1].
        """
        severity = severity_in(severity)
        if severity in (0.0, 1.0):
            return self.hardest if severity else self.harmless
        if self.spacing == "geometric":
            return float(self.harmless * (self.hardest / self.harmless) ** severity)
        return self.harmless + (self.hardest - self.harmless) * severity

    def severity_of(self, value: float) -> float:
        """The severity at which the quantity has this value. Raises BadInput outside ``harmless`` to ``hardest``."""
        low, high = sorted((self.harmless, self.hardest))
        if not low <= value <= high:
            raise BadInput(
                f"axis {self.name!r} goes from {self.harmless:g} to {self.hardest:g} {self.unit}, not {value}"
            )
        if self.spacing == "geometric":
            return math.log(value / self.harmless) / math.log(self.hardest / self.harmless)
        return (value - self.harmless) / (self.hardest - self.harmless)

    @property
    def trained_severity(self) -> tuple[float, float]:
        """The trained range as (lowest, highest) severity; (0, 0) where nothing was trained."""
        if self.trained_range is None:
            return 0.0, 0.0
        low, high = sorted(self.severity_of(value) for value in self.trained_range)
        return low, high

    def on(self, base: str) -> Axis:
        """The same axis over another base. Raises BadInput for a base that there is not.

        ``load_axis("noise").on("middle")`` varies the noise with the other three steps in the middle of the paper's
        ranges: a cut through what GFP-GAN is trained on, where the restorer has something to do at every severity.
        """
        if base not in BASES:
            raise unknown("base", base, BASES)
        return self if base == self.base else replace(self, name=f"{self.name.partition('+')[0]}+{base}", base=base)

    def at(self, severity: float) -> Degradation:
        """The degradation at one severity. A scene's own change is not in it; see ``truth``."""
        return cast(Degradation, AxisDegradation(self, severity_in(severity)))

    def truth(self, clean: ImageBatch, severity: float, seed: int) -> ImageBatch:
        """What the restorer should return for these clean faces: themselves for images, changed for scenes."""
        if self.acts_on == "image":
            return clean
        records = [self.draw(severity, name, seed, clean.size) for name in clean.ids]
        return self.applied(clean, records)

    def degraded(self, clean: ImageBatch, severity: float, seed: int) -> ImageBatch:
        """Clean faces all the way to what the restorer is given."""
        degradation, truth = self.at(severity), self.truth(clean, severity, seed)
        return degradation.apply(truth, [degradation.draw(name, seed, clean.size) for name in clean.ids])

    def draw(self, severity: float, face_id: str, seed: int, size_px: tuple[int, int]) -> Parameters:
        """The effect's own record for one face; see ``Effect.draw``."""
        # The name of the step leaves out the base, so that the same face meets the same shape over every base.
        step = f"axis {self.name.partition('+')[0]}"
        return self.effect.draw(self.value_at(severity), rng.step_generator(seed, face_id, step), size_px)

    def applied(self, batch: ImageBatch, records: Sequence[Parameters]) -> ImageBatch:
        """The effect alone, without the base, on images of 8-bit values; again 8-bit."""
        return quantized(self._effect(batch, records))

    def _effect(self, batch: ImageBatch, records: Sequence[Parameters]) -> ImageBatch:
        for name, record in zip(batch.ids, records, strict=True):
            lacking = [key for key in self.effect.keys if key not in record]
            if lacking:
                raise BadInput(f"the {self.name} record of {name!r} lacks {lacking[0]!r}: draw it again with draw()")
            for key in self.effect.keys:
                if isinstance(record[key], float) and not math.isfinite(record[key]):
                    raise BadInput(f"the {self.name} record of {name!r} has {key} = {record[key]}: it must be finite")
        images = [self.effect.apply(bgr, record) for bgr, record in zip(to_bgr_floats(batch), records, strict=True)]
        return moved(from_bgr_floats(images, batch.ids), batch.pixels.device)

    def describe(self) -> Mapping[str, Json]:
        """Everything that defines the axis, as JSON."""
        return {
            "name": self.name,
            "summary": self.summary,
            "unit": self.unit,
            "harmless": self.harmless,
            "hardest": self.hardest,
            "spacing": self.spacing,
            "trained_range": None if self.trained_range is None else list(self.trained_range),
            "acts_on": self.acts_on,
            "base": {"name": self.base, **BASES[self.base]},
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class AxisDegradation:
    """An axis at one severity, as a ``types.Degradation``; its name, such as ``noise@0.25``, can be loaded again."""

    axis: Axis
    severity: float
    path: Path = "auto"  # along which the steps of Eq. 6 are computed

    def using(self, path: Path) -> AxisDegradation:
        """The same along a chosen path of ``gfpbench.degrade.chain.Chain``."""
        return replace(self, path=path)

    @property
    def name(self) -> str:
        return f"{self.axis.name}@{self.severity!r}"

    def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
        """The record of one face: axis, severity, value, the effect's own draws, and the four steps of Eq. 6."""
        return {
            **base_record(self.axis.base, face_id, seed, size),
            **self.axis.draw(self.severity, face_id, seed, size),
            "axis": self.axis.name,
            "axis_severity": self.severity,
            "axis_value": self.axis.value_at(self.severity),
        }

    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        """Degrade each image by its own record. A scene is not changed here: ``faces.faces_to_restore`` has done it.

        Raises BadInput for a record missing, of another axis, drawn for another size, or holding impossible values.
        """
        if len(parameters) != len(batch):
            raise BadInput(f"{len(batch)} images need as many degradation records, not {len(parameters)}")
        for name, record in zip(batch.ids, parameters, strict=True):
            if record.get("axis") != self.axis.name:
                raise BadInput(f"the record of {name!r} is of axis {record.get('axis')!r}, not {self.axis.name!r}")
        if self.axis.acts_on == "image":
            batch = self.axis._effect(batch, parameters)
        return channel(self.path).apply(batch, parameters)

    def describe(self) -> Mapping[str, Json]:
        """The axis, with this severity, its value, and the path taken on the CPU."""
        value = self.axis.value_at(self.severity)
        return {
            **self.axis.describe(),
            "name": self.name,
            "summary": f"{self.axis.summary}: {value:.4g} {self.axis.unit}",
            "severity": self.severity,
            "value": value,
            "path": channel(self.path).path_on("cpu"),
        }


def severity_in(severity: float | str) -> float:
    """A severity as a number in [0, 1]. Raises BadInput for anything else."""
    try:
        number = float(severity)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:
        raise BadInput(f"a severity lies between 0 (harmless) and 1 (hardest), not {severity!r}")
    return number + 0.0  # -0.0 would be another name for the same degradation
