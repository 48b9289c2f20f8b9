"""The inputs of a timed call: one batch of a case, and variations of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

from gfpbench import degrade, faces, run
from gfpbench.restorers.checked import Seen, checked
from gfpbench.run.batches import batches
from gfpbench.types import BadInput, Case, ImageBatch, RestorationFailed, Restorer

COPIES = 4


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
