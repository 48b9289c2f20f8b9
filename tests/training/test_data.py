"""Batches are made from their keys alone, by gfpbench's own degradation, and say how each face was moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gfpbench import degrade
from gfpbench.degrade.chain import Chain
from gfpbench.images import from_signed, write_png
from gfpbench.types import BadInput
from tests.training.blobs import blobs
from training.data import LIGHT, Faces, Mixture, Steps, read_faces

MIXED = {"paper": 0.8, "light": 0.15, "none": 0.05}


def steps(seed: int = 0, augment: bool = True, count: int = 10) -> Steps:
    return Steps(blobs(count), 4, seed, augment, Mixture(MIXED))


def test_a_step_depends_on_its_number_and_the_seed_alone() -> None:
    one, other = steps(), steps()
    expected = one[3]
    for number in (0, 7, 3):
        again = other[number]
    other[3]
    again = other[3]
    assert torch.equal(expected.truth, again.truth)
    assert torch.equal(expected.degraded, again.degraded)
    assert not torch.equal(expected.truth, one[4].truth)
    assert not torch.equal(expected.truth, steps(seed=1)[3].truth)


def test_every_face_comes_before_any_comes_again() -> None:
    made = steps()
    seen = np.concatenate([made[number].index for number in range(5)])
    assert sorted(seen[:10].tolist()) == sorted(seen[10:].tolist()) == list(range(10))
    assert seen[:10].tolist() != seen[10:].tolist()


def test_pairs_are_degraded_as_gfpbench_degrades() -> None:
    """What a step holds is what the named degradation makes of the same face, to the byte."""
    mixture = Mixture({"paper": 1.0})
    pairs = Steps(blobs(10), 4, 0, False, mixture)[2]
    names = tuple(f"step 2 slot {slot}" for slot in range(4))
    paper = degrade.load("paper")
    assert isinstance(paper, Chain)
    truth = from_signed(pairs.truth, names)
    expected = paper.using("fast").apply(truth, [paper.draw(name, 0, truth.size) for name in names])
    assert torch.allclose(from_signed(pairs.degraded, names).pixels, expected.pixels, atol=1e-6)


def test_shares_are_kept() -> None:
    mixture = Mixture(MIXED)
    drawn = [mixture.chosen(f"face {number}", 0) for number in range(2000)]
    assert {name: drawn.count(name) / 2000 for name in MIXED} == pytest.approx(MIXED, abs=0.03)
    assert mixture.describe()["light"]["share"] == pytest.approx(0.15)
    with pytest.raises(BadInput, match="did you mean 'paper'"):
        Mixture({"papre": 1.0})


def test_light_lies_inside_the_papers_ranges() -> None:
    paper = degrade.load("paper").describe()
    light = LIGHT.describe()
    for step, key in (
        ("blur", "sigma_px_at_512"),
        ("downsample", "ratio"),
        ("noise", "std_grey_levels"),
        ("jpeg", "quality"),
    ):
        (low, high), (least, most) = light[step][key], paper[step][key]
        assert least <= low < high <= most


def test_moved_says_where_everything_went() -> None:
    """A white dot is found where ``moved`` puts it, mirrored or turned."""
    side = 64
    images = np.zeros((1, side, side, 3), np.uint8)
    images[0, 38:43, 20:25] = 255  # centre x 22, y 40
    made = Steps(Faces(images, ("dot",), {}), 32, 0, True, None)[0]
    mirrored = np.linalg.det(made.moved[:, :, :2]) < 0
    assert set(mirrored.tolist()) == {False, True}
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    for image, moved in zip(made.truth, made.moved, strict=True):
        weight = (image.sum(0) + 3).double()
        found = torch.stack([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
        assert found.numpy() == pytest.approx(moved[:, :2] @ [22.0, 40.0] + moved[:, 2], abs=0.6)


def test_without_augmentation_only_mirror_images_come() -> None:
    made = Steps(blobs(10), 8, 0, False, None)[0]
    assert {abs(float(value)) for value in made.moved[:, 0, 0]} == {1.0}
    assert torch.equal(made.truth, made.degraded)


def test_faces_are_read_and_held_apart(tmp_path: Path) -> None:
    for number, image in enumerate(blobs(10).images):
        write_png(tmp_path / f"{number}.png", image)
    found = read_faces(str(tmp_path), 32, 8)
    assert np.array_equal(found.images, blobs(10).images)
    ours, held = found.apart(5)
    assert held.ids == ("4", "9")
    assert len(ours) == 8
    assert not set(ours.ids) & set(held.ids)
    assert read_faces(str(tmp_path), 64, 8).images.shape == (10, 64, 64, 3)
    with pytest.raises(BadInput, match="holds 10 faces; training takes 11 or more"):
        read_faces(str(tmp_path), 32, 11)
