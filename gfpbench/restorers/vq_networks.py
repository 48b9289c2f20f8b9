"""RestoreFormer and CodeFormer: networks that look a face up in a codebook, in the code that spandrel carries."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from gfpbench.options import Options
from gfpbench.restorers.checkpoint_file import Weights, refuse_other, refuse_other_numbers
from gfpbench.restorers.construction import within_size_of
from gfpbench.restorers.face_network import FaceNetwork, Settings, placed
from gfpbench.types import BadInput, Json, PackageMissing

SIDE_PX = 512


def restoreformer(
    options: Options, path: Path, weights: Weights, settings: Settings, identity: Mapping[str, Json]
) -> FaceNetwork:
    """RestoreFormer as a restorer, called as gfpgan/utils.py of TencentARC/GFPGAN@7552a77 does: [-1, 1] at 512 px."""
    options.finished()
    from spandrel.architectures.RestoreFormer import RestoreFormerArch

    network = _loaded(RestoreFormerArch(), path, weights, settings, options)

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        image: torch.Tensor = network(pixels)[0]
        return image

    return _restorer(options, forward, settings, {"architecture": "RestoreFormer", **_made_by("spandrel"), **identity})


def codeformer(
    options: Options, path: Path, weights: Weights, settings: Settings, identity: Mapping[str, Json]
) -> FaceNetwork:
    """CodeFormer as a restorer, called as inference_codeformer.py of sczhou/CodeFormer@b33cc7d calls it.

    [-1, 1] at 512 px, with adaptive instance normalisation. spandrel's own call feeds it [0, 1] and leaves w at 0.5.
    """
    w = options.number("w", 0.5, 0.0, 1.0)
    options.finished()
    network = _loaded(codeformer_architecture(), path, weights, settings, options)

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        image: torch.Tensor = network(pixels, weight=w)[0]
        return image

    record = {"architecture": "CodeFormer", "w": w, "adain": True, **_made_by("spandrel-extra-arches")}
    return _restorer(options, forward, settings, {**record, **identity})


def codeformer_architecture() -> Any:
    """spandrel's description of CodeFormer. Raises PackageMissing where the package that has it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it uses torch.jit.script, which newer torch calls deprecated
            from spandrel_extra_arches.architectures.CodeFormer import CodeFormerArch
    except ImportError as error:
        package = "spandrel-extra-arches"
        raise PackageMissing(package, "codeformer", f"pip install {package}") from error
    return CodeFormerArch()


def _loaded(architecture: Any, path: Path, weights: Weights, settings: Settings, options: Options) -> torch.nn.Module:
    if settings.precision == "bf16":
        reason = "changes which code is nearest, and with it whole patches of the image"
        raise BadInput(f"{options.spelled}: dtype=bf16 {reason}: use dtype=fp32")
    if settings.channels_last:
        raise BadInput(f"{options.spelled}: the code of {architecture.id} cannot run channels-last: leave layout away")
    refuse_other(path, weights, architecture.id)
    try:
        # Its constructor draws initial weights, which are replaced.
        with torch.random.fork_rng(devices=[]), within_size_of(weights, path):
            descriptor = architecture.load(dict(weights))
    except BadInput:
        raise
    except Exception as error:  # of any type: what a constructor makes of sizes that make no sense
        line = " ".join(str(error).split())[:200]
        raise BadInput(f"{path} does not fit {architecture.id}: {line}") from error
    network: torch.nn.Module = descriptor.model
    refuse_other_numbers(network.state_dict(), weights, path)
    return placed(network, settings)


def _restorer(options: Options, forward: Any, settings: Settings, identity: Mapping[str, Json]) -> FaceNetwork:
    return FaceNetwork(
        options.spelled, forward, settings, takes="signed", size_px=(SIDE_PX, SIDE_PX), identity=identity
    )


def _made_by(package: str) -> dict[str, Json]:
    return {"implementation": f"{package} {version(package)}"}
