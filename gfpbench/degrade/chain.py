"""Eq. 6 of GFP-GAN as one object: blur, downsample, noise, JPEG, back to size; each step can be left out.

x = resize([(y (*) k_sigma) down_r + n_delta]_JPEG_q), Wang et al., "Towards Real-World Blind Face Restoration with
Generative Facial Prior", CVPR 2021, Eq. 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from gfpbench.degrade import blur, colour, fast, jpeg, noise, resample, rng, tensor
from gfpbench.degrade.record import OFF, checked
from gfpbench.images import (
    Bytes,
    Floats,
    bgr_of_planes,
    from_bgr_floats,
    moved,
    quantized,
    to_bgr_arrays,
    to_planes,
    write_bgr,
)
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, ImageBatch, Json, Parameters

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

Path: TypeAlias = Literal["auto", "exact", "fast", "tensor"]
PATHS: tuple[Path, ...] = get_args(Path)


@dataclass(frozen=True, slots=True)
class Chain:
    """A degradation with the steps of Eq. 6; a step that is None does nothing.

    Three paths lead through the same steps, from the same records:

    - ``exact``: on the CPU, one image at a time, with OpenCV. Equal to the authors' code to the byte.
    - ``fast``: on the CPU, with the blur computed only where it is read, or by a transform. Before JPEG within 0.0005
      of a grey level of ``exact``. A value that this rounds the other way may move coefficients of its JPEG block by a
      step; outside of such blocks all is equal. Worst of 1,600 images searched for it (``tests/bounds``: 32 to 512 px a
      side, all that the presets draw): 0.00022 levels before JPEG, 10 after it, 0.2 in the mean of an image.
    - ``tensor``: the whole batch in torch on the device it is on, JPEG included. Before JPEG within 0.0005 of a grey
      level as well, outside of such blocks within 1. Worst of 800: 0.00034 levels before JPEG, 19 after it, 0.026 in
      the mean of an image. Both are worse without noise, which no preset draws: where the small side divides the
      large one, most values then lie on rounding edges.
    - ``auto`` takes the path ``on_cpu`` for batches on the CPU, as all are in a run, and ``tensor`` for others.

    Args:
        name: as in the table of degradations.
        summary: one line for lists.
        source: paper and equation, or repository at a commit.
        blur, downsample, noise, jpeg, colour: what each step draws from.
        path: which one to take. ``describe`` names it, so that Results of two paths are never taken for one.
        on_cpu: what ``auto`` is on the CPU: ``exact`` for a degradation that promises the authors' bytes.

    Examples:
        >>> from gfpbench.degrade import load
        >>> batch = ImageBatch(torch.full((1, 3, 64, 64), 0.5), ("grey",))
        >>> chain = load("paper")
        >>> chain.apply(batch, [chain.draw(name, seed=0, size=batch.size) for name in batch.ids]).size
        (64, 64)
    """

    name: str
    summary: str
    source: str
    blur: blur.Blur | None = None
    downsample: resample.Downsample | None = None
    noise: noise.Noise | None = None
    jpeg: jpeg.Jpeg | None = None
    colour: colour.Colour | None = None
    path: Path = "auto"
    on_cpu: Literal["exact", "fast"] = "fast"

    def using(self, path: Path) -> Chain:
        """The same degradation along a chosen path."""
        return replace(self, path=path)

    def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
        """Draw for one image of (height, width) px: a flat record, the same for the same arguments whenever asked.

        Each step has a generator of its own, so leaving a step out changes no other. The record has the keys of
        ``record.OFF``, ``height_px`` and ``width_px``, and those of ``colour.OFF`` if colour is among the steps.
        """
        if min(size) < 1:
            raise BadInput(f"cannot draw a degradation for an image of {size[0]} x {size[1]} px")

        def source(step: str) -> np.random.Generator:
            return rng.step_generator(seed, face_id, step)

        record: dict[str, Json] = {"height_px": int(size[0]), "width_px": int(size[1]), **OFF}
        if self.blur is not None:
            record |= self.blur.draw(source("blur"), size)
        if self.downsample is not None:
            record |= self.downsample.draw(source("downsample"))
        if self.noise is not None:
            record |= self.noise.draw(source("noise"), seed, face_id)
        if self.jpeg is not None:
            record |= self.jpeg.draw(source("jpeg"))
        if self.colour is not None:
            record |= self.colour.draw(source("colour"))
        return record

    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        """Degrade each image by its own record: same ids, size and device; values are whole levels 0..255, over 255.

        Args:
            batch: (B, 3, H, W) float32 RGB in [0, 1].
            parameters: B records, in the order of ``batch.ids``.

        Raises:
            BadInput: for a record missing, drawn for another size, or holding a value no step can use.
        """
        if len(parameters) != len(batch):
            raise BadInput(f"{len(batch)} images need as many degradation records, not {len(parameters)}")
        records = [checked(record, name, batch.size) for record, name in zip(parameters, batch.ids, strict=True)]
        device = batch.pixels.device
        path = self.path_on(device.type)
        if path == "tensor":
            return quantized(ImageBatch(tensor.degraded(batch.pixels, records).clamp(0, 1), batch.ids))
        is_fast = path == "fast"
        shrink = fast.blurred_and_downsampled if is_fast else _shrunk_exactly
        enlarge = fast.enlarged if is_fast else resample.resized

        degraded = np.empty((len(batch), 3, *batch.size), np.float32)

        def one(planes: Floats, record: Parameters, into: Floats) -> None:
            small = jpeg.compressed(noise.noisy(shrink(planes, record), record), record)
            large = enlarge(small, batch.size)
            write_bgr(into, _coloured(large, record) if "is_grey" in record else jpeg.to_bytes(large))

        # OpenCV and numpy release the interpreter, and no image knows of another: threads change only the time.
        images, threads = to_planes(batch), min(len(batch), torch.get_num_threads(), tensor.MOST_THREADS)
        if threads == 1:
            for parts in zip(images, records, degraded, strict=True):
                one(*parts)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(one, images, records, degraded))
        return moved(ImageBatch(torch.from_numpy(degraded), batch.ids), device)

    def path_on(self, device_type: str) -> Path:
        """Which path a batch on a device of this type (``cpu``, ``cuda``) takes: never ``auto``."""
        if self.path != "auto":
            return self.path
        return self.on_cpu if device_type == "cpu" else "tensor"

    def describe(self) -> Mapping[str, Json]:
        """Name, summary, source, and every step's ranges with their units; None for a step that is left out.

        ``path`` is the one taken on the CPU, where every run degrades: how and not what, as along any of them the same
        degradation is meant.
        """
        record = {name: _plain(value) for name, value in asdict(self).items() if name != "on_cpu"}
        return record | {"path": self.path_on("cpu")}


def _shrunk_exactly(planes: Floats, record: Parameters) -> Floats:
    """(3, H, W) float32 RGB to the small image, (h, w, 3) BGR, as the authors' code makes it."""
    return _blurred_then_downsampled(bgr_of_planes(planes), record)


def _blurred_then_downsampled(bgr: Floats, record: Parameters) -> Floats:
    return resample.downsampled(blur.blurred(bgr, record), record)


def _coloured(bgr: Floats, record: Parameters) -> Bytes:
    bgr = colour.shifted_and_greyed(bgr, record)
    if not record["jitter_order"]:
        return jpeg.to_bytes(bgr)
    image = from_bgr_floats([bgr], ("",))
    adjusted = colour.jittered(image.pixels[0], record)
    return to_bgr_arrays(ImageBatch(adjusted[None], image.ids))[0]


def _plain(value: Json) -> Json:
    """Tuples to lists, all the way down, as JSON would read them back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
