"""Computes a small network of TensorFlow.js with torch, from the file that ``converters.graph_of_tfjs`` writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open

from gfpbench import assets
from gfpbench.types import BadInput


class Graph:
    """A network with one image as its input.

    Args:
        path: safetensors with the constants, and the nodes in its metadata.
        side_px: of the square image that it is given.

    Raises:
        BadInput: for another file, or a network for images of another size.
    """

    def __init__(self, path: Path, side_px: int) -> None:
        self.path, self.side_px = path, side_px
        self._constants = assets.load_weights(path)
        try:
            with safe_open(path, "pt") as opened:
                self._nodes: list[Any] = json.loads((opened.metadata() or {})["graph"])
            self._input = next(name for operation, name, _, _ in self._nodes if operation == "Placeholder")
        except (SafetensorError, KeyError, ValueError, StopIteration) as problem:
            raise BadInput(f"{path} holds no network of TensorFlow.js ({problem})") from problem
        for operation, name, inputs, _ in self._nodes:
            if operation in _KERNELS and len(inputs) > 1:
                kernel = self._constants[inputs[1]].float().permute(_KERNELS[operation]).contiguous()
                self._constants[f"{name}: kernel"] = kernel

    def __call__(self, image: torch.Tensor, outputs: Sequence[str]) -> list[torch.Tensor]:
        """(1, side, side, 3) float32 RGB to the values of the nodes of these names, channels last as there."""
        if tuple(image.shape) != (1, self.side_px, self.side_px, 3):
            raise BadInput(f"{self.path.name} takes an image of {self.side_px} px, not {tuple(image.shape)}")
        values: dict[str, torch.Tensor] = {**self._constants, self._input: image}
        try:
            with torch.inference_mode():
                for operation, name, inputs, settings in self._nodes:
                    if name != self._input:
                        values[name] = self._computed(operation, name, [values[one] for one in inputs], settings)
            return [values[name].clone() for name in outputs]
        except (KeyError, RuntimeError, IndexError) as problem:
            raise BadInput(f"{self.path} is no network that can be computed: {problem}") from problem

    def _computed(self, operation: str, name: str, given: list[torch.Tensor], settings: dict[str, Any]) -> torch.Tensor:
        match operation:
            case "_FusedConv2D" | "DepthwiseConv2dNative":
                return self._convolved(operation, name, given, settings)
            case "AddV2":
                return given[0] + given[1]
            case "Relu":
                return F.relu(given[0])
            case "Prelu":
                return torch.where(given[0] >= 0, given[0], given[0] * given[1])
            case "Sigmoid":
                return given[0].sigmoid()
            case "MaxPool":
                maps = _padded(given[0].permute(0, 3, 1, 2), settings["side"], settings, -torch.inf)
                return F.max_pool2d(maps, settings["side"], settings["stride"]).permute(0, 2, 3, 1)
            case "Pad":
                return F.pad(given[0], [int(end) for ends in reversed(given[1].tolist()) for end in ends])
            case "Reshape":
                return given[0].reshape([int(size) for size in given[1]])
            case "ConcatV2":
                return torch.cat(given[:-1], int(given[-1]))
            case "Identity":
                return given[0]
        raise BadInput(f"{self.path}: {operation} is not computed here")

    def _convolved(
        self, operation: str, name: str, given: list[torch.Tensor], settings: dict[str, Any]
    ) -> torch.Tensor:
        kernel = self._constants[f"{name}: kernel"]
        groups = len(kernel) if operation == "DepthwiseConv2dNative" else 1
        maps = _padded(given[0].permute(0, 3, 1, 2), kernel.shape[-1], settings, 0.0)
        made = F.conv2d(maps, kernel, stride=settings["stride"], groups=groups).permute(0, 2, 3, 1)
        rest = iter(given[2:])
        for step in settings.get("fused", ()):
            match step:
                case "BiasAdd":
                    made = made + next(rest)
                case "Relu":
                    made = F.relu(made)
                case "Prelu":
                    made = torch.where(made >= 0, made, made * next(rest))
                case _:
                    raise BadInput(f"{self.path}: a convolution with {step} is not computed here")
        return made


_KERNELS = {"_FusedConv2D": (3, 2, 0, 1), "DepthwiseConv2dNative": (2, 3, 0, 1)}
"""From TensorFlow's order of a kernel's axes to torch's; the depthwise one has a multiplier of 1."""


def _padded(maps: torch.Tensor, side: int, settings: dict[str, Any], value: float) -> torch.Tensor:
    """TensorFlow's "same": the output is the input's size over the stride, the odd row or column goes behind."""
    if not settings.get("same"):
        return maps
    ends = []
    for size in (maps.shape[3], maps.shape[2]):
        more = max((-(-size // settings["stride"]) - 1) * settings["stride"] + side - size, 0)
        ends += [more // 2, more - more // 2]
    return F.pad(maps, ends, value=value)
