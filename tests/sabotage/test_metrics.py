"""Broken metrics: each is a mistake somebody has made, and each has to fail the law named beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import pytest
import torch
from skimage.color import rgb2gray, rgb2yiq

from gfpbench import images
from gfpbench.metrics import gmsd as gmsd_file
from gfpbench.metrics import load
from gfpbench.metrics import ms_ssim as ms_ssim_file
from gfpbench.metrics import niqe as niqe_file
from gfpbench.metrics import piqe as piqe_file
from gfpbench.metrics import psnr as psnr_file
from gfpbench.metrics import ssim as ssim_file
from gfpbench.metrics.per_image import PerImageMetric
from gfpbench.types import ImageBatch, Metric
from tests.unit.metrics import per_image_laws as laws

oracles = laws.oracles
REAL: dict[str, Any] = {metric.name: metric for metric in load()}
Pair = Callable[[Any, Any], float]
Score = Callable[[ImageBatch, ImageBatch], torch.Tensor]


def by_arrays(pair: Pair, to_bytes: Callable[[ImageBatch], list[Any]] = images.to_rgb_arrays) -> Score:
    """A score from a function of two (H, W, 3) uint8 RGB images."""

    def score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        values = [pair(*both) for both in zip(to_bytes(restored), to_bytes(truth), strict=True)]
        return torch.tensor(values, dtype=torch.float64)

    return score


def on(convert: Callable[[Any], Any], pair: Pair) -> Score:
    """A score of images that were converted first."""
    return by_arrays(lambda restored, truth: pair(convert(restored), convert(truth)))


def decibels(mse: Any) -> Any:
    return 10 * np.log10(255**2 / np.maximum(mse, 1e-300))


def mse(restored: Any, truth: Any) -> Any:
    return np.mean((np.float64(restored) - np.float64(truth)) ** 2)


def single_precision_psnr(restored: Any, truth: Any) -> float:
    squares = (restored.astype(np.float32) - truth.astype(np.float32)) ** 2
    return float(decibels(np.cumsum(squares.ravel(), dtype=np.float32)[-1] / np.float32(squares.size)))


def truncated(batch: ImageBatch) -> list[Any]:
    return list((batch.pixels * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy())


def psnr_of_the_batch(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    error = (images.to_255(restored) - images.to_255(truth)).square().mean()
    return (10 * torch.log10(255**2 / error)).expand(len(restored)).clone()


def bgr(images: ImageBatch) -> ImageBatch:
    return ImageBatch(images.pixels.flip(1), images.ids)


def swapped(name: str) -> Score:
    return lambda restored, truth: REAL[name].score(bgr(restored), bgr(truth))


def ssim_rgb(**options: Any) -> Score:
    def pair(restored: Any, truth: Any) -> float:
        return float(np.mean([oracles.ssim_map(restored[..., c], truth[..., c], **options).mean() for c in range(3)]))

    return by_arrays(pair)


def ssim_with_relu(restored: Any, truth: Any) -> float:
    maps = [np.maximum(oracles.ssim_map(restored[..., c], truth[..., c]), 0) for c in range(3)]
    return float(np.mean(maps))


def ssim_with_borders(restored: Any, truth: Any) -> float:
    from skimage.metrics import structural_similarity

    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    maps = [structural_similarity(restored[..., c], truth[..., c], full=True, **settings)[1] for c in range(3)]
    return float(np.mean(maps))


def changed(real: Score, change: Callable[[torch.Tensor], torch.Tensor]) -> Score:
    return lambda restored, truth: change(real(restored, truth))


def comparing_with_itself(real: Score) -> Score:
    return lambda restored, _: real(restored, restored)


def peeking(real: Score) -> Score:
    return lambda restored, truth: real(restored, truth) + truth.pixels.mean().double()


def skewed(real: Score) -> Score:
    """Normalised by the truth's brightness, which makes the two sides unequal."""
    return lambda restored, truth: real(restored, truth) * (1 + images.to_255(truth).mean((1, 2, 3)) * 1e-9)


