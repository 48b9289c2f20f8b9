"""GMSD against pyiqa and piq, and where its two settings show."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gfpbench import images
from gfpbench.metrics.gmsd import gmsd
from gfpbench.types import ImageBatch
from tests.unit.metrics import per_image_laws


def even(faces: ImageBatch) -> ImageBatch:
    """pyiqa drops the last row of an odd side where the authors' code halves it against zeros."""
    return images.quantized(ImageBatch(faces.pixels[..., :208, :196], faces.ids))


def test_pyiqa(pyiqa_metric: Any) -> None:
    pair = (even(per_image_laws.restored()), even(per_image_laws.truth()))
    expected = pyiqa_metric("gmsd")(*(one.pixels for one in pair)).flatten().tolist()
    assert gmsd(*pair).tolist() == pytest.approx(expected, abs=2e-5)


def test_piq() -> None:
    """piq divides by n where the paper's code divides by n - 1, and pads both sides where one is odd."""
    piq = pytest.importorskip("piq", reason="piq is not installed: it is one oracle of three")
    pair = (even(per_image_laws.restored()), even(per_image_laws.truth()))
    views = (images.to_gray_255(one) / 255 for one in pair)
    expected = piq.gmsd(*views, data_range=1.0, reduction="none") * (104 * 98 / (104 * 98 - 1)) ** 0.5
    assert gmsd(*pair).tolist() == pytest.approx(expected.tolist(), abs=1e-9)


def test_a_change_of_brightness_shows_at_the_border_only() -> None:
    """Gradients ignore a constant: what is left comes from the zeros outside, so it shrinks with the size."""
    generator = torch.Generator().manual_seed(0)
    values = []
    for side in (32, 64, 128, 256):
        pixels = torch.rand(1, 3, side, side, generator=generator) * 0.5
        values.append(gmsd(ImageBatch(pixels + 0.2, ("one",)), ImageBatch(pixels, ("one",))).item())
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] / 2


def test_checks_finer_than_two_pixels_vanish() -> None:
    """A one-pixel chessboard is gone once halved: no gradient inside, hence no difference from flat grey."""
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    board = ((rows + columns) % 2 * 100 + 50).to(torch.float32).expand(1, 3, 64, 64) / 255
    flat = torch.full((1, 3, 64, 64), 100 / 255)
    assert gmsd(ImageBatch(board.contiguous(), ("one",)), ImageBatch(flat, ("one",))).item() == 0.0
