"""Generated faces of people who do not exist, like FFHQ's, 512 px: the generator of the package random-face."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import torch
from numpy.typing import NDArray

from gfpbench import assets
from gfpbench.assets.datasets import FACES
from gfpbench.assets.lock import exclusive
from gfpbench.decode import read
from gfpbench.faces.attributes import directions, labels, moved
from gfpbench.faces.folder import to_square
from gfpbench.images import Bytes, from_signed, from_uint8, pixels_sha256, to_rgb_arrays, write_png
from gfpbench.statistics.separation import Separation
from gfpbench.types import BadInput, Face, Json, PackageMissing

NAME = "random-face"
SIDE_PX = 512
"""The generator makes 1,024 px; areas of 2 x 2 are averaged, to the size at which the field measures."""
MOST = 100_000
MEAN_OF = 1024
"""Latents whose mean stands for the average face, towards which truncation moves all others."""


class RandomFaces:
    """``count`` generated faces, each determined by the seed and its number; made once, then read from the cache.

    Args:
        size_px: side of the images, at most 512; None for 512.
        count: how many there are.
        truncation: 0 to 1: how far from the average face; less is more believable and more alike.
        seed: of the latents.
        attributes: ``{"glasses": "no"}``: what all of them shall have, by names and values of ``attributes.labels()``;
            the rest of the face stays much as it is.

    Raises:
        BadInput: for values out of range.
        AssetMissing: where some are not made yet and the generator is not here.
    """

    name = NAME
    default_draws = 1
    DEFAULT_COUNT, DEFAULT_TRUNCATION = 50, 0.6

    def __init__(
        self,
        size_px: int | None = None,
        *,
        count: int = DEFAULT_COUNT,
        truncation: float = DEFAULT_TRUNCATION,
        seed: int = 0,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        if size_px is not None and size_px > SIDE_PX:
            raise BadInput(f"{NAME}: faces are made at {SIDE_PX} px and are not enlarged to {size_px}")
        if not 1 <= count <= MOST or not 0 < truncation <= 1 or not 0 <= seed < 2**63:
            raise BadInput(f"{NAME}: count is 1 to {MOST:,}, truncation over 0 and up to 1, seed a whole number from 0")
        self.size_px = SIDE_PX if size_px is None else size_px
        self.count, self.truncation, self.seed = count, truncation, seed
        self.attributes = dict(sorted((attributes or {}).items()))
        if not all((self._folder() / f"{face_id}.png").is_file() for face_id in self.ids()):
            assets.path(NAME, f"the face set {NAME!r}")

    def ids(self) -> tuple[str, ...]:
        """``face-00000`` and so on. A larger count adds to the end."""
        return self.ids_of(self.count)

    @staticmethod
    def ids_of(count: int) -> tuple[str, ...]:
        """The names of the first ``count`` faces."""
        return tuple(f"face-{number:05d}" for number in range(count))

    def load(self, face_id: str) -> Face:
        """One face, made where the cache does not hold it (some seconds on a CPU).

        Raises:
            BadInput: for an unknown id.
            PackageMissing: where it has to be made and openvino is not installed.
        """
        number = int(face_id.removeprefix("face-")) if face_id in self.ids() else None
        if number is None:
            raise BadInput(f"{NAME}: has no face {face_id!r}: there are face-00000 to face-{self.count - 1:05d}")
        place = self._folder() / f"{face_id}.png"
        if not place.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(place.with_suffix(".lock"), lambda: None):
                if not place.is_file():
                    write_png(place, self._made(number))
        decoded = read(place)
        rgb = decoded.rgb if self.size_px == SIDE_PX else to_square(decoded.rgb, self.size_px)
        known: dict[str, Json] = {"generated": True, **self.attributes}
        return Face(face_id, from_uint8(rgb), known, pixels_sha256(rgb), decoded.record())

    def source(self) -> Mapping[str, Json]:
        """What makes the faces, under which licence, and what determines them."""
        row = FACES[NAME]
        asked: dict[str, Json] = {}
        if self.attributes:
            asked = {"attributes": dict(self.attributes), "attribute_labels_sha256": labels().sha256}
        return {
            "name": self.name,
            "from": assets.find(NAME).source,
            "what": "generated faces of people who do not exist (MobileStyleGAN, FFHQ); no photographs",
            "licence": row.licence,
            "count": self.count,
            "truncation": self.truncation,
            "seed": self.seed,
            "size_px": self.size_px,
            "generator_sha256": assets.find(NAME).sha256,
            **asked,
        }

    def _folder(self) -> Path:
        return self.folder_of(self.seed, self.truncation, self.attributes)

    @staticmethod
    def folder_of(seed: int, truncation: float, attributes: Mapping[str, str] | None = None) -> Path:
        """Where the faces are kept: a folder for all that determines them, so that no two are mixed."""
        asked = [dict(attributes), labels().sha256] if attributes else []
        made_by = json.dumps([assets.find(NAME).sha256, seed, truncation, MEAN_OF, *asked])
        return assets.home() / "faces" / NAME / hashlib.sha256(made_by.encode()).hexdigest()[:16]

    def _made(self, number: int) -> Bytes:
        generator = _generator(assets.path(NAME, f"the face set {NAME!r}"))
        latent = generator.mean + np.float32(self.truncation) * (generator.w(self.seed, number) - generator.mean)
        if self.attributes:
            values = labels().values
            wanted = {name: values[name][value] for name, value in self.attributes.items()}
            vectors = {name: found.vector for name, found in _directions(generator).items()}
            latent = moved(latent[0], generator.mean[0], vectors, wanted).astype(np.float32)[None]
        return to_square(generator.image(latent), SIDE_PX)


class _Generator:
    """The package's two networks: z to w, and w to an image."""

    def __init__(self, path: Path) -> None:
        try:
            import openvino
        except ModuleNotFoundError as error:
            raise PackageMissing("openvino", f"the face set {NAME!r}", "pip install 'gfpbench[random-face]'") from error
        core = openvino.Core()

        def network(name: str) -> Any:
            with zipfile.ZipFile(path) as opened:
                model = core.read_model(opened.read(f"{name}.xml"), openvino.Tensor(_bytes(opened, f"{name}.bin")))
            if name == "MappingNetwork":
                model.reshape([1, 512])
            # One stream, and single precision: the same machine makes the same face every time.
            return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1"})

        self._mapping, self._synthesis = network("MappingNetwork"), network("SynthesisNetwork")
        # The mean is of latents that no seed draws: its key is the largest of all.
        latents = np.stack([self.w(2**63, number) for number in range(MEAN_OF)])
        self.mean: NDArray[np.float32] = latents.mean(axis=0, dtype=np.float64).astype(np.float32)

    def w(self, seed: int, number: int) -> NDArray[np.float32]:
        """(1, 512) of one face: its z is drawn by seed and number alone."""
        source = np.random.Generator(np.random.Philox(key=[seed, number]))
        found: NDArray[np.float32] = self._mapping(source.standard_normal((1, 512), dtype=np.float32))[0]
        return found.reshape(1, -1)

    def image(self, w: NDArray[np.float32]) -> Bytes:
        """(1024, 1024, 3) uint8 RGB."""
        values = torch.from_numpy(np.array(self._synthesis(w)[0], np.float32))
        return to_rgb_arrays(from_signed(values.clamp(-1, 1), ("face",)))[0]


