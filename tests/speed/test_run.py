"""What the engine costs besides its parts: journal, hashes, checks, the eight worst images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench import images, run
from gfpbench.types import Case, ImageBatch

CASE = Case(faces="embedded", degradation="paper", restorer="classical", draws=16)


def bare(parts: run.Parts, case: Case) -> None:
    """Degrade, restore and score as a script would: no checks, nothing kept."""
    ids = parts.ids(case)
    assert parts.restorer is not None
    for start in range(0, len(ids), 8):
        names = ids[start : start + 8]
        truth = ImageBatch(torch.stack([parts.faces.load(name).pixels for name in names]), names)
        records = [parts.degradation.draw(name, case.seed, truth.size) for name in names]
        restored = images.quantized(parts.restorer(parts.degradation.apply(truth, records)))
        for metric in parts.metrics:
            if min(truth.size) >= metric.minimum_side_px:
                metric(restored, truth)


@pytest.mark.benchmark(group="16 faces of 128 px, classical, all offline metrics")
@pytest.mark.parametrize("how", ["engine", "parts alone"])
def test_the_engine_beside_its_parts(benchmark: Any, tmp_path: Path, how: str) -> None:
    parts = run.load(CASE, device="cpu")
    bare(parts, CASE)  # decodes and compiles what is decoded and compiled once

    def engine() -> None:
        assert len(run.run_case(CASE, parts, store=tmp_path, keep_images=0).rows) == 16 * 2

    benchmark.pedantic(engine if how == "engine" else lambda: bare(parts, CASE), rounds=5, warmup_rounds=1)
