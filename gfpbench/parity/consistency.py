"""Does a restorer answer an input alike each time: alone or in a batch, in another order, twice in a row?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gfpbench.images import select
from gfpbench.parity.differences import difference, judged
from gfpbench.parity.outputs import Answers, Side
from gfpbench.parity.record import Bound, Difference, Finding
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import torch

AGAIN = 2
"""Inputs that are restored again, alone and last first, after all others."""


@dataclass(frozen=True, slots=True)
class Again:
    """Answers of a second call beside those of the first, in a batch.

    Args:
        given: the batch of the first call.
        first, alone: answers by name.
        failures: inputs that failed alone and not in their batch.
    """

    given: ImageBatch
    first: Answers
    alone: Answers
    failures: Mapping[str, str]

    def differences(self, bound: Bound, eight_bit: bool) -> tuple[Difference, ...]:
        """One for each input that was restored both ways, and for each that failed the second time."""
        return tuple(
            _judged(name, self.first[name], self.alone[name], bound, eight_bit) for name in self.alone
        ) + tuple(Difference(name, "face", failure=why) for name, why in self.failures.items())


def _judged(name: str, one: torch.Tensor, other: torch.Tensor, bound: Bound, eight_bit: bool) -> Difference:
    return judged(difference(name, "face", one, other), bound, 2 if eight_bit else 0, one.numel())


def restored_again(side: Side, given: ImageBatch, first: Answers) -> Again:
    """Restore some inputs of a batch once more, each alone."""
    alone: dict[str, torch.Tensor] = {}
    failures: dict[str, str] = {}
    for place in reversed(range(min(AGAIN, len(given)))):
        found, why = side.restored(select(given, [place]))
        alone |= {name: pixels for name, pixels in found.items() if name in first}
        failures |= {name: reason for name, reason in why.items() if name in first}
    return Again(given, dict(first), alone, failures)


def inconsistent(side: Side, again: Again, bound: Bound) -> list[Finding]:
    """What made the second answers differ from the first by more than the arithmetic: lots, a state, or the batch.

    Restores more only where they do.
    """
    found = again.differences(bound, side.eight_bit)
    bad = next((one for one in found if not one.within), None)
    if bad is None:
        return []
    if bad.failure:
        return [Finding("batch", f"{bad.id} is restored in a batch and fails alone: {bad.failure}", bad.id)]
    place = again.given.ids.index(bad.id)
    said = f"up to {bad.max_levels:.3g} levels in {bad.id}"
    twice = [side.restored(select(again.given, [place]))[0].get(bad.id) for _ in range(2)]
    if any(one is None for one in twice) or not _same(twice[0], twice[1], bad.id, bound, side):
        return [Finding("not repeatable", f"the same input twice in a row gives two answers, {said}", bad.id)]
    once_more = side.restored(again.given)[0].get(bad.id)
    if _same(again.first[bad.id], once_more, bad.id, bound, side):
        size = len(again.given)
        return [Finding("batch", f"an image alone has another answer than in a batch of {size}, {said}", bad.id)]
    return [
        Finding(
            "state", f"an input has another answer after other calls: a state is kept between calls, {said}", bad.id
        )
    ]


def _same(one: torch.Tensor | None, other: torch.Tensor | None, name: str, bound: Bound, side: Side) -> bool:
    return one is not None and other is not None and _judged(name, one, other, bound, side.eight_bit).within
