"""Controls of a comparison: the reference against itself must pass, damaged copies of its outputs must not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gfpbench.lazy import LazyModule
from gfpbench.parity.candidate import Candidate
from gfpbench.parity.consistency import Again
from gfpbench.parity.outputs import Answers
from gfpbench.parity.record import Bound, Control
from gfpbench.parity.verdict import judge
from gfpbench.types import GfpbenchError

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


def controls(again: Again, bounds: Mapping[str, Bound], eight_bit: bool) -> tuple[Control, ...]:
    """The null control and two positive ones, by the same judgement as every candidate.

    Args:
        again: of the reference: some outputs, restored again.
        bounds: of its own precision.
        eight_bit: whether it gives 8-bit values only.
    """
    null = judge("itself", differences=again.differences(bounds["face"], eight_bit), bounds=bounds)
    found = [
        Control("the reference against itself, restored again", "safe", f"{null.safety}: {null.outcome}", null.safe)
    ]
    for name, damaged, expected in (
        ("a copy of its outputs moved by one pixel", _moved(again.first), "unsafe"),
        ("a copy of its outputs with one value in ten off by a level", _dithered(again.first), "not safe"),
    ):
        copy = Candidate.of_outputs(eight_bit)
        copy.take("face", again.first, damaged, {}, again.given)
        told = copy.judged(name, bounds, eight_bit)
        passed = told.safety == "unsafe" if expected == "unsafe" else told.safety != "safe"
        found.append(Control(name, expected, f"{told.safety}: {told.outcome}", passed))
    return tuple(found)


def refuse_bad_controls(found: tuple[Control, ...]) -> None:
    """Raise GfpbenchError where a control has another verdict than expected: its table would mean nothing."""
    for one in found:
        if not one.passed:
            raise GfpbenchError(
                f"the table is refused: a control failed: {one.name} must be {one.expected} and is {one.found}; "
                "is the reference seeded, and does it restore these faces at all?"
            )


def _moved(answers: Answers) -> dict[str, torch.Tensor]:
    return {name: torch.roll(pixels, 1, dims=2) for name, pixels in answers.items()}


def _dithered(answers: Answers) -> dict[str, torch.Tensor]:
    seeded = torch.Generator().manual_seed(0)
    damaged = {}
    for name, pixels in answers.items():
        chosen = torch.rand(pixels.shape, generator=seeded) < 0.1
        step = torch.where(pixels > 0.5, -1 / 255, 1 / 255)  # towards the middle, so that nothing is clamped
        damaged[name] = torch.where(chosen, pixels + step, pixels)
    return damaged
