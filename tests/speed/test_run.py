"""What the engine costs besides its parts: journal, hashes, checks, the eight worst pictures."""

from __future__ import annotations

import time
from pathlib import Path

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


def test_the_engine_costs_less_than_its_parts(tmp_path: Path) -> None:
    parts = run.load(CASE, device="cpu")
    engine, script = [], []
    bare(parts, CASE)  # decodes and compiles what is decoded and compiled once
    for _ in range(5):  # processor time, in turn: waiting for the disk or for other processes is not counted
        begun = time.process_time()
        run.run_case(CASE, parts, store=tmp_path, keep_images=0)
        between = time.process_time()
        bare(parts, CASE)
        engine.append(between - begun)
        script.append(time.process_time() - between)
    ratio = min(engine) / min(script)
    print(f"processor time: engine {min(engine):.3f} s, parts alone {min(script):.3f} s, ratio {ratio:.2f}")
    assert ratio < 3.0
