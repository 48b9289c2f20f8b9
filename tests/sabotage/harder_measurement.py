"""Harder bugs in how it is measured: faces, degradations, metrics, the engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from gfpbench import faces, images
from gfpbench.degrade import blur, colour, fast, jpeg, noise, resample, rng
from gfpbench.faces import embedded
from gfpbench.metrics import gmsd, ms_ssim, psnr, ssim
from gfpbench.run import engine
from gfpbench.types import Case, Face, ImageBatch
from tests.sabotage.saboteurs import FULL, Apply, Saboteur, replaced, score_by

UPSTREAM = Case("embedded", "upstream", "classical")
SHRUNK = (fast, "blurred_and_downsampled")
"""Blur and downsampling of the path that `paper` takes: ((3, H, W) planes, record) to the small image."""


def on_record(**edits: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A step that reads another value than the record's."""
    return lambda step: lambda bgr, record: step(bgr, {**record, **{key: edit(record) for key, edit in edits.items()}})


def drawn(**edits: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A draw whose record is edited afterwards."""
    return lambda draw: (
        lambda self, *given: (
            lambda record: {**record, **{key: edit(record) for key, edit in edits.items() if key in record}}
        )(draw(self, *given))
    )


# --- degradations ----------------------------------------------------------------------------------------------------


def encoded(*options: int) -> Callable[[Any], Any]:
    def make(_: Any) -> Any:
        def encode(bgr: Any, quality: int) -> bytes:
            given = [cv2.IMWRITE_JPEG_QUALITY, quality, *options]
            return bytes(cv2.imencode(".jpg", np.ascontiguousarray(bgr), given)[1].tobytes())

        return encode

    return make


def even_kernel(original: Any) -> Any:
    """One row and column more than the record says: the middle is half a pixel off."""

    def make(record: Any) -> Any:
        size = record["blur_kernel_size_px"]
        wide = original({**record, "blur_kernel_size_px": size + 2})[: size + 1, : size + 1]
        return wide / wide.sum()

    return make


def noise_before_downsampling(patch: pytest.MonkeyPatch) -> None:
    add = noise.noisy
    patch.setattr(noise, "noisy", lambda bgr, record: bgr)
    patch.setattr(
        fast,
        "blurred_and_downsampled",
        lambda planes, record: resample.downsampled(
            add(blur.blurred(images.bgr_of_planes(planes), record), record), record
        ),
    )


def resized_with(mode: int) -> Callable[[Any], Any]:
    return lambda _: lambda bgr, size: np.asarray(cv2.resize(bgr, (size[1], size[0]), interpolation=mode))


def area_on_the_way_down(_: Any) -> Any:
    def shrunk(planes: Any, record: Any) -> Any:
        size = resample.small_size(planes.shape[1:], record["downsample_ratio"])
        return resized_with(cv2.INTER_AREA)(None)(blur.blurred(images.bgr_of_planes(planes), record), size)

    return shrunk


def rounded_between(original: Any) -> Any:
    return lambda planes, record: (
        (original(planes, record) * 255).round().clip(0, 255).astype(np.float32) / np.float32(255)
    )


def grey_field(original: Any) -> Any:
    return lambda key, size: np.repeat(original(key, size)[..., :1], 3, axis=2)


def only_where(condition: Callable[[Any], bool], broken: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A step that is broken for some records only."""

    def make(original: Any) -> Any:
        other = broken(original)
        return lambda bgr, record: (other if condition(record) else original)(bgr, record)

    return make


def blurred_in_linear_light(original: Any) -> Any:
    def blurred(planes: Any, record: Any) -> Any:
        linear = (np.clip(planes, 0, 1) ** 2.2).astype(np.float32)
        return (np.clip(original(linear, record), 0, 1) ** (1 / 2.2)).astype(np.float32)

    return blurred


def hashed_key(original: Any) -> Any:
    """Keys from Python's hash of a text, which is another in every process."""
    return lambda seed, face_id, step: original(abs(hash((seed, face_id))) % 1000, face_id, step)


# --- metrics ---------------------------------------------------------------------------------------------------------


def permuted(score: Any) -> Any:
    """Right on average, and every value under another image's name."""
    return lambda restored, truth: score(restored, truth).roll(1)


def averaged(score: Any) -> Any:
    """Every image of a batch gets the batch's mean."""
    return lambda restored, truth: score(restored, truth).mean().repeat(len(restored))


def pooled_psnr(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    error = (images.to_255(restored) - images.to_255(truth)) ** 2
    return psnr.decibels(error.mean()).repeat(len(restored))


def psnr_of_range_255(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """Of values in [0, 1] with a peak of 255."""
    error = ((restored.pixels - truth.pixels).double() ** 2).mean((1, 2, 3))
    return 10 * torch.log10(255**2 / error)


def mean_of_channels(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """The mean of three PSNRs for the PSNR of one mean squared error."""
    error = ((images.to_255(restored) - images.to_255(truth)) ** 2).mean((2, 3))
    return psnr.decibels(error).mean(1)


def skimage_ssim(**options: Any) -> Callable[[ImageBatch, ImageBatch], torch.Tensor]:
    def score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        pairs = zip(images.to_rgb_arrays(restored), images.to_rgb_arrays(truth), strict=True)
        given = {"channel_axis": 2, "data_range": 255, "gaussian_weights": True, "use_sample_covariance": False}
        return torch.tensor(
            [structural_similarity(a, b, **{**given, **options}) for a, b in pairs], dtype=torch.float64
        )

    return score


def clipped_psnr(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    return psnr._psnr_rgb(restored, truth).clamp(max=30.0)


def luma_of_bgr(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    return psnr._psnr_y(*(images.with_red_and_blue_exchanged(one) for one in (restored, truth)))


def rescored(module: Any, name: str, wrap: Callable[[Any], Any]) -> Apply:
    return replaced(module, name, lambda metric: dataclasses.replace(metric, score=wrap(metric.score)))


# --- faces and engine ------------------------------------------------------------------------------------------------


def face_changed(change: Callable[[torch.Tensor], torch.Tensor]) -> Apply:
    def make(original: Any) -> Any:
        def aligned(entry: Any, image: Any, size_px: int) -> Face:
            face = original(entry, image, size_px)
            pixels = images.quantized(ImageBatch(change(face.pixels[None]).clamp(0, 1).contiguous(), (face.id,)))
            return Face(
                face.id, pixels.pixels[0], face.attributes, images.pixels_sha256(images.to_rgb_arrays(pixels)[0])
            )

        return aligned

    return replaced(embedded, "aligned_face", make)


class OneFace:
    """A set that loads its first image for every name."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.name = inner, inner.name

    def ids(self) -> tuple[str, ...]:
        return tuple(self.inner.ids())

    def load(self, face_id: str) -> Face:
        return dataclasses.replace(self.inner.load(self.inner.ids()[0]), id=face_id)

    def source(self) -> Any:
        return self.inner.source()


def rows_changed(change: Callable[[Sequence[Any]], Sequence[Any]]) -> Apply:
    def wrap(original: Any) -> Any:
        def measure(*given: Any) -> Any:
            measured = original(*given)
            return dataclasses.replace(measured, rows=tuple(change(measured.rows)))

        return measure

    return replaced(engine, "measure_batch", wrap)


def without_the_worst(rows: Sequence[Any]) -> Sequence[Any]:
    """A blank where the score is lowest."""
    worst = min(rows, key=lambda one: one.scores["psnr_rgb"])
    return [dataclasses.replace(one, scores={**one.scores, "psnr_rgb": None}) if one is worst else one for one in rows]


def rounded_scores(rows: Sequence[Any]) -> Sequence[Any]:
    return [
        dataclasses.replace(
            one, scores={name: None if score is None else round(score, 1) for name, score in one.scores.items()}
        )
        for one in rows
    ]


def truth_from_the_restored(original: Any) -> Any:
    """The truth smoothed like the restored image before it is measured."""
    return lambda metrics, restored, truth, *others: original(
        metrics,
        restored,
        images.quantized(ImageBatch((0.98 * truth.pixels + 0.02 * restored.pixels).clamp(0, 1), truth.ids)),
        *others,
    )


def names_sorted(original: Any) -> Any:
    """Images in the order given, names in alphabetical order."""

    def restore(*given: Any) -> Any:
        batch = original(*given)
        order = sorted(range(len(batch)), key=lambda place: batch.ids[place])
        return ImageBatch(batch.pixels[order], batch.ids)

    return restore


def not_quantised(original: Any) -> Any:
    """Metrics on unrounded images, at a peak of 255."""
    return lambda restored, truth: (lambda error: 10 * torch.log10(1 / error))(
        ((restored.pixels - truth.pixels).double() ** 2).mean((1, 2, 3)) * 1.0005
    )


def row(name: str, kind: str, apply: Apply, case: Case = FULL) -> Saboteur:
    return Saboteur(name, kind, apply, case=case)


def is_strong(record: Any) -> bool:
    return bool(record["noise_std_grey_levels"] > 13)


MEASUREMENT: tuple[Saboteur, ...] = (
    row("JPEG of 4:4:4", "degradation", replaced(jpeg, "encode", encoded(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111))),
    row(
        "JPEG at quality + 1", "degradation", replaced(jpeg, "round_trip", lambda f: lambda b, q: f(b, min(100, q + 1)))
    ),
    row(
        "JPEG skipped at quality 95 and above",
        "partial",
        replaced(jpeg, "compressed", lambda f: lambda b, r: b if (r["jpeg_quality"] or 0) >= 95 else f(b, r)),
    ),
    row("kernel of even size", "degradation", replaced(blur, "kernel_of", even_kernel)),
    row(
        "kernel two pixels smaller",
        "degradation",
        replaced(*SHRUNK, on_record(blur_kernel_size_px=lambda r: max(1, r["blur_kernel_size_px"] - 2))),
    ),
    row(
        "sigma at least 0.5",
        "degradation",
        replaced(
            *SHRUNK,
            on_record(
                blur_sigma_x_px=lambda r: max(0.5, r["blur_sigma_x_px"]),
                blur_sigma_y_px=lambda r: max(0.5, r["blur_sigma_y_px"]),
            ),
        ),
    ),
    row(
        "blur angle turned the other way",
        "degradation",
        replaced(*SHRUNK, on_record(blur_angle_rad=lambda r: -r["blur_angle_rad"])),
    ),
    row("blur in linear light", "degradation", replaced(*SHRUNK, blurred_in_linear_light)),
    row("noise before downsampling", "degradation", noise_before_downsampling),
    row(
        "noise 2 % stronger",
        "degradation",
        replaced(noise, "noisy", on_record(noise_std_grey_levels=lambda r: r["noise_std_grey_levels"] * 1.02)),
    ),
    row(
        "noise stronger where it is strong",
        "partial",
        replaced(
            noise,
            "noisy",
            only_where(is_strong, on_record(noise_std_grey_levels=lambda r: r["noise_std_grey_levels"] * 1.2)),
        ),
    ),
    row("grey noise", "degradation", replaced(noise, "field", grey_field)),
    row(
        "noise field turned by a row",
        "degradation",
        replaced(noise, "field", lambda f: lambda key, size: np.roll(f(key, size), 1, axis=0)),
    ),
    row("area for bilinear on the way down", "degradation", replaced(*SHRUNK, area_on_the_way_down)),
    row("bicubic for bilinear", "degradation", replaced(fast, "enlarged", resized_with(cv2.INTER_CUBIC))),
    row(
        "ratio rounded",
        "degradation",
        replaced(*SHRUNK, on_record(downsample_ratio=lambda r: float(max(1, round(r["downsample_ratio"]))))),
    ),
    row(
        "rounded to 8 bits before the noise",
        "degradation",
        replaced(*SHRUNK, rounded_between),
    ),
    row(
        "truncated before JPEG",
        "degradation",
        replaced(jpeg, "to_bytes", lambda f: lambda bgr: (np.clip(bgr, 0, 1) * 255).astype(np.uint8)),
    ),
    row(
        "window not scaled with the crop",
        "degradation",
        replaced(blur, "scaled_kernel_size", lambda f: lambda size, scale: size),
    ),
    row("keys from hash()", "degradation", replaced(rng, "key", hashed_key)),
    row(
        "second sigma copied",
        "degradation",
        replaced(blur.Blur, "draw", drawn(blur_sigma_y_px=lambda r: r["blur_sigma_x_px"])),
    ),
    row(
        "colour jitter in one order",
        "degradation",
        replaced(
            colour.Colour,
            "draw",
            drawn(jitter_order=lambda r: r["jitter_order"] and "brightness,contrast,saturation,hue"),
        ),
        UPSTREAM,
    ),
    row(
        "colour shift of red on blue",
        "degradation",
        lambda patch: patch.setattr(colour, "_SHIFTS", colour._SHIFTS[::-1]),
        UPSTREAM,
    ),
    row(
        "hue in another unit",
        "degradation",
        replaced(
            colour, "jittered", lambda f: lambda rgb, r: f(rgb, {**r, "hue_shift_turns": r["hue_shift_turns"] * 0.9})
        ),
        UPSTREAM,
    ),
    row("PSNR under the neighbour's name", "metric", rescored(psnr, "psnr_rgb", permuted)),
    row("PSNR averaged over the batch", "metric", rescored(psnr, "psnr_rgb", averaged)),
    row("PSNR of the batch's error", "metric", score_by(psnr, "psnr_rgb", pooled_psnr)),
    row("PSNR of [0, 1] with a range of 255", "metric", score_by(psnr, "psnr_rgb", psnr_of_range_255)),
    row("PSNR as a mean over channels", "metric", score_by(psnr, "psnr_rgb", mean_of_channels)),
    row("PSNR cut at 30 dB", "metric", score_by(psnr, "psnr_rgb", clipped_psnr)),
    row("luma of BGR", "metric", score_by(psnr, "psnr_y", luma_of_bgr)),
    row("PSNR 0.002 dB lower", "metric", rescored(psnr, "psnr_rgb", not_quantised)),
    row("SSIM of sigma 1.6", "metric", score_by(ssim, "ssim_rgb", skimage_ssim(sigma=1.6))),
    row("SSIM with sample covariance", "metric", score_by(ssim, "ssim_rgb", skimage_ssim(use_sample_covariance=True))),
    row("SSIM with K2 of 0.02", "metric", score_by(ssim, "ssim_rgb", skimage_ssim(K2=0.02))),
    row("SSIM of a data range of 1", "metric", score_by(ssim, "ssim_rgb", skimage_ssim(data_range=1))),
    row(
        "SSIM of windows of 11 without weights",
        "metric",
        score_by(ssim, "ssim_rgb", skimage_ssim(gaussian_weights=False, win_size=11)),
    ),
    row("GMSD with n for n - 1", "metric", rescored(gmsd, "gmsd", lambda f: lambda a, b: f(a, b) * (1 - 1e-4))),
    row("GMSD with a constant of 160", "metric", replaced(gmsd, "C", lambda _: 160.0)),
    row(
        "MS-SSIM without the last scale",
        "metric",
        replaced(ms_ssim, "WEIGHTS", lambda w: w[:-1]),
        Case("embedded", "paper", "classical", size_px=192, draws=4),
    ),
    row("faces half a pixel off", "faces", face_changed(lambda x: (x + x.roll(1, 3)) / 2)),
    row("faces read as BGR", "faces", face_changed(lambda x: x.flip(1))),
    row("faces a level darker", "faces", face_changed(lambda x: x - 1 / 255)),
    row("one face for all draws", "faces", replaced(faces, "load", lambda f: lambda *a, **n: OneFace(f(*a, **n)))),
    row("the lowest score blank", "pairing", rows_changed(without_the_worst)),
    row("scores rounded to one place", "pairing", rows_changed(rounded_scores)),
    row("two rows exchanged", "pairing", rows_changed(lambda rows: [rows[1], rows[0], *rows[2:]])),
    row("a row twice", "pairing", rows_changed(lambda rows: [rows[0], *rows])),
    row("names sorted, images not", "pairing", replaced(engine, "restore", names_sorted)),
    row("the truth mixed with the restored image", "pairing", replaced(engine, "score_all", truth_from_the_restored)),
)
"""Each has to be caught, or is argued where the table is written."""
