"""Training pairs of true and degraded faces, each determined by its key.

Step 17 of seed 0 is the same batch whoever makes it and whatever was made before: a run that was killed goes on with
the images it would have had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import gfpbench.degrade as degrade
from gfpbench import faces
from gfpbench.degrade.blur import Blur
from gfpbench.degrade.chain import Chain
from gfpbench.degrade.jpeg import Jpeg
from gfpbench.degrade.noise import Noise
from gfpbench.degrade.resample import Downsample
from gfpbench.degrade.rng import key, step_generator
from gfpbench.images import batch_from_uint8, signed, to_rgb_arrays, to_uint8
from gfpbench.types import BadInput, Degradation, ImageBatch, Json

Bytes = NDArray[np.uint8]
Affine = NDArray[np.float64]

LIGHT = Chain(
    name="light",
    summary="the mild end of the paper's ranges: sigma 0.2-3 px at 512, r 1-2, noise 0-5, JPEG 85-100",
    source="gfpbench; a network trained on Eq. 7 alone sees next to no face that needs nothing done",
    blur=Blur(sigma_px_at_512=(0.2, 3.0)),
    downsample=Downsample(ratio=(1.0, 2.0)),
    noise=Noise(std_grey_levels=(0.0, 5.0)),
    jpeg=Jpeg(quality=(85, 100)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Aligned faces in memory.

    Args:
        images: (N, S, S, 3) uint8 RGB.
        ids: N names.
        source: where they are from, as the face set says.
    """

    images: Bytes
    ids: tuple[str, ...]
    source: Mapping[str, Json]

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self) -> ImageBatch:
        """All of them."""
        return batch_from_uint8(list(self.images), self.ids)

    def apart(self, every: int) -> tuple[Faces, Faces]:
        """Those to train on, and every so many-th to validate on."""
        held = np.arange(len(self)) % every == every - 1
        return self._some(~held), self._some(held)

    def _some(self, chosen: NDArray[np.bool_]) -> Faces:
        ids = tuple(name for name, wanted in zip(self.ids, chosen, strict=True) if wanted)
        return Faces(self.images[chosen], ids, {**self.source, "count": len(ids)})


def read_faces(name_or_path: str, size_px: int, least: int) -> Faces:
    """All faces of a set, at one size.

    Raises:
        BadInput: for what is no set of faces, an image that cannot be read, and fewer than ``least``.
    """
    found = faces.load(name_or_path, size_px=size_px, draws=1)
    ids = found.ids()
    if len(ids) < least:
        raise BadInput(f"{name_or_path}: holds {len(ids)} faces; training takes {least} or more")
    loaded = [found.load(name).pixels for name in ids]
    images = [to_rgb_arrays(ImageBatch(pixels[None], (name,)))[0] for pixels, name in zip(loaded, ids, strict=True)]
    return Faces(np.stack(images), ids, found.source())


class Mixture:
    """Several degradations, each for its share of the images; itself one (``types.Degradation``).

    Args:
        shares: name to share, in any unit; names of ``gfpbench.degrade`` and ``light``.
    """

    name = "mixture"

    def __init__(self, shares: Mapping[str, float]) -> None:
        self.parts: dict[str, Degradation] = {}
        for name in shares:
            part = LIGHT if name == "light" else degrade.load(name)
            self.parts[name] = part.using("fast") if isinstance(part, Chain) else part
        whole = sum(shares.values())
        self.shares = {name: share / whole for name, share in shares.items()}

    def chosen(self, face_id: str, seed: int) -> str:
        """Which of them this face gets."""
        source = step_generator(seed, face_id, "which degradation")
        return list(self.parts)[int(source.choice(len(self.shares), p=list(self.shares.values())))]

    def degraded(self, batch: ImageBatch, seed: int) -> ImageBatch:
        """Each image degraded as its name and the seed say."""
        pixels = []
        for name, image in zip(batch.ids, batch.pixels, strict=True):
            part = self.parts[self.chosen(name, seed)]
            one = ImageBatch(image[None], (name,))
            pixels.append(part.apply(one, [part.draw(name, seed, batch.size)]).pixels)
        return ImageBatch(torch.cat(pixels), batch.ids)

    def describe(self) -> dict[str, Json]:
        """Shares and ranges, for the metadata."""
        return {
            name: {"share": share, **self.parts[name].describe()} for name, share in self.shares.items() if share > 0
        }


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """One batch.

    Args:
        truth, degraded: (B, 3, S, S) float32 RGB in [-1, 1], on the device that learns.
        index: (B,) which of the faces each was.
        moved: (B, 2, 3) float64, pixels of that face to pixels of ``truth``: how it was mirrored, turned and shifted.
    """

    truth: torch.Tensor
    degraded: torch.Tensor
    index: NDArray[np.int64]
    moved: Affine


