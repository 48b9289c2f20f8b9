"""Attributes of generated faces: directions out of labels, latents moved along them, and the option of the set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench import assets, faces
from gfpbench.faces import random_face
from gfpbench.faces.attributes import Labels, directions, labels, moved
from gfpbench.types import BadInput
from tests.packaged import fetched
from tests.unit.faces.laws_attributes import LAWS, Move


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_moving_along_directions(law: Callable[[Move], None]) -> None:
    law(moved)


def test_the_shipped_labels_can_be_learnt_from() -> None:
    known = labels()
    assert set(known.has) == set(known.values) >= {"glasses", "smile"}
    for name, numbers in known.has.items():
        assert 20 <= len(numbers) == len(set(numbers))
        assert 0 <= min(numbers) <= max(numbers) < known.count
        assert list(known.values[name].values()) == sorted(known.values[name].values(), reverse=True)


def test_a_direction_is_found_from_labels() -> None:
    """Of 16 numbers the second makes the attribute, whatever the truncation: what is found points along it."""
    w = np.random.default_rng(0).standard_normal((200, 16)).astype(np.float32)
    known = Labels(0, 200, 1.0, {"hat": tuple(np.flatnonzero(w[:, 1] > 0.8))}, {"hat": {"yes": 2.0}}, "")
    for truncation in (1.0, 0.5):
        (found,) = directions(truncation * w + 3, known).values()
        assert found.vector[1] > 0.9
        assert np.isclose(np.linalg.norm(found.vector), 1)
        assert found.accuracy_low > found.chance
        assert found.auc > 0.95


class Marked:
    """Stands for the generator: the second of 16 numbers is the brightness of the left half, the rest is the right."""

    def __init__(self) -> None:
        self.mean = np.full((1, 16), 0.5, np.float32)

    def w(self, seed: int, number: int) -> Any:
        return np.random.default_rng([seed, number]).standard_normal((1, 16)).astype(np.float32)

    def image(self, w: Any) -> Any:
        image = np.zeros((1024, 1024, 3), np.uint8)
        image[:, :512] = round(float(np.clip(128 + 40 * w[0, 1], 0, 255)))
        image[:, 512:] = round(float(np.clip(128 + 40 * w[0, 2], 0, 255)))
        return image


@pytest.fixture
def generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Marked:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(assets, "path", lambda name, needed_by=None: tmp_path)
    made = Marked()
    bright = tuple(number for number in range(160) if made.w(1, number)[0, 1] > 0.7)
    known = Labels(1, 160, 0.8, {"glasses": bright}, {"glasses": {"yes": 2.0, "no": -2.0}}, "of these")
    monkeypatch.setattr(random_face, "_generator", lambda path: made)
    monkeypatch.setattr(random_face, "labels", lambda: known)
    return made


def halves(spec: str) -> Any:
    """(faces, 2): brightness of the left half and of the right one."""
    opened = faces.load(spec, size_px=32)
    found = [opened.load(name).pixels[0] * 255 for name in opened.ids()]
    return np.array([[float(image[:, :14].mean()), float(image[:, 18:].mean())] for image in found])


def test_the_attribute_moves_and_the_rest_stays(generator: Marked) -> None:
    plain, without, all_ = (halves(f"random-face?count=4{more}") for more in ("", "&glasses=no", "&glasses=yes"))
    assert np.ptp(plain[:, 0]) > 20
    assert np.abs(without[:, 0] - (128 + 40 * (0.5 - 2))).max() < 12
    assert np.abs(all_[:, 0] - (128 + 40 * (0.5 + 2))).max() < 12
    for moved_ in (without, all_):
        assert np.abs(moved_[:, 1] - plain[:, 1]).max() < 20


def test_they_are_kept_apart_and_named(generator: Marked) -> None:
    plain, without = faces.load("random-face?count=1"), faces.load("random-face?count=1&glasses=no")
    assert plain.load("face-00000").sha256 != without.load("face-00000").sha256
    assert plain.load("face-00000").sha256 == faces.load("random-face?count=1").load("face-00000").sha256
    assert dict(without.load("face-00000").attributes) == {"generated": True, "glasses": "no"}
    assert dict(plain.load("face-00000").attributes) == {"generated": True}
    source = dict(without.source())
    assert source.pop("attributes") == {"glasses": "no"}
    assert source.pop("attribute_labels_sha256") == "of these"
    assert source == plain.source()
    json.dumps(without.source())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("glasses=maybe", "glasses is yes or no, not 'maybe'"),
        ("glasses=no&glasses=yes", "'glasses' is given twice"),
        ("hat=yes", "'hat' is no option; there are count, truncation, seed, glasses"),
    ],
)
def test_other_values_are_one_line(generator: Marked, options: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        faces.load(f"random-face?{options}")


def test_the_shipped_labels_tell_faces_that_were_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the generator itself: a face with it lies further along than one without, of those held out too."""
    pytest.importorskip("openvino", reason="runs the generator")
    fetched(monkeypatch, "random-face")
    generator = random_face._Generator(assets.path("random-face", "this test"))
    for name, found in random_face._directions(generator).items():
        assert found.auc > 0.75, name
