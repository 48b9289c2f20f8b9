"""Small honest bugs in training, each of which a law has to notice."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.training import laws_learning, laws_losses, laws_screen, laws_steering, test_data, test_steer, test_widen
from tests.training.small_prior import small_prior
from training import data, losses, mobile_prior, start, steer, steering, widen
from training.learning import Average, Schedule
from training.screen import Known, screened

Patch = pytest.MonkeyPatch

# Kept before anything is patched: saboteurs wrap them.
_R1, _PYRAMID = losses.r1, losses.pyramid
TERMS: dict[str, tuple[str, Callable[..., Any]]] = {
    "L1 as a sum": ("l1", lambda a, b: (a - b).abs().sum()),
    "L2 for L1": ("l1", lambda a, b: (a - b).square().mean()),
    "saturating generator": ("adversarial", lambda logits: -F.softplus(logits).mean()),
    "generator's sign": ("adversarial", lambda logits: F.softplus(logits).mean()),
    "true and restored exchanged": (
        "discriminate",
        lambda fake, true: F.softplus(-fake).mean() + F.softplus(true).mean(),
    ),
    "hinge for logistic": ("discriminate", lambda fake, true: F.relu(1 + fake).mean() + F.relu(1 - true).mean()),
    "R1 without its half": ("r1", lambda logits, truth, gamma: 2 * _R1(logits, truth, gamma)),
    "R1 of the mean": ("r1", lambda logits, truth, gamma: _R1(logits / len(truth), truth, gamma)),
    "R1 that cannot be learnt from": (
        "r1",
        lambda logits, truth, gamma: _R1(logits, truth, gamma).detach().requires_grad_(True),
    ),
    "R1 of the gradient's length": ("r1", lambda logits, truth, gamma: _R1(logits, truth, gamma).sqrt()),
    "Gram without its size": ("gram", lambda f: f.flatten(2) @ f.flatten(2).transpose(1, 2)),
    "Gram over positions": ("gram", lambda f: f.flatten(2).transpose(1, 2) @ f.flatten(2) / f[0].numel()),
    "Gram of one channel": ("gram", lambda f: f.flatten(2).square().mean(2)),
    "style that compares features": ("style", lambda ours, theirs: losses.l1(ours[0], theirs[0].detach())),
    "style that teaches the truth": (
        "style",
        lambda ours, theirs: losses.l1(losses.gram(ours[0]), losses.gram(theirs[0])),
    ),
    "perceptual of the last layer": ("perceptual", lambda ours, theirs: losses.l1(ours[-1], theirs[-1].detach())),
    "perceptual that teaches the truth": (
        "perceptual",
        lambda ours, theirs: torch.stack([losses.l1(a, b) for a, b in zip(ours, theirs, strict=True)]).mean(),
    ),
    "pyramid of the first level": ("pyramid", lambda images, truth: _PYRAMID(images[:1], truth)),
    "pyramid by nearest neighbours": (
        "pyramid",
        lambda images, truth: torch.stack(
            [losses.l1(p, F.interpolate(truth, size=p.shape[-2:], mode="nearest")) for p in images]
        ).sum(),
    ),
    "components as a mean": ("local", lambda parts: torch.stack([losses.adversarial(p) for p in parts]).mean()),
    "identity by the angle": ("identity", lambda a, b: 1 - F.cosine_similarity(a, b.detach()).mean()),
    "edges one way only": ("edge", lambda a, b: losses.l1(a.diff(dim=-1), b.diff(dim=-1))),
    "edges by levels": ("edge", lambda a, b: losses.l1(a, b)),
    "latents by their size": ("latent", lambda ours, truth, variance: (ours - truth[:, None]).square().mean()),
    "latents by their distance": (
        "latent",
        lambda ours, truth, variance: (ours - truth[:, None]).abs().mean() / variance.sqrt(),
    ),
    "a total without weights": ("total", lambda terms, weights: torch.stack(list(terms.values())).sum()),
}


def hold(laws: Any, *given: Any) -> None:
    for law in laws:
        law(*given)


@pytest.mark.parametrize("bug", TERMS)
def test_a_wrong_term_is_noticed(bug: str, monkeypatch: Patch) -> None:
    name, broken = TERMS[bug]
    monkeypatch.setattr(losses, name, broken)
    with pytest.raises((AssertionError, pytest.fail.Exception, RuntimeError)):
        hold(laws_losses.LAWS, losses)


@pytest.mark.parametrize(
    ("term", "value"), [("l1", 1.0), ("perceptual", 0.1), ("adversarial", 1.0), ("style", 100.0), ("identity", 1.0)]
)
def test_another_weight_than_the_papers_is_noticed(term: str, value: float, monkeypatch: Patch) -> None:
    monkeypatch.setattr(laws_losses, "Weights", lambda: replace(losses.Weights(), **{term: value}))
    with pytest.raises(AssertionError):
        laws_losses.total_is_weighted_as_in_the_paper(losses)


def still_heard(weights: Any, fresh: Any) -> Any:
    """New channels say something to old ones."""
    wide = widen.widened(weights, fresh)
    for name, tensor in wide.items():
        if tensor.ndim == 4 and tensor.shape != weights[name].shape:
            wide[name] = torch.where(tensor == 0, fresh[name], tensor)
    return wide


def halves_not_kept(weights: Any, fresh: Any) -> Any:
    """The decoder's channels in one piece: conditions meet others than before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(widen, "_places", lambda name, narrow, wide: torch.arange(narrow))
        return widen.widened(weights, fresh)


