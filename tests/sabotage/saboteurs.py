"""Small honest bugs and innocent changes, put in as they ship: into a restorer, its weights, a degradation, a metric,
the engine.

To add one: a function of a monkeypatch (or one of the helpers below around a smaller function), and a row in
``SABOTEURS`` or ``INNOCENT``. ``measured_with`` runs a row as a user does, ``caught`` puts it through the gate.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity

from gfpbench import baselines, faces, images, run
from gfpbench.degrade import chain, fast, jpeg, noise, rng
from gfpbench.metrics import psnr, ssim
from gfpbench.restorers import nano as nano_file
from gfpbench.run import engine
from gfpbench.types import Case, GfpbenchError, ImageBatch, Result
from tests.unit.restorers.gfpgan_laws import module_of

CASE = Case("embedded", "paper", "nano", draws=2)
FULL = Case("embedded", "paper", "nano")
"""Sixteen images, as the committed baselines hold."""
Apply = Callable[[pytest.MonkeyPatch], None]
Images = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Saboteur:
    """A bug, or an innocent change: what kind it is of, how it is put in for the length of a
    monkeypatch, and the case in which it shows."""

    name: str
    kind: str
    apply: Apply
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of run.measure
    case: Case = CASE


class Around:
    """The nano restorer with something around it; it says of itself what nano says."""

    def __init__(self, inner: Any, call: Callable[[Any, ImageBatch], ImageBatch]) -> None:
        self.inner, self.call, self.name = inner, call, inner.name

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        return self.call(self.inner, degraded)

    def provenance(self) -> Mapping[str, Any]:
        return self.inner.provenance()


def around(call: Callable[[Any, ImageBatch], ImageBatch]) -> Apply:
    """A restorer that is called otherwise: ``call(restorer, degraded)``."""

    def put_in(patch: pytest.MonkeyPatch) -> None:
        load = nano_file.nano
        patch.setattr(nano_file, "nano", lambda *, device="cpu": Around(load(device=device), call))

    return put_in


def after(change: Images) -> Apply:
    """Something done to the restored images, (B, 3, H, W) in [0, 1]."""

    def call(restorer: Any, degraded: ImageBatch) -> ImageBatch:
        restored = restorer(degraded)
        return ImageBatch(change(restored.pixels.clone()).clamp(0, 1).contiguous(), restored.ids)

    return around(call)


def before(change: Images) -> Apply:
    """Something done to the degraded images on their way into the restorer."""
    return around(lambda restorer, batch: restorer(ImageBatch(change(batch.pixels.clone()).clamp(0, 1), batch.ids)))


def network(change: Callable[[torch.nn.Module], None]) -> Apply:
    """Something done to the network once it is loaded, in the authors' code, whose weights are all its parameters; its
    file and hash stay as they are, and so does what it says of itself."""

    def put_in(patch: pytest.MonkeyPatch) -> None:
        load = nano_file.nano

        def changed(*, device: str = "cpu") -> Any:
            restorer = load(device=device, code="authors")
            with torch.no_grad():
                change(module_of(restorer))
            return Around(load(device=device), lambda _, degraded: restorer(degraded))

        patch.setattr(nano_file, "nano", changed)

    return put_in


def fed(change: Images) -> Apply:
    """Something done to what the network itself is fed, in [-1, 1]."""

    def hooked(module: torch.nn.Module) -> None:
        module.register_forward_pre_hook(lambda _, given: (change(given[0]), *given[1:]))

    return network(hooked)


def replaced(target: Any, name: str, make: Callable[[Any], Any]) -> Apply:
    """``target.name`` replaced by ``make(original)``."""
    return lambda patch: patch.setattr(target, name, make(getattr(target, name)))


def score_by(module: Any, name: str, score: Callable[[ImageBatch, ImageBatch], torch.Tensor]) -> Apply:
    """A metric that scores otherwise under the same name."""
    return replaced(module, name, lambda metric: dataclasses.replace(metric, score=score))


# --- restorers -------------------------------------------------------------------------------------------------------


def _shifted(x: torch.Tensor, pixels: float) -> torch.Tensor:
    theta = torch.tensor([[1.0, 0, 2 * pixels / x.shape[3]], [0, 1, 0]]).repeat(len(x), 1, 1)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _resampled(x: torch.Tensor, side_px: int, mode: str) -> torch.Tensor:
    small = F.interpolate(x, size=(side_px, side_px), mode="area")
    return F.interpolate(small, size=x.shape[2:], mode=mode, align_corners=False)


def _box_blur(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def _first_black(x: torch.Tensor) -> torch.Tensor:
    x[0] = 0.02 * x[0]
    return x


def _mouth_blurred(x: torch.Tensor) -> torch.Tensor:
    x[:, :, 80:96, 48:80] = x[:, :, 80:96, 48:80].mean((2, 3), keepdim=True)
    return x


def _black_border(x: torch.Tensor) -> torch.Tensor:
    x[:, :, 0] = x[:, :, -1] = 0
    return x


def _previous(patch: pytest.MonkeyPatch) -> None:
    last: list[torch.Tensor] = []

    def call(restorer: Any, degraded: ImageBatch) -> ImageBatch:
        now = restorer(degraded).pixels
        late = torch.cat([last[0] if last else now[-1:], now[:-1]])
        last[:] = [now[-1:]]
        return ImageBatch(late, degraded.ids)

    around(call)(patch)


def _mean_face(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    mean = restorer(degraded).pixels.mean(0, keepdim=True).expand(len(degraded), -1, -1, -1)
    tint = torch.arange(len(degraded)).view(-1, 1, 1, 1) / 255  # so that no two are equal, which would be noticed early
    return ImageBatch((mean * 0.95 + tint).clamp(0, 1), degraded.ids)


def _truth(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    known = faces.load(CASE.faces, draws=8)  # the names of fewer draws are among them
    return ImageBatch(torch.stack([known.load(name).pixels for name in degraded.ids]), degraded.ids)


def _input_on_error(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    restored = restorer(degraded).pixels.clone()
    restored[1] = degraded.pixels[1]
    return ImageBatch(restored, degraded.ids)


def _nearly_input(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    return ImageBatch((0.98 * degraded.pixels + 0.01).clamp(0, 1), degraded.ids)


def _unseeded(x: torch.Tensor) -> torch.Tensor:
    return x + torch.randn(x.shape, generator=torch.Generator().manual_seed(int.from_bytes(np.random.bytes(4)))) / 255


def _twice(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    return restorer(restorer(degraded))


# --- weights ---------------------------------------------------------------------------------------------------------


def _convolutions(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [weight for weight in module.parameters() if weight.ndim >= 4]


def _layer_zeroed(module: torch.nn.Module) -> None:
    weights = _convolutions(module)
    weights[len(weights) // 2].zero_()


def _channel_permuted(module: torch.nn.Module) -> None:
    weights = _convolutions(module)
    chosen = weights[len(weights) // 2]
    axis = chosen.ndim - 3  # of the input channels
    chosen.copy_(chosen.roll(1, axis))


def _weight_noise(module: torch.nn.Module) -> None:
    source = torch.Generator().manual_seed(0)
    for weight in module.parameters():
        weight.mul_(1 + 0.01 * torch.randn(weight.shape, generator=source))


def _bf16(module: torch.nn.Module) -> None:
    for weight in module.parameters():
        weight.copy_(weight.to(torch.bfloat16).float())


def _layer_not_loaded(module: torch.nn.Module) -> None:
    weight = _convolutions(module)[0]
    weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)) * weight.std())


# --- degradations ----------------------------------------------------------------------------------------------------


def _quality_drawn_lower(draw: Any) -> Any:
    return lambda self, *given: (lambda record: record | {"jpeg_quality": record["jpeg_quality"] - 5})(
        draw(self, *given)
    )


def _sigma_not_scaled(original: Any) -> Any:
    return lambda planes, record: original(
        planes,
        {**record, "blur_sigma_x_px": record["blur_sigma_x_px"] * 2, "blur_sigma_y_px": record["blur_sigma_y_px"] * 2},
    )


def _noise_after_jpeg(patch: pytest.MonkeyPatch) -> None:
    compress, add = jpeg.compressed, noise.noisy
    patch.setattr(noise, "noisy", lambda bgr, record: bgr)
    patch.setattr(jpeg, "compressed", lambda bgr, record: add(compress(bgr, record), record))


def _noise_unseeded(original: Any) -> Any:
    return lambda key, size: original(np.random.bytes(16).hex(), size)


# --- metrics ---------------------------------------------------------------------------------------------------------


def _ssim_of_window_7(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    pairs = zip(images.to_rgb_arrays(restored), images.to_rgb_arrays(truth), strict=True)
    return torch.tensor(
        [structural_similarity(a, b, channel_axis=2, data_range=255) for a, b in pairs], dtype=torch.float64
    )


def _colour_corrected(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    shift = truth.pixels.mean((2, 3), keepdim=True) - restored.pixels.mean((2, 3), keepdim=True)
    return psnr._psnr_rgb(ImageBatch((restored.pixels + shift).clamp(0, 1), restored.ids), truth)


def _peak_254(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    return psnr._psnr_rgb(restored, truth) + 20 * float(np.log10(254 / 255))


def _cropped(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    return psnr._psnr_rgb(*(ImageBatch(one.pixels[..., 4:-4, 4:-4].contiguous(), one.ids) for one in (restored, truth)))


# --- the engine ------------------------------------------------------------------------------------------------------


def _off_by_one(original: Any) -> Any:
    def restore(*given: Any) -> Any:
        batch = original(*given)
        return ImageBatch(batch.pixels.roll(1, 0), batch.ids)

    return restore


def _rows(change: Callable[[Sequence[Any]], Sequence[Any]]) -> Callable[[Any], Any]:
    def wrap(original: Any) -> Any:
        def measure(*given: Any) -> Any:
            measured = original(*given)
            return dataclasses.replace(measured, rows=tuple(change(measured.rows)))

        return measure

    return wrap


def _scores_of_neighbour(rows: Sequence[Any]) -> Sequence[Any]:
    return [dataclasses.replace(row, scores=rows[place - 1].scores) for place, row in enumerate(rows)]


SABOTEURS: tuple[Saboteur, ...] = (
    Saboteur("red and blue exchanged in the output", "colour", after(lambda x: x.flip(1))),
    Saboteur("red and blue exchanged in the input", "colour", before(lambda x: x.flip(1))),
    Saboteur("[0, 1] fed where [-1, 1] is wanted", "range", fed(lambda x: (x + 1) / 2)),
    Saboteur("output clipped at 0.98", "range", after(lambda x: x.clamp(max=0.98))),
    Saboteur("moved by half a pixel", "geometry", after(lambda x: _shifted(x, 0.5))),
    Saboteur(
        "align_corners the other way",
        "geometry",
        after(
            lambda x: F.grid_sample(
                x,
                F.affine_grid(torch.eye(2, 3)[None].repeat(len(x), 1, 1), list(x.shape), align_corners=True),
                mode="bilinear",
                padding_mode="border",
                align_corners=False,
            )
        ),
    ),
    Saboteur("bilinear up from half size", "texture", after(lambda x: _resampled(x, x.shape[2] // 2, "bilinear"))),
    Saboteur("gamma applied twice", "colour", after(lambda x: x.clamp_min(1e-6) ** (1 / 1.1))),
    Saboteur("contrast up by 1 %", "colour", after(lambda x: (x - 0.5) * 1.01 + 0.5)),
    Saboteur("half a grey level darker: truncated, not rounded", "range", after(lambda x: (x * 255).floor() / 255)),
    Saboteur("smoothed by a 3 x 3 mean", "texture", after(_box_blur)),
    Saboteur("green one level up", "colour", after(lambda x: x + torch.tensor([0, 1 / 255, 0]).view(1, 3, 1, 1))),
    Saboteur("mirrored", "geometry", after(lambda x: x.flip(3))),
    Saboteur("mirrored input", "geometry", before(lambda x: x.flip(3))),
    Saboteur("one of many nearly black", "partial", after(_first_black)),
    Saboteur("mouth smeared", "partial", after(_mouth_blurred)),
    Saboteur("first and last row black", "partial", after(_black_border)),
    Saboteur("the mean face", "cheating", around(_mean_face)),
    Saboteur("the previous image", "state", _previous),
    Saboteur("the truth", "cheating", around(_truth)),
    Saboteur("its input where it fails", "cheating", around(_input_on_error)),
    Saboteur("its input, slightly changed", "cheating", around(_nearly_input)),
    Saboteur("applied twice", "model", around(_twice)),
    Saboteur("noise of one level, unseeded", "state", after(_unseeded)),
    Saboteur("one layer's weights zero", "model", network(_layer_zeroed)),
    Saboteur("one layer's channels permuted", "model", network(_channel_permuted)),
    Saboteur("one layer not loaded", "model", network(_layer_not_loaded)),
    Saboteur("weights with 1 % noise", "model", network(_weight_noise)),
    Saboteur("weights rounded to bf16", "model", network(_bf16)),
    Saboteur("JPEG quality drawn 5 lower", "degradation", replaced(chain.Chain, "draw", _quality_drawn_lower)),
    Saboteur(
        "JPEG at quality - 5, not recorded",
        "degradation",
        replaced(jpeg, "round_trip", lambda original: lambda bgr, quality: original(bgr, quality - 5)),
    ),
    Saboteur("sigma in the wrong unit", "degradation", replaced(fast, "blurred_and_downsampled", _sigma_not_scaled)),
    Saboteur(
        "kernel not normalised",
        "degradation",
        replaced(
            fast, "blurred_and_downsampled", lambda original: lambda planes, record: original(planes, record) * 1.02
        ),
    ),
    Saboteur("noise added after JPEG", "degradation", _noise_after_jpeg),
    Saboteur("degradation noise unseeded", "degradation", replaced(noise, "field", _noise_unseeded)),
    Saboteur(
        "the seed ignored",
        "degradation",
        replaced(rng, "step_generator", lambda original: lambda seed, face_id, step: original(seed + 1, face_id, step)),
    ),
    Saboteur("PSNR on luma", "metric", score_by(psnr, "psnr_rgb", psnr._psnr_y)),
    Saboteur("PSNR with a peak of 254", "metric", score_by(psnr, "psnr_rgb", _peak_254)),
    Saboteur("PSNR without a border of 4", "metric", score_by(psnr, "psnr_rgb", _cropped)),
    Saboteur("colour corrected before PSNR", "metric", score_by(psnr, "psnr_rgb", _colour_corrected)),
    Saboteur("SSIM with a window of 7", "metric", score_by(ssim, "ssim_rgb", _ssim_of_window_7)),
    Saboteur("pairs off by one", "pairing", replaced(engine, "restore", _off_by_one)),
    Saboteur("one image dropped", "pairing", replaced(engine, "measure_batch", _rows(lambda rows: rows[1:]))),
    Saboteur("scores of the neighbour", "pairing", replaced(engine, "measure_batch", _rows(_scores_of_neighbour))),
)
"""Each has to be caught."""


# --- innocent changes ------------------------------------------------------------------------------------------------


def _moved_generator(_: pytest.MonkeyPatch) -> None:
    torch.manual_seed(123)


def _through_png(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    encoded = [cv2.imencode(".png", bgr)[1] for bgr in images.to_bgr_arrays(restorer(degraded))]
    decoded: list[Any] = [cv2.imdecode(data, cv2.IMREAD_COLOR) for data in encoded]
    return images.from_bgr_arrays(decoded, degraded.ids)


def _threads(count: int) -> Apply:
    def put_in(patch: pytest.MonkeyPatch) -> None:
        def call(restorer: Any, degraded: ImageBatch) -> ImageBatch:
            kept = torch.get_num_threads()
            torch.set_num_threads(count)
            try:
                return restorer(degraded)
            finally:
                torch.set_num_threads(kept)

        around(call)(patch)

    return put_in


class Reversed:
    """A set of faces in the opposite order."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.name = inner, inner.name

    def ids(self) -> tuple[str, ...]:
        return tuple(self.inner.ids()[::-1])

    def load(self, face_id: str) -> Any:
        return self.inner.load(face_id)

    def source(self) -> Any:
        return self.inner.source()


