"""Broken degradations that the laws have to catch, and harmless changes that they must not mistake for broken ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gfpbench.degrade import blur, chain, colour, fast, jpeg, jpeg_tensor, noise, resample, rng, tensor
from gfpbench.degrade.chain import Chain
from gfpbench.degrade.presets import PAPER, UPSTREAM
from gfpbench.types import Degradation
from tests.degradation import laws_apply, laws_draw

Patch = pytest.MonkeyPatch
Law = Callable[[Degradation], None]
apply_laws, draw_laws = laws_apply, laws_draw

kernel_of, blurred, resized, downsampled = blur.kernel_of, blur.blurred, resample.resized, resample.downsampled
small_size, field, noisy, to_bytes = resample.small_size, noise.field, noise.noisy, jpeg.to_bytes
round_trip, compressed, key, uniform = jpeg.round_trip, jpeg.compressed, rng.key, rng.uniform
draw_blur, draw_noise, draw_jpeg = blur.Blur.draw, noise.Noise.draw, jpeg.Jpeg.draw
draw_chain, apply_chain, jittered = chain.Chain.draw, chain.Chain.apply, colour.jittered


def normalised(kernel: Any) -> Any:
    return kernel / kernel.sum()


def with_border(bgr: Any, record: Any, border: int) -> Any:
    return bgr if blur.is_off(record) else cv2.filter2D(bgr, -1, kernel_of(record), borderType=border)


def resize_with(mode: int) -> Callable[[Any, Any], Any]:
    return lambda bgr, size: cv2.resize(bgr, (size[1], size[0]), interpolation=mode)


def aligned_corners(bgr: Any, size: Any) -> Any:
    rows, columns = (np.linspace(0, old - 1, new) for old, new in zip(bgr.shape, size, strict=False))
    grid = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    return cv2.remap(bgr, *grid, cv2.INTER_LINEAR)


def shifted(bgr: Any, size: Any) -> Any:
    return np.roll(resized(bgr, size), 1, axis=1) if bgr.shape[:2] != size else bgr


def edited(draw: Any, **edits: Callable[[Any], Any]) -> Any:
    """A draw whose record is edited afterwards."""

    def change(*args: Any) -> Any:
        record = dict(draw(*args))
        return {**record, **{name: edit(record) for name, edit in edits.items() if name in record}}

    return change


def clipping_left_out(bgr: Any, record: Any) -> Any:
    return bgr + field(record["noise_key"], bgr.shape[:2]) * record["noise_std_grey_levels"] / 255.0


def noise_wrapped(bgr: Any, record: Any) -> Any:
    return (clipping_left_out(bgr, record) % 1.0).astype(np.float32)


def on_record(function: Any, **edits: Callable[[Any], Any]) -> Any:
    """A step that reads another value than the record's."""
    return lambda image, record: function(image, {**record, **{name: edit(record) for name, edit in edits.items()}})


def without_applying(name: str, off: Any) -> Any:
    def apply(self: Chain, batch: Any, parameters: Any) -> Any:
        return apply_chain(self, batch, [{**record, name: off} for record in parameters])

    return apply


def jpeg_before_noise(bgr: Any, record: Any) -> Any:
    return noisy(compressed(np.clip(bgr, 0, 1), record), record)


def first_key_for_all(self: Chain, batch: Any, parameters: Any) -> Any:
    return apply_chain(self, batch, [{**record, "noise_key": parameters[0]["noise_key"]} for record in parameters])


def leaking_state() -> Any:
    calls: list[int] = []

    def leak(noise_key: str, size: Any) -> Any:
        calls.append(1)
        return field(f"{(int(noise_key, 16) + len(calls)) % 2**128:032x}", size)

    return leak


def global_noise(noise_key: str, size: Any) -> Any:
    np.random.seed(int(noise_key, 16) % 2**32)
    return np.random.randn(*size, 3).astype(np.float32)


def isotropic_only(self: blur.Blur, source: Any, size: Any) -> Any:
    return draw_blur(replace(self, anisotropic_probability=0.0), source, size)


