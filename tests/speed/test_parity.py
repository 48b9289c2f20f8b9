"""What a comparison costs beside restoring the inputs twice with each of the two restorers, in the same run.

Sixteen faces where only benchmarks are run (``--benchmark-only``); in an ordinary run two stand in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gfpbench import images, restorers
from gfpbench.parity import measure_parity
from gfpbench.speed.workload import degraded_batch
from gfpbench.types import Case, ImageBatch, Json, Restorer

CASE = Case("embedded", "paper", "nano", limit=16)


@dataclass
class Dimmed:
    """nano, and its outputs darker by a thousandth: what makes the comparison look at everything."""

    inner: Restorer
    by: float
    name: str

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        restored = self.inner(degraded)
        return ImageBatch(restored.pixels * self.by, restored.ids)

    def provenance(self) -> dict[str, Json]:
        return {"restorer": self.name}


@pytest.mark.benchmark(group="parity of two restorers on 16 faces of 128 px")
def test_parity_beside_restoring_twice(benchmark: Any, request: pytest.FixtureRequest) -> None:
    count = 16 if request.config.getoption("benchmark_only") else 2
    case = replace(CASE, limit=count)
    pair = [Dimmed(restorers.load("nano"), by, f"x {by}") for by in (1.0, 0.999)]
    whole = degraded_batch(case, count)
    batches = [images.select(whole, list(range(start, start + count // 2))) for start in (0, count // 2)]

    def restored_twice() -> float:
        begun = time.perf_counter()
        for one in pair:
            for batch in (*batches, *batches):
                one(batch)
        return time.perf_counter() - begun

    if benchmark.disabled:
        benchmark.pedantic(lambda: measure_parity(case, [pair[1]], reference=pair[0]))
        return
    measure_parity(case, [pair[1]], reference=pair[0])  # decodes, and loads what is loaded once
    before = restored_twice()
    benchmark.pedantic(lambda: measure_parity(case, [pair[1]], reference=pair[0]), rounds=3)
    after = restored_twice()
    if benchmark.stats is not None:
        benchmark.extra_info["times restoring twice"] = 2 * benchmark.stats.stats.median / (before + after)