def _bytes(opened: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    return np.frombuffer(opened.read(name), np.uint8)


@lru_cache(maxsize=1)
def _generator(path: Path) -> _Generator:
    return _Generator(path)


@lru_cache(maxsize=1)
def _directions(generator: _Generator) -> dict[str, Separation]:
    known = labels()
    w = np.concatenate([generator.w(known.seed, number) for number in range(known.count)])
    return directions(w, known)


def random_face(size_px: int | None = None, options: str = "") -> RandomFaces:
    """Generated faces of FFHQ's kind (512 px): ``random-face?count=50&truncation=0.6&seed=0&glasses=no``.

    Attributes are options as well: the same people, all with it or all without it.

    Raises:
        BadInput: for other options, or values out of range.
        AssetMissing: where the generator was not fetched.
    """
    kinds: dict[str, type] = {"count": int, "truncation": float, "seed": int}
    given: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    known = labels().values
    for key, value in parse_qsl(options, keep_blank_values=True):
        if key in given or key in attributes:
            raise BadInput(f"{NAME}?{options}: {key!r} is given twice")
        if key in known:
            if value not in known[key]:
                raise BadInput(f"{NAME}?{options}: {key} is {' or '.join(known[key])}, not {value!r}")
            attributes[key] = value
            continue
        try:
            given[key] = kinds[key](value)
        except KeyError as error:
            there = ", ".join([*kinds, *known])
            raise BadInput(f"{NAME}?{options}: {key!r} is no option; there are {there}") from error
        except ValueError as error:
            raise BadInput(f"{NAME}?{options}: {key} has to be a number, not {value!r}") from error
    return RandomFaces(size_px, **given, attributes=attributes)
