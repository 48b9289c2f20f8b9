"""A checkpoint file as a restorer: ``checkpoint:PATH``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from gfpbench.assets.nested_weights import shown
from gfpbench.options import Options
from gfpbench.restorers import gfpgan_files, vq_networks
from gfpbench.restorers.checkpoint_file import (
    Spelling,
    file_sha256,
    find_weights,
    recognised,
    refuse_other_numbers,
    spellings,
)
from gfpbench.restorers.construction import within_size_of
from gfpbench.restorers.face_network import FaceNetwork, Settings, placed, read_reduction, read_settings
from gfpbench.types import BadInput, Json

FAMILIES: dict[str, Callable[..., FaceNetwork]] = {
    "GFPGANv1Clean": gfpgan_files.clean,
    "GFPGANv1": gfpgan_files.original,
    "RestoreFormer": vq_networks.restoreformer,
    "CodeFormer": vq_networks.codeformer,
}
"""Architectures whose authors' range we know to be [-1, 1]. spandrel feeds some of them [0, 1]."""


def load_checkpoint(argument: str, *, device: str = "cpu", **given: str) -> FaceNetwork:
    """A checkpoint file of your own: GFP-GAN, RestoreFormer, CodeFormer, or anything spandrel can load.

    Told by its contents, not by its name. The weights may lie under any of the usual keys (averaged ones first), or
    under one that ``checkpoint:PATH?key=NAME`` names, and their names may begin with what DataParallel, torch.compile
    or Lightning put before them. Options as the architecture has them: ``checkpoint:PATH?dtype=bf16``. An architecture
    that enlarges (super-resolution) is brought back to the size it was given; with ``reduce=4`` it sees the image at a
    quarter of its size.

    Raises:
        BadInput: for a file that is not there, holds no weights, or weights of no architecture that can be run.
    """
    return of_file(Path(argument).expanduser(), Options(f"checkpoint:{argument}", given), device, {})


def of_file(path: Path, options: Options, device: str, source: Mapping[str, Json]) -> FaceNetwork:
    """The restorer of a checkpoint file, under the name that the options are written behind.

    Args:
        source: what else belongs in the provenance: where the file came from, its licence.

    Raises:
        BadInput: as ``load_checkpoint``.
    """
    settings = read_settings(options, device)
    key = options.text("key", "NAME of the table of weights in the file")
    found = find_weights(path, key)
    identity: dict[str, Json] = {"weights": path.name, "weights_sha256": file_sha256(path), **source, **found.record()}
    told = spellings(found.weights)
    for spelling in told:
        family = FAMILIES.get(recognised(spelling.weights))
        if family is not None:
            return family(options, path, spelling.weights, settings, {**identity, **spelling.record()})
    return _by_spandrel(options, path, told, settings, identity)


def _by_spandrel(
    options: Options, path: Path, told: list[Spelling], settings: Settings, identity: dict[str, Json]
) -> FaceNetwork:
    reduce = read_reduction(options)
    options.finished()
    descriptor, spelling = _described(path, told)
    refuse_other_numbers(descriptor.model.state_dict(), spelling.weights, path)
    placed(descriptor.model, settings)
    if settings.compiled:
        raise BadInput(
            f"{options.spelled}: compile=yes works for architectures that gfpbench calls itself: leave it away"
        )

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        image: torch.Tensor = descriptor(pixels)
        return image

    return FaceNetwork(
        options.spelled,
        forward,
        replace(settings, batch=1),  # spandrel promises to take one image at a time, and no more
        takes="unit",
        size_px=None,
        scale=descriptor.scale,
        reduce=reduce,
        identity={
            "architecture": descriptor.architecture.id,
            "implementation": f"spandrel {version('spandrel')}",
            "scale": descriptor.scale,
            "range_known": False,
            "note": "run by spandrel's own call, with [0, 1]; not compared with its authors' code",
            **identity,
            **spelling.record(),
        },
    )


def _described(path: Path, told: list[Spelling]) -> tuple[Any, Spelling]:
    """spandrel's descriptor of these weights (a network that takes an RGB image and returns one), under the first
    spelling of their names that it knows."""
    from spandrel import MAIN_REGISTRY, ImageModelDescriptor, ModelLoader, UnsupportedModelError

    loader = ModelLoader(registry=MAIN_REGISTRY)
    descriptor: Any = None
    for spelling in told:
        try:
            # Constructors draw initial weights, which are replaced.
            with torch.random.fork_rng(devices=[]), within_size_of(spelling.weights, path):
                descriptor = loader.load_from_state_dict(dict(spelling.weights))
        except UnsupportedModelError:
            continue
        except BadInput:
            raise
        except Exception as error:  # of any type: what a constructor makes of sizes that make no sense
            line = " ".join(str(error).split())[:200]
            raise BadInput(f"{path} looks like weights that spandrel knows, but do not fit: {line}") from error
        break
    if descriptor is None:
        weights = told[0].weights
        names = ", ".join(shown(name) for name in list(weights)[:3])
        raise BadInput(
            f"{path} holds {len(weights)} weights of no architecture that spandrel {version('spandrel')} knows "
            f"(they begin with {names}); wrap the network yourself: --restorer python:MODULE:ATTRIBUTE"
        )
    if not isinstance(descriptor, ImageModelDescriptor) or (descriptor.input_channels, descriptor.output_channels) != (
        3,
        3,
    ):
        name = descriptor.architecture.name
        raise BadInput(f"{path} is a {name} network that does not turn one RGB image into another")
    return descriptor, spelling
