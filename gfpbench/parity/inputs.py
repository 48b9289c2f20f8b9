"""The inputs of a parity comparison: degraded faces with their truth, random tensors, and extremes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import gfpbench.degrade as degrade
from gfpbench import faces, images
from gfpbench.assets.datasets import refuse_without_truth
from gfpbench.images import only
from gfpbench.lazy import LazyModule
from gfpbench.parity.record import Group
from gfpbench.run.batches import batches, joined
from gfpbench.run.engine import degrade_alone
from gfpbench.types import BadInput, Case, ImageBatch, Problem

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

RANDOM = ("random-0",)
"""Tensors of independent values: what a random test input of an export script is."""
EXTREMES = ("extreme-black", "extreme-white", "extreme-noise", "extreme-checkerboard", "extreme-colours")
"""Inputs where divisions by a norm, half precision and clamping fail first; the last two are far from any face."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Some inputs of one size.

    Args:
        group: what they are.
        given: what every restorer gets, 8-bit values, on the CPU.
        truth: the clean images of the same names; None for what has none.
        sha256: of each truth.
        problems: faces that could not be read or degraded.
    """

    group: Group
    given: ImageBatch
    truth: ImageBatch | None = None
    sha256: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def face_inputs(case: Case, batch_size: int) -> Iterator[Inputs]:
    """The degraded faces of a case, or its inputs as they are where it has no truth; one batch in memory at a time.

    Raises:
        BadInput: where not one face can be read, and where faces without a ground truth are to be degraded.
    """
    if case.has_truth:
        refuse_without_truth(case.faces, f"{case.degradation!r} degrades clean faces")
    source = faces.load(case.faces, size_px=case.size_px, draws=case.draws)
    degradation = degrade.load(case.degradation)
    found, waiting = False, list[Problem]()
    for batch in batches(source, source.ids()[: case.limit], batch_size):
        waiting += batch.unreadable
        if not batch.faces:
            continue
        truth = batch.truth()
        given, problems = degrade_alone(degradation, truth, case.seed) if case.has_truth else (truth, ())
        waiting += problems
        if given is None:
            continue
        sha256 = {face.id: face.sha256 for face in batch.faces}
        kept = only(truth, given.ids) if case.has_truth else None
        yield Inputs("face", given, kept, tuple(sha256[name] for name in given.ids), tuple(waiting))
        found, waiting = True, []
    if not found:
        why = f": {waiting[0].subject}: {waiting[0].reason}" if waiting else ""
        raise BadInput(f"faces {case.faces!r}: not one can be read and degraded{why}")


def other_inputs(size: tuple[int, int], seed: int = 0) -> Iterator[Inputs]:
    """Random tensors and extremes of (height, width) pixels, one group at a time; the same for a seed."""
    yield Inputs("random", _batch(RANDOM, size, seed))
    yield Inputs("extreme", _batch(EXTREMES, size, seed))


def _batch(names: tuple[str, ...], size: tuple[int, int], seed: int) -> ImageBatch:
    made = joined([images.batch_from_uint8([_made(name, size, seed)], (name,)) for name in names])
    assert made is not None
    return made


def _made(name: str, size: tuple[int, int], seed: int) -> images.Bytes:
    """(H, W, 3) uint8."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    what = name.partition("-")[2]
    if name.startswith("random-"):
        rng = np.random.default_rng((seed, int(what)))
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if what == "noise":  # of extreme values only, the same in all channels
        rng = np.random.default_rng((seed, 1000))
        return np.repeat(rng.integers(0, 2, (height, width, 1), dtype=np.uint8) * np.uint8(255), 3, axis=2)
    if what == "checkerboard":
        board = ((rows + columns) % 2 * 255).astype(np.uint8)
        return np.repeat(board[..., None], 3, axis=2)
    if what == "colours":  # vertical bars of the saturated colours, over a ramp of brightness
        bar = (8 * columns // max(1, width)) % 8
        channels = [(bar >> place) % 2 for place in range(3)]
        ramp: images.Bytes = (np.stack(channels, axis=2) * (255 * (rows + 1) / height)[..., None]).astype(np.uint8)
        return ramp
    return np.full((height, width, 3), {"black": 0, "white": 255}[what], np.uint8)
