"""Latent directions of the prior for one attribute, found from labelled samples.

What the 2021 reproduction report wished for: hold an attribute (glasses, the colour of the eyes) while a face is
restored. Logistic regression on w, as in InterFaceGAN (Shen et al. 2020, arXiv:1907.10786), with a check on samples it
has not seen. It can be no better than the prior: a generator that makes no glasses has no direction for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gfpbench import codec
from gfpbench.disk import write_whole
from gfpbench.images import from_signed, moved, resized, to_signed
from gfpbench.nano import networks
from gfpbench.restorers.checkpoint_file import fit, read_weights
from gfpbench.restorers.gfpgan_sizes import Sizes
from gfpbench.statistics.separation import parted, separation
from gfpbench.types import BadInput, ImageBatch, Json

Tensor = torch.Tensor
LEAST_OF_EACH = 20


@dataclass(frozen=True, slots=True)
class Direction:
    """One attribute's direction in w.

    Args:
        name: of the attribute.
        vector: unit length, towards "has it".
        spread: standard deviation of the samples along it: the natural unit of an amount.
        accuracy: share of held-out samples on the right side.
        accuracy_low: lower end of its 95 % interval (Wilson).
        chance: the larger class's share among the held-out samples: what guessing gets right.
    """

    name: str
    vector: tuple[float, ...]
    spread: float
    accuracy: float
    accuracy_low: float
    chance: float

    @property
    def holds(self) -> bool:
        """Whether it tells the attribute better than guessing, as far as the held-out samples can say."""
        return self.accuracy_low > self.chance

    def without(self, others: Sequence[Direction]) -> Direction:
        """The part of it that leaves other attributes alone: orthogonal to their directions.

        Raises:
            BadInput: where nothing is left of it.
        """
        basis, _ = np.linalg.qr(np.array([other.vector for other in others]).T)
        rest = np.array(self.vector) - basis @ (basis.T @ np.array(self.vector))
        length = float(np.linalg.norm(rest))
        if length < 1e-3:
            raise BadInput(f"{self.name} cannot be told from {', '.join(other.name for other in others)}")
        vector = tuple(float(x) for x in rest / length)
        return Direction(self.name, vector, self.spread, self.accuracy, self.accuracy_low, self.chance)

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        write_whole(path, json.dumps(codec.encode(self), indent=1))


def read_direction(path: Path) -> Direction:
    """A direction that was saved. Raises BadInput for another file."""
    try:
        return codec.decode(Direction, codec.read(path))
    except BadInput as error:
        raise BadInput(f"{path} holds no direction: {str(error).removeprefix(f'{path}: ')}") from error


def found_direction(
    name: str, latents: Tensor, has_it: Sequence[bool], *, held_out: float = 0.25, seed: int = 0, ridge: float = 1e-3
) -> Direction:
    """The direction that best tells samples with an attribute from those without.

    Args:
        latents: (N, style) w of samples of one prior (``networks.mapped``).
        has_it: N labels, by eye or by a classifier.
        held_out: share that is kept for the check.
        ridge: weight of the squared length, per sample, so that separable samples have an answer.

    Raises:
        BadInput: where the two differ in number, or there are fewer than 20 samples of either kind to learn from.
    """
    x, y = latents.detach().double().cpu().numpy(), np.asarray(has_it, dtype=np.float64)
    if x.ndim != 2 or len(x) != len(y) or not np.isfinite(x).all():
        raise BadInput(f"{name}: {tuple(x.shape)} latents and {len(y)} labels: give (N, style) and N")
    checked, learnt = parted(len(x), held_out, seed)
    few = min(int(y[learnt].sum()), int((1 - y[learnt]).sum()))
    if few < LEAST_OF_EACH or not len(checked):
        raise BadInput(f"{name}: {few} samples of the rarer kind to learn from; label {LEAST_OF_EACH} or more of each")
    found = separation(x, y, held_out=held_out, seed=seed, ridge=ridge)
    vector = tuple(float(value) for value in found.vector)
    return Direction(name, vector, found.spread, found.accuracy, found.accuracy_low, found.chance)


def moved_latents(latents: Tensor, direction: Direction, amount: float, layers: slice = slice(None)) -> Tensor:
    """(B, style) or (B, L, style) latents moved by ``amount`` spreads.

    Args:
        layers: which of L; early ones change shape, late ones colour.
    """
    if latents.shape[-1] != len(direction.vector):
        raise BadInput(f"{direction.name} has {len(direction.vector)} numbers, these latents {latents.shape[-1]}")
    shift = torch.tensor(direction.vector, dtype=latents.dtype, device=latents.device) * (amount * direction.spread)
    if latents.ndim == 2:
        return latents + shift
    moved_ = latents.clone()
    moved_[:, layers] += shift
    return moved_


class Steered:
    """A GFP-GAN restorer (``types.Restorer``) whose latents are moved along a direction while it restores.

    The U-Net's spatial features are left alone, so what they fix (pose, the outline of the face) stays.

    Args:
        path: a restorer trained by this package on the prior the direction was found in.
        direction, amount, layers: as for ``moved_latents``.
        device: where it runs.
    """

    def __init__(
        self, path: Path, direction: Direction, amount: float, *, layers: slice = slice(None), device: str = "cpu"
    ) -> None:
        weights = read_weights(path)
        sizes = Sizes.of(weights, path)
        network = networks.restorer(sizes, seed=0)
        fit(network, weights, path, "GFPGANv1Clean")
        self.network: Any = network.requires_grad_(False).eval().to(device)
        self.name = f"{path.name}, {direction.name} {amount:+g}"
        self.direction, self.amount, self.layers = direction, amount, layers
        self.device, self.side = device, sizes.out_px

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        given = resized(moved(degraded, self.device), (self.side, self.side))
        with torch.no_grad():
            latents, conditions, _ = networks.encoded(self.network, to_signed(given))
            latents = moved_latents(latents, self.direction, self.amount, self.layers)
            restored = networks.decoded(self.network.stylegan_decoder, latents, conditions)
        return moved(resized(from_signed(restored, degraded.ids), degraded.size), degraded.pixels.device)

    def provenance(self) -> Mapping[str, Json]:
        return {
            "restorer": self.name,
            "architecture": "GFPGANv1Clean, latents moved",
            "direction": self.direction.name,
            "amount": self.amount,
            "works_at_px": self.side,
        }
