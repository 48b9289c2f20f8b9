"""What must hold of a GFP-GAN restorer: the laws that the tests ask of ours and the saboteurs break."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from gfpbench.images import quantized, resized, select, to_uint8
from gfpbench.restorers import load
from gfpbench.types import BadInput, ImageBatch, Restorer
from tests.unit.restorers import upstream_gfpgan as upstream

Make = Callable[..., torch.nn.Module]


def makes_the_authors_image(path: Path, network: torch.nn.Module, faces: ImageBatch, options: str = "") -> None:
    """Within one level of 255, in fewer than one value of a thousand, at the network's own size."""
    side = 4 << len(network.conv_body_up)  # type: ignore[arg-type]
    fitted = quantized(resized(faces, (side, side)))
    with upstream.native_operations():
        wanted = upstream.by_functions(network, fitted, return_rgb=False, randomize_noise=False)
    apart = (to_uint8(load(f"checkpoint:{path}{options}")(fitted)).int() - to_uint8(wanted).int()).abs()
    assert apart.max() <= 1, f"{int(apart.max())} levels apart"
    assert (apart > 0).float().mean() < 1e-3, f"{float((apart > 0).float().mean()):.4f} of the values differ"


def repeats_itself(path: Path, faces: ImageBatch) -> None:
    """The same image at every call, whatever torch's random state."""
    restorer = load(f"checkpoint:{path}")
    answers = [restorer(faces).pixels for seed in (1, 2) if torch.manual_seed(seed)]
    assert torch.equal(*answers), "two calls gave two images"


def keeps_size_and_range(path: Path, faces: ImageBatch) -> None:
    """Any size in, the same size and [0, 1] out."""
    given = resized(select(faces, [0]), (100, 76))
    restored = load(f"checkpoint:{path}")(given)
    assert restored.size == given.size, f"{given.size} in, {restored.size} out"
    assert restored.pixels.min() >= 0, "below 0"
    assert restored.pixels.max() <= 1, "above 1"


def takes_averaged_weights(folder: Path, make: Make, size: dict[str, float], faces: ImageBatch) -> None:
    """A file with both kinds of weights gives the image of ``params_ema``."""
    averaged = make(size)
    path = folder / "both.pth"
    torch.save({"params": make(size, seed=9).state_dict(), "params_ema": averaged.state_dict()}, path)
    makes_the_authors_image(path, averaged, faces)


def refuses_missing_weights(folder: Path, make: Make, size: dict[str, float]) -> None:
    """A file without one of its weights, or with one too many, is refused."""
    state = dict(make(size).state_dict())
    for changed in (
        {name: tensor for name, tensor in state.items() if name != "final_conv.bias" and name != "final_conv.1.bias"},
        {**state, "unheard_of": torch.ones(1)},
    ):
        torch.save({"params_ema": changed}, folder / "changed.pth")
        try:
            load(f"checkpoint:{folder / 'changed.pth'}")
        except BadInput:
            continue
        raise AssertionError("weights that do not fit were accepted")


def runs_in_evaluation_mode(path: Path, options: str = "") -> None:
    """No module is left in training mode, and none asks for gradients."""
    network = module_of(load(f"checkpoint:{path}{options}"))
    training = [name for name, module in network.named_modules() if module.training]
    assert not training, f"{len(training)} modules are in training mode"
    assert not any(parameter.requires_grad for parameter in network.parameters()), "weights ask for gradients"


def module_of(restorer: Restorer) -> torch.nn.Module:
    """The torch module inside a restorer."""
    forward = restorer._forward  # type: ignore[attr-defined]
    if isinstance(forward, torch.nn.Module):
        return forward
    return next(c.cell_contents for c in forward.__closure__ if isinstance(c.cell_contents, torch.nn.Module))
