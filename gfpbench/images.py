"""Conversions of range, colour order, dtype and layout of images. No other module converts them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from gfpbench.disk import write_whole
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, ImageBatch

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
else:
    torch, F = LazyModule("torch"), LazyModule("torch.nn.functional")

BT601_LUMA = (65.481, 128.553, 24.966)
"""MATLAB's rgb2ycbcr weights for R, G, B in [0, 1]: luma = 16 + w . rgb (ITU-R BT.601)."""

Range: TypeAlias = Literal["signed", "unit", "255"]
"""What a network's values span: [-1, 1], [0, 1], or 0..255."""

_T = TypeVar("_T")
Bytes: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Form:
    """How a network in a file has its images, apart from their range.

    Args:
        dtype: number type of its input.
        layout: ``nchw`` for (B, 3, H, W), ``nhwc`` for (B, H, W, 3).
        order: of the colours, of its input and of its output.
    """

    dtype: torch.dtype = field(default_factory=lambda: torch.float32)
    layout: Literal["nchw", "nhwc"] = "nchw"
    order: Literal["rgb", "bgr"] = "rgb"


# Metrics share one conversion of a batch: each view is made once and dropped together with the batch.
_views: WeakKeyDictionary[ImageBatch, dict[str, torch.Tensor]] = WeakKeyDictionary()
_hashes: WeakKeyDictionary[ImageBatch, tuple[str, ...]] = WeakKeyDictionary()


def _cached(batch: ImageBatch, name: str, make: Callable[[], torch.Tensor]) -> torch.Tensor:
    views = _views.setdefault(batch, {})
    if name not in views:
        views[name] = make()
    return views[name]


def are_shared_views_of(batch: ImageBatch, levels: torch.Tensor) -> bool:
    """Whether the views of 8-bit values that callers share hold these (B, 3, H, W) uint8 values still."""
    views = _views.get(batch, {})
    shared = [views[name] for name in ("uint8", "255") if name in views]
    # One image at a time, so that what it is converted to stays in the cache.
    return all(
        np.array_equal(one.numpy(force=True), own.numpy(force=True))
        for view in shared
        for one, own in zip(view, levels, strict=True)
    )


def are_equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """As ``torch.equal``, which takes six times as long where the bits of two tensors are the same, as they mostly are.

    NaN, which equals nothing, equals the same bits here: of what was copied nobody has to know whether it holds one.
    """
    if one.shape == other.shape and one.dtype == other.dtype and one.is_cpu and other.is_cpu:
        first, second = (each.detach().contiguous().numpy().reshape(-1).view(np.uint8) for each in (one, other))
        whole = len(first) - len(first) % 8
        same = np.array_equal(first[:whole].view(np.int64), second[:whole].view(np.int64))
        if same and np.array_equal(first[whole:], second[whole:]):
            return True
    return torch.equal(one, other)


