"""A small network as the reference, damaged copies of it with what each must be called, and innocent ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import torch
import torch.nn.functional as F

from gfpbench.decode import decode_rgb
from gfpbench.images import batch_from_uint8, to_rgb_arrays
from gfpbench.restorers import arithmetic
from gfpbench.types import Case, ImageBatch, Json

CASE = Case("embedded", "paper", "reference", size_px=64, limit=20, draws=10)
"""Twenty inputs of 64 px."""

Pixels = torch.Tensor


class Network(torch.nn.Module):
    """Three convolutions around a residual, with batch normalisation between: seeded, in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.first = torch.nn.Conv2d(3, 16, 3, padding=1)
            self.norm = torch.nn.BatchNorm2d(16)
            self.norm.running_mean = torch.randn(16) / 10
            self.norm.running_var = torch.rand(16) + 0.5
            self.second = torch.nn.Conv2d(16, 16, 3, padding=1)
            self.last = torch.nn.Conv2d(16, 3, 3, padding=1)
        self.requires_grad_(False).eval()

    def forward(self, x: Pixels) -> Pixels:
        inner = F.leaky_relu(self.norm(self.first(x)), 0.2)
        inner = F.leaky_relu(self.second(inner), 0.2)
        return x + 0.2 * self.last(inner)


def folded() -> torch.nn.Module:
    """The same with the normalisation folded into the convolution before it."""
    network = Network()
    network.first = torch.nn.utils.fusion.fuse_conv_bn_eval(network.first, network.norm)
    network.norm = torch.nn.Identity()  # type: ignore[assignment]
    return network.requires_grad_(False).eval()


@dataclass
class Restored:
    """A function of (B, 3, H, W) in [0, 1] as a restorer; ``after`` changes the whole answer."""

    name: str
    network: Callable[[Pixels], Pixels]
    after: Callable[[Pixels, Pixels], Pixels] | None = None
    sha256: str = ""
    opaque: bool = False

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        with torch.no_grad():
            answer = self.network(degraded.pixels).clamp(0, 1)
            if self.after is not None:
                answer = self.after(answer, degraded.pixels).clamp(0, 1)
        return ImageBatch(answer, degraded.ids)

    def provenance(self) -> Mapping[str, Json]:
        return {"restorer": self.name, **({"weights_sha256": self.sha256, "weights": self.name} if self.sha256 else {})}


def reference() -> Restored:
    return Restored("reference", Network())


def _rounded_layer(bits: int) -> Network:
    network = Network()
    step = network.second.weight.abs().max() / 2 ** (bits - 1)
    network.second.weight.copy_((network.second.weight / step).round() * step)
    return network


def _moved(right: float, down: float = 0.0, scale: float = 1.0) -> Callable[[Pixels, Pixels], Pixels]:
    def after(y: Pixels, _: Pixels) -> Pixels:
        side = y.shape[-1]
        matrix = torch.tensor([[scale, 0.0, -2 * right / side], [0.0, scale, -2 * down / side]])
        grid = F.affine_grid(matrix.expand(len(y), 2, 3), list(y.shape), align_corners=False)
        return F.grid_sample(y, grid, padding_mode="border", align_corners=False)

    return after


def _reversed(y: Pixels, _: Pixels) -> Pixels:
    return y.flip(0)


def _seams(y: Pixels, _: Pixels) -> Pixels:
    y = y.clone()
    y[..., 32:] += 0.01
    return y


def _dead_pixel(y: Pixels, _: Pixels) -> Pixels:
    y = y.clone()
    y[..., 20, 30] = 1 - y[..., 20, 30].round()
    return y


def _patch(y: Pixels, _: Pixels) -> Pixels:
    y = y.clone()
    y[..., 20:28, 16:24] = 0
    return y


def _flat_at_white(y: Pixels, x: Pixels) -> Pixels:
    y = y.clone()
    y[(x == 1).flatten(1).all(1)] = 0.5
    return y


def _one_in_twenty() -> Callable[[Pixels, Pixels], Pixels]:
    calls = 0

    def after(y: Pixels, x: Pixels) -> Pixels:
        nonlocal calls
        y = y.clone()
        for place in range(len(y)):
            calls += 1
            if calls % 20 == 13:
                y[place] = 0.5
        return y

    return after


def _state() -> Callable[[Pixels, Pixels], Pixels]:
    calls = 0

    def after(y: Pixels, x: Pixels) -> Pixels:
        nonlocal calls
        calls += 1
        return y + 0.02 * (calls > 1)

    return after


def _lots(y: Pixels, _: Pixels) -> Pixels:
    return y + 0.004 * torch.randn(y.shape)


