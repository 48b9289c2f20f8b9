"""What is no restoration because it holds nothing, and what only looks so because its input holds nothing either."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from gfpbench.images import resized
from gfpbench.restorers import degenerate
from gfpbench.types import ImageBatch

Change = Callable[[torch.Tensor], torch.Tensor]


def why_degenerate(restored: torch.Tensor, given: torch.Tensor) -> str | None:
    """Of one (3, H, W) image."""
    (reason,) = degenerate.why_degenerate(restored[None], given[None])
    return reason


def noise(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def coarse_noise(side: int, times: int, sigma: float, seed: int) -> torch.Tensor:
    """(3, side, side): noise that was added to an image reduced so many times, and was enlarged with it."""
    small = noise((1, 3, side // times, side // times), seed) * sigma / 255
    return torch.nn.functional.interpolate(small, size=(side, side), mode="bilinear")[0]


EMPTY: dict[str, Change] = {
    "black": torch.zeros_like,
    "white": torch.ones_like,
    "grey": lambda x: torch.full_like(x, 0.5),
    "red": lambda x: torch.stack([x[0] * 0 + 0.9, x[1] * 0, x[2] * 0]),
    "the mean colour": lambda x: x.mean((1, 2), keepdim=True).expand_as(x),
    "grain": lambda x: (0.5 + 0.01 * noise(tuple(x.shape))).clamp(0, 1),
    "a ghost": lambda x: 0.3 + 0.05 * x,
    "black with a corner": lambda x: torch.nn.functional.pad(
        x[:, : x.shape[1] // 4, : x.shape[2] // 4], (0, x.shape[2] - x.shape[2] // 4, 0, x.shape[1] - x.shape[1] // 4)
    ),
    "black with dead pixels": lambda x: (noise(tuple(x.shape[1:])) > 3).float().expand_as(x),
}


@pytest.mark.parametrize("side", [32, 128, 200, 512])
@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_image_is_no_restoration(name: str, side: int, degraded: ImageBatch) -> None:
    for face in resized(degraded, (side, side)).pixels:
        reason = why_degenerate(EMPTY[name](face), face)
        assert reason is not None
        said = ("an image of one colour", "a nearly empty image", "a saturated image")
        assert reason.startswith(tuple(f"returned {what}" for what in said)), reason


@pytest.mark.parametrize(
    "change",
    [lambda x: (x > x.mean()).float(), lambda x: (x * 40 - 18).clamp(0, 1), lambda x: (x * 2 > 0.3).float().round()],
)
def test_a_saturated_image_is_no_restoration(change: Change, degraded: ImageBatch) -> None:
    for face in degraded.pixels:
        assert why_degenerate(change(face), face) is not None


HONEST: dict[str, Change] = {
    "as it is": lambda x: x,
    "smoother": lambda x: torch.nn.functional.avg_pool2d(x[None], 9, 1, 4)[0],
    "sharper": lambda x: (2 * x - torch.nn.functional.avg_pool2d(x[None], 5, 1, 2)[0]).clamp(0, 1),
    "flatter": lambda x: 0.5 + 0.2 * (x - 0.5),
    "more contrasty": lambda x: (x.mean() + 2 * (x - x.mean())).clamp(0, 1),
    "darker": lambda x: x / 4,
    "lighter": lambda x: 1 - (1 - x) / 4,
    "grey": lambda x: x.mean(0, keepdim=True).expand_as(x),
    "mirrored": lambda x: x.flip(2),
}


@pytest.mark.parametrize("brightness", [1.0, 0.3, 0.1, 0.02])
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_restoration_is_none_of_these(name: str, brightness: float, degraded: ImageBatch) -> None:
    """Bad ones too: what is poor gets its score."""
    for face in degraded.pixels * brightness:
        assert why_degenerate(HONEST[name](face), face) is None


@pytest.mark.parametrize("level", [0.0, 0.02, 0.15, 0.5, 1.0])
@pytest.mark.parametrize(("side", "times", "sigma"), [(128, 8, 15), (512, 8, 15), (128, 1, 50), (64, 4, 15)])
def test_a_flat_image_may_be_restored_to_a_flat_one(level: float, side: int, times: int, sigma: float) -> None:
    """However noisy it was: the night sky, a wall, a face in the dark."""
    flat = torch.full((3, side, side), level)
    for seed in range(10):
        given = (flat + coarse_noise(side, times, sigma, seed)).clamp(0, 1)
        assert why_degenerate(flat, given) is None
        assert why_degenerate(given, given) is None


def test_a_small_face_before_a_flat_background_may_stay_one(degraded: ImageBatch) -> None:
    canvas = torch.full((3, 512, 512), 0.02)
    canvas[:, 200:300, 200:300] = resized(degraded, (100, 100)).pixels[0]
    given = (canvas + 0.03 * noise((3, 512, 512))).clamp(0, 1)
    assert why_degenerate(canvas, given) is None
    clipped = torch.where(canvas < 0.05, torch.zeros(()), canvas)  # the background at 0, as it nearly was
    assert why_degenerate(clipped, given) is None


def test_an_overexposed_image_may_stay_one(degraded: ImageBatch) -> None:
    for face in degraded.pixels:
        given = (face * 4).clamp(0, 1)
        assert why_degenerate(given, (given + 0.02 * noise(tuple(face.shape))).clamp(0, 1)) is None


def test_each_image_of_a_batch_is_judged_for_itself(degraded: ImageBatch) -> None:
    face = degraded.pixels[0]
    given = torch.stack([face] * 4)
    restored = torch.stack([face, torch.zeros_like(face), (face > face.mean()).float(), face / 2])
    reasons = degenerate.why_degenerate(restored, given)
    assert [reason is None for reason in reasons] == [True, False, False, True]
    assert reasons == [why_degenerate(one, face) for one in restored]
