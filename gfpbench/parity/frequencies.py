"""Names differences by their spatial frequencies: a filter that took detail away or exaggerated it, and JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gfpbench.lazy import LazyModule
from gfpbench.parity.record import Finding

if TYPE_CHECKING:
    from scipy import fft
else:
    fft = LazyModule("scipy.fft")

Floats = NDArray[np.float64]

BANDS = 16
"""Of each axis, from flat to one change a pixel; a filter has one gain in each pair of them."""
HALF_POWER = 0.5
"""The -3 dB by which the edge of a filter's band is defined: a band that lost half of its power, or has twice it."""
ROUNDING = 1 / 12
"""Power of the rounding to whole levels in every coefficient; a band with less shows nothing."""
LEAST_COEFFICIENTS = 200
MISSES = 0.25
"""Of the share of coefficients that lie off the steps of a JPEG table in the reference, what JPEG leaves at most."""
QUALITIES = range(5, 97)
"""Above it nearly every step is 1, which is what whole levels have anyway."""
LUMINANCE = np.array(
    (
        (16, 11, 10, 16, 24, 40, 51, 61),
        (12, 12, 14, 19, 26, 58, 60, 55),
        (14, 13, 16, 24, 40, 57, 69, 56),
        (14, 17, 22, 29, 51, 87, 80, 62),
        (18, 22, 37, 56, 68, 109, 103, 77),
        (24, 35, 55, 64, 81, 104, 113, 92),
        (49, 64, 78, 87, 103, 121, 120, 101),
        (72, 92, 95, 98, 112, 100, 103, 99),
    )
)
"""The steps of quality 50: ITU-T T.81, table K.1, which libjpeg scales to other qualities."""


def filtered(one: Floats, other: Floats) -> tuple[float, str, bool]:
    """The symmetric filter that makes the candidate's outputs from the reference's, as far as one does.

    A symmetric filter over an image mirrored at its edges multiplies each coefficient of its DCT (Martucci 1994, IEEE
    Trans. Signal Processing 42(5), 1038-1051). Its gains are fitted in ``BANDS`` x ``BANDS`` bands.

    Args:
        one, other: outputs of reference and candidate, (N, 3, H, W) levels.

    Returns:
        the mean squared difference that the filter leaves; the reason; whether a band that shows anything has lost
        half of its power or has twice as much.
    """
    before, after = (fft.dctn(images, axes=(2, 3), norm="ortho") for images in (one, other))
    rows, columns = (np.arange(size) * BANDS // size for size in one.shape[2:])
    band = (rows[:, None] * BANDS + columns).ravel()
    power, common = (np.bincount(band, (before * by).sum(axis=(0, 1)).ravel(), BANDS**2) for by in (before, after))
    gains = np.divide(common, power, out=np.ones_like(power), where=power > 0)
    left = float(((after - gains[band].reshape(one.shape[2:]) * before) ** 2).mean())
    ring = np.maximum(*np.divmod(np.arange(BANDS**2), BANDS))
    count = np.bincount(ring[band], minlength=BANDS) * one.shape[0] * one.shape[1]
    shown = np.bincount(ring, power, BANDS)
    kept = np.bincount(ring, power * gains**2, BANDS) / np.maximum(shown, 1e-12)
    visible = shown > ROUNDING * count
    visible[0] = False  # brightness and contrast, which have their own names
    if not visible.any():
        return np.inf, "", False
    most = int(np.where(visible, np.abs(np.log(np.maximum(kept, 1e-9))), 0).argmax())
    lost = bool(kept[most] < 1)
    wide = visible & (kept < HALF_POWER if lost else kept > 1 / HALF_POWER)
    begin = int(wide.argmax()) if wide.any() else most
    what, how = ("lost", "down to") if lost else ("exaggerated", "up to")
    reason = (
        f"detail is {what}: from {begin / BANDS:.2f} of the finest frequency on, {how} {max(kept[most], 1e-4):.2g} "
        "times the power of the reference's outputs"
    )
    return left, reason, bool(wide.any())


def compressed(one: Floats, other: Floats, image: str, unsafe: bool) -> list[Finding]:
    """Outputs that went through JPEG where the reference's did not: coefficients lie on the steps of a table.

    Args:
        one, other: outputs of reference and candidate, (N, 3, H, W) levels.
        image: that shows it best.
        unsafe: whether it decides the verdict.
    """
    before, after = (_blocks(images) for images in (one, other))
    best = (MISSES, 0)
    for quality in QUALITIES:
        scale = 5000 / quality if quality < 50 else 200 - 2 * quality
        steps = np.clip(np.floor((LUMINANCE * scale + 50) / 100), 1, 255)
        now = _misses(after, steps)
        if now is None or now > MISSES:
            continue
        earlier = _misses(before, steps)
        if earlier and now / earlier < best[0]:
            best = now / earlier, quality
    if not best[1]:
        return []
    reason = f"JPEG compression of quality {best[1]} or near it: blocks of 8 px hold steps of its table"
    return [Finding("compression", reason, image, unsafe)]


def _blocks(images: Floats) -> Floats:
    """(M, 8, 8) DCT of the luma of every block of 8 x 8 px."""
    luma = np.tensordot(images, np.array([0.299, 0.587, 0.114]), (1, 0)) - 128
    count, height, width = luma.shape[0], luma.shape[1] // 8, luma.shape[2] // 8
    cut = luma[:, : 8 * height, : 8 * width].reshape(count, height, 8, width, 8).swapaxes(2, 3)
    return np.asarray(fft.dctn(cut.reshape(-1, 8, 8), axes=(1, 2), norm="ortho"))


def _misses(blocks: Floats, steps: Floats) -> float | None:
    """Share of the coefficients that lie nearer to the middle between two steps than to a step: half of them by
    chance. Only those are asked that are no zero, at steps that 8-bit values do not blur; None of too few."""
    told = [
        of[np.abs(of) > 0.75 * step] / step
        for of, step in zip(blocks.reshape(-1, 64).T[1:], steps.ravel()[1:], strict=True)
        if step >= 2
    ]
    inside = np.concatenate([np.zeros(0), *told])
    return None if len(inside) < LEAST_COEFFICIENTS else float((np.abs(inside - inside.round()) > 0.25).mean())