def from_uint8(rgb: Bytes) -> torch.Tensor:
    """(H, W, 3) uint8 RGB to (3, H, W) float32 in [0, 1]."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise BadInput(f"expected (H, W, 3) uint8, not {rgb.shape} {rgb.dtype}")
    return torch.from_numpy(_planes(rgb)).to(torch.float32).div_(255)


def _planes(image: Bytes) -> Bytes:
    """(H, W, 3) uint8 to (3, H, W). OpenCV takes a tenth of the time of numpy or torch over interleaved channels."""
    import cv2

    planes = np.empty((3, *image.shape[:2]), np.uint8)
    if image.size:
        cv2.split(image, mv=list(planes))
    return planes


def batch_from_uint8(rgb: list[Bytes], ids: tuple[str, ...]) -> ImageBatch:
    """Several (H, W, 3) uint8 RGB images of one size to a batch."""
    return ImageBatch(torch.stack([from_uint8(image) for image in rgb]), ids)


def from_levels(levels: torch.Tensor, ids: tuple[str, ...]) -> ImageBatch:
    """(B, 3, H, W) uint8 RGB to a batch."""
    return ImageBatch(levels.to(torch.float32).div_(255), ids)


def as_batch(given: object, what: str = "images", ids: Sequence[str] | None = None) -> ImageBatch:
    """What a script has as a batch: an ImageBatch as it is, (H, W, 3) or (B, H, W, 3) uint8 RGB arrays.

    Args:
        what: they are, for the message.
        ids: names of the arrays; "0", "1", ... where None.

    Raises:
        BadInput: for anything else. Of floats nobody can tell the range, and a wrong one gives a plausible number.
    """
    if isinstance(given, ImageBatch):
        return given
    dtype, shape = getattr(given, "dtype", type(given).__name__), tuple(getattr(given, "shape", ()))
    if not isinstance(given, np.ndarray) or dtype != np.uint8 or len(shape) not in (3, 4) or shape[-1] != 3:
        found = f"{shape} {dtype}" if shape else dtype
        raise BadInput(
            f"{what}: expected (H, W, 3) or (B, H, W, 3) uint8 RGB arrays or an ImageBatch, not {found}"
            + ("; of floats the range is not known: round them to 0..255" if "float" in str(dtype) else "")
        )
    arrays = [given] if len(shape) == 3 else list(given)
    return batch_from_uint8(arrays, tuple(map(str, range(len(arrays)))) if ids is None else tuple(ids))


def to_uint8(batch: ImageBatch) -> torch.Tensor:
    """(B, 3, H, W) uint8: 255 x, rounded half to even as OpenCV does. Shared between callers; do not write to it."""
    return _cached(batch, "uint8", lambda: _levels(batch.pixels.detach()))


def _levels(pixels: torch.Tensor) -> torch.Tensor:
    if pixels.device.type != "cpu":
        return (pixels * 255).round_().to(torch.uint8)
    import cv2

    # The same arithmetic in one pass: the product in float32, rounded half to even.
    table = pixels.numpy().reshape(-1, pixels.shape[-1])
    return torch.from_numpy(cv2.convertScaleAbs(table, alpha=255)).view(pixels.shape)


def to_255(batch: ImageBatch) -> torch.Tensor:
    """(B, 3, H, W) float64 whole numbers 0..255: what every published script measures. Shared; do not write to it."""
    return _cached(batch, "255", lambda: to_uint8(batch).to(torch.float64))


def to_luma_255(batch: ImageBatch) -> torch.Tensor:
    """(B, 1, H, W) float64 BT.601 luma, 16..235, of the 8-bit image, not rounded (as basicsr's bgr2ycbcr). Shared."""

    def make() -> torch.Tensor:
        red, green, blue = (
            plane * (weight / 255) for plane, weight in zip(to_255(batch).unbind(1), BT601_LUMA, strict=True)
        )
        return red.add_(green).add_(blue).add_(16).unsqueeze(1)

    return _cached(batch, "luma", make)


def to_rounded_luma_255(batch: ImageBatch) -> torch.Tensor:
    """(B, 1, H, W) float64 whole numbers 16..235: BT.601 luma rounded half up, the same on every device. Shared."""

    def make() -> torch.Tensor:
        # 255,000 times the luma is a whole number: rounding that, no last bit of a sum can decide a tie.
        red, green, blue = to_255(batch).unbind(1)
        scaled = (red * 65481).add_(green, alpha=128553).add_(blue, alpha=24966)
        return scaled.add_(127500).div_(255000).floor_().add_(16).unsqueeze(1)

    return _cached(batch, "rounded luma", make)


def to_gray_255(batch: ImageBatch) -> torch.Tensor:
    """(B, 1, H, W) float64 whole numbers 0..255: 0.299 R + 0.587 G + 0.114 B, rounded as MATLAB's rgb2gray. Shared."""

    def make() -> torch.Tensor:
        # In thousandths every term is a whole number that float32 holds exactly, so a tie is a tie on every device.
        grey = torch.empty((len(batch), 1, *batch.size), dtype=torch.float64, device=batch.pixels.device)
        for (red, green, blue), target in zip(to_uint8(batch), grey, strict=True):  # one image stays in the cache
            thousandths = (red.to(torch.float32) * 299).add_(green, alpha=587).add_(blue, alpha=114)
            target[0] = thousandths.add_(500).div_(1000).floor_()
        return grey

    return _cached(batch, "gray", make)


def to_full_range_luma_255(batch: ImageBatch) -> torch.Tensor:
    """(B, 1, H, W) float64 0.299 R + 0.587 G + 0.114 B of the 8-bit image, 0..255, not rounded: the Y of YIQ. Shared.

    Not the luma of BT.601 as MATLAB scales it (``to_luma_255``, 16..235), though the weights are the same.
    """

    def make() -> torch.Tensor:
        red, green, blue = to_255(batch).unbind(1)
        return (red * 299).add_(green, alpha=587).add_(blue, alpha=114).div_(1000).unsqueeze(1)

    return _cached(batch, "full-range luma", make)


def with_red_and_blue_exchanged(batch: ImageBatch) -> ImageBatch:
    """What a script measures that reads BGR files and takes them for RGB. Made once for each batch."""
    pixels = _cached(batch, "bgr", lambda: batch.pixels.flip(1))
    return ImageBatch(pixels, batch.ids)


_XYZ_FROM_RGB = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_D65 = (0.95047, 1.0, 1.08883)


def to_lab(rgb: torch.Tensor) -> torch.Tensor:
    """(..., 3, H, W) float64 sRGB in [0, 1] to CIE L*a*b* (L 0..100), white D65, 2 degree observer.

    IEC 61966-2-1 undone, the sRGB primaries with six digits, then CIE 15:2004, Eqs. 8.3 to 8.8.
    """
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    red, green, blue = linear.unbind(-3)
    ratios = [(r * red + g * green + b * blue) / w for (r, g, b), w in zip(_XYZ_FROM_RGB, _D65, strict=True)]
    fx, fy, fz = (torch.where(t > 0.008856, t.clamp_min(1e-12) ** (1 / 3), 7.787 * t + 16 / 116) for t in ratios)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], dim=-3)