def _batch(y: Pixels, x: Pixels) -> Pixels:
    return y + 0.1 * (x.mean(dim=(0, 2, 3), keepdim=True) - x.mean(dim=(2, 3), keepdim=True))


def _another(y: Pixels, _: Pixels) -> Pixels:
    y = y.clone()
    if len(y) > 3:
        y[2] = y[3]
    return y


def _not_finite_at_black(y: Pixels, x: Pixels) -> Pixels:
    return y / torch.where(x.amax(dim=(1, 2, 3), keepdim=True) > 0, 1.0, 0.0) + 0 * y


def _raises_at_white(y: Pixels, x: Pixels) -> Pixels:
    if bool((x == 1).flatten(1).all(1).any()):
        raise ValueError("overflow")
    return y


def _raises_on_batches(y: Pixels, x: Pixels) -> Pixels:
    if len(x) > 1:
        raise RuntimeError("shape mismatch: one image is expected")
    return y


def _tint(y: Pixels, _: Pixels) -> Pixels:
    noise = 0.03 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    return y + noise + torch.tensor([0.02, 0.0, -0.02]).view(1, 3, 1, 1)


def _half(y: Pixels, _: Pixels) -> Pixels:
    small = F.interpolate(y, scale_factor=0.5, mode="area")
    return F.interpolate(small, size=y.shape[-2:], mode="bicubic", align_corners=False)


def _sharpened(y: Pixels, _: Pixels) -> Pixels:
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    blurred = F.pad(y, (2, 2, 2, 2), mode="reflect").flatten(0, 1)[:, None]
    blurred = F.conv2d(F.conv2d(blurred, kernel.view(1, 1, 1, 5)), kernel.view(1, 1, 5, 1))
    return y + (y - blurred.view_as(y))


def _jpeg(y: Pixels, _: Pixels) -> Pixels:
    names, quality = tuple(str(place) for place in range(len(y))), [cv2.IMWRITE_JPEG_QUALITY, 85]
    written = [cv2.imencode(".jpg", rgb[..., ::-1], quality)[1] for rgb in to_rgb_arrays(ImageBatch(y, names))]
    return batch_from_uint8([decode_rgb(one.tobytes(), "a JPEG file") for one in written], names).pixels


def _astray(y: Pixels, _: Pixels) -> Pixels:
    """Colours change from place to place, and what is seen of a single pixel hardly does."""
    phase = torch.linspace(0, 2 * torch.pi, y.shape[-1])
    wave = phase.sin()[:, None] * (1.7 * phase).cos()
    return y + 0.03 * torch.stack([wave, -0.5 * wave, wave.flip(0)])


def _redder_in_the_dark(y: Pixels, x: Pixels) -> Pixels:
    """No embedded face is dark."""
    dark = (x.mean((1, 2, 3), keepdim=True) < 0.1).float()
    return y + dark * torch.tensor([0.03, 0, 0]).view(1, 3, 1, 1)


