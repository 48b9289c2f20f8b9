"""Parts that fit into memory: halved when it runs out, in order, nothing twice, and no other error taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gfpbench.images import resized
from gfpbench.restorers import load
from gfpbench.restorers.batching import in_parts, is_out_of_memory
from gfpbench.types import ImageBatch, RestorationFailed
from tests.unit.restorers import upstream_gfpgan as upstream


class Small:
    """Doubles its input; has memory for so many images."""

    def __init__(self, room: int, error: BaseException | None = None) -> None:
        self.room, self.tried, self.done = room, list[int](), list[float]()
        self.error = error or torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.tried.append(len(x))
        if len(x) > self.room:
            raise self.error
        self.done += x[:, 0, 0, 0].tolist()
        return x * 2


def images(count: int) -> torch.Tensor:
    return torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


@pytest.mark.parametrize(
    ("count", "most", "room", "tried"),
    [
        (8, 8, 8, [8]),
        (8, 8, 3, [8, 4, 2, 2, 2, 2]),
        (8, 8, 1, [8, 4, 2, *[1] * 8]),
        (5, 8, 2, [5, 2, 2, 1]),
        (5, 2, 8, [2, 2, 1]),
        (1, 8, 1, [1]),
        (7, 4, 3, [4, 2, 2, 2, 1]),
    ],
)
def test_parts(count: int, most: int, room: int, tried: list[int]) -> None:
    network = Small(room)
    answer, fits = in_parts(images(count), network, most)
    assert network.tried == tried
    assert network.done == list(range(count))
    assert torch.equal(answer, images(count) * 2)
    assert fits <= most


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_memory_runs_out_under_several_names(error: BaseException) -> None:
    network = Small(2, error)
    assert torch.equal(in_parts(images(4), network, 4)[0], images(4) * 2)
    assert is_out_of_memory(error)


def test_one_image_that_does_not_fit_is_a_failure() -> None:
    with pytest.raises(RestorationFailed, match="one image of 2 x 2 px does not fit into the memory of cpu"):
        in_parts(images(3), Small(0), 2)


def test_another_error_passes_at_once() -> None:
    network = Small(2, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1"):
        in_parts(images(4), network, 4)
    assert network.tried == [4]


def test_a_restorer_remembers_what_fitted(degraded: ImageBatch, tmp_path: Path) -> None:
    path = upstream.saved(upstream.clean(upstream.SMALL), tmp_path / "net.pth")
    restorer = load(f"checkpoint:{path}")
    faces = resized(degraded, (64, 64))
    wanted = restorer(faces)
    inner, tried = restorer._forward, list[int]()  # type: ignore[attr-defined]

    def tight(x: torch.Tensor) -> torch.Tensor:
        tried.append(len(x))
        if len(x) > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return inner(x)

    restorer._forward = tight  # type: ignore[attr-defined]
    assert (restorer(faces).pixels - wanted.pixels).abs().max() < 1e-5
    assert tried == [8, 4, 2, 2, 2, 2]
    restorer(faces)
    assert tried[6:] == [2, 2, 2, 2]
