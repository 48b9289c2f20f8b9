"""Change diagnosis: suggests the likely kind of change from image fingerprints. It never decides a verdict."""

from __future__ import annotations

import itertools

import numpy as np

from gfpbench.baselines.image_statistics import ImageStatistics
from gfpbench.statistics import Floats

_EXPLAINED = 0.7
"""Share of the squared difference that an explanation has to account for before it is given."""
_ROUNDING = 1 / 6
"""Variance of the difference of two numbers that were both rounded to whole grey levels."""


def likely_change(before: ImageStatistics, now: ImageStatistics, side_px: int) -> str:
    """One line about what happened to the restored images, or empty where it looks like nothing.

    Args:
        before, now: fingerprints of the same images.
        side_px: of the images, to give a shift in pixels.
    """
    old, new = before.thumbnails(), now.thumbnails()
    energy = _energy(new - old)
    owner = {sha256: place for place, sha256 in enumerate(before.sha256)}
    exchanged = sum(owner.get(sha256, place) != place for place, sha256 in enumerate(now.sha256))
    if exchanged and exchanged * 2 >= len(now.sha256):
        return f"pairing: {exchanged} images are those of another image in the baseline"
    if len(new) > 2 and new.std(axis=0).mean() < 0.2 * old.std(axis=0).mean():
        return "identity: every image gives nearly the same image"
    if energy > 0.5:  # less is rounding
        left, said = min((_energy(new - moved), said) for said, moved in rearranged(old).items())
        if left < (1 - _EXPLAINED) * energy:
            return said
        colour, left = _colour(old, new)
        if left < (1 - _EXPLAINED) * energy:
            return colour
    shift = _shift(old, new, side_px)
    if shift:
        return shift
    return _texture(before, now, energy)


def _energy(difference: Floats) -> float:
    return max(0.0, float((difference * difference).mean()) - _ROUNDING)


def rearranged(old: Floats) -> dict[str, Floats]:
    """Thumbnails (n, 8, 8, 3) moved in each way that loses nothing: turned, with channels exchanged, inverted."""
    names = "RGB"
    found = {"geometry: mirrored left to right": old[:, :, ::-1], "geometry: upside down": old[:, ::-1]}
    found["geometry: rows and columns exchanged"] = old.transpose(0, 2, 1, 3)
    for order in itertools.permutations(range(3)):
        if order != (0, 1, 2):
            said = "".join(names[channel] for channel in order)
            found[f"colour: channels exchanged, RGB is now {said}"] = old[..., list(order)]
    found["colour: inverted"] = 255 - old
    return found


def _colour(old: Floats, new: Floats) -> tuple[str, float]:
    """One curve for each channel that turns the old thumbnails into the new: a parabola, so that gamma fits too."""
    fitted, said = np.empty_like(new), []
    for channel, name in enumerate("RGB"):
        x, y = old[..., channel].ravel() / 255, new[..., channel].ravel()
        design = np.stack([np.ones_like(x), x, x * x], axis=1)
        answer, *_ = np.linalg.lstsq(design, y, rcond=None)
        fitted[..., channel] = (design @ answer).reshape(new.shape[:-1])
        said.append(f"{name} {(y - 255 * x).mean():+.1f}")
    return f"colour: brightness or contrast, mean {', '.join(said)} grey levels", _energy(new - fitted)


def _shift(old: Floats, new: Floats, side_px: int) -> str:
    """Least squares for one shift of all images: a difference that is a multiple of the slope is a movement."""
    grey_old, grey_new = old.mean(axis=3), new.mean(axis=3)
    slope_y, slope_x = np.gradient(grey_old, axis=(1, 2))
    inner = (slice(None), slice(1, -1), slice(1, -1))
    change = (grey_new - grey_old)[inner].ravel()
    design = np.stack([slope_x[inner].ravel(), slope_y[inner].ravel()], axis=1)
    answer, *_ = np.linalg.lstsq(design, change, rcond=None)
    total = max(0.0, float((change**2).mean()) - _ROUNDING / 3)
    left = max(0.0, float(((change - design @ answer) ** 2).mean()) - _ROUNDING / 3)
    cell_px = side_px / old.shape[1]
    right, down = (-float(part) * cell_px for part in answer)  # content that moves right takes the value from its left
    # Half is enough: the slope between two cells of a thumbnail is a coarse guess of the slopes within them.
    if total < 0.05 or left > 0.5 * total or np.hypot(right, down) < 0.1:
        return ""
    return f"geometry: moved by about {right:+.1f} px to the right and {down:+.1f} px down"


def _texture(before: ImageStatistics, now: ImageStatistics, energy: float) -> str:
    sharpness = _ratio(before, now, "sharpness_levels")
    noise = _ratio(before, now, "noise_levels")
    if noise > 1.03 and noise > sharpness:
        return f"noise: {noise - 1:+.0%} fine noise"
    if sharpness < 0.97:
        return f"blur: {sharpness - 1:+.0%} sharpness"
    if sharpness > 1.03:
        return f"sharpness: {sharpness - 1:+.0%}"
    if energy > 4:
        return "identity: the content changed, not its colour, place or sharpness"
    highest = float((now.values["highest_levels"] - before.values["highest_levels"]).min())
    lowest = float((now.values["lowest_levels"] - before.values["lowest_levels"]).max())
    if highest < -2 or lowest > 2:
        return f"colour: range cut, brightest value {min(highest, 0):+.0f}, darkest {max(lowest, 0):+.0f} grey levels"
    return _tint(before, now) or "detail: small changes that keep colour, place and sharpness"


def _tint(before: ImageStatistics, now: ImageStatistics) -> str:
    """A shift of a channel's mean, or a factor of its spread, that is alike in all images."""
    shift = now.values["mean_levels"] - before.values["mean_levels"]
    if (np.abs(shift.mean(axis=0)) > np.maximum(0.2, 2 * shift.std(axis=0))).any():
        said = ", ".join(f"{name} {value:+.2f}" for name, value in zip("RGB", shift.mean(axis=0), strict=True))
        return f"colour: mean {said} grey levels"
    factor = now.values["std_levels"].mean(axis=1) / np.maximum(before.values["std_levels"].mean(axis=1), 1e-9) - 1
    if abs(factor.mean()) > max(0.003, 2 * float(factor.std())):
        return f"colour: contrast {factor.mean():+.1%}"
    return ""


def _ratio(before: ImageStatistics, now: ImageStatistics, feature: str) -> float:
    return float(now.values[feature].sum() / max(before.values[feature].sum(), 1e-9))
