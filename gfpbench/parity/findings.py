"""Names what is wrong with a candidate's outputs on faces: shifted, exchanged colours, blurred, seams, JPEG, ...

Each explanation undoes what it names and counts what is left of the squared difference; one that leaves less than
``LEFT`` of it is told. What several explain is told by the one that leaves least.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gfpbench.images import to_gray_255
from gfpbench.lazy import LazyModule
from gfpbench.parity.frequencies import compressed, filtered
from gfpbench.parity.localised import LEFT, patch, seams, single_values
from gfpbench.parity.record import Finding
from gfpbench.restorers.checked import UNCHANGED_WITHIN_LEVELS
from gfpbench.restorers.degenerate import why_degenerate
from gfpbench.types import ImageBatch

if TYPE_CHECKING:
    import cv2
    import torch
else:
    cv2, torch = LazyModule("cv2"), LazyModule("torch")

Floats = NDArray[np.float64]

LEAST_SHIFT_PX = 0.1
"""What registration cannot tell from none between two different restorations."""
SKEW_LEVELS = 0.5
UNSAFE_SKEW_LEVELS = 2.0
"""Of the mean colour: below half a level nothing is said, from two on a row of faces looks tinted."""
FLAT_APART_LEVELS = 4.0
"""Mean difference from which a constant image is told from a reference's that hardly varies itself."""
VISIBLE_LEVELS = 1.0
"""Mean difference from which a changed range or curve is a fault, and not a property to look at."""
EDGE_PX, STEPS = 3, 12
REGISTERED = 4
"""Images that are registered, the worst first: it is the slow part."""


def flat_outputs(reference: ImageBatch, candidate: ImageBatch) -> list[Finding]:
    """Outputs that are of one colour, nearly empty or saturated where the reference's are not."""
    found = []
    empty = why_degenerate(candidate.pixels, reference.pixels)
    for place, name in enumerate(reference.ids):
        why = _one_colour(reference.pixels[place], candidate.pixels[place]) or empty[place]
        if why is not None:
            found.append((name, why))
    if not found:
        return []
    name, why = found[0]
    why = why.replace("what it was given", "the reference's output").removeprefix("returned ")
    counted = f"{len(found)} of {len(reference)} outputs ({name})" if len(reference) > 1 else f"the output for {name}"
    return [Finding("flat", f"{counted}: {why}", name)]


def _one_colour(reference: torch.Tensor, candidate: torch.Tensor) -> str | None:
    """Of a constant image that is visibly another than the reference's, which itself may hardly vary (at white)."""
    planes, theirs = 255 * candidate.flatten(1), 255 * reference.flatten(1)
    apart = float((planes - theirs).abs().mean())
    if float((planes.amax(1) - planes.amin(1)).max()) > 1 or apart < FLAT_APART_LEVELS:
        return None
    own, other = (", ".join(f"{float(value):.0f}" for value in of.median(1).values) for of in (planes, theirs))
    span = float((theirs.amax(1) - theirs.amin(1)).max())
    how = f"varies by {span:.0f} levels around {other}" if span > 1 else f"is {other}"
    return f"an image of one colour ({own} of 255), the reference's output {how}"


def unchanged(given: ImageBatch, reference: ImageBatch, candidate: ImageBatch) -> list[Finding]:
    """Outputs that are their input as it was, where the reference's are not."""
    told = [
        name
        for place, name in enumerate(given.ids)
        if _levels_apart(candidate.pixels[place], given.pixels[place]) <= UNCHANGED_WITHIN_LEVELS
        and _levels_apart(reference.pixels[place], given.pixels[place]) > UNCHANGED_WITHIN_LEVELS
    ]
    if not told:
        return []
    return [Finding("unchanged", f"{len(told)} of {len(given)} outputs are their input unchanged", told[0])]


def _levels_apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float("inf") if one.shape != other.shape else 255 * float((one - other).abs().max())


def other_images(reference: ImageBatch, candidate: ImageBatch) -> list[Finding]:
    """Outputs that resemble the reference's output of another input far more than that of their own."""
    if len(reference) < 2:
        return []
    theirs, own = (_thumbnails(batch) for batch in (reference, candidate))
    apart = ((own[:, None] - theirs[None]) ** 2).mean(axis=2)
    found = [
        (name, reference.ids[int(apart[place].argmin())])
        for place, name in enumerate(reference.ids)
        if apart[place, place] > 4 and apart[place].min() < apart[place, place] / 4
    ]
    if not found:
        return []
    pairs = ", ".join(f"{name} is that of {other}" for name, other in found[:3])
    return [
        Finding(
            "another image", f"{len(found)} of {len(reference)} outputs belong to another input: {pairs}", found[0][0]
        )
    ]


