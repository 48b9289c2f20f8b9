"""A random generator of MobileStyleGAN's form, 128 px, and the OpenVINO file that would hold it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.sax.saxutils import quoteattr

import torch

from training.mobile_prior import MobilePrior

CHANNELS = (16, 16, 16, 8, 8)
"""At 4, 8, 16, 32 and 64 px; the readout doubles the last once more."""


def small_prior(seed: int = 0) -> MobilePrior:
    """Frozen, 16 numbers in w, images of 128 px."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        prior = MobilePrior(16, CHANNELS, 2)
        for name, weight in prior.named_parameters():
            if name.endswith("modulation.bias") or name.endswith("up.bias"):
                weight.fill_(1.0)
    prior.set_mean()
    return prior


class Written:
    """An IR of one network: layers, edges and constants."""

    def __init__(self) -> None:
        self.layers: list[str] = []
        self.edges: list[str] = []
        self.values = b""

    def node(self, kind: str, name: str, *inputs: int, data: str = "") -> int:
        number = len(self.layers)
        self.layers.append(f'<layer id="{number}" name={quoteattr(name)} type="{kind}">{data}</layer>')
        self.edges += [
            f'<edge from-layer="{start}" from-port="0" to-layer="{number}" to-port="{port}"/>'
            for port, start in enumerate(inputs)
        ]
        return number

    def constant(self, name: str, tensor: torch.Tensor, shape: tuple[int, ...] | None = None) -> int:
        offset, held = len(self.values), tensor.detach().contiguous().float().numpy().tobytes()
        self.values += held
        sides = ", ".join(str(side) for side in (tensor.shape if shape is None else shape))
        data = f'<data element_type="f32" shape="{sides}" offset="{offset}" size="{len(held)}"/>'
        return self.node("Const", name, data=data)

    def put(self, opened: zipfile.ZipFile, name: str) -> None:
        text = f"<net><layers>{''.join(self.layers)}</layers><edges>{''.join(self.edges)}</edges></net>"
        opened.writestr(f"{name}.xml", text)
        opened.writestr(f"{name}.bin", self.values)


def write_prior(path: Path, prior: MobilePrior, factor: float = 0.25) -> None:
    """As the package writes it: what makes factors of channels is a linear layer, then a product with ``factor``."""
    mapping, synthesis = Written(), Written()
    x = mapping.node("Parameter", "var")
    for number, layer in enumerate(prior.mapping):
        assert isinstance(layer, torch.nn.Linear)
        product = mapping.node("MatMul", f"MatMul_{number}", x, mapping.constant(f"w{number}", layer.weight))
        x = mapping.node("Add", f"Add_{number}", product, mapping.constant(f"b{number}", layer.bias))
        x = mapping.node("PReLU", f"act{number}", x, mapping.constant(f"slope{number}", torch.tensor([0.2])))
    style = synthesis.node("Parameter", "style")
    state = prior.state_dict()

    def modulation(theirs: str, ours: str, by: float | None) -> None:
        scale = 1.0 if by is None else by
        weight, bias = state[f"{ours}.weight"] / scale, state[f"{ours}.bias"] / scale
        product = synthesis.node("MatMul", theirs, style, synthesis.constant(f"{theirs}.weight", weight))
        added = synthesis.node("Add", f"{theirs}+", product, synthesis.constant(f"{theirs}.bias", bias[None]))
        synthesis.node("ShapeOf", f"{theirs} shape", added)
        shaped = synthesis.node("Reshape", f"{theirs} shaped", added)
        if by is not None:
            constant = synthesis.constant(f"{theirs} factor", torch.full((1, 1, 1, 1), by))
            synthesis.node("Multiply", f"{theirs} *", shaped, constant)

    def convolution(theirs: str, ours: str) -> None:
        modulation(f"{theirs}.conv.modulation", f"{ours}.modulation", factor)
        x = style
        if f"{ours}.depthwise" in state:
            held = state[f"{ours}.depthwise"]
            depthwise = synthesis.constant(f"{theirs}.conv.weight_dw", held, (len(held), 1, 1, 3, 3))
            x = synthesis.node("GroupConvolution", f"{theirs} dw", x, depthwise)
        x = synthesis.node("Convolution", f"{theirs} c", x, synthesis.constant(f"{theirs} k", state[f"{ours}.kernel"]))
        x = synthesis.node("Add", f"{theirs} n", x, synthesis.constant(f"{theirs} noise", state[f"{ours}.noise"]))
        synthesis.node("Add", f"{theirs} b", x, synthesis.constant(f"{theirs}.bias", state[f"{ours}.bias"]))

    synthesis.constant("m.input.input", state["constant"])
    convolution("m.conv1", "first")
    for level in range(len(prior.levels)):
        modulation(f"m.layers.{level}.up.modulation", f"levels.{level}.up", None)
        for number in (1, 2):
            convolution(f"m.layers.{level}.conv{number}", f"levels.{level}.conv{number}")
    last = f"m.layers.{len(prior.levels) - 1}.to_img"
    modulation(f"{last}.conv.modulation", "modulation", factor)
    synthesis.constant(f"{last}.conv.weight", state["readout.weight"])
    synthesis.constant(f"{last}.bias", state["readout.bias"], (1, 12, 1, 1))
    with zipfile.ZipFile(path, "w") as opened:
        mapping.put(opened, "MappingNetwork")
        synthesis.put(opened, "SynthesisNetwork")
