"""Per-sample counter-based RNG: a draw depends on seed, image id and step only, not on order or batch."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def key(seed: int, face_id: str, step: str) -> str:
    """128 bits as 32 hexadecimal digits, from SHA-256 of the three; kept in records so that a draw can be repeated."""
    # JSON quotes its strings, so that ("a", "bc") and ("ab", "c") can never share a key.
    return hashlib.sha256(json.dumps([seed, face_id, step]).encode()).hexdigest()[:32]


def generator(hexadecimal_key: str) -> np.random.Generator:
    """A fresh Philox generator for a key. The global generators of numpy, torch and random are never touched."""
    return np.random.Generator(np.random.Philox(key=int(hexadecimal_key, 16)))


def step_generator(seed: int, face_id: str, step: str) -> np.random.Generator:
    """The generator that draws one step of one image."""
    return generator(key(seed, face_id, step))


def uniform(source: np.random.Generator, bounds: tuple[float, float]) -> float:
    """One float from [low, high); equal bounds give that value."""
    return float(source.uniform(*bounds))
