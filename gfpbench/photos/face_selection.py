"""Selects the faces of a photo to restore: all, the largest, the one nearest the centre, or one by number."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from gfpbench.photos.detect import Found
from gfpbench.types import BadInput

ALL, LARGEST, CENTRE = "all", "largest", "centre"


def check_choice(face: str) -> str:
    """``all``, ``largest``, ``centre`` or a number, counted from 0 as ``photos.json`` lists the faces.

    Raises:
        BadInput: for anything else.
    """
    if face in (ALL, LARGEST, CENTRE) or re.fullmatch(r"[0-9]{1,6}", face):
        return face
    raise BadInput(f"which face: {ALL}, {LARGEST}, {CENTRE} or a number counted from 0, not {face!r}")


def chosen(face: str, candidates: Mapping[int, Found], size: tuple[int, int]) -> frozenset[int]:
    """The numbers of the faces that are restored; empty where the face that was asked for is not among them.

    As upstream chooses, after faces that cannot be aligned are left out: get_largest_face and get_center_face of
    xinntao/facexlib@v0.3.0 (facexlib/utils/face_restoration_helper.py). Of two alike, the surer one.

    Args:
        face: as ``check_choice`` takes it.
        candidates: the faces that can be restored, by their numbers, in ascending order.
        size: (height, width) of the photo in pixels; of a box only what lies in the photo counts for ``largest``.
    """
    if face == ALL or not candidates:
        return frozenset(candidates)
    if face not in (LARGEST, CENTRE):
        return frozenset({int(face)} & candidates.keys())
    if face == LARGEST:
        return frozenset({max(candidates, key=lambda number: _area(candidates[number], size))})
    return frozenset({min(candidates, key=lambda number: _from_centre(candidates[number], size))})


def _area(face: Found, size: tuple[int, int]) -> float:
    height, width = size
    left, top, right, bottom = face.box
    across, down = np.clip((left, right), 0, width), np.clip((top, bottom), 0, height)
    return float((across[1] - across[0]) * (down[1] - down[0]))


def _from_centre(face: Found, size: tuple[int, int]) -> float:
    left, top, right, bottom = face.box
    return float(np.hypot((left + right - size[1]) / 2, (top + bottom - size[0]) / 2))