def one_generator(seed: int, face_id: str, step: str) -> str:
    return key(seed, face_id, "one for all")


def log_uniform(source: Any, bounds: Any) -> float:
    low, high = bounds
    return float(low * (high / low) ** source.random()) if low > 0 else uniform(source, bounds)


def narrow(source: Any, bounds: Any) -> float:
    return uniform(source, (bounds[0], bounds[1] - 0.03 * (bounds[1] - bounds[0])))


def half_turn(source: Any, bounds: Any) -> float:
    return uniform(source, (0.0, math.pi) if bounds[0] == -math.pi else bounds)


def without_the_window(self: blur.Blur, source: Any, size: Any) -> Any:
    return {**draw_blur(self, source, size), "blur_kernel_size_px": self.kernel_sizes_px_at_512[-1]}


def unscaled(self: blur.Blur, source: Any, size: Any) -> Any:
    return draw_blur(self, source, (512, 512))


def by_width(self: blur.Blur, source: Any, size: Any) -> Any:
    return {**draw_blur(self, source, size), "blur_kernel_size_px": int(41 * min(size) / 512)}


A = apply_laws
D = draw_laws
# name: (where, what, by what, the law that catches it)
BROKEN: dict[str, tuple[Any, str, Any, Law]] = {
    # blur
    "sigma squared": (
        blur,
        "kernel_of",
        lambda r: kernel_of({**r, **{f"blur_sigma_{a}_px": r[f"blur_sigma_{a}_px"] ** 2 for a in "xy"}}),
        A.blur_is_the_formula,
    ),
    "sigma read as variance": (
        blur,
        "kernel_of",
        lambda r: kernel_of({**r, **{f"blur_sigma_{a}_px": r[f"blur_sigma_{a}_px"] ** 0.5 for a in "xy"}}),
        A.blur_is_the_formula,
    ),
    "sigma off by 3 %": (
        blur,
        "kernel_of",
        lambda r: kernel_of({**r, "blur_sigma_x_px": r["blur_sigma_x_px"] * 1.03}),
        A.blur_is_the_formula,
    ),
    "kernel not normalised": (blur, "kernel_of", lambda r: kernel_of(r) * 0.97, A.blur_is_the_formula),
    "kernel half a pixel off": (
        blur,
        "kernel_of",
        lambda r: normalised(kernel_of(r) + np.roll(kernel_of(r), 1, 1)),
        A.blur_is_the_formula,
    ),
    "kernel one pixel off": (blur, "kernel_of", lambda r: np.roll(kernel_of(r), 1, 0), A.blur_is_the_formula),
    "kernel mirrored": (blur, "kernel_of", lambda r: kernel_of(r)[:, ::-1], A.blur_is_the_formula),
    "kernel transposed": (blur, "kernel_of", lambda r: kernel_of(r).T, A.blur_is_the_formula),
    "anisotropic sigma reused": (
        blur,
        "kernel_of",
        lambda r: kernel_of({**r, "blur_sigma_y_px": r["blur_sigma_x_px"]}),
        A.every_parameter_counts,
    ),
    "angle in degrees": (
        blur,
        "kernel_of",
        lambda r: kernel_of({**r, "blur_angle_rad": math.radians(r["blur_angle_rad"])}),
        A.blur_is_the_formula,
    ),
    "window not cut": (
        blur,
        "kernel_of",
        lambda r: kernel_of({**r, "blur_kernel_size_px": 61}),
        A.blur_is_the_formula,
    ),
    "zeros beyond the border": (
        blur,
        "blurred",
        lambda b, r: with_border(b, r, cv2.BORDER_CONSTANT),
        A.blur_is_the_formula,
    ),
    "edge repeated at the border": (
        blur,
        "blurred",
        lambda b, r: with_border(b, r, cv2.BORDER_REPLICATE),
        A.blur_is_the_formula,
    ),
    "edge mirrored twice": (
        blur,
        "blurred",
        lambda b, r: with_border(b, r, cv2.BORDER_REFLECT),
        A.blur_is_the_formula,
    ),
    "box for Gaussian": (
        blur,
        "kernel_of",
        lambda r: normalised(np.ones_like(kernel_of(r))),
        A.blur_is_the_formula,
    ),
    "blur left out": (blur, "blurred", lambda b, r: b, A.blur_is_the_formula),
    "one channel not blurred": (
        blur,
        "blurred",
        lambda b, r: np.dstack([b[..., :1], blurred(b, r)[..., 1:]]),
        A.blur_is_the_formula,
    ),
    "blur after downsampling": (
        chain,
        "_blurred_then_downsampled",
        lambda b, r: blurred(downsampled(b, r), r),
        A.chain_is_the_equation,
    ),
    # downsampling
    "area": (
        resample,
        "downsampled",
        lambda b, r: resize_with(cv2.INTER_AREA)(b, small_size(b.shape[:2], r["downsample_ratio"])),
        A.downsampling_is_bilinear,
    ),
    "nearest": (
        resample,
        "downsampled",
        lambda b, r: resize_with(cv2.INTER_NEAREST)(b, small_size(b.shape[:2], r["downsample_ratio"])),
        A.downsampling_is_bilinear,
    ),
    "cubic": (resample, "resized", resize_with(cv2.INTER_CUBIC), A.downsampling_is_bilinear),
    "corners aligned": (resample, "resized", aligned_corners, A.downsampling_is_bilinear),
    "shifted by a pixel": (resample, "resized", shifted, A.downsampling_is_bilinear),
    "one side only": (
        resample,
        "small_size",
        lambda size, ratio: (small_size(size, ratio)[0], size[1]),
        A.downsampling_is_bilinear,
    ),
    "sides exchanged": (
        resample,
        "small_size",
        lambda size, ratio: small_size(size[::-1], ratio),
        A.downsampling_is_bilinear,
    ),
    "size rounded, not cut": (
        resample,
        "small_size",
        lambda size, ratio: tuple(max(1, round(side / ratio)) for side in size),
        A.downsampling_is_bilinear,
    ),
    "ratio rounded": (
        resample,
        "small_size",
        lambda size, ratio: small_size(size, max(1, round(ratio))),
        A.downsampling_is_bilinear,
    ),
    "no enlargement": (
        resample,
        "small_size",
        lambda size, ratio: small_size(size, max(1, ratio)),
        A.downsampling_is_bilinear,
    ),
    # noise
    "noise not divided by 255": (
        noise,
        "noisy",
        on_record(noisy, noise_std_grey_levels=lambda r: r["noise_std_grey_levels"] * 255),
        A.noise_is_as_strong_as_said,
    ),
    "noise divided twice": (
        noise,
        "noisy",
        on_record(noisy, noise_std_grey_levels=lambda r: r["noise_std_grey_levels"] / 255),
        A.noise_is_as_strong_as_said,
    ),
    "noise variance for std": (
        noise,
        "noisy",
        on_record(noisy, noise_std_grey_levels=lambda r: r["noise_std_grey_levels"] ** 0.5),
        A.noise_is_as_strong_as_said,
    ),
    "noise 3 % too strong": (
        noise,
        "noisy",
        on_record(noisy, noise_std_grey_levels=lambda r: r["noise_std_grey_levels"] * 1.03),
        A.noise_is_as_strong_as_said,
    ),
    "uniform noise": (
        noise,
        "field",
        lambda k, s: rng.generator(k).uniform(-(3**0.5), 3**0.5, (*s, 3)).astype(np.float32),
        A.noise_is_as_strong_as_said,
    ),
    "one-sided noise": (noise, "field", lambda k, s: np.abs(field(k, s)), A.noise_is_as_strong_as_said),
    "noise not clipped": (noise, "noisy", clipping_left_out, A.noise_is_as_strong_as_said),
    "grey noise": (noise, "field", lambda k, s: np.repeat(field(k, s)[..., :1], 3, 2), A.noise_is_independent),
    "noise in stripes": (
        noise,
        "field",
        lambda k, s: np.repeat(field(k, (1, s[1])), s[0], 0),
        A.noise_is_independent,
    ),
    "smooth noise": (
        noise,
        "field",
        lambda k, s: cv2.GaussianBlur(field(k, s), (3, 3), 0.5) / 0.62,
        A.noise_is_independent,
    ),
    "one noise field for all faces": (noise, "field", lambda k, s: field("0" * 32, s), A.noise_is_independent),
    "one noise field for a batch": (chain.Chain, "apply", first_key_for_all, A.noise_is_independent),
    "noise without a seed": (
        noise,
        "field",
        lambda k, s: np.random.default_rng().standard_normal((*s, 3)).astype(np.float32),
        A.other_images_do_not_matter,
    ),
    "noise from the global generator": (noise, "field", global_noise, A.other_images_do_not_matter),
    "noise remembers earlier calls": (noise, "field", leaking_state(), A.other_images_do_not_matter),
    "noise before blur": (
        chain,
        "_blurred_then_downsampled",
        lambda b, r: downsampled(blurred(noisy(b, r), r), r),
        A.chain_is_the_equation,
    ),
    # JPEG
    "quality 5 lower": (
        jpeg,
        "compressed",
        on_record(compressed, jpeg_quality=lambda r: r["jpeg_quality"] and max(1, r["jpeg_quality"] - 5)),
        A.jpeg_is_the_quality_said,
    ),
    "quality 1 lower": (jpeg, "round_trip", lambda b, q: round_trip(b, max(1, q - 1)), A.jpeg_is_the_quality_said),
    "quality from the wrong end": (jpeg, "round_trip", lambda b, q: round_trip(b, 101 - q), A.jpeg_is_the_quality_said),
    "JPEG before noise": (jpeg, "compressed", jpeg_before_noise, A.chain_is_the_equation),
    "JPEG left out": (jpeg, "compressed", lambda b, r: b, A.jpeg_is_the_quality_said),
    "JPEG twice": (jpeg, "round_trip", lambda b, q: round_trip(round_trip(b, q), q), A.jpeg_is_the_quality_said),
    "red and blue exchanged around JPEG": (
        jpeg,
        "round_trip",
        lambda b, q: np.ascontiguousarray(round_trip(np.ascontiguousarray(b[..., ::-1]), q)[..., ::-1]),
        A.jpeg_is_the_quality_said,
    ),
    "red and blue exchanged after JPEG": (
        jpeg,
        "round_trip",
        lambda b, q: np.ascontiguousarray(round_trip(b, q)[..., ::-1]),
        A.jpeg_is_the_quality_said,
    ),
    "WebP for JPEG": (
        jpeg,
        "round_trip",
        lambda b, q: cv2.imdecode(cv2.imencode(".webp", b, [cv2.IMWRITE_WEBP_QUALITY, q])[1], 1),
        A.jpeg_is_the_quality_said,
    ),
    "full chroma": (
        jpeg,
        "round_trip",
        lambda b, q: cv2.imdecode(
            cv2.imencode(".jpg", b, [cv2.IMWRITE_JPEG_QUALITY, q, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111])[1], 1
        ),
        A.jpeg_is_the_quality_said,
    ),
    "truncated, not rounded": (
        jpeg,
        "to_bytes",
        lambda b: (np.clip(b, 0, 1) * 255).astype(np.uint8),
        A.blur_is_the_formula,
    ),
    "noise wrapped, not clipped": (noise, "noisy", noise_wrapped, A.noise_is_as_strong_as_said),
    # draws
    "anisotropic never drawn": (blur.Blur, "draw", isotropic_only, D.ranges_are_filled),
    "second sigma copied": (
        blur.Blur,
        "draw",
        edited(draw_blur, blur_sigma_y_px=lambda r: r["blur_sigma_x_px"]),
        D.ranges_are_filled,
    ),
    "half the angles": (blur, "uniform", half_turn, D.ranges_are_filled),
    "logarithms drawn evenly": (resample, "uniform", log_uniform, D.ranges_are_filled),
    "3 % of the range missing": (noise, "uniform", narrow, D.ranges_are_filled),
    "ratio always whole": (
        resample,
        "uniform",
        lambda source, bounds: float(round(uniform(source, bounds))),
        D.ranges_are_filled,
    ),
    "upper quality never drawn": (
        jpeg.Jpeg,
        "draw",
        lambda self, source: {"jpeg_quality": int(source.integers(*self.quality))},
        D.ranges_are_filled,
    ),
    "quality not whole": (
        jpeg.Jpeg,
        "draw",
        lambda self, source: {"jpeg_quality": float(draw_jpeg(self, source)["jpeg_quality"])},
        D.ranges_are_filled,
    ),
    "one generator for every step": (rng, "key", one_generator, D.parameters_are_independent),
    "seed not used": (rng, "key", lambda seed, face, step: key(0, face, step), D.draws_are_keyed),
    "name not used": (rng, "key", lambda seed, face, step: key(seed, "", step), D.draws_are_keyed),
    "key runs its parts together": (
        rng,
        "key",
        lambda seed, face, step: key(0, f"{face}{seed}", step),
        D.draws_are_keyed,
    ),
    "names compared without case": (
        rng,
        "key",
        lambda seed, face, step: key(seed, face.lower(), step),
        D.draws_are_keyed,
    ),
    "drawn from the global generator": (
        rng,
        "step_generator",
        lambda *_: np.random.Generator(np.random.mtrand._rand._bit_generator),
        D.draws_are_keyed,
    ),
    "noise key shared": (
        noise.Noise,
        "draw",
        lambda self, source, seed, face: {**draw_noise(self, source, seed, face), "noise_key": "0" * 32},
        D.draws_are_keyed,
    ),
    "sigma in pixels of the crop": (blur.Blur, "draw", unscaled, D.lengths_scale_with_the_crop),
    "window of even size": (blur.Blur, "draw", by_width, D.lengths_scale_with_the_crop),
    "window not scaled": (blur.Blur, "draw", without_the_window, D.lengths_scale_with_the_crop),
    "ratio scaled with the crop": (
        chain.Chain,
        "draw",
        lambda self, face, seed, size: {
            **draw_chain(self, face, seed, size),
            "downsample_ratio": draw_chain(self, face, seed, size)["downsample_ratio"] * min(size) / 512,
        },
        D.lengths_scale_with_the_crop,
    ),
    "numbers of numpy in a record": (
        chain.Chain,
        "draw",
        lambda self, face, seed, size: {**draw_chain(self, face, seed, size), "jpeg_quality": [75]},
        D.records_are_plain,
    ),
    # the record and the batch
    "sigma drawn but not used": (
        chain.Chain,
        "apply",
        without_applying("blur_kernel_size_px", 1),
        A.every_parameter_counts,
    ),
    "quality drawn but not used": (
        chain.Chain,
        "apply",
        without_applying("jpeg_quality", 80),
        A.every_parameter_counts,
    ),
    "ratio drawn but not used": (
        chain.Chain,
        "apply",
        without_applying("downsample_ratio", 2.0),
        A.every_parameter_counts,
    ),
    "noise drawn but not used": (
        chain.Chain,
        "apply",
        without_applying("noise_std_grey_levels", 0.0),
        A.noise_is_as_strong_as_said,
    ),
    "first record for all": (
        chain.Chain,
        "apply",
        lambda self, batch, parameters: apply_chain(self, batch, [parameters[0]] * len(batch)),
        A.other_images_do_not_matter,
    ),
    "images exchanged": (
        chain.Chain,
        "apply",
        lambda self, batch, parameters: type(batch)(apply_chain(self, batch, parameters).pixels.flip(0), batch.ids),
        A.nothing_changes_nothing,
    ),
    "not rounded to 8 bits": (
        chain.Chain,
        "apply",
        lambda self, batch, parameters: type(batch)((apply_chain(self, batch, parameters).pixels * 0.999), batch.ids),
        A.images_are_kept,
    ),
    "clean batch written to": (
        chain.Chain,
        "apply",
        lambda self, batch, parameters: type(batch)(
            batch.pixels.copy_(apply_chain(self, batch, parameters).pixels), batch.ids
        ),
        A.images_are_kept,
    ),
    "mirrored": (
        chain.Chain,
        "apply",
        lambda self, batch, parameters: type(batch)(apply_chain(self, batch, parameters).pixels.flip(3), batch.ids),
        A.nothing_changes_nothing,
    ),
    "clean faces returned": (chain.Chain, "apply", lambda self, batch, parameters: batch, A.more_is_never_better),
}
# The same for what the equation does not have and the authors' code adds.
BROKEN_COLOUR: dict[str, tuple[Any, str, Any, Law]] = {
    "jitter always": (
        colour.Colour,
        "draw",
        lambda self, source, draw=colour.Colour.draw: draw(replace(self, jitter_probability=1.0), source),
        D.colour_is_drawn,
    ),
    "grey ten times as often": (
        colour.Colour,
        "draw",
        lambda self, source, draw=colour.Colour.draw: draw(replace(self, grey_probability=0.1), source),
        D.colour_is_drawn,
    ),
    "one shift for all channels": (
        colour.Colour,
        "draw",
        edited(
            colour.Colour.draw,
            shift_red_grey_levels=lambda r: r["shift_blue_grey_levels"],
            shift_green_grey_levels=lambda r: r["shift_blue_grey_levels"],
        ),
        D.colour_is_drawn,
    ),
    "jitter in one order": (
        colour.Colour,
        "draw",
        edited(
            colour.Colour.draw,
            jitter_order=lambda r: r["jitter_order"] and "brightness,contrast,saturation,hue",
        ),
        D.colour_is_drawn,
    ),
    "shift of red on blue": (colour, "_SHIFTS", colour._SHIFTS[::-1], A.colour_is_the_formula),
    "grey with blue's weight on red": (
        colour,
        "shifted_and_greyed",
        lambda b, r, f=colour.shifted_and_greyed: (
            f(np.ascontiguousarray(b[..., ::-1]), r)[..., ::-1] if r["is_grey"] else f(b, r)
        ),
        A.colour_is_the_formula,
    ),
    "jitter never applied": (colour, "jittered", lambda rgb, r: rgb, A.colour_is_the_formula),
    "jitter on blue, green, red": (
        colour,
        "jittered",
        lambda rgb, r: jittered(rgb.flip(0), r).flip(0),
        A.colour_is_the_formula,
    ),
    "jitter backwards": (
        colour,
        "jittered",
        lambda rgb, r: jittered(rgb, {**r, "jitter_order": ",".join(r["jitter_order"].split(",")[::-1])}),
        A.colour_is_the_formula,
    ),
    "jitter rounds first": (
        colour,
        "jittered",
        lambda rgb, r: jittered((rgb * 31).round() / 31, r),
        A.colour_is_the_formula,
    ),
    "hue in degrees": (
        colour,
        "jittered",
        lambda rgb, r: jittered(rgb, {**r, "hue_shift_turns": r["hue_shift_turns"] / 360}),
        A.colour_is_the_formula,
    ),
}


