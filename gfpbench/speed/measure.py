"""One measurement of a restorer's speed and memory, apart from any measurement of quality."""

from __future__ import annotations

from collections.abc import Callable

from gfpbench import devices, images
from gfpbench.devices import repeatable
from gfpbench.run.environment import environment
from gfpbench.run.parts import plain
from gfpbench.speed.interleaved import interleaved
from gfpbench.speed.memory import MemoryGauge, in_a_process, peak_on_gpu
from gfpbench.speed.record import Speed
from gfpbench.speed.stopwatch import Stopwatch, one_thread, stopwatch_of
from gfpbench.speed.workload import (
    REFERENCE,
    degraded_batch,
    ever_changing,
    load_restorer,
    reference_workload,
    refuse_failures,
)
from gfpbench.types import BadInput, Case, ImageBatch, Restorer

PAIRS = 15
LARGEST_BATCH = 8


def measure_speed(
    case: Case,
    *,
    device: str = "cpu",
    batch_size: int | None = None,
    pairs: int = PAIRS,
    stopwatch: Stopwatch | None = None,
    reference: Callable[[], object] | None = None,
    memory: MemoryGauge | None = None,
) -> Speed:
    """Time the restorer of a case against the reference workload, and measure its memory.

    Degradations and metrics are no part of it, and nothing is scored. On a GPU the clock is the GPU's own. On a CPU
    torch and OpenCV work in one thread: threads that wait for one another on a busy machine take many times longer, by
    no fault of the restorer (measured: 27 times, where one thread took 5).

    Args:
        case: whose first faces are restored, in one batch.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        batch_size: images in a call; where None 8, on a CPU fewer where they are larger than 128 px. Part of the
            record; another gives figures that do not compare.
        pairs: calls that count, two or more.
        stopwatch, reference, memory: the clock, the fixed work and the gauge; for tests, which must not depend on time.

    Raises:
        BadInput: for unknown names, and for a restorer that restores nothing.
        AssetMissing: where the restorer needs something that is not here.
        RestorationFailed: where an image is not restored: what does not work has no speed.
    """
    if pairs < 2 or (batch_size is not None and batch_size < 1):
        raise BadInput(f"{pairs} pairs of batches of {batch_size} measure nothing: two pairs of one image at least")
    device = devices.resolve(device)
    on_gpu = device.startswith("cuda")
    batch = degraded_batch(case, batch_size or LARGEST_BATCH)
    if batch_size is None and not on_gpu:
        batch = _fewer(batch)
    batch = images.moved(batch, device)
    loaded: list[Restorer] = []

    def load() -> Callable[[], object]:
        loaded.append(load_restorer(case, device))
        return lambda: loaded[0](batch)

    with repeatable(), one_thread():
        if memory is None and on_gpu:
            took = peak_on_gpu(device, load)
        else:
            load()
            took = (memory or in_a_process)(case, len(batch))
        restorer = loaded[0]
        refuse_failures(restorer, batch)
        inputs = ever_changing(batch)
        timing = interleaved(
            lambda: restorer(next(inputs)),
            reference or reference_workload(device),
            stopwatch or stopwatch_of(device),
            pairs,
        )
        here = environment(device)
    return Speed(
        case=case,
        ratio=timing.ratio,
        low=timing.low,
        high=timing.high,
        pairs=len(timing.ratios),
        ratios=timing.ratios,
        seconds=timing.seconds,
        reference_seconds=timing.reference_seconds,
        processor_ratio=timing.processor_ratio if not on_gpu else None,
        peak_mib=took.peak_mib,
        memory_note=took.note,
        batch_size=len(batch),
        size_px=batch.size,
        reference=REFERENCE,
        restorer=plain(restorer.provenance(), "the restorer's provenance"),
        environment=here,
    )


def _fewer(batch: ImageBatch) -> ImageBatch:
    """As many of the first images as have the area of eight of 128 px, at least one."""
    height, width = batch.size
    most = max(1, LARGEST_BATCH * 128 * 128 // (height * width))
    return ImageBatch(batch.pixels[:most], batch.ids[:most])
