"""Harder bugs in what a restorer returns: small, partial, remembered, or better than they should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gfpbench import degrade, faces, images
from gfpbench.types import ImageBatch
from tests.sabotage.saboteurs import CASE, FULL, Images, Saboteur, after, around, before

WEIGHTS_601 = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
WEIGHTS_709 = torch.tensor([[0.2126, 0.7152, 0.0722], [-0.114572, -0.385428, 0.5], [0.5, -0.454153, -0.045847]])
_kernel = cv2.getGaussianKernel


def where(chosen: Callable[[str, int, int], bool], change: Images) -> Any:
    """A change of those images alone whose name, place in the batch and size of the batch are chosen."""

    def call(restorer: Any, degraded: ImageBatch) -> ImageBatch:
        restored = restorer(degraded).pixels.clone()
        for place, name in enumerate(degraded.ids):
            if chosen(name, place, len(degraded)):
                restored[place] = change(restored[place][None])[0]
        return ImageBatch(restored.clamp(0, 1).contiguous(), degraded.ids)

    return around(call)


def known(name: str) -> torch.Tensor:
    """The true image of a name."""
    return faces.load(CASE.faces, draws=8).load(name).pixels


# --- colour ----------------------------------------------------------------------------------------------------------


def through(matrix: torch.Tensor, back: torch.Tensor, change: Images = lambda x: x) -> Images:
    def convert(x: torch.Tensor) -> torch.Tensor:
        luma_chroma = change(torch.einsum("ij,bjhw->bihw", matrix, x))
        return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(back), luma_chroma)

    return convert


def limited_range(x: torch.Tensor) -> torch.Tensor:
    """Luma in 16..235 and chroma in 16..240, whole numbers, and back."""
    scale = torch.tensor([219.0, 224.0, 224.0]).view(1, 3, 1, 1)
    return (x * scale).round() / scale


def halved_chroma(x: torch.Tensor) -> torch.Tensor:
    small = F.avg_pool2d(x[:, 1:], 2)
    return torch.cat([x[:, :1], F.interpolate(small, size=x.shape[2:], mode="bilinear", align_corners=False)], 1)


def hue_turned(degrees: float) -> Images:
    cos, sin = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    turn = torch.tensor([[1, 0, 0], [0, cos, -sin], [0, sin, cos]], dtype=torch.float32)
    return through(WEIGHTS_601, WEIGHTS_601, lambda x: torch.einsum("ij,bjhw->bihw", turn, x))


def channel(place: int, change: Images) -> Images:
    def on_one(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[:, place] = change(x[:, place])
        return x

    return on_one


def linear_in_8_bits(x: torch.Tensor) -> torch.Tensor:
    linear = torch.where(x > 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92)
    linear = (linear * 255).round() / 255
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp_min(1e-9) ** (1 / 2.4) - 0.055, 12.92 * linear)


def saved_as_jpeg(quality: int, sampling: int) -> Images:
    def save(x: torch.Tensor) -> torch.Tensor:
        batch = ImageBatch(x.clamp(0, 1), tuple(str(place) for place in range(len(x))))
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        encoded = [cv2.imencode(".jpg", bgr, options)[1] for bgr in images.to_bgr_arrays(batch)]
        decoded: list[Any] = [cv2.imdecode(data, cv2.IMREAD_COLOR) for data in encoded]
        return images.from_bgr_arrays(decoded, batch.ids).pixels

    return save


# --- geometry and texture --------------------------------------------------------------------------------------------


def moved(theta: list[list[float]]) -> Images:
    def move(x: torch.Tensor) -> torch.Tensor:
        grid = F.affine_grid(torch.tensor([theta]).repeat(len(x), 1, 1), list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, mode="bicubic", padding_mode="border", align_corners=False)

    return move


def turned(degrees: float) -> Images:
    cos, sin = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    return moved([[cos, -sin, 0.0], [sin, cos, 0.0]])


def by_pixels(pixels: float) -> Images:
    return moved([[1.0, 0.0, 2 * pixels / 128], [0.0, 1.0, 0.0]])


def resized_twice(side_px: int) -> Images:
    def resize(x: torch.Tensor) -> torch.Tensor:
        other = F.interpolate(x, size=(side_px, side_px), mode="bicubic", align_corners=False)
        return F.interpolate(other, size=x.shape[2:], mode="bicubic", align_corners=False)

    return resize


def gaussian(sigma: float) -> Images:
    taps = torch.from_numpy(_kernel(5, sigma)).float().flatten()

    def blur(x: torch.Tensor) -> torch.Tensor:
        x = F.pad(x, (2, 2, 2, 2), mode="replicate")
        rows = F.conv2d(x, taps.view(1, 1, 5, 1).repeat(3, 1, 1, 1), groups=3)
        return F.conv2d(rows, taps.view(1, 1, 1, 5).repeat(3, 1, 1, 1), groups=3)

    return blur


def sharpened(amount: float) -> Images:
    soft = gaussian(1.0)
    return lambda x: x + amount * (x - soft(x))


def tiled(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    """Restored in four tiles, each enlarged to the network's size and back: what is common in memory-saving code."""
    half = degraded.size[0] // 2
    out = torch.empty_like(degraded.pixels)
    for top in (0, half):
        for left in (0, half):
            tile = degraded.pixels[:, :, top : top + half, left : left + half].contiguous()
            out[:, :, top : top + half, left : left + half] = restorer(ImageBatch(tile, degraded.ids)).pixels
    return ImageBatch(out, degraded.ids)


