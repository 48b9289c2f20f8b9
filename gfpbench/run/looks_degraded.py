"""Whether faces that are taken for clean look degraded already: blurred, or compressed by JPEG."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpbench.images import to_gray_255
from gfpbench.run.batches import load_face
from gfpbench.types import Case, FaceSet, ImageBatch, UnreadableFace

LOOKED_AT = 16
"""Faces from the start of a set, each of which costs some milliseconds."""
BLURRED = 0.5
"""Crete's blur, 0 to 1. None of 205 clean portraits at 128 px and of 40 generated faces at 512 px lies above; about
nine in ten of those that ``paper`` degrades do."""
BLOCKY = 1.15
"""Steps at every eighth pixel over those elsewhere. 1 % of the clean portraits lie above, and all of those that
``jpeg@0.5`` compresses. With both, most of 8 clean portraits never look degraded; most of 8 by ``paper`` do in 98 % of
draws at 512 px and in 99.7 % at 128 px."""

_log = logging.getLogger("gfpbench")
_told: set[str] = set()


def warn_once(case: Case, faces: FaceSet, ids: Sequence[str]) -> None:
    """One line where most faces of a case that degrades nothing look degraded, with the option to use instead."""
    if case.faces in _told:
        return
    _told.add(case.faces)
    looked_at = blurred = blocky = degraded = 0
    for face_id in ids[:LOOKED_AT]:
        try:
            face = load_face(faces, face_id)
        except UnreadableFace:
            continue
        levels = to_gray_255(ImageBatch(face.pixels[None].cpu(), (face_id,)))[0, 0].double().numpy()
        found = blur(levels) > BLURRED, blocks(levels) > BLOCKY
        looked_at, blurred, blocky = looked_at + 1, blurred + found[0], blocky + found[1]
        degraded += any(found)
    if degraded * 2 > looked_at:
        _log.warning(
            "faces %r: %d of the first %d look degraded already (%d blurred, %d with JPEG blocks), and with "
            "--degradation %s they are taken for the ground truth: if no clean images are known, use --no-truth",
            *(case.faces, degraded, looked_at, blurred, blocky, case.degradation),
        )


def blur(levels: NDArray[np.float64]) -> float:
    """How little another blur changes an image, 0 (sharp) to 1 (Crete et al. 2007, "The blur effect", SPIE 6492).

    Args:
        levels: (H, W) grey levels 0..255.

    Returns:
        The share of the differences of neighbours that a mean of 9 leaves, of the blurrier direction; 0 for a flat
        image.
    """
    shares = []
    for axis, window in ((0, (1, 9)), (1, (9, 1))):
        steps = np.abs(np.diff(levels, axis=axis))
        left = np.abs(np.diff(cv2.blur(levels, window), axis=axis))
        lost = np.maximum(0, steps - left).sum()
        shares.append(1 - lost / steps.sum() if steps.any() else 0.0)
    return float(max(shares))


def blocks(levels: NDArray[np.float64]) -> float:
    """Mean step across the borders of 8 x 8 blocks over the mean step elsewhere; 1 where there are no blocks.

    Args:
        levels: (H, W) grey levels 0..255, its blocks counted from the upper left corner.
    """
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(levels, axis=axis)).mean(axis=1 - axis)
        border = np.arange(len(steps)) % 8 == 7
        at, elsewhere = (float(steps[places].mean()) if places.any() else 0.0 for places in (border, ~border))
        ratios.append(at / elsewhere if elsewhere > 0 else np.inf if at > 0 else 1.0)
    return float(np.mean(ratios))