# The same for the other paths' own code.
BROKEN_PATHS: dict[str, tuple[Any, Any, str, Any, Law]] = {
    "tensor: one table for luma and chroma": (
        "tensor",
        jpeg_tensor,
        "CHROMINANCE",
        jpeg_tensor.LUMINANCE,
        A.jpeg_is_the_quality_said,
    ),
    "tensor: chroma doubled plainly": (
        "tensor",
        jpeg_tensor,
        "_upsampled",
        lambda planes, *_: planes.repeat_interleave(2, 2).repeat_interleave(2, 3),
        A.jpeg_is_the_quality_said,
    ),
    "tensor: quality 1 lower": (
        "tensor",
        jpeg_tensor,
        "quantisation_table",
        lambda base, quality, f=jpeg_tensor.quantisation_table: f(base, max(1, quality - 1)),
        A.jpeg_is_the_quality_said,
    ),
    "tensor: noise on the wrong channel": (
        "tensor",
        tensor,
        "_noisy",
        lambda pixels, drawn, f=tensor._noisy: f(pixels.flip(1), drawn).flip(1),
        A.chain_is_the_equation,
    ),
    "tensor: images of a part exchanged": (
        "tensor",
        tensor,
        "_degraded",
        lambda pixels, drawn, f=tensor._degraded: f(pixels, drawn).flip(0),
        A.chain_is_the_equation,
    ),
    "tensor: sides exchanged": (
        "tensor",
        resample,
        "small_size",
        lambda size, ratio: small_size(size[::-1], ratio),
        A.downsampling_is_bilinear,
    ),
    "tensor: taps half a pixel off": (
        "tensor",
        resample,
        "taps",
        lambda source, target, f=resample.taps: (*f(source, target)[:2], f(source, target)[2] * 0.5),
        A.downsampling_is_bilinear,
    ),
    "fast: edge repeated at the border": (
        "fast",
        fast,
        "reflected",
        lambda index, size: np.clip(index, 0, size - 1),
        A.blur_is_the_formula,
    ),
    "fast: spectrum of another kernel": (
        "fast",
        fast,
        "_spectrum_of",
        lambda kernel, shape, f=fast._spectrum_of: f(kernel.T, shape),
        A.blur_is_the_formula,
    ),
}


