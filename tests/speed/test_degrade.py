"""Seconds per degraded 512-px face: our paths beside the authors' own functions, on the same draws and cores."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench.degrade.presets import PAPER
from gfpbench.images import select, to_rgb_arrays
from tests.degradation import upstream_oracle
from tests.degradation.image_cases import batch, face

IMAGES = 16
FEW = 2
"""Images where nothing is timed, which one process makes: another imports what the first did."""


@pytest.fixture(scope="module")
def faces() -> Any:
    clean = batch(*[face(512, 512)] * IMAGES)
    return clean, [PAPER.draw(name, 0, clean.size) for name in clean.ids]


def of_these(benchmark: Any, faces: Any) -> Any:
    clean, records = faces
    return (select(clean, list(range(FEW))), records[:FEW]) if benchmark.disabled else faces


def _by_the_authors(faces: Any) -> Callable[[], object]:
    clean, records = faces
    upstream_oracle.modules()
    images = to_rgb_arrays(clean)
    return lambda: _their_share(images, records)


@pytest.mark.benchmark(group=f"degrade {IMAGES} faces of 512 px, all cores")
@pytest.mark.parametrize("way", ["authors", "exact", "fast", "tensor"])
def test_degrade(benchmark: Any, faces: Any, way: Any) -> None:
    clean, records = faces = of_these(benchmark, faces)
    degrade = _by_the_authors(faces) if way == "authors" else lambda: PAPER.using(way).apply(clean, records)
    assert len(benchmark.pedantic(degrade, rounds=3, warmup_rounds=1)) == len(records)


@pytest.mark.benchmark(group=f"degrade {IMAGES} faces of 512 px, one core")
@pytest.mark.parametrize("way", ["authors", "exact", "fast"])
def test_degrade_on_one_core(benchmark: Any, faces: Any, way: Any) -> None:
    import cv2

    clean, records = faces = of_these(benchmark, faces)
    degrade = _by_the_authors(faces) if way == "authors" else lambda: PAPER.using(way).apply(clean, records)
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        made = benchmark.pedantic(degrade, rounds=3, warmup_rounds=1)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
    assert len(made) == len(records)


@pytest.mark.benchmark(group=f"degrade {IMAGES} faces of 512 px, two cores")
@pytest.mark.parametrize("way", ["authors", "fast"])
def test_degrade_on_two_cores(benchmark: Any, faces: Any, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Theirs in two processes of one thread, as a loader of training data has it; ours in two threads."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # where these processes find this module
    clean, records = faces = of_these(benchmark, faces)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        processes = 1 if benchmark.disabled else 2
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _in_one_thread) as pool:
            shares = [(to_rgb_arrays(clean)[part::2], records[part::2]) for part in range(2)]
            theirs = partial(_counted, pool, shares)
            ours = partial(PAPER.using("fast").apply, clean, records)
            made: Any = benchmark.pedantic(theirs if way == "authors" else ours, rounds=3, warmup_rounds=1)
    finally:
        torch.set_num_threads(before)
    assert len(made) == len(records)


def _in_one_thread() -> None:
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    upstream_oracle.modules()


def _their_share(images: list[Any], records: list[Any]) -> list[Any]:
    # With the same draws of everything but the noise field: to draw it is part of what they do, and of what we do.
    return [upstream_oracle.by_functions(*pair, own_noise=True) for pair in zip(images, records, strict=True)]


def _counted(pool: ProcessPoolExecutor, shares: list[Any]) -> list[Any]:
    return [image for share in pool.map(_their_share, *zip(*shares, strict=True)) for image in share]


@pytest.mark.benchmark(group="blur and downsample one face of 512 px")
@pytest.mark.parametrize("shape", ["isotropic", "anisotropic"])
@pytest.mark.parametrize("way", ["OpenCV", "fast"])
def test_blur_and_downsample(benchmark: Any, faces: Any, way: str, shape: str) -> None:
    from gfpbench.degrade import blur, fast, resample
    from gfpbench.images import bgr_of_planes, to_planes

    clean, records = faces
    planes = to_planes(clean)[0]
    bgr = bgr_of_planes(planes)
    record = {**next(one for one in records if one["blur_shape"] == shape), "downsample_ratio": 4.5}
    ways: dict[str, Callable[[], Any]] = {
        "OpenCV": lambda: resample.downsampled(blur.blurred(bgr, record), record),
        "fast": lambda: fast.blurred_and_downsampled(planes, record),
    }
    assert benchmark(ways[way]).shape == (113, 113, 3)


@pytest.mark.gpu
@pytest.mark.benchmark(group="degrade faces of 512 px, GPU")
@pytest.mark.parametrize("count", [16, 64])
def test_degrade_on_a_gpu(benchmark: Any, count: int) -> None:
    from gfpbench.images import moved

    clean = batch(*[face(512, 512)] * count)
    records = [PAPER.draw(name, 0, clean.size) for name in clean.ids]
    on_gpu = moved(clean, "cuda")

    def degrade() -> int:
        made = len(PAPER.apply(on_gpu, records))
        torch.cuda.synchronize()
        return made

    assert benchmark.pedantic(degrade, rounds=10, warmup_rounds=2) == count
    if not benchmark.disabled:
        benchmark.extra_info |= {"device": torch.cuda.get_device_name()}
        benchmark.extra_info["images_per_second"] = count / benchmark.stats.stats.median
