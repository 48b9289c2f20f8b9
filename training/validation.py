"""Sample sheets and numbers on held-out faces, while training runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

import gfpbench.degrade as degrade
from gfpbench import metrics
from gfpbench.images import from_signed, quantized, to_rgb_arrays, to_signed, write_png
from gfpbench.types import ImageBatch
from training.data import Faces

METRICS = ("psnr_rgb", "ssim_rgb", "gmsd")
MOST = 64
COLUMNS = 16


class Validation:
    """Held-out faces, degraded once, as ``gfpbench run --degradation paper --seed 0`` would degrade them.

    Args:
        faces: the first 64 are used.
    """

    def __init__(self, faces: Faces) -> None:
        whole = faces.batch()
        self.truth = ImageBatch(whole.pixels[:MOST], whole.ids[:MOST])
        paper = degrade.load("paper")
        self.degraded = paper.apply(self.truth, [paper.draw(name, 0, self.truth.size) for name in self.truth.ids])

    def restored(self, restore: Callable[[torch.Tensor], torch.Tensor]) -> ImageBatch:
        """What ``restore``, from and to [-1, 1], makes of them, rounded to 8 bits."""
        return quantized(from_signed(restore(to_signed(self.degraded)), self.truth.ids))

    def scores(self, images: ImageBatch) -> dict[str, float]:
        """Mean scores against the truth."""
        return {metric.name: float(metric(images, self.truth).mean()) for metric in metrics.load(METRICS)}

    def sheet(self, images: ImageBatch, path: Path) -> None:
        """Degraded, restored, truth, row under row."""
        write_sheet(path, [self.degraded, images, self.truth])


def write_sheet(path: Path, rows: Sequence[ImageBatch]) -> None:
    """The first 16 images of each batch side by side, batch under batch, as PNG."""
    arrays = [to_rgb_arrays(quantized(row))[:COLUMNS] for row in rows]
    write_png(path, np.concatenate([np.concatenate(row, axis=1) for row in arrays], axis=0))
