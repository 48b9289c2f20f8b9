"""One candidate while it is compared: its differences, and a bounded number of its outputs for names and pages."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gfpbench.images import select
from gfpbench.lazy import LazyModule
from gfpbench.parity import findings
from gfpbench.parity.differences import difference, judged
from gfpbench.parity.outputs import Answers
from gfpbench.parity.record import Bound, Compared, Difference, Finding, Group, Quality
from gfpbench.parity.verdict import judge
from gfpbench.types import ImageBatch, Json

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

SAMPLE = 16
"""Faces whose outputs are kept to name what is wrong, the first ones; memory does not grow with the faces."""
WORST = 4
"""Inputs whose outputs are kept to be shown."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One input with its outputs, each (3, H, W) float32 in [0, 1]; ``candidate`` is None where it failed."""

    given: torch.Tensor
    reference: torch.Tensor
    candidate: torch.Tensor | None
    truth: torch.Tensor | None


@dataclass
class Candidate:
    """Collects what one candidate gave beside the reference, batch by batch.

    Args:
        eight_bit: whether its outputs were 8-bit so far; asked for when it is judged.
    """

    eight_bit: bool = True
    differences: list[Difference] = field(default_factory=list)
    values: dict[str, int] = field(default_factory=dict)
    noticed: list[Finding] = field(default_factory=list)
    sample: dict[str, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    _worst: list[tuple[float, int, str, Shown]] = field(default_factory=list)

    @classmethod
    def of_outputs(cls, eight_bit: bool) -> Candidate:
        """One that is made of a reference's outputs."""
        return cls(eight_bit=eight_bit)

    def take(
        self,
        group: Group,
        reference: Answers,
        candidate: Answers,
        failures: Mapping[str, str],
        given: ImageBatch,
        truth: ImageBatch | None = None,
    ) -> None:
        """One batch: outputs by name, and why the candidate has none for others. What the reference fails is left."""
        for name, expected in reference.items():
            got = candidate.get(name)
            self.values[name] = expected.numel()
            if got is None:
                found = Difference(name, group, failure=failures.get(name, "no image was returned for it"))
            else:
                found = difference(name, group, expected, got)
            self.differences.append(found)
            place = given.ids.index(name)
            self._keep(found, Shown(given.pixels[place], expected, got, None if truth is None else truth.pixels[place]))
            if group == "face" and got is not None and not found.equal and len(self.sample) < SAMPLE:
                self.sample[name] = (expected, got)
        pairs = [(name, reference[name], candidate[name]) for name in reference if name in candidate]
        apart = [pair for pair in pairs if not torch.equal(pair[1], pair[2])]
        if apart:
            # Far from any face two networks may differ so, and a person has to look.
            self.noticed += [replace(one, unsafe=group == "face") for one in findings.flat_outputs(*_batches(apart))]
        if apart and group == "face":
            inputs = select(given, [given.ids.index(name) for name, _, _ in apart])
            self.noticed += findings.unchanged(inputs, *_batches(apart))
            self.noticed += findings.other_images(*_batches(pairs))

    def _keep(self, found: Difference, shown: Shown) -> None:
        badness = float("inf") if found.failure else found.mean_levels
        heapq.heappush(self._worst, (badness, -len(self.differences), found.id, shown))
        if len(self._worst) > WORST:
            heapq.heappop(self._worst)

    @property
    def worst(self) -> dict[str, Shown]:
        """The inputs that differ most, worst first."""
        return {name: shown for _, _, name, shown in sorted(self._worst, key=lambda one: one[:2], reverse=True)}

    def group_of(self, name: str) -> Group:
        """What an input is."""
        return next(one.group for one in self.differences if one.id == name)

    def beyond(self, name: str, bounds: Mapping[str, Bound], reference_eight_bit: bool) -> float:
        """How many times its bound the largest or mean difference of an input is; 0 where it is within."""
        found = next(one for one in self.differences if one.id == name)
        bound = bounds["face" if found.group == "face" else "other"]
        rounded = int(self.eight_bit) + int(reference_eight_bit)
        if found.failure or judged(found, bound, rounded, self.values[name]).within:
            return 0.0
        return max(found.max_levels / max(bound.max_levels, 1e-9), found.mean_levels / max(bound.mean_levels, 1e-9))

    def judged(
        self,
        name: str,
        bounds: Mapping[str, Bound],
        reference_eight_bit: bool,
        *,
        more: Sequence[Finding] = (),
        quality: Sequence[Quality] = (),
        ran: Mapping[str, Json] | None = None,
    ) -> Compared:
        """The verdict by these bounds. What the differences look like is asked of faces beyond the bound only."""
        rounded = int(self.eight_bit) + int(reference_eight_bit)
        found = [
            judged(one, bounds["face" if one.group == "face" else "other"], rounded, self.values[one.id])
            for one in self.differences
        ]
        beyond = [one.id for one in sorted(found, key=lambda one: -one.mean_levels) if not one.within]
        pairs = [(image, *self.sample[image]) for image in beyond if image in self.sample]
        told = _merged(self.noticed)
        if pairs and not any(one.kind == "another image" for one in told):
            first = [pair for pair in pairs if pair[1].shape == pairs[0][1].shape]
            told += findings.explained(*_batches(first), range(len(first)))
        return judge(name, differences=found, bounds=bounds, findings=[*told, *more], quality=quality, ran=ran)


def _batches(pairs: Sequence[tuple[str, torch.Tensor, torch.Tensor]]) -> tuple[ImageBatch, ImageBatch]:
    names = tuple(name for name, _, _ in pairs)
    reference, candidate = [one for _, one, _ in pairs], [other for _, _, other in pairs]
    return ImageBatch(torch.stack(reference), names), ImageBatch(torch.stack(candidate), names)


def _merged(found: Sequence[Finding]) -> list[Finding]:
    """The findings of many batches: the first of each kind, with how many batches more showed it."""
    merged: dict[tuple[str, bool], Finding] = {}
    counts: dict[tuple[str, bool], int] = {}
    for one in found:
        key = one.kind, one.unsafe
        merged.setdefault(key, one)
        counts[key] = counts.get(key, 0) + 1
    return [
        replace(one, reason=f"{one.reason}; in {counts[key]} batches") if counts[key] > 1 else one
        for key, one in merged.items()
    ]