Levels: TypeAlias = "tuple[Bytes, Bytes, list[int], Affine]"
"""A batch in 8 bits: truth and degraded (B, 3, S, S), faces, how they were moved."""


def pairs_of(levels: Levels, device: str = "cpu") -> Pairs:
    """A batch ready to be learnt from. It goes to the device in 8 bits, a quarter of what it is there."""
    truth, degraded, index, moved = levels
    there = [torch.from_numpy(part).to(device, non_blocking=True) for part in (truth, degraded)]
    ours, theirs = (signed(part.float() / 255) for part in there)
    return Pairs(ours, theirs, np.array(index), moved)


class Steps:
    """The batch of every step, by its number: ``levels`` for torch's DataLoader, ``[step]`` for anybody else.

    Args:
        faces: to draw from; every one comes once before any comes again.
        batch: images in each.
        seed: of all draws.
        augment: turn, shift, scale and colour them; mirror images come always.
        mixture: how they are degraded; None leaves ``degraded`` equal to ``truth`` (for the prior).
    """

    def __init__(self, faces: Faces, batch: int, seed: int, augment: bool, mixture: Mixture | None) -> None:
        self.faces, self.batch, self.seed = faces, batch, seed
        self.augment, self.mixture = augment, mixture

    def __getitem__(self, step: int) -> Pairs:
        return pairs_of(self.levels(step))

    def levels(self, step: int) -> Levels:
        """The batch of a step as numpy arrays of 8 bits, which pass between processes through a pipe.

        As tensors they would take shared memory, of which a container has 64 MB unless told.
        """
        index = [self._face(step * self.batch + slot) for slot in range(self.batch)]
        names = tuple(f"step {step} slot {slot}" for slot in range(self.batch))
        varied = [self._varied(self.faces.images[face], name) for face, name in zip(index, names, strict=True)]
        truth = batch_from_uint8([image for image, _ in varied], names)
        degraded = truth if self.mixture is None else self.mixture.degraded(truth, self.seed)
        moved = np.stack([matrix for _, matrix in varied])
        return to_uint8(truth).numpy(), to_uint8(degraded).numpy(), index, moved

    def _face(self, position: int) -> int:
        round_, place = divmod(position, len(self.faces))
        return int(_order(self.seed, round_, len(self.faces))[place])

    def _varied(self, image: Bytes, name: str) -> tuple[Bytes, Affine]:
        source = step_generator(self.seed, name, "augmentation")
        return varied(image, source) if self.augment else mirrored(image, source)


@lru_cache(maxsize=2)
def _order(seed: int, round_: int, count: int) -> NDArray[np.int64]:
    return step_generator(seed, f"round {round_}", "order").permutation(count)


def mirrored(image: Bytes, source: np.random.Generator) -> tuple[Bytes, Affine]:
    """Left and right exchanged in half of the draws; and how positions moved, (2, 3)."""
    if source.random() < 0.5:
        return image, np.array([[1.0, 0, 0], [0, 1, 0]])
    return np.ascontiguousarray(image[:, ::-1]), np.array([[-1.0, 0, image.shape[1] - 1], [0, 1, 0]])


def varied(image: Bytes, source: np.random.Generator) -> tuple[Bytes, Affine]:
    """A mirror image in half of the draws, then often a small turn, shift and scaling, and a change of light."""
    image, moved = mirrored(image, source)
    side = image.shape[0]
    turns, lit, grey = source.random(3) < (0.5, 0.7, 0.02)
    angle, scale = source.normal(0, 6), source.uniform(0.92, 1.12)
    shift = source.normal(0, 0.02 * side, 2)
    gain, gamma = source.normal(1, 0.1, 3) * source.uniform(0.7, 1.2), np.exp(source.normal(0, 0.15))
    if turns:
        matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, scale)
        matrix = np.asarray(matrix, np.float64) + np.column_stack([np.zeros((2, 2)), shift])
        border = cv2.BORDER_REFLECT_101
        image = _bytes(cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=border))
        moved = matrix @ np.vstack([moved, [0, 0, 1]])
    if lit:
        levels = np.linspace(0, 1, 256) ** gamma
        table = np.clip(np.outer(levels, np.clip(gain, 0.4, 1.6)), 0, 1)
        image = _bytes(cv2.LUT(image, np.rint(table * 255).astype(np.uint8)[None]))
    if grey:
        image = np.repeat(np.rint(image.mean(-1, keepdims=True)).astype(np.uint8), 3, axis=-1)
    return np.ascontiguousarray(image), moved


def _bytes(image: Any) -> Bytes:
    return np.asarray(image, np.uint8)


def torch_generator(seed: int, step: int, purpose: str) -> torch.Generator:
    """A generator on the CPU for one purpose in one step."""
    return torch.Generator().manual_seed(int(key(seed, f"step {step}", purpose)[:15], 16))
