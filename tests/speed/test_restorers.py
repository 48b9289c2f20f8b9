"""Images per second of GFP-GAN, ours beside the authors' GFPGANer; one group for each batch size.

Full size at 512 px on a GPU (batches of 1, 8 and 32), and on a CPU where only benchmarks are run (``--benchmark-only``;
batches of 1 and 2, some ten seconds an image). In an ordinary run on a CPU a network of 128 px stands in, so that the
paths are exercised. GFPGANer takes faces one at a time, whatever the batch. Both start from images in the computer's
memory and end there. On a GPU ``extra_info`` holds what CUDA events measured, and the peak of allocated memory.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from skimage import data

from gfpbench.images import batch_from_uint8, resized, to_bgr_arrays
from gfpbench.restorers import load
from gfpbench.types import ImageBatch
from tests.unit.restorers import upstream_gfpgan as upstream

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
BATCHES = (1, 8, 32) if CUDA else (1, 2)
WAYS = {
    "fp32": "dtype=fp32&code=shared",
    "fp32-authors-code": "dtype=fp32&code=authors",
    "bf16": "dtype=bf16",
    "bf16-channels-last": "dtype=bf16&layout=channels-last",
}
if CUDA:
    WAYS["tf32"] = "dtype=tf32&code=shared"


@pytest.fixture(scope="module")
def full(request: pytest.FixtureRequest) -> bool:
    return CUDA or bool(request.config.getoption("benchmark_only"))


@pytest.fixture(scope="module")
def network(full: bool) -> torch.nn.Module:
    small = {"out_size": 128, "num_style_feat": 64, "num_mlp": 2, "narrow": 0.125}
    return upstream.clean(upstream.FULL if full else small)


@pytest.fixture(scope="module")
def file(network: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return upstream.saved(network, tmp_path_factory.mktemp("weights") / "GFPGANv1.4.pth")


@pytest.fixture(autouse=True)
def memory_is_given_back() -> Iterator[None]:
    yield
    if CUDA:
        torch.cuda.empty_cache()


@cache
def faces(count: int, side_px: int) -> ImageBatch:
    """One portrait (NASA, public domain), moved a little for each image."""
    crops = [data.astronaut()[i : i + 192, 120 : 120 + 192].copy() for i in range(count)]
    return resized(batch_from_uint8(crops, tuple(f"face-{i}" for i in range(count))), (side_px, side_px))


def timed(benchmark: Any, restore: Callable[[], object], count: int, side_px: int) -> None:
    """Measure after two calls that do not count; on a GPU with events as well, and its memory in a call of its own."""
    benchmark.group = f"GFP-GAN at {side_px} px on {DEVICE}, batch {count}"
    rounds = 10 if CUDA else 3

    def finished() -> object:
        answer = restore()
        if CUDA:
            torch.cuda.synchronize()
        return answer

    benchmark.pedantic(finished, rounds=rounds, warmup_rounds=2 if CUDA else 1)
    if CUDA:
        seconds = []
        for _ in range(rounds):
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            restore()
            end.record()
            torch.cuda.synchronize()
            seconds.append(start.elapsed_time(end) / 1000)
        benchmark.extra_info["images_per_second"] = count / statistics.median(seconds)
        torch.cuda.reset_peak_memory_stats()
        restore()
        torch.cuda.synchronize()
        benchmark.extra_info["peak_memory_mib"] = torch.cuda.max_memory_allocated() / 2**20
        benchmark.extra_info["device"] = torch.cuda.get_device_name()


@pytest.mark.parametrize("count", BATCHES)
@pytest.mark.parametrize("way", WAYS)
def test_gfpbench(benchmark: Any, way: str, count: int, file: Path) -> None:
    restorer = load(f"checkpoint:{file}?{WAYS[way]}&batch={count}", device=DEVICE)
    side_px: int = restorer.size_px[0]  # type: ignore[attr-defined]
    batch = faces(count, side_px)
    timed(benchmark, lambda: restorer(batch), count, side_px)
    assert restorer.batch_that_fits == count, "the figure is of a smaller batch"  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", BATCHES)
@pytest.mark.parametrize("precision", ["as-it-comes", "fp32"] if CUDA else ["as-it-comes"])
def test_gfpganer(
    benchmark: Any, precision: str, count: int, network: torch.nn.Module, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it comes, torch lets its convolutions use TF32 on a GPU; ``fp32`` is the same without."""
    side_px = 512 if full else 128
    made = upstream.restorer(network.to(DEVICE), randomize_noise=False)
    images = to_bgr_arrays(faces(count, side_px))
    if not full:
        # It resizes every face to 512 px, which the small network cannot take.
        monkeypatch.setattr("cv2.resize", lambda image, size: image)

    def restore() -> None:
        for image in images:
            assert (made.enhance(image, has_aligned=True, paste_back=False)[1][0] != image).any()

    with torch.backends.cudnn.flags(enabled=True, allow_tf32=precision != "fp32"):
        timed(benchmark, restore, count, side_px)
