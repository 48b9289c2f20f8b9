"""Embedded ICC profiles: their name, and how far applying them would change the pixel values."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

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