def _as_it_is(patch: pytest.MonkeyPatch) -> None:
    """Nothing is changed."""


INNOCENT: tuple[Saboteur, ...] = (
    Saboteur("once more", "run", _as_it_is),
    Saboteur("batches of 1", "run", _as_it_is, {"batch_size": 1}),
    Saboteur("batches of 3", "run", _as_it_is, {"batch_size": 3}),
    Saboteur("one thread", "run", _threads(1)),
    Saboteur("two threads", "run", _threads(2)),
    Saboteur(
        "faces in the opposite order",
        "faces",
        replaced(faces, "load", lambda original: lambda *given, **named: Reversed(original(*given, **named))),
    ),
    Saboteur("outputs saved as PNG and read again", "restorer", around(_through_png)),
    Saboteur(
        "images laid out channels last",
        "restorer",
        around(
            lambda restorer, batch: ImageBatch(
                restorer(batch).pixels.contiguous(memory_format=torch.channels_last), batch.ids
            )
        ),
    ),
    Saboteur("the network copied", "model", around(lambda restorer, batch: copy.deepcopy(restorer)(batch))),
    Saboteur("torch's global generator at another place", "run", _moved_generator),
    Saboteur(
        "exact path of the degradation",
        "degradation",
        replaced(fast, "blurred_and_downsampled", lambda original: chain._shrunk_exactly),
    ),
)
"""None may be caught."""


