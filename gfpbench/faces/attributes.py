"""Glasses and a smile of generated faces: directions of w, found from labels, and faces moved along them.

InterFaceGAN (Shen et al. 2020, arXiv:1907.10786): what tells w of faces with an attribute from w of faces without it
is a direction, and along it the attribute comes and goes while most of the face stays. No direction is kept here, only
which of the generator's own faces have the attribute: ``attributes.toml`` says who labelled them and how.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gfpbench.statistics.separation import Separation, separation

LABELS = Path(__file__).parent / "attributes.toml"
RIDGE = 0.01
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Labels:
    """Which of the generator's faces have which attribute.

    Args:
        seed, count, truncation: whose faces: those numbered from 0 of this seed, as they look at this truncation.
        has: for each attribute the numbers of those that have it; the others do not.
        values: for each attribute what can be asked for, and where along its direction that lies, from the mean face,
            in units of w.
        sha256: of the file.
    """

    seed: int
    count: int
    truncation: float
    has: Mapping[str, tuple[int, ...]]
    values: Mapping[str, Mapping[str, float]]
    sha256: str


@lru_cache(maxsize=1)
def labels() -> Labels:
    """Those of the package."""
    text = LABELS.read_bytes()
    held = tomllib.loads(text.decode())
    about = held.pop("faces")
    return Labels(
        about["seed"],
        about["count"],
        about["truncation"],
        {name: tuple(table["has"]) for name, table in held.items()},
        {name: dict(table["values"]) for name, table in held.items()},
        hashlib.sha256(text).hexdigest(),
    )


def directions(w: NDArray[np.float32], labelled: Labels) -> dict[str, Separation]:
    """One for each attribute.

    Args:
        w: (count, D) of the labelled faces, truncated or not: a direction does not depend on it.
    """
    samples, has = w.astype(np.float64), {name: set(numbers) for name, numbers in labelled.has.items()}
    return {
        name: separation(samples, np.array([float(n in numbers) for n in range(len(samples))]), ridge=RIDGE)
        for name, numbers in has.items()
    }


def moved(w: Numbers, mean: Numbers, vectors: Mapping[str, Numbers], wanted: Mapping[str, float]) -> Numbers:
    """(D,) w with the wanted places along some directions, and its own place along every other one.

    Args:
        w, mean: (D,) of a face and of the mean face.
        vectors: (D,) of unit length for every attribute that is known; none may be a mixture of the others.
        wanted: places along them, from the mean face.
    """
    basis = np.stack(list(vectors.values()))
    now = basis @ (w - mean)
    change = np.array([wanted.get(name, place) - place for name, place in zip(vectors, now, strict=True)])
    # The shortest step that changes the places by so much: it lies in the span of the directions.
    return w + basis.T @ np.linalg.solve(basis @ basis.T, change)
