"""The decoder's result: 8-bit RGB pixels, the file's metadata, and the conversions that were applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from gfpbench.decode.colour_profile import Profile
from gfpbench.images import Bytes
from gfpbench.types import Json


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