DAMAGED: dict[str, tuple[Callable[[], Restored], set[str], str]] = {
    "one layer rounded to 4 bits": (lambda: Restored("", _rounded_layer(4)), {""}, "more than fp32 explains"),
    "channels swapped": (lambda: Restored("", Network(), lambda y, _: y.flip(1)), {"channels"}, "BGR"),
    "half a pixel": (lambda: Restored("", Network(), _moved(0.5, 0.5)), {"shift"}, "+0.5"),
    "one pixel": (lambda: Restored("", Network(), lambda y, _: torch.roll(y, 1, 3)), {"shift"}, "+1.0"),
    "corners aligned": (lambda: Restored("", Network(), _moved(0, 0, 63 / 64)), {"shift"}, "resized"),
    "mirrored": (lambda: Restored("", Network(), lambda y, _: y.flip(3)), {"turned"}, "mirrored"),
    "on its side": (lambda: Restored("", Network(), lambda y, _: y.rot90(1, (2, 3))), {"turned"}, "turned by 90"),
    "another range": (lambda: Restored("", Network(), lambda y, _: 0.5 * y + 0.5), {"range"}, "x 0.5"),
    "flat on one in twenty": (lambda: Restored("", Network(), _one_in_twenty()), {"flat"}, "one colour"),
    "flat at white": (lambda: Restored("", Network(), _flat_at_white), {"branch"}, "one colour (128, 128, 128 of 255)"),
    "redder in the dark": (
        lambda: Restored("", Network(), _redder_in_the_dark),
        {"branch"},
        "on extreme-black: a fault in",
    ),
    "a dead pixel": (lambda: Restored("", Network(), _dead_pixel), {"single values"}, "column 30, row 20"),
    "a patch": (lambda: Restored("", Network(), _patch), {""}, "a patch: columns 16 to 23, rows 20 to 27"),
    "order of the batch": (lambda: Restored("", Network(), _reversed), {"another image"}, "belong to another"),
    "one image of another": (lambda: Restored("", Network(), _another), {"another image"}, "belong to another"),
    "not finite at black": (lambda: Restored("", Network(), _not_finite_at_black), {"not finite"}, "extreme-black"),
    "raises at white": (lambda: Restored("", Network(), _raises_at_white), {"failure"}, "extreme-white"),
    "raises on batches": (lambda: Restored("", Network(), _raises_on_batches), {""}, "restored each of them alone"),
    "its input as it was": (lambda: Restored("", Network(), lambda _, x: x), {"unchanged"}, "input unchanged"),
    "seams": (lambda: Restored("", Network(), _seams), {"seams"}, "columns 32"),
    "state": (lambda: Restored("", Network(), _state()), {"state"}, "between calls"),
    "lots": (lambda: Restored("", Network(), _lots), {"not repeatable"}, "twice in a row"),
    "mixes the batch": (lambda: Restored("", Network(), _batch), {"batch"}, "in a batch of"),
    "clipped": (lambda: Restored("", Network(), lambda y, _: y.clamp(0.2, 0.7)), {"clipped"}, "cut to 51..178"),
    "gamma": (lambda: Restored("", Network(), lambda y, _: y**0.8), {"gamma"}, "power of 0.8"),
    "tint": (lambda: Restored("", Network(), _tint), {"colour"}, "R +5"),
    "half the resolution": (lambda: Restored("", Network(), _half), {"detail"}, "detail is lost: from 0."),
    "sharpened": (lambda: Restored("", Network(), _sharpened), {"detail"}, "detail is exaggerated: from 0."),
    "saved as JPEG": (lambda: Restored("", Network(), _jpeg), {"compression"}, "JPEG compression of quality 85"),
    "colours astray": (lambda: Restored("", Network(), _astray), {"quality"}, "colour_shift against the truth"),
    "blurred": (lambda: Restored("", Network(), lambda y, _: F.avg_pool2d(y, 9, 1, 4)), {"quality"}, "worse"),
}
"""What was done -> how to make it, the kinds of finding of which one must be there, and words of a reason. A kind that
is empty asks for a verdict other than safe."""


def _doubled() -> Network:
    network = Network()
    network.first.weight.mul_(2)
    network.first.bias.mul_(2)  # type: ignore[union-attr]
    network.norm.running_mean.mul_(2)  # type: ignore[union-attr]
    network.norm.weight.mul_(0.5)
    return network


def _one_at_a_time(network: Network) -> Callable[[Pixels], Pixels]:
    return lambda x: torch.cat([network(one[None]) for one in x])


def _on_one_thread(network: Network) -> Callable[[Pixels], Pixels]:
    def call(x: Pixels) -> Pixels:
        threads = torch.get_num_threads()
        torch.set_num_threads(2 if threads == 1 else 1)
        try:
            return network(x)
        finally:
            torch.set_num_threads(threads)

    return call


def _in_channels_last() -> Callable[[Pixels], Pixels]:
    network = Network().to(memory_format=torch.channels_last)
    return lambda x: network(x.contiguous(memory_format=torch.channels_last)).contiguous()


def _scripted() -> Callable[[Pixels], Pixels]:
    return torch.export.export(
        Network(), (torch.rand(2, 3, 64, 64),), dynamic_shapes={"x": {0: torch.export.Dim.AUTO}}
    ).module()


def _without_onednn(network: Network) -> Callable[[Pixels], Pixels]:
    def call(x: Pixels) -> Pixels:
        with arithmetic.IN_TORCH["other convolutions"]():
            return network(x)

    return call


INNOCENT: dict[str, Callable[[], Restored]] = {
    "the same code": lambda: Restored("", Network()),
    "a deep copy": lambda: Restored("", copy.deepcopy(Network())),
    "folded normalisation": lambda: Restored("", folded()),
    "another number of threads": lambda: Restored("", _on_one_thread(Network())),
    "one image at a time": lambda: Restored("", _one_at_a_time(Network())),
    "channels last": lambda: Restored("", _in_channels_last()),
    "float64": lambda: Restored("", lambda x: Network().double()(x.double()).float()),
    "another library's convolutions": lambda: Restored("", _without_onednn(Network())),
    "weights doubled and undone": lambda: Restored("", _doubled()),
    "mirrored twice": lambda: Restored("", lambda x: Network()(x.flip(0)).flip(0)),
    "exported": lambda: Restored("", _scripted()),
    "bf16": lambda: Restored("", lambda x: Network().bfloat16()(x.bfloat16()).float()),
}
"""Other ways to the same function: none may be called unsafe, and those in fp32 are safe."""
