"""Hypotheses about a published number: each changes one step of the evaluation pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gfpbench import images
from gfpbench.degrade.noise import Noise
from gfpbench.degrade.presets import REPORT, UPSTREAM
from gfpbench.explain.pipeline import Pair, Pipeline
from gfpbench.lazy import LazyModule
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One thing that may have gone wrong.

    Args:
        name: for lists and file names.
        words: what somebody did.
        step: of the pipeline that it changes.
        change: the pipeline as described -> the pipeline as they went it.
        concerns: the only figure it moves; empty where it changes images.
    """

    name: str
    words: str
    step: str
    change: Callable[[Pipeline], Pipeline]
    concerns: str = ""


def _compared(pipeline: Pipeline, step: Callable[[ImageBatch, ImageBatch], Pair]) -> Pipeline:
    """The pipeline with one more step before the metrics."""
    return replace(pipeline, compared=lambda degraded, truth, other: step(*pipeline.compared(degraded, truth, other)))


def channels_swapped(pipeline: Pipeline) -> Pipeline:
    """Red and blue of one of the two images exchanged."""
    return _compared(pipeline, lambda degraded, truth: (images.with_red_and_blue_exchanged(degraded), truth))


def _noise_times(pipeline: Pipeline, factor: float) -> Pipeline:
    low, high = (pipeline.chain.noise or Noise((0.0, 0.0))).std_grey_levels
    return replace(pipeline, chain=replace(pipeline.chain, noise=Noise((low * factor, high * factor))))


def noise_too_strong(pipeline: Pipeline) -> Pipeline:
    """A delta of 0 to 15 added to an image in [0, 1]."""
    return _noise_times(pipeline, 255.0)


def noise_doubled(pipeline: Pipeline) -> Pipeline:
    """A delta meant for [-1, 1], or for half the range, added in full."""
    return _noise_times(pipeline, 2.0)


def noise_too_weak(pipeline: Pipeline) -> Pipeline:
    """Delta / 255 added to an image in 0..255."""
    return _noise_times(pipeline, 1 / 255)


def not_enlarged(pipeline: Pipeline) -> Pipeline:
    """The degraded image stays small; the truth is reduced to it."""

    def reduced(degraded: ImageBatch, truth: ImageBatch, other: ImageBatch) -> Pair:
        return pipeline.compared(degraded, images.resized(truth, degraded.size), images.resized(other, degraded.size))

    return replace(pipeline, enlarged=False, compared=reduced)


def small_on_black(pipeline: Pipeline) -> Pipeline:
    """The degraded image stays small, in the corner of a black canvas of the truth's size."""

    def padded(degraded: ImageBatch, truth: ImageBatch, other: ImageBatch) -> Pair:
        canvas = torch.zeros_like(truth.pixels)
        height, width = min(degraded.size[0], truth.size[0]), min(degraded.size[1], truth.size[1])
        canvas[..., :height, :width] = degraded.pixels[..., :height, :width]
        return pipeline.compared(ImageBatch(canvas, degraded.ids), truth, other)

    return replace(pipeline, enlarged=False, compared=padded)


def _shifted(pipeline: Pipeline, share: float, at_least_px: int = 1) -> Pipeline:
    def step(degraded: ImageBatch, truth: ImageBatch) -> Pair:
        k = max(at_least_px, round(min(truth.size) * share))
        return (
            ImageBatch(degraded.pixels[..., k:, k:].contiguous(), degraded.ids),
            ImageBatch(truth.pixels[..., :-k, :-k].contiguous(), truth.ids),
        )

    return _compared(pipeline, step)


def shifted_one_px(pipeline: Pipeline) -> Pipeline:
    """Degraded and true crop lie 1 px apart, across and down."""
    return _shifted(pipeline, 0.0)


def shifted_two_percent(pipeline: Pipeline) -> Pipeline:
    """Degraded and true crop lie 2 % of a side apart, across and down."""
    return _shifted(pipeline, 0.02)


def shifted_ten_percent(pipeline: Pipeline) -> Pipeline:
    """Degraded and true crop lie 10 % of a side apart: two different detections of one face."""
    return _shifted(pipeline, 0.10)


def scaled_two_percent(pipeline: Pipeline) -> Pipeline:
    """The degraded crop is 2 % wider than the true one."""

    def step(degraded: ImageBatch, truth: ImageBatch) -> Pair:
        border = max(1, round(min(truth.size) * 0.01))
        inner = ImageBatch(truth.pixels[..., border:-border, border:-border].contiguous(), truth.ids)
        return degraded, images.resized(inner, degraded.size)

    return _compared(pipeline, step)


