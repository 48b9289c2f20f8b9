"""Anybody's checkpoint as a restorer: ``checkpoint:PATH``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from gfpbench.restorers import gfpgan_files, vq_networks
from gfpbench.restorers.checkpoint_file import Weights, file_sha256, read_weights, recognised
from gfpbench.restorers.face_network import FaceNetwork, Settings, placed, read_settings
from gfpbench.restorers.options import Options
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

    Told by its contents, not by its name. Options as the architecture has them: ``checkpoint:PATH?dtype=bf16``. An
    architecture that enlarges (super-resolution) is brought back to the size it was given.

    Raises:
        BadInput: for a file that is not there, holds no weights, or weights of no architecture that can be run.
    """
    options = Options(f"checkpoint:{argument}", given)
    settings = read_settings(options, device)
    path = Path(argument).expanduser()
    weights = read_weights(path)
    identity: dict[str, Json] = {"weights": path.name, "weights_sha256": file_sha256(path)}
    family = FAMILIES.get(recognised(weights))
    if family is not None:
        return family(options, path, weights, settings, identity)
    return _by_spandrel(options, path, weights, settings, identity)


def _by_spandrel(
    options: Options, path: Path, weights: Weights, settings: Settings, identity: dict[str, Json]
) -> FaceNetwork:
    options.finished()
    descriptor = _described(path, weights)
    placed(descriptor.model, settings)
    if settings.compiled:
        raise BadInput(
            f"{options.spelled}: compile=yes works for architectures that gfpbench calls itself: leave it away"
        )

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        picture: torch.Tensor = descriptor(pixels)
        return picture

    return FaceNetwork(
        options.spelled,
        forward,
        replace(settings, batch=1),  # spandrel promises to take one picture at a time, and no more
        signed=False,
        size_px=None,
        identity={
            "architecture": descriptor.architecture.id,
            "implementation": f"spandrel {version('spandrel')}",
            "scale": descriptor.scale,
            "range_known": False,
            "note": "run by spandrel's own call, with [0, 1]; not compared with its authors' code",
            **identity,
        },
    )


def _described(path: Path, weights: Weights) -> Any:
    """spandrel's descriptor of these weights: a network that takes an RGB picture and returns one."""
    from spandrel import MAIN_REGISTRY, ImageModelDescriptor, ModelLoader, UnsupportedModelError

    try:
        with torch.random.fork_rng(devices=[]):  # constructors draw initial weights, which are replaced
            descriptor = ModelLoader(registry=MAIN_REGISTRY).load_from_state_dict(dict(weights))
    except UnsupportedModelError as error:
        names = ", ".join(list(weights)[:3])
        raise BadInput(
            f"{path} holds {len(weights)} weights of no architecture that spandrel {version('spandrel')} knows "
            f"(they begin with {names}); wrap the network yourself: --restorer python:MODULE:ATTRIBUTE"
        ) from error
    except (KeyError, RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        line = " ".join(str(error).split())[:200]
        raise BadInput(f"{path} looks like weights that spandrel knows, but do not fit: {line}") from error
    if not isinstance(descriptor, ImageModelDescriptor) or (descriptor.input_channels, descriptor.output_channels) != (
        3,
        3,
    ):
        name = descriptor.architecture.name
        raise BadInput(f"{path} is a {name} network that does not turn one RGB picture into another")
    return descriptor