def quantized(batch: ImageBatch) -> ImageBatch:
    """The same images with 8-bit values, as they would be saved and read again."""
    levels = to_uint8(batch)
    whole = from_levels(levels, batch.ids)
    _views[whole] = {"uint8": levels}
    if batch in _hashes:
        _hashes[whole] = _hashes[batch]
    return whole


def is_quantized(batch: ImageBatch) -> bool:
    """Whether the images hold 8-bit values, as ``quantized`` gives them."""
    return are_equal(to_uint8(batch).to(torch.float32).div_(255), batch.pixels)


def to_rgb_arrays(batch: ImageBatch) -> list[Bytes]:
    """B arrays (H, W, 3) uint8 RGB."""
    return list(to_rgb_stack(batch))


def to_rgb_stack(batch: ImageBatch) -> Bytes:
    """One (B, H, W, 3) uint8 RGB array."""
    import cv2

    planes = to_uint8(batch).cpu().numpy()
    stack = np.empty((len(batch), *batch.size, 3), np.uint8)
    for image, target in zip(planes, stack, strict=True):
        cv2.merge(list(image), dst=target)
    return stack


def to_bgr_arrays(batch: ImageBatch) -> list[Bytes]:
    """B arrays (H, W, 3) uint8 BGR, for OpenCV."""
    return [to_bgr(rgb) for rgb in to_rgb_arrays(batch)]


def to_bgr(rgb: Bytes) -> Bytes:
    """One (H, W, 3) uint8 RGB image as BGR, for what was written against OpenCV's reader."""
    return np.ascontiguousarray(rgb[..., ::-1])


def from_bgr_arrays(bgr: list[Bytes], ids: tuple[str, ...]) -> ImageBatch:
    """B arrays (H, W, 3) uint8 BGR, from OpenCV."""
    if any(image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 for image in bgr):
        raise BadInput(f"expected (H, W, 3) uint8 arrays, not {[image.shape for image in bgr]}")
    pixels = np.empty((len(bgr), 3, *bgr[0].shape[:2]), np.float32)
    for target, image in zip(pixels, bgr, strict=True):
        write_bgr(target, image)
    return ImageBatch(torch.from_numpy(pixels), ids)


