"""Training of nano, ours beside the plain way: a batch of pairs, a step of learning; and restoring faces.

At 128 px where only benchmarks are run (``--benchmark-only``); in an ordinary run 32 px stand in, so that the paths are
exercised. Images per second are ``BATCH`` over the seconds shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gfpbench.images import batch_from_uint8
from gfpbench.nano import networks
from gfpbench.restorers import load
from gfpbench.restorers.gfpgan_sizes import Sizes
from tests.training.blobs import blobs
from training.data import Faces, Mixture, Steps

BATCH = 8
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="module")
def side(request: pytest.FixtureRequest) -> int:
    return 128 if request.config.getoption("benchmark_only") else 32


@pytest.fixture(scope="module")
def faces(side: int) -> Faces:
    return blobs(16, side)


def plainly_degraded(faces: Faces, source: np.random.Generator) -> torch.Tensor:
    """Eq. 6 as a training script would write it: one image after another, a full kernel, no keys and no record."""
    made = []
    for image in faces.images[source.integers(len(faces), size=BATCH)]:
        side = image.shape[0]
        scale = side / 512
        reach = round(20 * scale)
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        angle = source.uniform(-math.pi, math.pi)
        sx, sy = source.uniform(0.2, 10, 2) * scale
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        kernel = np.exp(-0.5 * ((along / sx) ** 2 + (across / sy) ** 2))
        blurred = cv2.filter2D(image.astype(np.float32), -1, kernel / kernel.sum())
        small = cv2.resize(blurred, (max(1, int(side / source.uniform(1, 8))),) * 2, interpolation=cv2.INTER_LINEAR)
        noisy = np.clip(small + source.standard_normal(small.shape) * source.uniform(0, 15), 0, 255).round()
        _, code = cv2.imencode(".jpg", noisy.astype(np.uint8)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
        decoded: Any = cv2.imdecode(code, 1)
        large = cv2.resize(decoded[..., ::-1], (side, side), interpolation=cv2.INTER_LINEAR)
        made.append(torch.from_numpy(np.ascontiguousarray(large)).permute(2, 0, 1).float() / 127.5 - 1)
    return torch.stack(made)


@pytest.mark.benchmark(group=f"pairs for a training step, {BATCH} faces")
@pytest.mark.parametrize("way", ["plain", "ours"])
def test_pairs(benchmark: Any, faces: Faces, way: str) -> None:
    """Ours draws by key, keeps to gfpbench's degradation and moves the face too; the plain way does none of it."""
    if way == "plain":
        source = np.random.default_rng(0)
        made = benchmark.pedantic(lambda: plainly_degraded(faces, source), rounds=5, warmup_rounds=1)
    else:
        steps = Steps(faces, BATCH, 0, True, Mixture({"paper": 1.0}))
        numbers = iter(range(1000))
        made = benchmark.pedantic(lambda: steps[next(numbers)].degraded, rounds=5, warmup_rounds=1)
    assert made.shape == (BATCH, 3, *faces.images.shape[1:3])


def _forward(way: str, network: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    if way == "authors":
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.to(memory_format=torch.contiguous_format)
        return lambda images: network(images, randomize_noise=False)[0]
    return lambda images: networks.restored(network, images)[0]


@pytest.mark.benchmark(group=f"forwards, backwards and Adam, {BATCH} faces")
@pytest.mark.parametrize("way", ["authors", "ours", "ours, bf16"])
def test_step(benchmark: Any, side: int, way: str) -> None:
    network = networks.restorer(Sizes.made(side, 64, 2, 0.125, 2), seed=0).to(DEVICE)
    forward = _forward(way, network)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    images = (torch.rand(BATCH, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(DEVICE)

    def step() -> float:
        with torch.autocast(DEVICE, torch.bfloat16, enabled="bf16" in way):
            restored = forward(images)
        loss = (restored.float() - images).abs().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
        optimiser.step()
        return float(loss.detach())  # waits for a GPU

    assert 0 < benchmark.pedantic(step, rounds=3, warmup_rounds=1) < 10


@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize("spec", ["nano?code=authors", "nano"])
def test_restore(request: pytest.FixtureRequest, benchmark: Any, spec: str, count: int) -> None:
    """Ours beside the authors' code; in an ordinary run once, and one face for the eight."""
    often = bool(request.config.getoption("benchmark_only"))
    benchmark.group = f"restore {count} of 128 px with nano, on the CPU"
    given = batch_from_uint8(list(blobs(count if often else 1, 128).images), tuple("abcdefgh"[: count if often else 1]))
    restore = load(spec, device="cpu")
    restored = benchmark.pedantic(lambda: restore(given), rounds=20 if often else 1, warmup_rounds=2 if often else 0)
    assert restored.size == (128, 128)
