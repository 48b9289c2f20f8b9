"""Restorations that look like their inputs mirrored, turned or with channels exchanged, or like other inputs.

A first run has no baseline that would tell, and its figures are merely low: a network that was given BGR, outputs that
are one file off. The thumbnails of input and output, 8 x 8 cells, show it, whatever was restored within a cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gfpbench.statistics import Floats
from gfpbench.types import Result, Row

LOOKED_AT = 64
"""Images from the start of a Result: what is wrong so is wrong everywhere, and each is compared with every other."""
FAR = 25.0
"""Squared grey levels between the thumbnails of an input and its output, in the mean, below which nothing is said:
some restorers keep within 4, and a mirrored face lies hundreds away."""
SPREAD = 50.0
"""Grey levels to which the spread of a thumbnail is set: an output is brighter than a dark input, and others may be as
bright as it is."""
FLAT = 8.0
"""A spread of no more is not enlarged further: it is noise."""
EXPLAINED = 0.7
"""Share of it that an explanation takes away: no half of a face is its other half so well."""
NOT_RESTORED = ("input", "truth")
_LIGHT, _LIGHT_AND_COLOUR = (1, 2, 3), (1, 2)
"""Axes of thumbnails (n, 8, 8, 3): over all of an image, and over each of its channels."""


def misplaced(result: Result) -> tuple[str, tuple[str, ...]]:
    """In words what most outputs look like, and the names of those that do; empty where they look like their inputs.

    At least two images have to, and half of those looked at. Nothing is decided by it: it is a reason to look.
    """
    rows = [row for row in result.rows if {"degraded", "restored"} <= row.fingerprint.keys()][:LOOKED_AT]
    if len(rows) < 2 or result.case.restorer in NOT_RESTORED:
        return "", ()
    outputs, inputs = _thumbnails(rows, "restored"), _thumbnails(rows, "degraded")
    lit = _set_aside(outputs, _LIGHT), _set_aside(inputs, _LIGHT)
    if not (_apart(*lit) > FAR).any():  # as of most restorers
        return "", ()
    from gfpbench.baselines.diagnosis import rearranged

    grey = _set_aside(outputs, _LIGHT_AND_COLOUR), _set_aside(inputs, _LIGHT_AND_COLOUR)
    found = {}
    for said, moved in rearranged(inputs).items():
        explained = _explained(*lit, _set_aside(moved, _LIGHT))
        if "channels" in said:  # what takes a blue cast away makes red of blue, and leaves each channel's own pattern
            explained &= _explained(*grey, _set_aside(moved, _LIGHT_AND_COLOUR))
        found[f"outputs look like their inputs, {said.partition(': ')[2]},"] = explained
    # Without colours, too: a restorer that takes a cast away makes an image like those that have none.
    found["outputs look like inputs other than their own,"] = _explained(*grey, _nearest_others(*grey))
    said = max(found, key=lambda one: int(found[one].sum()))
    names = tuple(row.id for row, is_so in zip(rows, found[said], strict=True) if is_so)
    return (said, names) if len(names) >= max(2, len(rows) / 2) else ("", ())


def _thumbnails(rows: Sequence[Row], kind: str) -> Floats:
    """(n, 8, 8, 3) grey levels of the images of one kind, out of their fingerprints."""
    pixels = bytes.fromhex("".join(row.fingerprint[kind]["thumbnail_rgb"] for row in rows))
    return np.frombuffer(pixels, np.uint8).astype(np.float64).reshape(len(rows), 8, 8, 3)


def _explained(outputs: Floats, inputs: Floats, others: Floats) -> NDArray[np.bool_]:
    """(n,) whether an output is far from its input, and near to what it is compared with in place of it."""
    apart = _apart(outputs, inputs)
    return (apart > FAR) & (_apart(outputs, others) < (1 - EXPLAINED) * apart)


def _apart(one: Floats, other: Floats) -> Floats:
    """(n,) mean squared differences of (n, 8, 8, 3)."""
    return np.asarray(((one - other) ** 2).mean(axis=(1, 2, 3)))


def _set_aside(thumbnails: Floats, over: tuple[int, ...]) -> Floats:
    """The same (n, 8, 8, 3) without their means and spreads over some axes: without light, or light and colour."""
    without = thumbnails - thumbnails.mean(axis=over, keepdims=True)
    spread = np.sqrt((without**2).mean(axis=over, keepdims=True))
    return np.asarray(without * (SPREAD / np.maximum(spread, FLAT)))


def _nearest_others(outputs: Floats, inputs: Floats) -> Floats:
    """(n, 8, 8, 3): for each output that input, of all but its own, which is nearest to it."""
    every = np.stack([_apart(one, inputs) for one in outputs])
    np.fill_diagonal(every, np.inf)
    return np.asarray(inputs[every.argmin(axis=1)])
