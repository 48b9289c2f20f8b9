"""What is timed: a restorer on ever-changing copies of one batch of a case, and the fixed reference workload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import TYPE_CHECKING

import gfpbench.degrade as degrade
from gfpbench import faces, run
from gfpbench.lazy import LazyModule
from gfpbench.restorers.checked import Seen, checked
from gfpbench.run.batches import batches
from gfpbench.types import BadInput, Case, ImageBatch, RestorationFailed, Restorer

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
else:
    torch, F = LazyModule("torch"), LazyModule("torch.nn.functional")

COPIES = 4

REFERENCE = "conv-1"
"""Part of every record. Other work needs another name: ratios to two different workloads do not compare."""

LAYERS = 6
CHANNELS = 64
CPU_SHAPE, GPU_SHAPE = (1, CHANNELS, 64, 64), (8, CHANNELS, 256, 256)
"""1.8 and 232 GFLOP: some 20 ms of one processor core, some 6 ms of a large GPU; less would time the calls alone."""


def degraded_batch(case: Case, batch_size: int) -> ImageBatch:
    """The first degraded faces of a case, as many of one size as there are, at most ``batch_size``, on the CPU.

    Raises:
        BadInput: where not one face can be read.
    """
    source = faces.load(case.faces, size_px=case.size_px, draws=case.draws)
    found = islice(batches(source, source.ids()[: case.limit], batch_size), 1)
    batch = next((batch for batch in found if batch.faces), None)
    if batch is None:
        raise BadInput(f"faces {case.faces!r}: not one of the first can be read")
    truth, degradation = batch.truth(), degrade.load(case.degradation)
    return degradation.apply(truth, [degradation.draw(name, case.seed, truth.size) for name in truth.ids])


def ever_changing(batch: ImageBatch) -> Iterator[ImageBatch]:
    """The same images without end, each time with other values in the first of them, which costs next to nothing.

    A restorer that remembers what it was given gains nothing by it.
    """
    copies = [ImageBatch(batch.pixels.clone(), batch.ids) for _ in range(COPIES)]
    values = [copy.pixels.flatten() for copy in copies]  # views: what is written there is in the images
    for call in count():
        for place in range(3):  # the call's number, in three values of 8 bits
            values[call % COPIES][place] = (call >> 8 * place) % 256 / 255
        yield copies[call % COPIES]


def load_restorer(case: Case, device: str) -> Restorer:
    """The restorer of a case.

    Raises:
        BadInput: for one that restores nothing: the truth, and files that were restored elsewhere.
    """
    if case.restorer == run.TRUTH or case.restorer.startswith("outputs:"):
        raise BadInput(f"{case.restorer!r} restores nothing here, so it has no speed")
    restorer = run.load(case, device=device, metrics=()).restorer
    assert restorer is not None
    return restorer


def refuse_failures(restorer: Restorer, batch: ImageBatch) -> None:
    """Restore once and look at the answer. Raises RestorationFailed: what does not restore has no speed."""
    _, failures = checked(restorer, batch, Seen())
    if failures:
        name, reason = next(iter(failures.items()))
        raise RestorationFailed(f"{restorer.name}: {name!r} is not restored, so there is nothing to time: {reason}")


def reference_workload(device: str) -> Callable[[], object]:
    """Convolutions as restoration networks are made of: 3 x 3, 64 channels, float32, seeded, the same each time.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        A function without arguments that does the work once. On a GPU it returns before the work is done.
    """
    seeded = torch.Generator().manual_seed(0)
    fan_in = CHANNELS * 9
    shape = GPU_SHAPE if device.startswith("cuda") else CPU_SHAPE
    images = torch.randn(shape, generator=seeded).to(device)
    weights = [
        (torch.randn(CHANNELS, CHANNELS, 3, 3, generator=seeded) * (2 / fan_in) ** 0.5).to(device)
        for _ in range(LAYERS)
    ]

    def work() -> object:
        with torch.no_grad():
            features = images
            for weight in weights:
                features = F.leaky_relu(F.conv2d(features, weight, padding=1), 0.2)
            return features

    return work
