"""The recognition network behind the published identity angle: ResNet-18 ArcFace on grey faces of 128 px."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from gfpbench import assets
from gfpbench.types import BadInput


class ArcFaceResNet18(nn.Module):
    """(B, 1, 128, 128) grey faces in [-1, 1] to (B, 512) embeddings, whose angle is the distance between identities.

    The ResNet-18 of ronghuaiyang/arcface-pytorch (``resnet_face18`` without squeeze-and-excitation), which is
    GFP-GAN's identity network too (gfpgan/archs/arcface_arch.py in GFPGAN@7552a77, IRBlock, layers 2 2 2 2). Layers
    bear the names that the published files use.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU()
        self.maxpool = nn.MaxPool2d(2)
        self.layer1 = nn.Sequential(_Block(64, 64, 1), _Block(64, 64, 1))
        self.layer2 = nn.Sequential(_Block(64, 128, 2), _Block(128, 128, 1))
        self.layer3 = nn.Sequential(_Block(128, 256, 2), _Block(256, 256, 1))
        self.layer4 = nn.Sequential(_Block(256, 512, 2), _Block(512, 512, 1))
        self.bn4 = nn.BatchNorm2d(512)
        self.fc5 = nn.Linear(512 * 8 * 8, 512)
        self.bn5 = nn.BatchNorm1d(512)

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.prelu(self.bn1(self.conv1(grey))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        embedding: torch.Tensor = self.bn5(self.fc5(self.bn4(x).flatten(1)))
        return embedding


class _Block(nn.Module):
    """Batch norm first, two convolutions, and one PReLU shared by the inside and the sum."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_in, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels:
            shortcut = nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(self.bn0(x))))))
        summed: torch.Tensor = self.prelu(inner + (x if self.downsample is None else self.downsample(x)))
        return summed


@lru_cache(maxsize=1)
def arcface(path: Path) -> nn.Module:
    """The network with weights from GFP-GAN's ``arcface_resnet18.pth`` or VQFR's ``resnet18_110.pth``, in eval mode.

    Raises:
        BadInput: for a file that holds other weights.
    """
    # resnet18_110.pth was saved from a DataParallel model, which puts a word before every name.
    weights = {name.removeprefix("module."): value for name, value in assets.load_weights(path).items()}
    network = ArcFaceResNet18()
    try:
        missing, unexpected = network.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise BadInput(f"{path} does not fit ArcFace ResNet-18: {str(error).splitlines()[-1].strip()}") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        odd = [f"lacks {name}" for name in missing] + [f"has {name}" for name in unexpected]
        raise BadInput(f"{path} does not fit ArcFace ResNet-18: it {', '.join(odd[:3])} ({len(odd)} such names)")
    return network.eval().requires_grad_(False)
