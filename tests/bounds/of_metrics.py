"""How far metrics are from the packages that their docstrings name, and how far tipped bytes move them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from hypothesis import strategies as st

from gfpbench import images
from gfpbench.metrics import load as load_metric
from gfpbench.metrics import niqe as niqe_module
from gfpbench.metrics import ssim as ssim_module
from gfpbench.types import BadInput, ImageBatch
from tests.bounds.scenes import PHOTOGRAPHS, Scene, scenes, sides
from tests.unit.metrics import oracles


def _batch(image: Any) -> ImageBatch:
    return images.batch_from_uint8([image], ("scene",))


def _score(name: str, restored: ImageBatch, truth: ImageBatch) -> float:
    return float(load_metric([name])[0](restored, truth)[0])


@cache
def _pyiqa(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyiqa

        return pyiqa.create_metric(name, device="cpu")


@contextmanager
def _window_in_double_precision() -> Iterator[None]:
    """pyiqa rounds its 7 x 7 window to single precision, whatever the precision of the image."""

    def fspecial(size: int, sigma: float, channels: int) -> torch.Tensor:
        offset = np.arange(size) - size // 2
        window = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * sigma**2))
        return torch.from_numpy(window / window.sum()).repeat(channels, 1, 1, 1)

    with patch("pyiqa.archs.func_util.fspecial", fspecial):
        yield


def piqe(scene: Scene) -> dict[str, float | None]:
    """Against pyiqa's in double precision, with a white pixel that keeps it from stretching the image."""
    image = scene.image()
    image[0, 0] = 255
    batch, metric = _batch(image), _pyiqa("piqe")
    ours, pixels = _score("piqe", batch, batch), batch.pixels.double()
    theirs = metric(pixels).item()
    grey = (images.to_gray_255(batch) / 255).repeat(1, 3, 1, 1)
    with _window_in_double_precision():
        exact = metric(grey).item()
    return {"pyiqa": abs(ours - theirs), "pyiqa, our grey and a window in double precision": abs(ours - exact)}


def piqe_samples() -> st.SearchStrategy[Scene]:
    return scenes(sides(64, 384, 16), sides(64, 384, 16))


def niqe(scene: Scene) -> dict[str, float | None]:
    """Against basicsr's, and against its arithmetic on our luma and our halved image."""
    image = scene.image()
    batch = _batch(image)
    try:
        ours = _score("niqe", batch, batch)
    except BadInput:  # too many flat blocks
        return {"basicsr": None, "basicsr, the same luma and halved image": None}
    oracles.basicsr()
    from basicsr.metrics.niqe import niqe as calculate

    model = niqe_module.pristine()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice|invalid value", RuntimeWarning)  # of flat blocks
        theirs = oracles.niqe(image, image)
        luma = images.to_rounded_luma_255(batch)[0, 0].float().numpy()
        with patch("basicsr.metrics.niqe.imresize", lambda plane, **_: niqe_module._halved(plane)):
            same = float(calculate(luma, model.mean[None], model.covariance, np.outer(model.taps, model.taps)))
    return {"basicsr": abs(ours - theirs), "basicsr, the same luma and halved image": abs(ours - same)}


def niqe_samples(contents: tuple[str, ...] = PHOTOGRAPHS) -> st.SearchStrategy[Scene]:
    return scenes(sides(192, 420), sides(192, 420), contents)


def ssim_windows(scene: Scene) -> dict[str, float | None]:
    """SSIM and PIQE with local means by torch against those by OpenCV."""
    truth = _batch(scene.image())
    restored = images.quantized(images.resized(images.resized(truth, (32, 32)), truth.size))
    one = _score("ssim_y", restored, truth)
    with patch.object(ssim_module, "weighted_mean", ssim_module.weighted_mean_by_torch):
        return {"ssim": abs(one - _score("ssim_y", restored, truth))}


MOVED = ("psnr_rgb", "psnr_y", "ssim_rgb", "ssim_y", "gmsd", "ms_ssim", "niqe", "piqe")
"""Metrics whose tolerance is what tipped bytes move them by."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A scene as truth, and a restoration of it between two grey levels that arithmetic moves by up to 1e-5 of [-1, 1].

    Args:
        reduced: the restoration is the scene made so many times smaller and enlarged again, in float32.
        key: of the generator of what it is moved by.
    """

    scene: Scene
    reduced: float
    key: int


def tipped(sample: Restored) -> dict[str, float | None]:
    """How far each metric moves; None below its smallest size or where it is undefined."""
    truth = _batch(sample.scene.image())
    small = tuple(max(8, round(side / sample.reduced)) for side in truth.size)
    pixels = images.resized(images.resized(truth, (small[0], small[1])), truth.size).pixels.clamp(0, 1)
    moved = (np.random.default_rng(sample.key).random(pixels.shape) - 0.5) * 1e-5
    other = (pixels.double() + torch.from_numpy(moved)).clamp(0, 1).float()
    before, after = (images.quantized(ImageBatch(one, truth.ids)) for one in (pixels, other))
    return {name: _moved(name, before, after, truth) for name in MOVED}


def _moved(name: str, before: ImageBatch, after: ImageBatch, truth: ImageBatch) -> float | None:
    if min(truth.size) < load_metric([name])[0].minimum_side_px:
        return None
    try:
        one, two = (_score(name, restored, truth) for restored in (before, after))
    except BadInput:
        return None
    return abs(one - two) if np.isfinite([one, two]).all() else None


def _with_contrast(scene: Scene) -> Scene:
    return replace(scene, contrast=max(scene.contrast, 1 / 3))


def tipped_samples() -> st.SearchStrategy[Restored]:
    """Photographs with at least a third of their contrast: a nearly flat image has hardly an error to be moved."""
    return st.builds(
        Restored,
        scene=scenes(sides(64, 512), sides(64, 512), PHOTOGRAPHS).map(_with_contrast),
        reduced=st.floats(2.0, 8.0),
        key=st.integers(0, 10**6),
    )
