"""LPIPS: how different two faces look to a network trained on people's judgement. 0 for equal images."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from gfpbench import assets
from gfpbench.images import quantized, to_signed
from gfpbench.lazy import LazyModule
from gfpbench.metrics.per_image import PerImageMetric, image_by_image
from gfpbench.types import BadInput, ImageBatch, PackageMissing

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch, nn = LazyModule("torch"), LazyModule("torch.nn")

Backbone: TypeAlias = Literal["alex", "vgg"]

_ASSETS: dict[Backbone, str] = {"alex": "alexnet", "vgg": "vgg16"}
_MINIMUM_SIDE_PX: dict[Backbone, int] = {"alex": 31, "vgg": 16}  # smaller ones vanish in the pooling layers


@lru_cache(maxsize=2)
def network(backbone: Backbone, weights: Path) -> nn.Module:
    """The ``lpips`` package's network with its linear heads v0.1 and backbone weights of ours, in eval mode.

    The package would download the backbone; here it is built bare, without any network access, and filled from
    torchvision's file.

    Args:
        weights: torchvision's alexnet-owt or vgg16 file.

    Raises:
        PackageMissing: without the package.
        BadInput: for weights of another network.
    """
    try:
        import lpips
    except ModuleNotFoundError as error:
        raise PackageMissing("lpips", f"lpips_{backbone}", "pip install lpips") from error
    given = assets.load_weights(weights)
    with warnings.catch_warnings():
        # The package builds its backbone through an argument that torchvision has since renamed.
        warnings.filterwarnings("ignore", message=".*pretrained.*", category=UserWarning)
        warnings.filterwarnings("ignore", message="Arguments other than a weight enum.*", category=UserWarning)
        made: nn.Module = lpips.LPIPS(net=backbone, version="0.1", pnet_rand=True, verbose=False)
    held: Any = made.net
    # The slices keep torchvision's layer numbers: slice2.5.weight is features.5.weight.
    wanted = {name: f"features.{name.split('.', 1)[1]}" for name in held.state_dict()}
    lacking = [source for source in wanted.values() if source not in given]
    if lacking:
        raise BadInput(f"{weights} does not fit {_ASSETS[backbone]}: it lacks {', '.join(lacking[:3])}")
    try:
        held.load_state_dict({name: given[source] for name, source in wanted.items()})
    except RuntimeError as error:
        raise BadInput(f"{weights} does not fit {_ASSETS[backbone]}: {str(error).splitlines()[-1].strip()}") from error
    return made.eval().requires_grad_(False)


def distance(network: nn.Module, restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
    """(B,) distances of the 8-bit images, given to the network as RGB in [-1, 1], the range it was made for."""
    network = network.to(restored.pixels.device)

    def one(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = network(ours[None], theirs[None])
        return value.reshape(())

    return image_by_image(one, to_signed(quantized(restored)), to_signed(quantized(truth)))


def _metric(backbone: Backbone) -> PerImageMetric:
    name = f"lpips_{backbone}"

    def score(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        return distance(network(backbone, assets.path(_ASSETS[backbone], name)), restored, truth)

    return PerImageMetric(
        name=name,
        unit="",
        better="lower",
        best=0.0,
        tolerance=1e-5,
        tolerance_reason="convolutions differ by 1e-6 between thread counts and devices",
        minimum_side_px=_MINIMUM_SIDE_PX[backbone],
        needs_truth=True,
        source=f"Zhang et al. 2018 (arXiv 1801.03924); heads v0.1 of the lpips package on {_ASSETS[backbone]}",
        score=score,
    )


lpips_alex = _metric("alex")
"""LPIPS on AlexNet, RGB in [-1, 1]: what ``lpips.LPIPS()`` and pyiqa's ``lpips`` mean by default."""

lpips_vgg = _metric("vgg")
"""LPIPS on VGG-16, RGB in [-1, 1]: what GFP-GAN, VQFR and PMRF report (BasicSR scripts/metrics, calculate_lpips.py)."""