def short_kernel(pipeline: Pipeline) -> Pipeline:
    """A blur window drawn from 3..15 px at 512 with sigma up to 10: the window cuts the blur off."""
    return replace(pipeline, chain=replace(pipeline.chain, blur=REPORT.blur))


def colour_jitter(pipeline: Pipeline) -> Pipeline:
    """The colour changes of GFP-GAN's training left on, each as often as there."""
    return replace(pipeline, chain=replace(pipeline.chain, colour=UPSTREAM.colour))


def colour_jitter_always(pipeline: Pipeline) -> Pipeline:
    """The colour changes of GFP-GAN's training on every image."""
    colour = UPSTREAM.colour
    assert colour is not None  # for mypy: the preset has it
    always = replace(colour, shift_probability=1.0, jitter_probability=1.0)
    return replace(pipeline, chain=replace(pipeline.chain, colour=always))


def degraded_twice(pipeline: Pipeline) -> Pipeline:
    """An image that was degraded already is degraded again."""
    return replace(pipeline, times=pipeline.times + 1)


def small_faces_enlarged(pipeline: Pipeline) -> Pipeline:
    """The truth is a face of a quarter of the side, enlarged."""

    def enlarged(face: ImageBatch) -> ImageBatch:
        small = (max(8, face.size[0] // 4), max(8, face.size[1] // 4))
        return images.resized(images.resized(pipeline.prepared(face), small), face.size)

    return replace(pipeline, prepared=enlarged)


def _at(pipeline: Pipeline, factor: float) -> Pipeline:
    def step(degraded: ImageBatch, truth: ImageBatch) -> Pair:
        size = (max(11, round(truth.size[0] * factor)), max(11, round(truth.size[1] * factor)))
        return images.resized(degraded, size), images.resized(truth, size)

    return _compared(pipeline, step)


def at_half_size(pipeline: Pipeline) -> Pipeline:
    """Both images halved before they are compared."""
    return _at(pipeline, 0.5)


def at_double_size(pipeline: Pipeline) -> Pipeline:
    """Both images doubled before they are compared."""
    return _at(pipeline, 2.0)


def mispaired(pipeline: Pipeline) -> Pipeline:
    """Each image is compared with another face: two folders listed in different orders."""
    return replace(pipeline, compared=lambda degraded, truth, other: pipeline.compared(degraded, other, truth))


def signed_range(pipeline: Pipeline) -> Pipeline:
    """The degraded image is in [-1, 1] and is clipped to [0, 1] when saved: its dark half turns black."""
    return _compared(
        pipeline, lambda degraded, truth: (ImageBatch((degraded.pixels * 2 - 1).clamp(0, 1), degraded.ids), truth)
    )


def few_images(pipeline: Pipeline) -> Pipeline:
    """A mean of 100 images in place of 3,000: its value is unsure, not moved."""
    return replace(pipeline, images=100)


def own_truth(pipeline: Pipeline) -> Pipeline:
    """FID against the truth of the same images: the truth's own FID is 0 by definition."""
    return pipeline


HYPOTHESES: tuple[Hypothesis, ...] = tuple(
    Hypothesis(name, (change.__doc__ or "").strip(), step, change, concerns)
    for name, step, change, concerns in (
        ("channels-swapped", "compare", channels_swapped, ""),
        ("noise-255-times", "noise", noise_too_strong, ""),
        ("noise-doubled", "noise", noise_doubled, ""),
        ("noise-vanished", "noise", noise_too_weak, ""),
        ("not-enlarged", "back to size", not_enlarged, ""),
        ("small-on-black", "back to size", small_on_black, ""),
        ("shifted-1px", "crop", shifted_one_px, ""),
        ("shifted-2-percent", "crop", shifted_two_percent, ""),
        ("shifted-10-percent", "crop", shifted_ten_percent, ""),
        ("scaled-2-percent", "crop", scaled_two_percent, ""),
        ("short-kernel", "blur", short_kernel, ""),
        ("colour-jitter", "colour", colour_jitter, ""),
        ("colour-jitter-always", "colour", colour_jitter_always, ""),
        ("degraded-twice", "degrade", degraded_twice, ""),
        ("small-faces-enlarged", "faces", small_faces_enlarged, ""),
        ("compared-at-half-size", "compare", at_half_size, ""),
        ("compared-at-double-size", "compare", at_double_size, ""),
        ("mispaired", "compare", mispaired, ""),
        ("signed-range", "save", signed_range, ""),
        ("few-images", "sample", few_images, ""),
        ("fid-against-own-truth", "reference", own_truth, "FID"),
    )
)
"""The table. To add one: a function above and its row here."""