def write_bgr(planes: Floats, bgr: Bytes) -> None:
    """Write one (H, W, 3) uint8 BGR image, from OpenCV, into (3, H, W) float32 RGB planes in [0, 1]."""
    import cv2

    # Plane by plane: numpy and torch take several times longer over interleaved channels. Into one block of memory, as
    # the three that OpenCV would ask for take twice the time.
    levels = np.empty(planes.shape, np.uint8)
    for channel, plane in zip(planes[::-1], cv2.split(bgr, list(levels)), strict=True):
        channel[:] = plane
        channel /= np.float32(255)


def to_depth(image: Bytes, depth: np.dtype[Any]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """An 8-bit image of any layout with 8 or 16 bits: 257 v, so that 255 becomes 65535."""
    return image if depth == np.uint8 else image.astype(np.uint16) * np.uint16(257)


def to_bgr_floats(batch: ImageBatch) -> list[Floats]:
    """B arrays (H, W, 3) float32 BGR in [0, 1], for OpenCV where it works on unrounded values."""
    return [bgr_of_planes(planes) for planes in to_planes(batch)]


def to_planes(batch: ImageBatch) -> list[Floats]:
    """B arrays (3, H, W) float32 RGB in [0, 1], which are the batch's own memory where it is on the CPU."""
    return list(batch.pixels.detach().cpu().contiguous().numpy())


def bgr_of_planes(planes: Floats) -> Floats:
    """One (3, H, W) float32 RGB image as (H, W, 3) BGR, for OpenCV."""
    import cv2

    return np.asarray(cv2.merge(list(planes[::-1])))


def from_bgr_floats(bgr: list[Floats], ids: tuple[str, ...]) -> ImageBatch:
    """B arrays (H, W, 3) float32 BGR, from OpenCV, to a batch: clipped to [0, 1], not rounded."""
    rgb = np.stack([image[..., ::-1].transpose(2, 0, 1) for image in bgr])
    return ImageBatch(torch.from_numpy(np.clip(rgb, 0, 1)), ids)


def to_signed(batch: ImageBatch) -> torch.Tensor:
    """(B, 3, H, W) float32 in [-1, 1], as GFP-GAN and most networks want."""
    return signed(batch.pixels)


def signed(pixels: torch.Tensor) -> torch.Tensor:
    """[0, 1] to [-1, 1] as the authors' normalisation computes it: (x - 0.5) / 0.5."""
    return (pixels - 0.5) / 0.5


def from_signed(pixels: torch.Tensor, ids: tuple[str, ...]) -> ImageBatch:
    """[-1, 1] to a batch, clamped, as basicsr's tensor2img does. NaN is refused, not clamped."""
    if not bool(torch.isfinite(pixels).all()):
        raise BadInput(f"the network returned values that are not finite for one of {', '.join(ids)}")
    return ImageBatch(((pixels.to(torch.float32).clamp(-1, 1) + 1) / 2).clamp(0, 1).contiguous(), ids)


def in_range(batch: ImageBatch, wanted: Range) -> torch.Tensor:
    """(B, 3, H, W) float32 in the range that a network takes; a tensor of its own."""
    if wanted == "signed":
        return to_signed(batch)
    return batch.pixels.clone() if wanted == "unit" else batch.pixels * 255


def from_range(pixels: torch.Tensor, has: Range, ids: tuple[str, ...]) -> ImageBatch:
    """What a network gives in a range to a batch, clamped. NaN is refused, not clamped."""
    if has == "signed":
        return from_signed(pixels, ids)
    return from_signed(pixels * 2 - 1 if has == "unit" else pixels / 127.5 - 1, ids)


def to_form(pixels: torch.Tensor, form: Form) -> torch.Tensor:
    """(B, 3, H, W) float32 RGB, range kept, to the layout, colour order and number type of a network's input.

    Whole-number types are rounded to, half to even, and clamped to 0..255.
    """
    ordered = pixels.flip(1) if form.order == "bgr" else pixels
    laid = ordered.permute(0, 2, 3, 1) if form.layout == "nhwc" else ordered
    whole = laid if form.dtype.is_floating_point else laid.round().clamp(0, 255)
    return whole.to(form.dtype).contiguous()


def from_form(answer: torch.Tensor, form: Form, gives: Range) -> torch.Tensor:
    """(B, 3, H, W) or (B, H, W, 3) of any number type, as a network gave it, to (B, 3, H, W) float32 RGB in ``gives``.

    Which of the two layouts it is, its shape says: no image has three rows. uint8 is 0..255 whatever was said.
    """
    planes = answer if answer.shape[1] == 3 else answer.permute(0, 3, 1, 2)
    ordered = (planes.flip(1) if form.order == "bgr" else planes).to(torch.float32).contiguous()
    if answer.dtype != torch.uint8 or gives == "255":
        return ordered
    return ordered / 255 if gives == "unit" else ordered / 127.5 - 1


def resized(batch: ImageBatch, size: tuple[int, int]) -> ImageBatch:
    """To (height, width): areas averaged when both sides shrink, antialiased bicubic otherwise; clamped to [0, 1]."""
    if batch.size == size:
        return batch
    shrinks = size[0] <= batch.size[0] and size[1] <= batch.size[1]
    if shrinks:
        pixels = F.interpolate(batch.pixels, size=size, mode="area")
    else:
        pixels = F.interpolate(batch.pixels, size=size, mode="bicubic", align_corners=False, antialias=True)
    return ImageBatch(pixels.clamp(0, 1), batch.ids)


def select(batch: ImageBatch, indices: list[int]) -> ImageBatch:
    """Some images of a batch, in the order given."""
    return ImageBatch(batch.pixels[indices], tuple(batch.ids[index] for index in indices))


def only(batch: ImageBatch, ids: Sequence[str]) -> ImageBatch:
    """The images of these names, in this order; the batch itself, with its shared views, where that is all of it."""
    return batch if batch.ids == tuple(ids) else select(batch, [batch.ids.index(image_id) for image_id in ids])


def moved(batch: ImageBatch, device: torch.device | str) -> ImageBatch:
    """The same images on another device."""
    return batch if batch.pixels.device == torch.device(device) else ImageBatch(batch.pixels.to(device), batch.ids)


def pixels_sha256(rgb: Bytes) -> str:
    """Hash of an (H, W, 3) uint8 RGB image with its shape: independent of the file format it came in."""
    found = hashlib.sha256(repr(rgb.shape).encode())
    found.update(np.ascontiguousarray(rgb).data)
    return found.hexdigest()


def images_sha256(batch: ImageBatch) -> tuple[str, ...]:
    """``pixels_sha256`` of the 8-bit values of each image. Made once for a batch and what ``quantized`` makes of it."""
    if batch not in _hashes:
        _hashes[batch] = tuple(map(pixels_sha256, to_rgb_stack(batch)))
    return _hashes[batch]


def encode_png(colour: NDArray[np.uint8] | NDArray[np.uint16], alpha: NDArray[Any] | None = None) -> bytes:
    """An (H, W, 3) RGB image of 8 or 16 bits as the bytes of a PNG.

    Args:
        colour: uint8 or uint16, not multiplied by alpha.
        alpha: (H, W) of the same type; 0 is transparent.

    Raises:
        BadInput: where OpenCV cannot encode it.
    """
    import cv2

    pixels = cv2.cvtColor(colour, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".png", pixels if alpha is None else np.dstack([pixels, alpha]))
    if not done:
        raise BadInput(f"could not encode an image of shape {colour.shape} as PNG")
    return encoded.tobytes()


def write_png(path: Path, rgb: Bytes) -> str:
    """Write an (H, W, 3) uint8 RGB image, whole or not at all. Returns the sha256 of the file."""
    # What a killed machine lost can be made again; to wait for the disk at each of thousands would double a run.
    content = encode_png(rgb)
    write_whole(path, content, durable=False)
    return hashlib.sha256(content).hexdigest()
