"""What the engine costs besides its parts: journal, hashes, checks, the eight worst images; what cases share."""

from __future__ import annotations

import importlib.util
import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench import images, run
from gfpbench.run.fingerprints import fingerprints
from gfpbench.run.shared import SharedInputs
from gfpbench.types import Case, ImageBatch
from tests.unit.run.test_fingerprints import by_torch

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


@pytest.mark.benchmark(group="input, bicubic and truth of 64 faces of 128 px, three metrics")
@pytest.mark.parametrize("how", ["sharing their inputs", "each alone"])
def test_cases_of_the_same_faces(benchmark: Any, tmp_path: Path, how: str) -> None:
    """Decoded and degraded once, or once for each case."""
    names, metrics = ("input", "bicubic", "truth"), ("psnr_rgb", "ssim_rgb", "gmsd")
    cases = [Case(faces="embedded", degradation="paper", restorer=name, draws=32) for name in names]

    def measure() -> None:
        shared = SharedInputs() if how == "sharing their inputs" else None
        for case in cases:
            assert len(run.measure(case, store=tmp_path, metrics=metrics, keep_images=0, shared=shared).rows) == 64

    benchmark.pedantic(measure, rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("side_px", [128, 512])
@pytest.mark.parametrize("how", ["ours", "torch"])
def test_fingerprints(benchmark: Any, how: str, side_px: int) -> None:
    """Sums of whole numbers one image at a time, or the same records from torch's filters and pooling."""
    benchmark.group = f"fingerprints of 8 images of {side_px} px"
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(8, 3, side_px, side_px, generator=generator)
    batch = images.quantized(ImageBatch(pixels, tuple("abcdefgh")))
    records = benchmark.pedantic(fingerprints if how == "ours" else by_torch, (batch,), rounds=5, warmup_rounds=1)
    assert len(records) == 8


@pytest.mark.benchmark(group="nano on 160 faces of 128 px, all offline metrics, one thread each; processes are started")
@pytest.mark.parametrize("count", [1, 2])
def test_processes(benchmark: Any, request: pytest.FixtureRequest, tmp_path: Path, count: int) -> None:
    """Two processes beside one on two cores: twice as fast, less what the command itself does."""
    timed = not request.config.getoption("benchmark_disable")
    metrics = None if timed else ("psnr_rgb", "ssim_rgb")  # loading all in each process takes longer than measuring
    options: dict[str, Any] = {"metrics": metrics, "protocols": (), "isolate": False, "seconds_per_image": None}
    draws = 80 if timed else 4  # of two people
    threads, case = torch.get_num_threads(), replace(CASE, restorer="nano", draws=draws)
    torch.set_num_threads(1)
    try:
        parts = run.load(case, device="cpu", shared=SharedInputs(), **options)
        seeds = itertools.count()  # what was degraded for one is not what the next needs
        with run.Workers(count, options) as pool:
            processes = pool if count > 1 else None

            def measure() -> None:
                seeded = replace(case, seed=next(seeds))
                result = run.run_case(seeded, parts, store=tmp_path, keep_images=0, workers=processes)
                assert len(result.rows) == 2 * draws

            benchmark.pedantic(measure, rounds=2, warmup_rounds=1)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra gfpbench[ray]")
@pytest.mark.benchmark(group="nano on many faces of 128 px, two workers of one thread each; workers are started")
@pytest.mark.parametrize("how", ["--workers", "--engine ray"])
def test_workers_of_ray(benchmark: Any, request: pytest.FixtureRequest, tmp_path: Path, how: str) -> None:
    """Ray beside processes of this machine: the same worker, whose messages take another way."""
    options: dict[str, Any] = {"metrics": None, "protocols": (), "isolate": False, "seconds_per_image": None}
    faces = 8 if request.config.getoption("benchmark_disable") else int(os.environ.get("GFPBENCH_FACES", "160"))
    threads, case = torch.get_num_threads(), replace(CASE, restorer="nano", draws=faces // 2)  # of two people
    torch.set_num_threads(1)
    try:
        parts = run.load(case, device="cpu", shared=SharedInputs(), **options)
        seeds = itertools.count()
        with run.RayWorkers(2, options, address="local") if "ray" in how else run.Workers(2, options) as pool:

            def measure(case: Case) -> None:
                seeded = replace(case, seed=next(seeds))
                run.run_case(seeded, parts, store=tmp_path, keep_images=0, workers=pool)

            measure(replace(case, limit=32))  # until both are loaded
            benchmark.pedantic(measure, (case,), rounds=2)
    finally:
        torch.set_num_threads(threads)