def _thumbnails(batch: ImageBatch) -> Floats:
    small = torch.nn.functional.adaptive_avg_pool2d(batch.pixels, 8)
    return np.asarray(255 * small.flatten(1).double().numpy())


def explained(reference: ImageBatch, candidate: ImageBatch, worst: Sequence[int]) -> list[Finding]:
    """The one explanation that leaves least of the difference, if it leaves little; colour skew and seams besides.

    Args:
        reference, candidate: outputs on faces that differ beyond the bound.
        worst: their places, worst first.
    """
    one, other = (255 * batch.pixels.double().numpy() for batch in (reference, candidate))
    energy = float(((other - one) ** 2).mean())
    if energy == 0:
        return []
    image = reference.ids[worst[0]]
    told: list[tuple[float, Finding]] = []
    visible = float(np.abs(other - one).mean()) >= VISIBLE_LEVELS
    tries: tuple[Callable[[Floats, Floats], tuple[float, str, str]], ...] = (
        _turned,
        _channels,
        _range,
        _gamma,
        _clipped,
    )
    for explain in tries:
        left, kind, reason = explain(one, other)
        told.append((left / energy, Finding(kind, reason, image, visible or kind in ("channels", "turned"))))
    told += [(left, Finding("shift", reason, image)) for left, reason in _shift(reference, candidate, worst)]
    single, reason = single_values(one, other)
    without = np.where(single[:, None], one, other)
    told.append((float(((without - one) ** 2).mean()) / energy, Finding("single values", reason, image)))
    told += [(left, Finding("patch", reason, image, False)) for left, reason in patch(one, other)]
    left, reason, wide = filtered(one, other)
    told.append((left / energy, Finding("detail", reason, image, visible and wide)))
    left, best = min(told, key=lambda pair: pair[0])  # the first of those that leave equally little
    found = [best] if left <= LEFT else []
    if not found:
        found += _skew(one, other, image)
    return found + seams(one, without, image) + compressed(one, other, image, visible)


def _turned(one: Floats, other: Floats) -> tuple[float, str, str]:
    found = [(_left_by(one[..., ::-1], other), "mirrored"), (_left_by(one[..., ::-1, :], other), "upside down")]
    if one.shape[2] == one.shape[3]:
        found += [
            (_left_by(np.rot90(one, quarter, (2, 3)), other), f"turned by {90 * quarter} degrees")
            for quarter in (1, 2, 3)
        ]
    left, how = min(found)
    return left, "turned", f"the images are {how}"


def _left_by(made: Floats, other: Floats) -> float:
    return float(((other - made) ** 2).mean())


def _channels(one: Floats, other: Floats) -> tuple[float, str, str]:
    orders = [order for order in itertools.permutations(range(3)) if order != (0, 1, 2)]
    left, order = min((float(((other - one[:, list(order)]) ** 2).mean()), order) for order in orders)
    return left, "channels", f"colour channels exchanged: RGB is now {''.join('RGB'[place] for place in order)}"


def _range(one: Floats, other: Floats) -> tuple[float, str, str]:
    design = np.stack([one.ravel(), np.ones(one.size)], axis=1)
    (slope, offset), *_ = np.linalg.lstsq(design, other.ravel(), rcond=None)
    left = float(((other - slope * one - offset) ** 2).mean())
    return left, "range", f"contrast x {slope:.3g}, brightness {offset:+.1f} levels: values in another range"


def _gamma(one: Floats, other: Floats) -> tuple[float, str, str]:
    inner = (one > 8) & (one < 247) & (other > 1) & (other < 254)
    if inner.sum() < 100:
        return np.inf, "gamma", ""
    logs = np.log(one[inner] / 255), np.log(other[inner] / 255)
    power = float((logs[0] * logs[1]).sum() / max(float((logs[0] ** 2).sum()), 1e-9))
    left = float(((other - 255 * (one / 255) ** power) ** 2).mean())
    return left, "gamma", f"brightness curve: values to the power of {power:.3g}"


