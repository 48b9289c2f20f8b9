"""What screening has to refuse. Laws take the class and the function, so that broken ones can be given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.training.blobs import blobs
from training.screen import Limits

LIMITS = Limits(angle_degrees=2.0, pixels=5.0)


def embed_by_colour(image: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """A stand-in: mean colours of a grid, about the middle grey; an image of one colour shows no face."""
    if image.std() < 1:
        return None
    cells = image.reshape(4, image.shape[0] // 4, 4, image.shape[1] // 4, 3).mean((1, 3)).astype(np.float64)
    both = np.concatenate([cells + cells[:, ::-1], np.abs(cells - cells[:, ::-1])])  # a mirror image is the same person
    return np.asarray(both.ravel() - 128, np.float64)


def known_and_new(known_of: Any) -> tuple[Any, NDArray[np.uint8], NDArray[np.uint8]]:
    training = blobs(8, side=64)
    return known_of(training, embed_by_colour), training.images[3], blobs(1, side=64, seed=99).images[0]


def a_copy_is_refused(known_of: Any, screened: Any) -> None:
    known, copy, new = known_and_new(known_of)
    kept, (first, second) = screened([(0, copy), (1, new)], known, LIMITS, 2)
    assert not first.kept
    assert first.nearest == "3"
    assert second.kept
    assert [number for number, _ in kept] == [1]


def a_mirrored_copy_is_refused(known_of: Any, screened: Any) -> None:
    known, copy, _ = known_and_new(known_of)
    _, (verdict,) = screened([(0, np.ascontiguousarray(copy[:, ::-1]))], known, LIMITS, 1)
    assert not verdict.kept


def a_copy_with_another_embedding_is_refused_by_its_pixels(known_of: Any, screened: Any) -> None:
    known, copy, _ = known_and_new(known_of)
    _, (verdict,) = screened([(0, copy)], known, Limits(angle_degrees=0.0, pixels=5.0), 1)
    assert not verdict.kept
    assert "grey levels" in verdict.reason


def a_mirrored_copy_is_refused_by_its_pixels(known_of: Any, screened: Any) -> None:
    known, copy, _ = known_and_new(known_of)
    mirrored = np.ascontiguousarray(copy[:, ::-1])
    _, (verdict,) = screened([(0, mirrored)], known, Limits(angle_degrees=0.0, pixels=5.0), 1)
    assert not verdict.kept


def what_is_no_face_is_refused(known_of: Any, screened: Any) -> None:
    known, _, _ = known_and_new(known_of)
    _, (verdict,) = screened([(0, np.full((64, 64, 3), 90, np.uint8))], known, LIMITS, 1)
    assert verdict.reason == "no face is found in it"


def one_face_is_not_kept_twice(known_of: Any, screened: Any) -> None:
    known, _, new = known_and_new(known_of)
    kept, verdicts = screened([(0, new), (1, new.copy())], known, LIMITS, 2)
    assert [number for number, _ in kept] == [0]
    assert verdicts[1].reason == "the same image as sample 0"


def it_ends_when_enough_are_kept(known_of: Any, screened: Any) -> None:
    known, _, _ = known_and_new(known_of)
    new = enumerate(blobs(6, side=64, seed=99).images)
    kept, verdicts = screened(new, known, LIMITS, 2)
    assert len(kept) == 2
    assert len(verdicts) < 6


LAWS = (
    a_copy_is_refused,
    a_mirrored_copy_is_refused,
    a_copy_with_another_embedding_is_refused_by_its_pixels,
    a_mirrored_copy_is_refused_by_its_pixels,
    what_is_no_face_is_refused,
    one_face_is_not_kept_twice,
    it_ends_when_enough_are_kept,
)
