"""The background of a photo, enlarged by a network: tiles leave no seams, any depth, the size that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from gfpbench.photos import background
from gfpbench.photos.background import Background, load_background
from gfpbench.photos.canvas import Canvas
from gfpbench.restorers.face_network import FaceNetwork, Settings
from gfpbench.types import AssetMissing, BadInput


@pytest.fixture
def twice() -> Background:
    """A seeded network that looks 3 px around each pixel and enlarges twice."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)
    ).eval()

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            enlarged: torch.Tensor = torch.sigmoid(nn.functional.pixel_shuffle(layers(pixels), 2))
        return enlarged

    network = FaceNetwork("twice", forward, Settings(), takes="unit", size_px=None, scale=2, identity={})
    return Background(network)


def photo(dtype: Any = np.uint8) -> Any:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (45, 70, 3)).astype(dtype)


def test_tiles_leave_no_seams(twice: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = twice.enlarged(photo(), 2)
    assert whole.shape == (90, 140, 3)
    monkeypatch.setattr(background, "TILE_PX", 16)
    apart = np.abs(twice.enlarged(photo(), 2).astype(int) - whole.astype(int))
    assert apart.max() <= 1, "a level by rounding"
    assert (apart > 0).mean() < 1e-3


def test_tiles_without_padding_are_seen(twice: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = twice.enlarged(photo(), 2)
    monkeypatch.setattr(background, "TILE_PX", 16)
    monkeypatch.setattr(background, "PADDING_PX", 0)
    assert np.abs(twice.enlarged(photo(), 2).astype(int) - whole.astype(int)).max() > 1


@pytest.mark.parametrize("upscale", [1, 3, 4])
def test_another_factor_is_resampled_by_lanczos(twice: Background, upscale: int) -> None:
    made = twice.enlarged(photo(), upscale)
    assert made.shape == (45 * upscale, 70 * upscale, 3)
    own = twice.enlarged(photo(), 2)
    expected = cv2.resize(own, (70 * upscale, 45 * upscale), interpolation=cv2.INTER_LANCZOS4)
    assert np.abs(made.astype(int) - expected.astype(int)).max() <= 2  # they round before they resample


def test_sixteen_bits_stay(twice: Background) -> None:
    deep = twice.enlarged((photo().astype(np.uint16) * 257), 2)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - twice.enlarged(photo(), 2)).max() <= 0.51
    assert len(np.unique(deep)) > 256


def test_a_canvas_keeps_its_alpha(twice: Background) -> None:
    alpha = np.full((45, 70), 128, np.uint8)
    larger = Canvas(photo(), alpha).enlarged(2, twice)
    assert larger.colour.shape == (90, 140, 3)
    assert larger.alpha is not None
    assert larger.alpha.shape == (90, 140)
    assert np.array_equal(larger.colour, twice.enlarged(photo(), 2))


def test_it_is_part_of_what_identifies_a_pipeline(twice: Background) -> None:
    record: Mapping[str, Any] = twice.provenance()["background"]
    assert record["restorer"] == "twice"
    assert (record["tile_px"], record["padding_px"]) == (400, 10)


@pytest.mark.parametrize("name", ["nano", "bicubic"])
def test_what_does_not_enlarge_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=f"--background {name}: is no network that enlarges"):
        load_background(name)


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    with pytest.raises(AssetMissing, match="gfpbench fetch realesrgan-x4plus"):
        load_background("realesrgan-x4plus")
