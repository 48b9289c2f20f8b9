"""Closed forms of moving a latent along directions. Laws take the function, so that broken ones can be given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Move = Callable[..., Any]


def _given() -> tuple[Any, Any, dict[str, Any]]:
    source = np.random.default_rng(0)
    first, second = source.standard_normal((2, 16))
    second += 0.5 * first
    vectors = {"glasses": first / np.linalg.norm(first), "smile": second / np.linalg.norm(second)}
    return source.standard_normal(16), source.standard_normal(16), vectors


def the_place_that_was_asked_for(moved: Move) -> None:
    w, mean, vectors = _given()
    for wanted in ({"glasses": 2.5}, {"glasses": -1.0, "smile": 3.0}):
        found = moved(w, mean, vectors, wanted) - mean
        assert all(np.isclose(found @ vectors[name], place) for name, place in wanted.items())


def other_attributes_keep_their_places(moved: Move) -> None:
    """Directions are not at right angles: a step along one alone would take the other along."""
    w, mean, vectors = _given()
    assert abs(vectors["glasses"] @ vectors["smile"]) > 0.2
    assert np.isclose(moved(w, mean, vectors, {"glasses": 2.5}) @ vectors["smile"], w @ vectors["smile"])


def nothing_else_changes(moved: Move) -> None:
    w, mean, vectors = _given()
    change = moved(w, mean, vectors, {"glasses": 2.5}) - w
    basis = np.linalg.qr(np.stack(list(vectors.values())).T)[0]
    assert np.allclose(change, basis @ (basis.T @ change))
    assert np.allclose(moved(w, mean, vectors, {}), w)


def twice_is_once(moved: Move) -> None:
    w, mean, vectors = _given()
    once = moved(w, mean, vectors, {"smile": -2.0})
    assert np.allclose(moved(once, mean, vectors, {"smile": -2.0}), once)


LAWS = (
    the_place_that_was_asked_for,
    other_attributes_keep_their_places,
    nothing_else_changes,
    twice_is_once,
)
