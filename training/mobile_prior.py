"""The generator of the package random-face (MobileStyleGAN, FFHQ) in torch: a prior that is read and never trained.

Belousov, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis",
arXiv:2104.04767. Features double in size by an inverse Haar transform of modulated channels; each convolution is a
modulated depthwise one and a pointwise one, whose demodulation is a constant of the file. The file keeps the readout of
the largest size only, so an image of a smaller size needs a readout of its own (``ReadoutFit``).
"""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from gfpbench.types import BadInput

Tensor = torch.Tensor
MEAN_OF = 1024
SLOPE = 0.2
_RIDGE = 1e-4
Steer = Callable[[int, Tensor], Tensor]
"""Level (0 is 8 px) and features (B, C, s, s) to features of the same shape."""


def from_haar(coefficients: Tensor) -> Tensor:
    """(B, 4 C, h, w) to (B, C, 2 h, 2 w): an inverse Haar transform, which is orthogonal.

    Args:
        coefficients: C of the mean, then for each channel its vertical, horizontal and diagonal differences.
    """
    batch, channels, height, width = coefficients.shape
    low = coefficients[:, : channels // 4]
    vertical, horizontal, both = coefficients[:, channels // 4 :].view(batch, -1, 3, height, width).unbind(2)
    upper, lower = low + vertical, low - vertical
    right, left = horizontal - both, horizontal + both
    parts = torch.stack([upper + left, upper - left, lower + right, lower - right], dim=2)
    return F.pixel_shuffle(parts.flatten(1, 2) / 2, 2)


class Separable(nn.Module):
    """A modulated convolution with its noise, bias and leaky ReLU: depthwise and pointwise, or whole at 4 px."""

    def __init__(self, ins: int, outs: int, style: int, side: int, whole: bool = False) -> None:
        super().__init__()
        self.modulation = nn.Linear(style, ins)
        self.depthwise = None if whole else nn.Parameter(torch.randn(ins, 1, 3, 3) / 3)
        self.kernel = nn.Parameter(torch.randn(outs, ins, *((3, 3) if whole else (1, 1))) / (ins * 9**whole) ** 0.5)
        self.noise = nn.Parameter(torch.randn(1, 1, side, side) / 10)
        self.bias = nn.Parameter(torch.zeros(1, outs, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(B, ins, s, s) and (B, style) to (B, outs, s, s)."""
        x = x * self.modulation(w)[:, :, None, None].to(x.dtype)
        if self.depthwise is not None:
            x = F.conv2d(x, self.depthwise, padding=1, groups=len(self.depthwise))
        x = F.conv2d(x, self.kernel, padding=self.kernel.shape[-1] // 2)
        return F.leaky_relu(x + (self.noise + self.bias).to(x.dtype), SLOPE)


class Level(nn.Module):
    """Features of one size to features of twice the size."""

    def __init__(self, ins: int, outs: int, style: int, side: int) -> None:
        super().__init__()
        self.up = nn.Linear(style, ins)
        self.conv1 = Separable(ins // 4, outs, style, side)
        self.conv2 = Separable(outs, outs, style, side)


class MobilePrior(nn.Module):
    """Mapping and synthesis, frozen: in evaluation mode, and no weight takes a gradient.

    Args:
        style: numbers in w.
        channels: of the features at 4, 8, 16 ... px.
        mlp: layers that map z to w.
    """

    mean: Tensor

    def __init__(self, style: int, channels: tuple[int, ...], mlp: int) -> None:
        super().__init__()
        self.mapping = nn.ModuleList(nn.Linear(style, style) for _ in range(mlp))
        self.constant = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.first = Separable(channels[0], channels[0], style, 4, whole=True)
        sizes = itertools.pairwise(channels)
        self.levels = nn.ModuleList(Level(ins, outs, style, 8 << n) for n, (ins, outs) in enumerate(sizes))
        self.modulation = nn.Linear(style, channels[-1])
        self.readout = nn.Conv2d(channels[-1], 12, 1)
        self.channels, self.style = channels, style
        self.register_buffer("mean", torch.zeros(style))
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def mapped(self, z: Tensor) -> Tensor:
        """(B, style) normal numbers to w of the same shape."""
        z = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.mapping:
            z = F.leaky_relu(layer(z), SLOPE) * 2**0.5
        return z

    def features(self, w: Tensor, levels: int, steer: Steer | None = None) -> Iterator[Tensor]:
        """What 1, 2 ... ``levels`` doublings make of (B, style), or of (B, levels + 1, style), one w for each size.

        Args:
            steer: changes the features of a level between its two convolutions.
        """
        if w.ndim == 2:
            w = w[:, None].expand(-1, levels + 1, -1)
        x: Tensor = self.first(self.constant.expand(len(w), -1, -1, -1), w[:, 0])
        for number in range(levels):
            level: Any = self.levels[number]
            own = w[:, number + 1]
            x = level.conv1(from_haar(x * level.up(own)[:, :, None, None].to(x.dtype)), own)
            x = level.conv2(x if steer is None else steer(number, x), own)
            yield x

    @torch.no_grad()
    def image(self, w: Tensor, at: int = 1) -> tuple[Tensor, Tensor]:
        """(B, style) to the file's own images, (B, 3, S, S) in about [-1, 1], and the features after ``at`` doublings.

        The package's images have 1,024 px.
        """
        every = list(self.features(w, len(self.levels)))
        return from_haar(self.readout(every[-1] * self.modulation(w)[:, :, None, None])), every[at - 1]

    def set_mean(self, seed: int = 0) -> None:
        """The mean w of fixed z, towards which truncation moves all others."""
        source = torch.Generator().manual_seed(seed)
        self.mean.copy_(self.mapped(torch.randn(MEAN_OF, self.style, generator=source)).mean(0))

    def drawn(self, count: int, truncation: float, source: torch.Generator) -> Tensor:
        """(count, style) w of fresh z, moved towards the mean: mean + truncation (w - mean)."""
        w = self.mapped(torch.randn(count, self.style, generator=source).to(self.mean.device))
        return self.mean + truncation * (w - self.mean)


class ReadoutFit:
    """Least squares from features to the Haar coefficients of an image of twice their side.

    It is the readout of a smaller size, which the file leaves out. A linear one cannot follow what later sizes do with
    w, so it comes near the images and no more; training goes on with it.
    """

    def __init__(self, width: int) -> None:
        self._gram, self._cross = torch.zeros(width + 1, width + 1).double(), torch.zeros(width + 1, 12).double()

    def add(self, features: Tensor, image: Tensor) -> None:
        """Take in (B, C, s, s) features and the (B, 3, 2 s, 2 s) images that they should give."""
        rows = torch.cat([features, torch.ones_like(features[:, :1])], 1)
        design = rows.transpose(0, 1).flatten(1).t().double().cpu()
        self._gram += design.t() @ design
        self._cross += design.t() @ to_haar(image).transpose(0, 1).flatten(1).t().double().cpu()

    def solved(self) -> Tensor:
        """(12, C + 1), the offset last."""
        ridge = _RIDGE * self._gram.diagonal().mean() * torch.eye(len(self._gram))
        solution: Tensor = torch.linalg.solve(self._gram + ridge, self._cross)
        return solution.t().float()


def to_haar(image: Tensor) -> Tensor:
    """(B, C, 2 h, 2 w) to (B, 4 C, h, w): the inverse of ``from_haar``."""
    a, b, c, d = (F.pixel_unshuffle(image, 2)[:, corner::4] for corner in range(4))
    low, vertical, horizontal, both = a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d
    return torch.cat([low, torch.stack([vertical, horizontal, both], 2).flatten(1, 2)], 1) / 2


def read_prior(path: Path) -> MobilePrior:
    """The generator of the asset ``random-face``.

    Raises:
        BadInput: for a file that is not of that form.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            mapping, synthesis = (_Graph(opened, f"{name}Network") for name in ("Mapping", "Synthesis"))
        return _filled(mapping, synthesis)
    except (zipfile.BadZipFile, KeyError, ValueError, AttributeError, ElementTree.ParseError) as error:
        raise BadInput(f"{path} does not hold the generator of random-face: fetch it again ({error})") from error


class _Graph:
    """Constants of an OpenVINO IR, and what feeds what."""

    def __init__(self, opened: zipfile.ZipFile, name: str) -> None:
        root, values = ElementTree.fromstring(opened.read(f"{name}.xml")), opened.read(f"{name}.bin")
        self.constants: dict[str, Tensor] = {}
        self.ids: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        for layer in root.iter("layer"):
            number, data = str(layer.get("id")), layer.find("data")
            self.ids[str(layer.get("name"))], self.kinds[number] = number, str(layer.get("type"))
            if layer.get("type") == "Const" and data is not None and data.get("element_type") == "f32":
                shape = [int(side) for side in str(data.get("shape")).split(",") if side.strip()]
                found = np.frombuffer(values, np.float32, int(np.prod(shape)), int(str(data.get("offset"))))
                self.constants[number] = torch.from_numpy(found.copy()).reshape(shape)
        edges = [(str(edge.get("from-layer")), str(edge.get("to-layer"))) for edge in root.iter("edge")]
        self.feeds = {to: [start for start, end in edges if end == to] for _, to in edges}
        self.fed = {start: [end for begin, end in edges if begin == start] for start, _ in edges}

    def named(self, name: str) -> Tensor:
        return self.constants[self.ids[name]]

    def beside(self, constant: str) -> str:
        """The other input of what a constant goes into."""
        (other,) = [given for given in self.feeds[self.fed[constant][0]] if given != constant]
        return other

    def constant_of(self, number: str) -> str:
        (found,) = [given for given in self.feeds[number] if given in self.constants]
        return found


def _filled(mapping: _Graph, synthesis: _Graph) -> MobilePrior:
    weights: dict[str, Tensor] = {}
    # Eight layers one after the other: the file's numbers are in their order.
    order = [mapping.constants[number] for number in sorted(mapping.constants, key=int)]
    matrices = [tensor for tensor in order if tensor.ndim == 2 and len(tensor) > 1]
    vectors = [tensor for tensor in order if tensor.ndim == 1 and len(tensor) > 1]
    for place, (matrix, vector) in enumerate(zip(matrices, vectors, strict=True)):
        weights |= {f"mapping.{place}.weight": matrix, f"mapping.{place}.bias": vector}
    weights["constant"] = synthesis.named("m.input.input")
    count = sum(name.endswith(".up.modulation.weight") for name in synthesis.ids)
    convolutions = {"first": "m.conv1"} | {
        f"levels.{n}.conv{k}": f"m.layers.{n}.conv{k}" for n in range(count) for k in (1, 2)
    }
    for ours, theirs in convolutions.items():
        weights |= {f"{ours}.{name}": tensor for name, tensor in _convolution(synthesis, theirs).items()}
    for n in range(count):
        weights |= _linear(synthesis, f"m.layers.{n}.up.modulation", f"levels.{n}.up", scaled=False)
    last = f"m.layers.{count - 1}.to_img"
    weights |= _linear(synthesis, f"{last}.conv.modulation", "modulation")
    weights["readout.weight"] = synthesis.named(f"{last}.conv.weight")
    weights["readout.bias"] = synthesis.named(f"{last}.bias").flatten()
    channels = (weights["constant"].shape[1], *(len(weights[f"levels.{n}.conv1.kernel"]) for n in range(count)))
    prior = MobilePrior(len(vectors[0]), channels, len(matrices))
    own = prior.state_dict()
    whole = {name: tensor.reshape(own[name].shape) for name, tensor in weights.items()} | {"mean": own["mean"]}
    try:
        prior.load_state_dict(whole)
    except RuntimeError as error:
        raise ValueError(" ".join(str(error).split())) from error
    prior.set_mean()
    return prior


def _linear(graph: _Graph, theirs: str, ours: str, scaled: bool = True) -> dict[str, Tensor]:
    """A layer that makes the factors of channels; what it is multiplied by afterwards goes into its weights."""
    weight, bias = graph.named(f"{theirs}.weight"), graph.named(f"{theirs}.bias").flatten()
    factor = torch.tensor(1.0)
    if scaled:
        shaped = graph.fed[graph.fed[graph.ids[f"{theirs}.bias"]][0]]
        reshape = next(number for number in shaped if graph.kinds[number] == "Reshape")
        factor = graph.constants[graph.constant_of(graph.fed[reshape][0])].flatten()
    return {f"{ours}.weight": weight * factor, f"{ours}.bias": bias * factor}


def _convolution(graph: _Graph, theirs: str) -> dict[str, Tensor]:
    bias = graph.ids[f"{theirs}.bias"]
    noisy = graph.beside(bias)
    noise = graph.constant_of(noisy)
    kernel = graph.constants[graph.constant_of(graph.beside(noise))]
    found = {"noise": graph.constants[noise], "bias": graph.constants[bias], "kernel": kernel}
    if f"{theirs}.conv.weight_dw" in graph.ids:
        found["depthwise"] = graph.named(f"{theirs}.conv.weight_dw")
    return found | _linear(graph, f"{theirs}.conv.modulation", "modulation")
