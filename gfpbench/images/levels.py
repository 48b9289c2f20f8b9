"""The 8-bit values of a batch, from RGB arrays and back; made once for a batch and shared, compared and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, ImageBatch

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
else:
    np, torch = LazyModule("numpy"), LazyModule("torch")

Bytes: TypeAlias = "NDArray[np.uint8]"

# Metrics share one conversion of a batch: each view is made once and dropped together with the batch.
_views: WeakKeyDictionary[ImageBatch, dict[str, torch.Tensor]] = WeakKeyDictionary()
_hashes: WeakKeyDictionary[ImageBatch, tuple[str, ...]] = WeakKeyDictionary()


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


def batch_from_uint8(rgb: Iterable[Bytes], ids: tuple[str, ...]) -> ImageBatch:
    """Several (H, W, 3) uint8 RGB images of one size to a batch. Each is copied before the next is asked for."""
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


def shared_view(batch: ImageBatch, name: str, make: Callable[[], torch.Tensor]) -> torch.Tensor:
    """What ``make`` gives, made once for a batch under this name and dropped with it. Nobody may write to it."""
    views = _views.setdefault(batch, {})
    if name not in views:
        views[name] = make()
    return views[name]


def to_uint8(batch: ImageBatch) -> torch.Tensor:
    """(B, 3, H, W) uint8: 255 x, rounded half to even as OpenCV does. Shared between callers; do not write to it."""
    return shared_view(batch, "uint8", lambda: _levels(batch.pixels.detach()))


def _levels(pixels: torch.Tensor) -> torch.Tensor:
    if pixels.device.type != "cpu":
        return (pixels * 255).round_().to(torch.uint8)
    import cv2

    # The same arithmetic in one pass: the product in float32, rounded half to even.
    table = pixels.numpy().reshape(-1, pixels.shape[-1])
    return torch.from_numpy(cv2.convertScaleAbs(table, alpha=255)).view(pixels.shape)


def to_255(batch: ImageBatch) -> torch.Tensor:
    """(B, 3, H, W) float64 whole numbers 0..255: what every published script measures. Shared; do not write to it."""
    return shared_view(batch, "255", lambda: to_uint8(batch).to(torch.float64))


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
