"""The authors' own networks and image handling (gfpgan 1.3.8, basicsr 1.4.2); seeded weights in their file format."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from gfpbench.images import from_bgr_arrays, to_bgr_arrays
from gfpbench.types import ImageBatch

GONE = "torchvision.transforms.functional_tensor"

SMALL = {"out_size": 64, "num_style_feat": 32, "num_mlp": 2, "narrow": 0.125}
TINY = {"out_size": 32, "num_style_feat": 16, "num_mlp": 1, "narrow": 0.0625}
FULL = {"out_size": 512, "num_style_feat": 512, "num_mlp": 8, "narrow": 1}
FORM = {"input_is_latent": True, "different_w": True, "sft_half": True, "fix_decoder": False}
"""As gfpgan/utils.py builds every version; channel_multiplier is 1 for version 1 and 2 for the clean ones."""


@cache
def upstream() -> SimpleNamespace:
    """The authors' classes and functions by name; skips the test where the upstream extra is not installed."""
    if importlib.util.find_spec("gfpgan") is None or importlib.util.find_spec("basicsr") is None:
        pytest.skip("needs gfpgan and basicsr: pip install gfpbench[upstream]")
    from torchvision.transforms.functional import normalize, rgb_to_grayscale

    stand_in = ModuleType(GONE)
    stand_in.rgb_to_grayscale = rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[GONE] = stand_in
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from basicsr.archs import stylegan2_arch
            from basicsr.ops.fused_act import fused_act
            from basicsr.utils import img2tensor, tensor2img
            from gfpgan.archs.gfpganv1_arch import GFPGANv1
            from gfpgan.archs.gfpganv1_clean_arch import GFPGANv1Clean
            from gfpgan.archs.restoreformer_arch import RestoreFormer
            from gfpgan.utils import GFPGANer
    finally:
        del sys.modules[GONE]
    return SimpleNamespace(
        GFPGANv1=GFPGANv1,
        GFPGANv1Clean=GFPGANv1Clean,
        GFPGANer=GFPGANer,
        RestoreFormer=RestoreFormer,
        fused_act=fused_act,
        img2tensor=img2tensor,
        normalize=normalize,
        stylegan2_arch=stylegan2_arch,
        tensor2img=tensor2img,
    )


@contextmanager
def native_operations() -> Iterator[None]:
    """basicsr's compiled operations replaced by what they compute: bias, leaky relu, gain; its own native upfirdn2d."""
    theirs = upstream()

    def activated(x: torch.Tensor, bias: torch.Tensor, slope: float = 0.2, scale: float = 2**0.5) -> torch.Tensor:
        return F.leaky_relu(x + bias.view(1, -1, *[1] * (x.ndim - 2)), slope) * scale

    def resampled(x: torch.Tensor, kernel: torch.Tensor, up: int = 1, down: int = 1, pad: Any = (0, 0)) -> torch.Tensor:
        native = importlib.import_module("basicsr.ops.upfirdn2d.upfirdn2d").upfirdn2d_native
        return native(x, kernel, up, up, down, down, pad[0], pad[1], pad[0], pad[1])

    with (
        mock.patch.object(theirs.fused_act, "fused_leaky_relu", activated),
        mock.patch.object(theirs.stylegan2_arch, "fused_leaky_relu", activated),
        mock.patch.object(theirs.stylegan2_arch, "upfirdn2d", resampled),
    ):
        yield


def clean(size: dict[str, Any], seed: int = 0) -> torch.nn.Module:
    """The authors' GFPGANv1Clean with seeded weights."""
    return randomised(lambda: upstream().GFPGANv1Clean(**size, channel_multiplier=2, **FORM), seed)


def original(size: dict[str, Any], seed: int = 0) -> torch.nn.Module:
    """The authors' GFPGANv1 with seeded weights; run it under ``native_operations``."""
    return randomised(lambda: upstream().GFPGANv1(**size, channel_multiplier=1, **FORM), seed, rgb_gain=0.2)


def randomised(build: Callable[[], torch.nn.Module], seed: int, rgb_gain: float = 1.0) -> torch.nn.Module:
    """A network whose every part matters: noise strengths and biases, which start at zero, are drawn as well.

    Args:
        build: makes the network, drawing its weights.
        rgb_gain: on the layers that make the image, so that it is not all clamped away.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = build()
        for name, parameter in network.named_parameters():
            if name.endswith(".weight") and parameter.numel() == 1:
                parameter.normal_(0, 0.3)
            elif name.endswith("bias"):
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif "to_rgb" in name and name.endswith("modulated_conv.weight"):
                parameter.mul_(rgb_gain)
    return network.eval().requires_grad_(False)


def saved(network: torch.nn.Module, path: Path, key: str = "params_ema") -> Path:
    """Weights in the authors' file format."""
    torch.save({key: network.state_dict()}, path)
    return path


def by_functions(network: torch.nn.Module, batch: ImageBatch, **options: Any) -> ImageBatch:
    """What GFPGANer.enhance does with aligned faces, one by one, through the authors' functions, at any size."""
    theirs = upstream()
    device = next(network.parameters()).device
    restored: list[NDArray[np.uint8]] = []
    for bgr in to_bgr_arrays(batch):
        tensor = theirs.img2tensor(bgr / 255.0, bgr2rgb=True, float32=True)
        theirs.normalize(tensor, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), inplace=True)
        with torch.no_grad():
            answer = network(tensor.unsqueeze(0).to(device), **options)[0]
        restored.append(theirs.tensor2img(answer.squeeze(0), rgb2bgr=True, min_max=(-1, 1)).astype("uint8"))
    return from_bgr_arrays(restored, batch.ids)


def restorer(network: torch.nn.Module, **options: Any) -> Any:
    """A GFPGANer around a network, without the face detector that its constructor downloads."""
    made = object.__new__(upstream().GFPGANer)
    made.gfpgan, made.device = partial(network, **options), next(network.parameters()).device
    helper = SimpleNamespace(cropped_faces=[], restored_faces=[])
    helper.clean_all = lambda: (helper.cropped_faces.clear(), helper.restored_faces.clear())
    helper.add_restored_face = helper.restored_faces.append
    made.face_helper = helper
    return made


def by_gfpganer(network: torch.nn.Module, batch: ImageBatch, **options: Any) -> ImageBatch:
    """512-px faces through GFPGANer.enhance itself. It returns its input where the network raises: refused here."""
    made = restorer(network, **options)
    restored = []
    for bgr in to_bgr_arrays(batch):
        image = made.enhance(bgr, has_aligned=True, paste_back=False)[1][0]
        assert (image != bgr).any(), "GFPGANer caught an error and returned its input"
        restored.append(image.copy())
    return from_bgr_arrays(restored, batch.ids)