def _clipped(one: Floats, other: Floats) -> tuple[float, str, str]:
    low, high = float(other.min()), float(other.max())
    if low <= one.min() + 1 and high >= one.max() - 1:
        return np.inf, "clipped", ""
    left = float(((other - one.clip(low, high)) ** 2).mean())
    return (
        left,
        "clipped",
        f"values are cut to {low:.0f}..{high:.0f} levels, the reference's span {one.min():.0f}..{one.max():.0f}",
    )


def _shift(reference: ImageBatch, candidate: ImageBatch, worst: Sequence[int]) -> list[tuple[float, str]]:
    """Registration of some images: by a shift, and by an affine movement where that leaves less than half as much."""
    pairs = [(_gray(reference, place), _gray(candidate, place)) for place in worst[:REGISTERED]]
    left, corners = np.inf, np.zeros((4, 2))
    for affine in (False, True):
        found = [_registered(one, other, affine) for one, other in pairs]
        # One image alone may be too smooth to tell; what most share is the movement.
        leaves = float(np.median([one for one, _ in found]))
        if leaves < left / 2:
            left, corners = leaves, np.median([moved for _, moved in found], axis=0)
    most = float(np.hypot(*corners.T).max())
    if most < LEAST_SHIFT_PX:
        return []
    right, down = corners.mean(axis=0)
    if np.hypot(right, down) > most / 2:
        return [(left, f"moved by {right:+.2f} px to the right and {down:+.2f} px down")]
    return [(left, f"resized or turned: corners moved by up to {most:.2f} px")]


def _registered(one: NDArray[np.float32], other: NDArray[np.float32], affine: bool) -> tuple[float, Floats]:
    """Share of the squared difference that is left when the movement is undone, and how far the four corners moved.

    Least squares over the slopes of both images, again and again (Lucas and Kanade 1981, IJCAI, 674-679): exact to a
    hundredth of a pixel for movements of a few pixels, where OpenCV's ECC stops early on images as smooth as these.
    """
    height, width = one.shape
    rows, columns = np.mgrid[:height, :width] - np.array([height, width]).reshape(2, 1, 1) / 2
    matrix, inner = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), (slice(EDGE_PX, -EDGE_PX), slice(EDGE_PX, -EDGE_PX))
    now: NDArray[Any] = other
    for _ in range(STEPS):
        down, right = np.gradient((one.astype(np.float64) + now) / 2)
        slopes = [right, down, *((right * columns, right * rows, down * columns, down * rows) if affine else ())]
        design = np.stack([slope[inner].ravel() for slope in slopes], axis=1)
        by, *_ = np.linalg.lstsq(design, (one - now)[inner].ravel().astype(np.float64), rcond=None)
        turn = by[2:].reshape(2, 2) if affine else np.zeros((2, 2))
        matrix += np.column_stack([turn, by[:2] - turn @ [width / 2, height / 2]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        now = cv2.warpAffine(other, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        if np.abs(by[:2]).max() < LEAST_SHIFT_PX / 1000:
            break
    before = float(((other - one)[inner] ** 2).mean())
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], dtype=np.float64)
    return float(((now - one)[inner] ** 2).mean()) / max(before, 1e-12), corners @ matrix.T - corners[:, :2]


def _gray(batch: ImageBatch, place: int) -> NDArray[np.float32]:
    one = ImageBatch(batch.pixels[place : place + 1], batch.ids[place : place + 1])
    return np.ascontiguousarray(to_gray_255(one)[0, 0].float().numpy())


def _skew(one: Floats, other: Floats, image: str) -> list[Finding]:
    """A tint that all faces share: means of the channels that moved apart by more than their scatter."""
    means = (other - one).mean(axis=(2, 3))
    tint = means - means.mean(axis=1, keepdims=True)
    average, scatter = tint.mean(axis=0), tint.std(axis=0) / np.sqrt(len(tint))
    if not (np.abs(average) > np.maximum(SKEW_LEVELS, 3 * scatter)).any():
        return []
    said = ", ".join(f"{name} {value:+.2f}" for name, value in zip("RGB", means.mean(axis=0), strict=True))
    unsafe = bool(np.abs(average).max() >= UNSAFE_SKEW_LEVELS)
    return [Finding("colour", f"colour skew in all faces: mean {said} levels", image, unsafe)]