def measured(store: Path, case: Case = CASE, **settings: Any) -> Result:
    """The case measured as ``gfpbench run`` does it."""
    return run.measure(case, store=store, keep_images=0, **settings)


def measured_with(saboteur: Saboteur, store: Path) -> Result | GfpbenchError:
    """What the case gives with the saboteur at work; the error where the run refuses to go on."""
    with pytest.MonkeyPatch.context() as patch:
        saboteur.apply(patch)
        try:
            return measured(store, saboteur.case, **saboteur.settings)
        except GfpbenchError as error:
            return error


def caught(found: Result | GfpbenchError, baseline: Result) -> str:
    """Why the gate stops it, in one line; empty where it passes."""
    if isinstance(found, GfpbenchError):
        return f"refused: {found}"
    comparison = baselines.compare(found, baseline)
    reasons = [f"{verdict.kind} {verdict.metric}: {verdict.reason}" for verdict in comparison.failures]
    return "; ".join([*reasons, f"likely {comparison.likely}"] if reasons else [])


def elsewhere(baseline: Result) -> Result:
    """The same baseline as if another torch and OpenCV had made it: the wider envelope applies."""
    return dataclasses.replace(baseline, environment={**baseline.environment, "torch": "2.4.0", "opencv": "4.9.0"})
