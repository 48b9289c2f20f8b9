"""What a decoder gives: samples as they lie in a file, its ICC profile, 8-bit RGB and what was done to the values."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from gfpbench.images import Bytes
from gfpbench.types import Json

SRGB_WITHIN_LEVELS = 3
"""A profile that moves no colour by more is sRGB under some name: makers round its curve and primaries differently."""
NAME_AT_MOST = 60
LONGEST_BYTES = 8 * 2**20
"""Profiles of printers take one or two megabytes; a longer one is not looked into."""
_STEPS = 9  # on each axis of the colours that are tried


@dataclass(frozen=True, slots=True)
class Profile:
    """An embedded ICC profile.

    Args:
        name: its own description, one line.
        levels: the most grey levels by which applying it would change a value of 0..255; None where that is unknown
            (not of grey or RGB, or damaged).
    """

    name: str
    levels: int | None

    @property
    def is_srgb(self) -> bool:
        """Whether the values are sRGB already, so that leaving the profile aside changes nothing."""
        return self.levels is not None and self.levels <= SRGB_WITHIN_LEVELS


def describe(profile: bytes) -> Profile:
    """Read a profile with LittleCMS. A damaged one is described as such, never an error: the pixels are sound."""
    return _described(profile) if len(profile) <= LONGEST_BYTES else Profile("too long to be read", None)


@lru_cache(maxsize=16)
def _described(profile: bytes) -> Profile:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = _line(opened.profile.profile_description or ImageCms.getProfileName(opened))
        mode = {"RGB": "RGB", "GRAY": "L"}.get(opened.profile.xcolor_space.strip())
        return Profile(name, None if mode is None else _moved(opened, mode))
    except Exception:  # noqa: BLE001 - LittleCMS given hostile bytes raises anything
        return Profile("unreadable", None)


def _moved(profile: ImageCms.ImageCmsProfile, mode: str) -> int:
    steps = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
    if mode == "L":
        grey = np.arange(256, dtype=np.uint8)[None]
        before = Image.fromarray(grey)
        plain = np.repeat(grey[..., None], 3, axis=2)
    else:
        plain = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, -1, 3)
        before = Image.fromarray(plain)
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
    after = ImageCms.applyTransform(before, transform)
    assert after is not None  # not in place
    return int(np.abs(np.asarray(after).astype(int) - plain).max())


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:NAME_AT_MOST].strip() or "unnamed"


class UndecodableError(Exception):
    """Why a file gives no image; the reader adds the name of the file."""


@dataclass(frozen=True, slots=True)
class Samples:
    """A decoded image before it becomes 8-bit RGB.

    Args:
        values: (H, W) or (H, W, C) uint8, uint16 or float; C = 1, 2 (grey, alpha), 3 or 4 (RGB, alpha).
        orientation: EXIF number 1..8, still to be applied.
        premultiplied: whether colours are already multiplied by alpha.
        format, bits, frames, icc_profile, exif: as in ``gfpbench.decode.Decoded``.
        turned: EXIF number 1..8 that the decoder applied itself.
        converted: what was done already, where another colour model had to become RGB.
    """

    values: NDArray[Any]
    orientation: int = 1
    premultiplied: bool = False
    format: str = ""
    bits: int = 8
    frames: int = 1
    turned: int = 1
    converted: str | None = None
    icc_profile: bytes | None = None
    exif: bytes | None = None

    @property
    def stated_orientation(self) -> int:
        """The EXIF number of the file, 1 where it says none that exists."""
        return next((number for number in (self.orientation, self.turned) if 2 <= number <= 8), 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """Which files are decoded at all; known from a file's length and header, before any pixel is.

    Args:
        minimum_side_px: a smaller image holds no face that could be measured.
        maximum_pixels: width times height.
        maximum_file_bytes: a longer file is not read.
    """

    minimum_side_px: int = 32
    maximum_pixels: int = 25_000_000
    maximum_file_bytes: int = 256 * 2**20


FACE_LIMITS = Limits()
"""A larger image is a photograph or an attack, not a face crop: 25 million pixels take 300 MB as float32."""

KEPT_LIMITS = Limits(minimum_side_px=1, maximum_pixels=100_000_000)
"""Of images that a run kept itself: as small as a face may be drawn and as large as a photo may be pasted."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One decoded image file.

    Args:
        rgb: (H, W, 3) uint8 RGB, upright: what is measured. Do not write to it.
        samples: (H, W, C) uint8, uint16 or float in [0, 1], upright: as stored, before alpha was composited and depth
            reduced. C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha); grey, palettes and CMYK of 8 bits are
            RGB already. May be the same array as ``rgb``.
        format: as Pillow calls it (``PNG``, ``JPEG``, ``MPO``, ``TIFF``, ...).
        bits: of each sample as stored; ``samples`` may hold fewer where ``treatment`` says so.
        sha256: of the whole file.
        treatment: what was done to the stored values, a phrase each, in a fixed order; see
            ``gfpbench.decode.treatment``.
        orientation: EXIF number 1..8, already applied to ``rgb`` and ``samples`` (``exif`` still says it).
        premultiplied: whether the colours in ``samples`` are already multiplied by alpha.
        frames: images in the file, of which this is the first.
        icc_profile: the embedded colour profile, not applied to any of the values.
        exif: the EXIF block as Pillow stores it (``image.save(..., exif=...)`` takes it).
        colour_profile: what ``icc_profile`` is called, and what applying it would change.
    """

    rgb: Bytes
    samples: NDArray[Any]
    format: str
    bits: int
    sha256: str
    treatment: tuple[str, ...] = ()
    orientation: int = 1
    premultiplied: bool = False
    frames: int = 1
    icc_profile: bytes | None = None
    exif: bytes | None = None
    colour_profile: Profile | None = None

    @property
    def alpha(self) -> NDArray[Any] | None:
        """(H, W) in the type of ``samples``: 0 is transparent. None where the file has no alpha."""
        return self.samples[..., -1] if self.samples.shape[2] in (2, 4) else None

    def record(self) -> dict[str, Json]:
        """What a result keeps of it: format, bits, the file's hash, its colour profile and what was done."""
        profile = self.colour_profile
        return {
            "format": self.format,
            "bits": self.bits,
            "sha256": self.sha256,
            "treatment": list(self.treatment),
            **({} if profile is None else {"colour_profile": profile.name, "colour_profile_levels": profile.levels}),
        }
