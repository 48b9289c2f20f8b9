"""Images as OpenCV has them: BGR arrays of 8 bits or floats, planes, and PNG files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from gfpbench.disk import write_whole
from gfpbench.images.levels import Bytes, to_rgb_arrays
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, ImageBatch

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
else:
    np, torch = LazyModule("numpy"), LazyModule("torch")

Floats: TypeAlias = "NDArray[np.float32]"


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