def with_seams(x: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[:, :, :, 64] = (x[:, :, :, 63] + x[:, :, :, 65]) / 2
    return x


def grain(levels: float) -> Images:
    noise = torch.randn((3, 128, 128), generator=torch.Generator().manual_seed(0)) * levels / 255
    return lambda x: x + noise


# --- state -----------------------------------------------------------------------------------------------------------


def remembering(share: float) -> Any:
    def put_in(patch: pytest.MonkeyPatch) -> None:
        last: list[torch.Tensor] = []

        def call(restorer: Any, degraded: ImageBatch) -> ImageBatch:
            restored = restorer(degraded).pixels
            for place in range(len(restored)):
                now = restored[place]
                if last:
                    restored[place] = (1 - share) * now + share * last[0]
                last[:] = [now.clone()]
            return ImageBatch(restored.clamp(0, 1), degraded.ids)

        around(call)(patch)

    return put_in


def mixed_with_neighbours(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    restored = restorer(degraded).pixels
    mean = restored.mean(0, keepdim=True)
    return ImageBatch((restored + 0.01 * (mean - restored)).clamp(0, 1), degraded.ids)


def stale(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    """Answers kept under the images' names from a run with another degradation."""
    clean = ImageBatch(torch.stack([known(name) for name in degraded.ids]), degraded.ids)
    other = degrade.load("report")
    return restorer(other.apply(clean, [other.draw(name, 1, clean.size) for name in clean.ids]))


def unseeded(share: float, levels: float) -> Images:
    def add(x: torch.Tensor) -> torch.Tensor:
        source = torch.Generator().manual_seed(int.from_bytes(np.random.bytes(4)))
        chosen = torch.rand(x.shape, generator=source) < share
        return x + chosen * torch.randn(x.shape, generator=source) * levels / 255

    return add


# --- cheating --------------------------------------------------------------------------------------------------------


def towards_the_truth(share: float) -> Any:
    def call(restorer: Any, degraded: ImageBatch) -> ImageBatch:
        truth = torch.stack([known(name) for name in degraded.ids])
        return ImageBatch(((1 - share) * restorer(degraded).pixels + share * truth).clamp(0, 1), degraded.ids)

    return around(call)


def colour_of_the_truth(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    restored = restorer(degraded).pixels
    truth = torch.stack([known(name) for name in degraded.ids])
    shift = truth.mean((2, 3), keepdim=True) - restored.mean((2, 3), keepdim=True)
    return ImageBatch((restored + shift).clamp(0, 1), degraded.ids)


def training_face(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    """The nearest of the stored faces, a little out of focus and brightness: memorised, not restored."""
    stored = faces.load(CASE.faces)
    kept = torch.stack([stored.load(name).pixels for name in stored.ids()])
    small, small_kept = (F.avg_pool2d(x, 8).flatten(1) for x in (degraded.pixels, kept))
    nearest = torch.cdist(small, small_kept).argmin(1)
    tint = torch.arange(1, len(degraded) + 1).view(-1, 1, 1, 1) / 255 / 4
    return ImageBatch((gaussian(0.4)(kept[nearest]) * 0.99 + tint).clamp(0, 1), degraded.ids)


def truth_where_hard(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    """The truth through JPEG where the input is worst, and honest elsewhere."""
    restored = restorer(degraded).pixels
    soft = (degraded.pixels[..., 1:] - degraded.pixels[..., :-1]).abs().mean((1, 2, 3))
    place = int(soft.argmin())
    restored[place] = saved_as_jpeg(97, 0x111111)(known(degraded.ids[place])[None])[0]
    return ImageBatch(restored, degraded.ids)


def noise_of(x: torch.Tensor) -> torch.Tensor:
    """(B,) a rough estimate of an image's noise: the mean absolute Laplacian."""
    taps = torch.tensor([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]]).view(1, 1, 3, 3)
    return F.conv2d(x.mean(1, keepdim=True), taps).abs().mean((1, 2, 3))


def only_the_noisiest(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    restored, noise = restorer(degraded).pixels, noise_of(degraded.pixels)
    place = int(noise.argmax())
    restored[place] = gaussian(0.8)(restored[place][None])[0]
    return ImageBatch(restored, degraded.ids)


def row(name: str, kind: str, apply: Any) -> Saboteur:
    return Saboteur(name, kind, apply, case=FULL)


IMAGES: tuple[Saboteur, ...] = (
    row("blue with a gamma of 1.02", "colour", after(channel(2, lambda x: x.clamp_min(1e-6) ** 1.02))),
    row("red up by a quarter of a level", "colour", after(channel(0, lambda x: x + 0.25 / 255))),
    row("white balance: red 0.5 % up", "colour", after(channel(0, lambda x: x * 1.005))),
    row("to YCbCr by BT.601, back by BT.709", "colour", after(through(WEIGHTS_601, WEIGHTS_709))),
    row("through YCbCr of limited range, 8 bits", "colour", after(through(WEIGHTS_601, WEIGHTS_601, limited_range))),
    row("chroma at half size", "colour", after(through(WEIGHTS_601, WEIGHTS_601, halved_chroma))),
    row("hue turned by 1 degree", "colour", after(hue_turned(1.0))),
    row("saturation up by 1 %", "colour", after(lambda x: x.mean(1, True) + 1.01 * (x - x.mean(1, True)))),
    row("through linear light of 8 bits: banded shadows", "range", after(linear_in_8_bits)),
    row("shadows cut at 0.02", "range", after(lambda x: x.clamp(min=0.02))),
    row("shadows crushed below 0.03", "range", after(lambda x: torch.where(x < 0.03, torch.zeros_like(x), x))),
    row("127 levels for 255", "range", after(lambda x: (x * 127).round() / 127)),
    row("scaled by 256 and cut at 255", "range", after(lambda x: (x * 256).floor().clamp(max=255) / 255)),
    row("divided by 256", "range", after(lambda x: x * 255 / 256)),
    row("degraded image fed in 7 bits", "range", before(lambda x: (x * 127).round() / 127)),
    row("saved as JPEG 95, 4:2:0", "texture", after(saved_as_jpeg(95, 0x221111))),
    row("saved as JPEG 100, 4:4:4", "texture", after(saved_as_jpeg(100, 0x111111))),
    row("moved by a quarter of a pixel", "geometry", after(by_pixels(0.25))),
    row("moved by a tenth of a pixel", "geometry", after(by_pixels(0.1))),
    row("turned by 0.1 degree", "geometry", after(turned(0.1))),
    row("enlarged by 0.5 %", "geometry", after(moved([[1 / 1.005, 0.0, 0.0], [0.0, 1 / 1.005, 0.0]]))),
    row("resized twice, over 130 px", "geometry", after(resized_twice(130))),
    row("resized twice, over 256 px", "geometry", after(resized_twice(256))),
    row("input moved by half a pixel", "geometry", before(by_pixels(0.5))),
    row("restored in four tiles", "geometry", around(tiled)),
    row("one column of a seam averaged", "geometry", after(with_seams)),
    row("rows and columns exchanged on the way in", "geometry", before(lambda x: x.transpose(2, 3).contiguous())),
    row("unsharp mask of 10 %", "texture", after(sharpened(0.1))),
    row("unsharp mask of 40 %, which some metrics like", "texture", after(sharpened(0.4))),
    row("Gaussian blur of 0.3 px", "texture", after(gaussian(0.3))),
    row("fixed grain of half a level", "texture", after(grain(0.5))),
    row("fixed grain of two levels", "texture", after(grain(2.0))),
    row(
        "one image of sixteen mirrored",
        "partial",
        where(lambda name, at, n: name == "astronaut~3", lambda x: x.flip(3)),
    ),
    row(
        "one image of sixteen one level darker",
        "partial",
        where(lambda name, at, n: name == "grace_hopper~5", lambda x: x - 1 / 255),
    ),
    row(
        "one identity 1 level redder",
        "partial",
        where(lambda name, at, n: name < "b", channel(0, lambda x: x + 1 / 255)),
    ),
    row("only the noisiest of a batch blurred", "partial", around(only_the_noisiest)),
    row("the last of each batch moved by a pixel", "partial", where(lambda name, at, n: at == n - 1, by_pixels(1.0))),
    row("smoothed only alone: batches of one", "partial", where(lambda name, at, n: n == 1, gaussian(0.5))),
    row(
        "smoothed only in batches of two and more",
        "partial",
        where(lambda name, at, n: n > 1, gaussian(0.5)),
    ),
    row(
        "darker only in batches of an odd number", "partial", where(lambda name, at, n: n % 2 == 1, lambda x: x * 0.95)
    ),
    row("5 % of the previous image", "state", remembering(0.05)),
    row("1 % of the batch's mean", "state", around(mixed_with_neighbours)),
    row("stale answers under the same names", "state", around(stale)),
    row("unseeded noise of half a level in every value", "state", after(unseeded(1.0, 0.5))),
    row("unseeded noise of one level in 1 % of values", "state", after(unseeded(0.01, 1.0))),
    row("a tenth of the truth, by name", "cheating", towards_the_truth(0.1)),
    row("nine tenths of the truth, by name", "cheating", towards_the_truth(0.9)),
    row("the truth's mean colour, by name", "cheating", around(colour_of_the_truth)),
    row("stored faces returned", "cheating", around(training_face)),
    row("the truth for the hardest of a batch", "cheating", around(truth_where_hard)),
)
"""Each has to be caught, or is argued where the table is written."""