def silent_for_ever(weights: Any, fresh: Any) -> Any:
    """New channels hear nothing either: no gradient will ever reach them."""
    return widen.widened(weights, {name: torch.zeros_like(tensor) for name, tensor in fresh.items()})


@pytest.mark.parametrize("broken", [still_heard, halves_not_kept, silent_for_ever], ids=lambda f: f.__name__)
def test_a_wrong_widening_is_noticed(broken: Callable[..., Any], monkeypatch: Patch) -> None:
    monkeypatch.setattr(start, "widened", broken)
    with pytest.raises(AssertionError):
        hold(test_widen.LAWS)


def other_half(features: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    steered, same = features.chunk(2, dim=1)
    return torch.cat([steered * scale + shift, same], dim=1)


def beside_one(features: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Takes the scale for what is added to 1."""
    return _SPLIT(features, scale + 1, shift)


_SPLIT, _FROM_HAAR = steering.split_sft, mobile_prior.from_haar


@pytest.mark.parametrize("broken", [other_half, beside_one], ids=lambda f: f.__name__)
def test_a_wrong_split_is_noticed(broken: Callable[..., Any], monkeypatch: Patch) -> None:
    monkeypatch.setattr(steering, "split_sft", broken)
    with pytest.raises(AssertionError):
        hold(laws_steering.LAWS, steering)


@pytest.mark.parametrize(
    "broken", [lambda x: _FROM_HAAR(x).transpose(2, 3), lambda x: 2 * _FROM_HAAR(x), lambda x: _FROM_HAAR(x.flip(1))]
)
def test_a_wrong_transform_is_noticed(broken: Callable[..., Any], monkeypatch: Patch) -> None:
    monkeypatch.setattr(mobile_prior, "from_haar", broken)
    with pytest.raises(AssertionError):
        hold(laws_steering.HAAR_LAWS, mobile_prior)


class Thawed(steer.Steer):
    """The prior learns too."""

    def _groups(self) -> list[dict[str, Any]]:
        self.prior.requires_grad_(True)
        (group,) = super()._groups()
        return [{**group, "params": [*group["params"], *self.prior.parameters()]}]


def test_a_prior_that_learns_is_noticed(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(test_steer, "Steer", Thawed)
    config = test_steer.tiny(tmp_path)
    made = steer.made_faces(small_prior(), config, 0, tmp_path)
    with pytest.raises(AssertionError):
        test_steer.test_a_step_changes_all_that_steers_and_nothing_of_the_prior(config, made)


class Turned(Average):
    """The decay on the wrong side."""

    def update(self, network: Any, step: int) -> None:
        decay = self.decay
        self.decay = 1 - decay
        super().update(network, step)
        self.decay = decay


class Shared(Average):
    """Not a copy."""

    def __init__(self, network: Any, decay: float) -> None:
        super().__init__(network, decay)
        self.network = network


class NeverForgets(Average):
    """Without the rise of the decay."""

    def update(self, network: Any, step: int) -> None:
        super().update(network, step + 1_000_000)


class Flat(Schedule):
    """Does not fall."""

    def at(self, step: int, progress: float) -> float:
        return super().at(step, 0.0)


class Late(Schedule):
    """Rises one step late: the first one is lost."""

    def at(self, step: int, progress: float) -> float:
        return super().at(step - 1, progress)


@pytest.mark.parametrize(
    ("average", "schedule"),
    [(Turned, Schedule), (Shared, Schedule), (NeverForgets, Schedule), (Average, Flat), (Average, Late)],
)
def test_a_wrong_average_or_schedule_is_noticed(average: Any, schedule: Any) -> None:
    hold(laws_learning.LAWS, Average, Schedule)
    with pytest.raises((AssertionError, RuntimeError)):
        hold(laws_learning.LAWS, average, schedule)


class NoMirror(Known):
    """Compares with the images as they are only."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.mirrored = self.small


class ByEmbeddingOnly(Known):
    def nearest(self, image: Any) -> Any:
        found = super().nearest(image)
        return found and (found[0], 1e9, found[2])


class ByPixelsOnly(Known):
    def nearest(self, image: Any) -> Any:
        found = super().nearest(image)
        return found and (180.0, found[1], "nobody")


class TakesAnything(Known):
    """A detector that always finds a face."""

    def nearest(self, image: Any) -> Any:
        return super().nearest(image) or (90.0, 99.0, "nobody")


def keeps_all(images: Any, known: Any, limits: Any, count: int) -> Any:
    loose = replace(limits, angle_degrees=0.0, pixels=0.0)
    return screened(images, known, loose, count)


def keeps_twice(images: Any, known: Any, limits: Any, count: int) -> Any:
    """Forgets what it has kept."""
    kept, verdicts = [], []
    for item in images:
        good, (verdict,) = screened([item], known, limits, 1)
        kept += good
        verdicts.append(verdict)
    return kept, verdicts


@pytest.mark.parametrize(
    ("known", "look"),
    [
        (NoMirror, screened),
        (ByEmbeddingOnly, screened),
        (ByPixelsOnly, screened),
        (TakesAnything, screened),
        (Known, keeps_all),
        (Known, keeps_twice),
    ],
)
def test_a_careless_screening_is_noticed(known: Any, look: Any) -> None:
    hold(laws_screen.LAWS, Known, screened)
    with pytest.raises((AssertionError, ValueError)):
        hold(laws_screen.LAWS, known, look)


def test_degrading_by_another_range_is_noticed(monkeypatch: Patch) -> None:
    broken = copy.copy(data.Mixture({"paper": 1.0}))
    broken.parts = {"paper": data.LIGHT}
    monkeypatch.setattr(test_data, "Mixture", lambda shares: broken)
    with pytest.raises(AssertionError):
        test_data.test_pairs_are_degraded_as_gfpbench_degrades()


def test_draws_that_follow_one_another_are_noticed(monkeypatch: Patch) -> None:
    """A generator that goes on from call to call: the batch of a step depends on what was made before."""
    source = np.random.default_rng(0)
    monkeypatch.setattr(data, "step_generator", lambda *_: source)
    with pytest.raises(AssertionError):
        test_data.test_a_step_depends_on_its_number_and_the_seed_alone()


def test_a_mirror_image_that_is_not_told_is_noticed(monkeypatch: Patch) -> None:
    def silent(image: Any, source: np.random.Generator) -> Any:
        mirrored, _ = _MIRRORED(image, source)
        return mirrored, np.array([[1.0, 0, 0], [0, 1, 0]])

    monkeypatch.setattr(data, "mirrored", silent)
    with pytest.raises(AssertionError):
        test_data.test_moved_says_where_everything_went()


_MIRRORED = data.mirrored