def right_half(real: Score) -> Score:
    def half(images: ImageBatch) -> ImageBatch:
        return ImageBatch(images.pixels[..., images.size[1] // 2 :], images.ids)

    return lambda restored, truth: real(half(restored), half(truth))


def wobbling(real: Score) -> Score:
    calls = iter(range(10**6))
    return lambda restored, truth: real(restored, truth) + 1e-12 * next(calls)


def writing(real: Score) -> Score:
    def score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        values = real(restored, truth)
        images.to_255(restored).sub_(images.to_255(truth))  # the shared view, in place
        return values

    return score


def at_half_precision(real: Score) -> Score:
    return lambda restored, truth: real(restored, truth).to(torch.float16).to(torch.float64)


def niqe_with(luma: Callable[[Any], Any]) -> Score:
    def score(restored: ImageBatch, _: ImageBatch) -> torch.Tensor:
        planes = [np.asarray(luma(image), np.float32) for image in images.to_rgb_arrays(restored)]
        return torch.tensor([niqe_file._distance("one", niqe_file._features(plane)) for plane in planes])

    return score


def niqe_of_blocks(restored: ImageBatch, _: ImageBatch) -> torch.Tensor:
    """The mean distance of the blocks instead of the distance of their mean."""
    model, values = niqe_file.pristine(), []
    inverse = np.linalg.pinv(model.covariance)
    for plane in images.to_rounded_luma_255(restored)[:, 0].float().numpy():
        gaps = niqe_file._features(plane) - model.mean
        values.append(float(np.mean([np.sqrt(gap @ inverse @ gap) for gap in gaps])))
    return torch.tensor(values, dtype=torch.float64)


def population_variance(total: torch.Tensor, squares: torch.Tensor, count: int) -> torch.Tensor:
    return squares / count - (total / count) ** 2


def whole_blocks(images: ImageBatch) -> ImageBatch:
    height, width = (side // 16 * 16 for side in images.size)
    return ImageBatch(images.pixels[..., :height, :width], images.ids)


class Unchecked:
    """A metric that goes straight to its arithmetic and pairs what it finds."""

    def __init__(self, real: PerImageMetric) -> None:
        self.score, self.name, self.minimum_side_px = real.score, real.name, real.minimum_side_px

    def __call__(self, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        count = min(len(restored), len(truth))
        height, width = (min(sides) for sides in zip(restored.size, truth.size, strict=True))
        cut = [ImageBatch(one.pixels[:count, :, :height, :width], one.ids[:count]) for one in (restored, truth)]
        return self.score(*cut)


class Raw:
    """A metric that hands over whatever its arithmetic returns."""

    def __init__(self, convert: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.convert, self.name = convert, "psnr_rgb"

    def __call__(self, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        return self.convert(REAL["psnr_rgb"](restored, truth))


def constants(module: Any, **values: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.multiple(module, **values)


def gaussian(side: int, sigma: float) -> Any:
    return cv2.getGaussianKernel(side, sigma).ravel()


@dataclass(frozen=True)
class Saboteur:
    """A broken metric: another score, another callable, or the real one while some of its parts are replaced."""

    mistake: str
    name: str
    law: Any
    score: Score | None = None
    metric: Any = None
    during: Callable[[], AbstractContextManager[Any]] = field(default=nullcontext)

    def broken(self) -> Metric:
        if self.metric is not None:
            return self.metric
        real = REAL[self.name]
        return real if self.score is None else replace(real, score=self.score)


def real_score(name: str) -> Score:
    return REAL[name].score


ORACLE = laws.agrees_with_oracle
uniform = np.full(11, 1 / 11)

SABOTEURS = (
    Saboteur("luma under the RGB name", "psnr_rgb", ORACLE, real_score("psnr_y")),
    Saboteur("one error for the whole batch", "psnr_rgb", laws.scores_each_image_alone, psnr_of_the_batch),
    Saboteur("one error for the whole batch, oracle", "psnr_rgb", ORACLE, psnr_of_the_batch),
    Saboteur("data range 1", "psnr_rgb", ORACLE, during=constants(psnr_file, PEAK=1.0)),
    Saboteur("data range 256", "psnr_rgb", ORACLE, during=constants(psnr_file, PEAK=256.0)),
    Saboteur("peak of the luma range", "psnr_y", ORACLE, during=constants(psnr_file, PEAK=219.0)),
    Saboteur(
        "mean of three PSNRs",
        "psnr_rgb",
        ORACLE,
        by_arrays(lambda r, t: float(np.mean([decibels(mse(r[..., c], t[..., c])) for c in range(3)]))),
    ),
    Saboteur(
        "bytes subtracted as bytes",
        "psnr_rgb",
        ORACLE,
        by_arrays(lambda r, t: float(decibels(np.mean((r - t) ** 2.0)))),
    ),
    Saboteur("single precision", "psnr_rgb", ORACLE, by_arrays(single_precision_psnr)),
    Saboteur("natural logarithm", "psnr_rgb", ORACLE, by_arrays(lambda r, t: float(10 * np.log(255**2 / mse(r, t))))),
    Saboteur("truncated to bytes", "psnr_rgb", ORACLE, by_arrays(oracles.psnr_rgb, truncated)),
    Saboteur("truncated to bytes", "ssim_rgb", ORACLE, by_arrays(oracles.ssim_rgb, truncated)),
    Saboteur(
        "not rounded to bytes",
        "psnr_rgb",
        ORACLE,
        lambda r, t: -10 * (r.pixels.double() - t.pixels.double()).square().mean((1, 2, 3)).log10(),
    ),
    Saboteur(
        "capped at 80 dB by an epsilon",
        "psnr_rgb",
        laws.best_on_equal_images,
        by_arrays(lambda r, t: float(10 * np.log10(1 / (mse(r, t) / 255**2 + 1e-8)))),
    ),
    Saboteur("BGR", "psnr_y", ORACLE, swapped("psnr_y")),
    Saboteur(
        "full-range YIQ luma",
        "psnr_y",
        ORACLE,
        on(lambda p: 255 * rgb2yiq(p)[..., 0], lambda r, t: float(decibels(mse(r, t)))),
    ),
    Saboteur(
        "rounded luma", "psnr_y", ORACLE, on(lambda p: oracles.luma(p).round(), lambda r, t: float(decibels(mse(r, t))))
    ),
    Saboteur(
        "BT.709 weights", "psnr_y", ORACLE, on(lambda p: 219 * rgb2gray(p), lambda r, t: float(decibels(mse(r, t))))
    ),
    Saboteur(
        "window of 7",
        "ssim_rgb",
        ORACLE,
        during=constants(ssim_file, _window=lambda: torch.from_numpy(gaussian(7, 1.5))),
    ),
    Saboteur(
        "sigma 1.6",
        "ssim_rgb",
        ORACLE,
        during=constants(ssim_file, _window=lambda: torch.from_numpy(gaussian(11, 1.6))),
    ),
    Saboteur(
        "uniform window", "ssim_rgb", ORACLE, during=constants(ssim_file, _window=lambda: torch.from_numpy(uniform))
    ),
    Saboteur(
        "skimage's default window", "ssim_rgb", ORACLE, ssim_rgb(gaussian_weights=False, use_sample_covariance=True)
    ),
    Saboteur("sample covariance", "ssim_rgb", ORACLE, ssim_rgb(use_sample_covariance=True)),
    Saboteur("data range 1", "ssim_rgb", ORACLE, during=constants(ssim_file, C1=0.01**2, C2=0.03**2)),
    Saboteur("K1 and K2 exchanged", "ssim_rgb", ORACLE, during=constants(ssim_file, C1=ssim_file.C2, C2=ssim_file.C1)),
    Saboteur("borders not cropped", "ssim_rgb", ORACLE, by_arrays(ssim_with_borders)),
    Saboteur("negative values cut", "ssim_rgb", ORACLE, by_arrays(ssim_with_relu)),
    Saboteur(
        "channels averaged first",
        "ssim_rgb",
        ORACLE,
        on(lambda p: p.mean(-1), lambda r, t: float(oracles.ssim_map(r, t).mean())),
    ),
    Saboteur(
        "first channel only",
        "ssim_rgb",
        ORACLE,
        by_arrays(lambda r, t: float(oracles.ssim_map(r[..., 0], t[..., 0]).mean())),
    ),
    Saboteur("luma under the RGB name", "ssim_rgb", ORACLE, real_score("ssim_y")),
    Saboteur("BGR", "ssim_y", ORACLE, swapped("ssim_y")),
    Saboteur(
        "full-range YIQ luma",
        "ssim_y",
        ORACLE,
        on(lambda p: 255 * rgb2yiq(p)[..., 0], lambda r, t: float(oracles.ssim_map(r, t).mean())),
    ),
    Saboteur(
        "rounded luma",
        "ssim_y",
        ORACLE,
        on(lambda p: oracles.luma(p).round(), lambda r, t: float(oracles.ssim_map(r, t).mean())),
    ),
    Saboteur(
        "weights the wrong way round",
        "ms_ssim",
        ORACLE,
        during=constants(ms_ssim_file, WEIGHTS=ms_ssim_file.WEIGHTS[::-1]),
    ),
    Saboteur("four scales", "ms_ssim", ORACLE, during=constants(ms_ssim_file, WEIGHTS=ms_ssim_file.WEIGHTS[:4])),
    Saboteur("never halved", "ms_ssim", ORACLE, during=constants(ms_ssim_file, _halved=lambda plane: plane)),
    Saboteur(
        "every other pixel",
        "ms_ssim",
        ORACLE,
        during=constants(ms_ssim_file, _halved=lambda plane: plane[::2, ::2].contiguous()),
    ),
    Saboteur(
        "odd rows dropped",
        "ms_ssim",
        ORACLE,
        during=constants(ms_ssim_file, _halved=lambda plane: torch.nn.functional.avg_pool2d(plane[None], 2)[0]),
    ),
    Saboteur(
        "luminance at every scale",
        "ms_ssim",
        ORACLE,
        during=constants(ms_ssim_file, similarity=lambda r, t: (ssim_file.similarity(r, t)[0],) * 2),
    ),
    Saboteur("BGR", "ms_ssim", ORACLE, swapped("ms_ssim")),
    Saboteur("studio-range luma", "ms_ssim", ORACLE, during=constants(ms_ssim_file, to_gray_255=images.to_luma_255)),
    Saboteur("almost no constant", "gmsd", ORACLE, during=constants(gmsd_file, C=1e-6)),
    Saboteur("constant of the [0, 1] range", "gmsd", ORACLE, during=constants(gmsd_file, C=170 / 255**2)),
    Saboteur(
        "not halved",
        "gmsd",
        ORACLE,
        lambda r, t: REAL["gmsd"].score(
            *(ImageBatch(one.pixels.repeat_interleave(2, 2).repeat_interleave(2, 3), one.ids) for one in (r, t))
        ),
    ),
    Saboteur(
        "Sobel for Prewitt", "gmsd", ORACLE, during=constants(gmsd_file, _squared_gradient=lambda gray: sobel(gray))
    ),
    Saboteur("studio-range luma", "gmsd", ORACLE, during=constants(gmsd_file, to_gray_255=images.to_luma_255)),
    Saboteur("BGR", "gmsd", ORACLE, swapped("gmsd")),
    Saboteur("divided by n", "gmsd", ORACLE, lambda r, t: REAL["gmsd"].score(r, t) * (1 - 1 / (105 * 99)) ** 0.5),
    Saboteur("luma not rounded", "niqe", ORACLE, niqe_with(oracles.luma)),
    Saboteur("full-range grey", "niqe", ORACLE, niqe_with(oracles.gray)),
    Saboteur("luma on [0, 1]", "niqe", ORACLE, niqe_with(lambda p: oracles.luma(p).round() / 255)),
    Saboteur("BGR", "niqe", ORACLE, swapped("niqe")),
    Saboteur("blocks of 48 px", "niqe", ORACLE, during=constants(niqe_file, BLOCK_PX=48)),
    Saboteur(
        "one diagonal twice", "niqe", ORACLE, during=constants(niqe_file, SHIFTS=((0, 1), (1, 0), (1, 1), (1, 1)))
    ),
    Saboteur(
        "halved by area",
        "niqe",
        ORACLE,
        during=constants(
            niqe_file, _halved=lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        ),
    ),
    Saboteur("mean of the blocks' distances", "niqe", ORACLE, niqe_of_blocks),
    Saboteur("quiet blocks counted", "piqe", ORACLE, during=constants(piqe_file, ACTIVE=0.05)),
    Saboteur("edges flat too soon", "piqe", ORACLE, during=constants(piqe_file, FLAT=0.11)),
    Saboteur("deviation compared with a squared bound", "piqe", ORACLE, during=constants(piqe_file, FLAT=0.1**0.5)),
    Saboteur("segments of 5 px", "piqe", ORACLE, during=constants(piqe_file, SEGMENT_PX=5)),
    Saboteur(
        "sigma 1.5", "piqe", ORACLE, during=constants(piqe_file, _taps=lambda: torch.from_numpy(gaussian(7, 1.5)))
    ),
    Saboteur(
        "the surround without both centre columns",
        "piqe",
        ORACLE,
        during=constants(piqe_file, _SURROUND=tuple(c for c in range(16) if c not in (7, 8))),
    ),
    Saboteur("divided by n", "piqe", ORACLE, during=constants(piqe_file, _variance=population_variance)),
    Saboteur("studio-range luma", "piqe", ORACLE, during=constants(piqe_file, to_gray_255=images.to_luma_255)),
    Saboteur(
        "grey on [0, 1]", "piqe", ORACLE, during=constants(piqe_file, to_gray_255=lambda b: images.to_gray_255(b) / 255)
    ),
    Saboteur("incomplete blocks dropped", "piqe", ORACLE, lambda r, t: REAL["piqe"].score(whole_blocks(r), t)),
    Saboteur("BGR", "piqe", ORACLE, swapped("piqe")),
    Saboteur("not a number handed on", "psnr_rgb", laws.keeps_the_contract, metric=Raw(lambda v: v * torch.nan)),
    Saboteur("single precision handed on", "psnr_rgb", laws.keeps_the_contract, metric=Raw(torch.Tensor.float)),
    Saboteur("one value for the batch", "psnr_rgb", laws.keeps_the_contract, metric=Raw(torch.mean)),
    *(
        Saboteur("pairs whatever it is given", name, laws.refuses_what_is_no_pair, metric=Unchecked(REAL[name]))
        for name in REAL
        if REAL[name].needs_truth
    ),
    *(
        Saboteur(
            "no smallest size",
            name,
            laws.refuses_images_below_its_minimum,
            metric=replace(REAL[name], minimum_side_px=least),
        )
        for name, least in (("ssim_rgb", 10), ("gmsd", 1), ("ms_ssim", 160), ("niqe", 100))
    ),
    *(
        mistake
        for name, real in REAL.items()
        for mistake in (
            Saboteur("values in the wrong order", name, ORACLE, changed(real.score, lambda score: score.flip(0))),
            Saboteur(
                "half precision",
                name,
                ORACLE if name != "niqe" else laws.worse_with_more_blur,
                at_half_precision(real.score) if name != "niqe" else lambda r, t: torch.full((len(r),), 4.0),
            ),
            *(
                mistake
                for law in (laws.worse_with_more_blur, *(laws.SEE_NOISE if name not in laws.LIKE_GRAIN else ()))
                for mistake in (
                    Saboteur("always the same value", name, law, lambda r, t: torch.full((len(r),), 0.5)),
                    Saboteur("sign turned", name, law, changed(real.score, torch.neg)),
                )
            ),
            Saboteur("drifts from call to call", name, laws.same_bits_for_any_thread_count, wobbling(real.score)),
            Saboteur("writes into the shared view", name, laws.leaves_images_alone, writing(real.score)),
            Saboteur(
                "no reason for its tolerance", name, laws.has_plain_metadata, metric=replace(real, tolerance_reason="")
            ),
        )
    ),
    *(
        mistake
        for name, real in REAL.items()
        if real.needs_truth
        for mistake in (
            Saboteur("compares with itself", name, laws.looks_at_the_truth, comparing_with_itself(real.score)),
            Saboteur("leans towards the truth", name, laws.symmetric, skewed(real.score)),
            Saboteur(
                "never reaches its best",
                name,
                laws.best_on_equal_images,
                changed(real.score, lambda score: score.nan_to_num(posinf=99.0) + 1e-9),
            ),
        )
    ),
    *(
        Saboteur("sees the right half only", name, laws.same_for_mirrored_pairs, right_half(REAL[name].score))
        for name in ("psnr_rgb", "psnr_y", "ssim_rgb", "ssim_y", "gmsd")
    ),
    *(
        Saboteur(
            "peeks at the truth",
            name,
            laws.never_looks_at_the_truth,
            peeking(REAL[name].score),
        )
        for name in ("niqe", "piqe")
    ),
)


def sobel(gray: torch.Tensor) -> torch.Tensor:
    half = torch.nn.functional.avg_pool2d(
        torch.nn.functional.pad(gray, (0, gray.shape[1] % 2, 0, gray.shape[0] % 2))[None], 2
    )
    kernel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]], dtype=torch.float64) / 4
    both = torch.stack([kernel, kernel.T])[:, None]
    return torch.nn.functional.conv2d(half[None], both, padding=1)[0].square().sum(0)


@pytest.mark.parametrize(
    "saboteur", SABOTEURS, ids=lambda one: f"{one.name}-{one.mistake}-{one.law.__name__}".replace(" ", "_")
)
def test_the_mistake_is_caught(saboteur: Saboteur) -> None:
    saboteur.law(REAL[saboteur.name])
    with saboteur.during(), pytest.raises(AssertionError):
        saboteur.law(saboteur.broken())


def test_every_law_has_a_saboteur() -> None:
    used = {saboteur.law for saboteur in SABOTEURS}
    assert {
        law.__name__
        for law in (*laws.COMMON, *laws.FULL_REFERENCE, *laws.NO_REFERENCE, *laws.SEE_NOISE)
        if law not in used
    } == set()
