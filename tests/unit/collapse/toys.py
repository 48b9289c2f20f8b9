"""Small faces, restorers and metrics whose collapse can be worked out, for searches through the real engine."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F

from gfpbench.types import ImageBatch, Json, RestorationFailed


class Blend:
    """Base of toys: restores pixel by pixel what ``answer`` says."""

    name = "toy"
    opaque = False

    def __init__(self) -> None:
        self.images = 0

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        self.images += len(degraded)
        return ImageBatch(self.answer(degraded.pixels).clamp(0, 1), degraded.ids)

    def answer(self, pixels: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def provenance(self) -> Mapping[str, Json]:
        return {"restorer": f"toy {type(self).__name__}"}


class Smoother(Blend):
    """A box filter: better than its noisy input, worse than a clean one."""

    def answer(self, pixels: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(F.pad(pixels, (1, 1, 1, 1), mode="reflect"), 3, 1)


class MeanFace(Blend):
    """Somebody's portrait, whatever it is given, with a trace of the input so that no two answers are equal."""

    def __init__(self, portrait: torch.Tensor, trace: float = 0.01) -> None:
        super().__init__()
        self.portrait, self.trace = portrait, trace

    def answer(self, pixels: torch.Tensor) -> torch.Tensor:
        return (1 - self.trace) * self.portrait + self.trace * pixels


class Constant(Blend):
    """The same image every time."""

    def answer(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.full_like(pixels, 0.5)


class Refusing(Smoother):
    """Raises for every image of one face, or beyond a certain noisiness for all."""

    def __init__(self, word: str = "", above: float = 9.0) -> None:
        super().__init__()
        self.word, self.above = word, above

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        rough = float((degraded.pixels[..., 1:] - degraded.pixels[..., :-1]).abs().mean())
        if rough > self.above or (self.word and any(self.word in name for name in degraded.ids)):
            raise RestorationFailed("refused")
        return super().__call__(degraded)