def _caught(preset: Chain, case: tuple[Any, str, Any, Law], monkeypatch: Patch) -> None:
    """That the law holds for the preset as it is, tests/degradation says."""
    owner, name, broken, law = case
    monkeypatch.setattr(owner, name, broken)
    with pytest.raises(AssertionError):
        law(preset)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_step_or_draw_is_caught(name: str, monkeypatch: Patch) -> None:
    """Along the path whose steps these are."""
    _caught(PAPER.using("exact"), BROKEN[name], monkeypatch)


@pytest.mark.parametrize("name", BROKEN_COLOUR)
def test_broken_colour_is_caught(name: str, monkeypatch: Patch) -> None:
    _caught(UPSTREAM, BROKEN_COLOUR[name], monkeypatch)


@pytest.mark.parametrize("name", BROKEN_PATHS)
def test_a_broken_path_is_caught(name: str, monkeypatch: Patch) -> None:
    path, *case = BROKEN_PATHS[name]
    _caught(PAPER.using(path), tuple(case), monkeypatch)


@pytest.mark.parametrize(
    "broken",
    [
        replace(PAPER, blur=blur.Blur((0.1, 10.0))),
        replace(PAPER, blur=blur.Blur((0.2, 10.0), (21,))),
        replace(PAPER, downsample=resample.Downsample((0.8, 8.0))),
        replace(PAPER, noise=noise.Noise((0.0, 20.0))),
        replace(PAPER, jpeg=jpeg.Jpeg((60, 99))),
        replace(PAPER, jpeg=jpeg.Jpeg((50, 100))),
        replace(PAPER, downsample=None),
    ],
    ids=["sigma from .1", "window 21", "r from .8", "noise to 20", "quality to 99", "quality from 50", "no r"],
)
def test_a_preset_with_another_range_is_caught(broken: Chain) -> None:
    with pytest.raises(AssertionError):
        laws_draw.ranges_are_filled(broken)


def test_colour_in_the_papers_equation_is_caught() -> None:
    with pytest.raises(AssertionError):
        laws_draw.colour_is_drawn(replace(PAPER, colour=UPSTREAM.colour))


@contextmanager
def _threads(torch_threads: int, opencv_threads: int) -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(torch_threads)
    cv2.setNumThreads(opencv_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


@pytest.mark.parametrize("threads", [(1, 1), (4, 4)])
def test_threads_are_innocent(threads: tuple[int, int]) -> None:
    with _threads(*threads):
        for law in laws_apply.LAWS:
            law(UPSTREAM)


def test_another_stream_of_numbers_is_innocent(monkeypatch: Patch) -> None:
    """Equally good numbers under the same seeds break no law: the laws test distributions."""
    monkeypatch.setattr(rng, "key", lambda seed, face, step: key(seed, face, f"other {step}"))
    for law in laws_draw.LAWS:
        law(PAPER)
        law(UPSTREAM)
    for law in laws_apply.LAWS:
        law(UPSTREAM)
