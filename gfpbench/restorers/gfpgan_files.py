"""Loads a GFP-GAN checkpoint as a restorer: detects its version, its size and the implementation to use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import torch

from gfpbench.options import Options
from gfpbench.restorers.checkpoint_file import Weights, fit, refuse_other
from gfpbench.restorers.face_network import FaceNetwork, Forward, Settings, placed
from gfpbench.restorers.gfpgan_shared import GfpganShared
from gfpbench.restorers.gfpgan_sizes import Sizes
from gfpbench.restorers.gfpgan_v1 import GfpganV1
from gfpbench.types import BadInput, Json

_Network = TypeVar("_Network", bound=torch.nn.Module)

CODES = ("auto", "authors", "shared")
"""Whose code runs a clean network: the authors' (as spandrel carries it) or ours with shared convolutions.

``auto`` is ``authors`` on the CPU, where it is bit for bit what upstream computes, and ``shared`` on a GPU, in bfloat16
and channels-last. The two agree to a hundredth of a grey level in float32; tests/unit/restorers/test_gfpgan_shared.py
holds them to it.
"""


def clean(
    options: Options, path: Path, weights: Weights, settings: Settings, identity: Mapping[str, Json]
) -> FaceNetwork:
    """GFPGANv1Clean (1.2, 1.3, 1.4 or a network trained with that code) as a restorer.

    Raises:
        BadInput: for weights that do not fit, and options that exclude each other.
    """
    code = options.choice("code", CODES)
    options.finished()
    if code == "auto":
        wanted = torch.device(settings.device).type == "cuda" or settings.channels_last or settings.precision == "bf16"
        code = "shared" if wanted else "authors"
    if code == "authors" and settings.channels_last:
        raise BadInput(
            f"{options.spelled}: the authors' code cannot run channels-last (it calls .view): use code=shared"
        )
    refuse_other(path, weights, "GFPGANv1Clean")
    sizes = Sizes.of(weights, path)
    forward = _shared(sizes, weights, path, settings) if code == "shared" else _authors(sizes, weights, path, settings)
    return FaceNetwork(
        options.spelled,
        forward,
        settings,
        takes="signed",
        size_px=(sizes.out_px, sizes.out_px),
        autocast=code == "authors",
        identity={
            "architecture": "GFPGANv1Clean",
            "implementation": f"spandrel {version('spandrel')}"
            if code == "authors"
            else "gfpbench, shared convolutions",
            "randomize_noise": False,
            "config": sizes.config(),
            **identity,
        },
    )


def original(
    options: Options, path: Path, weights: Weights, settings: Settings, identity: Mapping[str, Json]
) -> FaceNetwork:
    """GFPGANv1 (the paper's network) as a restorer. Raises BadInput for weights that do not fit."""
    options.finished()
    refuse_other(path, weights, "GFPGANv1")
    sizes = Sizes.of(weights, path)
    network = _empty(lambda: GfpganV1(sizes))
    fit(network, weights, path, "GFPGANv1")
    network.prepare(settings.channels_last)
    return FaceNetwork(
        options.spelled,
        placed(network, settings),
        settings,
        takes="signed",
        size_px=(sizes.out_px, sizes.out_px),
        identity={
            "architecture": "GFPGANv1",
            "implementation": "gfpbench, no compiled operations",
            "randomize_noise": False,
            "config": sizes.config(),
            **identity,
        },
    )


def _shared(sizes: Sizes, weights: Weights, path: Path, settings: Settings) -> Forward:
    network = _empty(lambda: GfpganShared(sizes))
    fit(network, weights, path, "GFPGANv1Clean")
    network.prepare(torch.bfloat16 if settings.precision == "bf16" else torch.float32, settings.channels_last)
    return placed(network, settings)


def _authors(sizes: Sizes, weights: Weights, path: Path, settings: Settings) -> Forward:
    from spandrel.architectures.GFPGAN import GFPGAN

    network = _empty(lambda: GFPGAN(**sizes.config()))
    fit(network, weights, path, "GFPGANv1Clean")
    placed(network, settings)

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        # The architecture draws new noise at every call unless it is told to use what its weights store.
        image: torch.Tensor = network(pixels, return_rgb=False, randomize_noise=False)[0]
        return image

    return forward


def _empty(build: Callable[[], _Network]) -> _Network:
    """A network without memory for weights, to be given a file's: no random numbers are drawn, none are kept."""
    with torch.device("meta"):
        return build()
