"""Checkpoints of any kind: told by their contents, refused in one clear line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench.images import quantized, resized, select, to_uint8
from gfpbench.restorers import load
from gfpbench.types import BadInput, ImageBatch
from tests.unit.restorers import upstream_gfpgan as upstream

Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return upstream.clean(upstream.TINY)


@pytest.fixture(scope="module")
def face(degraded: ImageBatch) -> ImageBatch:
    return quantized(resized(select(degraded, [0]), (32, 32)))


def test_averaged_weights_come_before_plain_ones(network: torch.nn.Module, face: ImageBatch, tmp_path: Path) -> None:
    other = upstream.clean(upstream.TINY, seed=5)
    path = tmp_path / "both.pth"
    torch.save({"params": other.state_dict(), "params_ema": network.state_dict()}, path)
    wanted = upstream.by_functions(network, face, randomize_noise=False)
    assert torch.equal(to_uint8(load(f"checkpoint:{path}")(face)), to_uint8(wanted))


@pytest.mark.parametrize("how", ["params_ema", "params", "bare", "safetensors", "module."])
def test_the_ways_in_which_people_save_weights(
    how: str, network: torch.nn.Module, face: ImageBatch, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    path = tmp_path / ("net.safetensors" if how == "safetensors" else "net.pth")
    if how == "safetensors":
        save_file(state, path)
    elif how == "module.":
        torch.save({f"module.{name}": tensor for name, tensor in state.items()}, path)
    else:
        torch.save(state if how == "bare" else {how: state}, path)
    wanted = upstream.by_functions(network, face, randomize_noise=False)
    assert torch.equal(to_uint8(load(f"checkpoint:{path}")(face)), to_uint8(wanted))


def without(name: str) -> Callable[[Weights], Weights]:
    return lambda weights: {key: tensor for key, tensor in weights.items() if key != name}


def changed(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Weights], Weights]:
    return lambda weights: {key: change(tensor) if key == name else tensor for key, tensor in weights.items()}


def with_nan(tensor: torch.Tensor) -> torch.Tensor:
    spoilt = tensor.clone()
    spoilt.view(-1)[0] = float("nan")
    return spoilt


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            without("final_conv.bias"),
            r"not fit GFPGANv1Clean: 1 of \d+ weights are missing \(first: final_conv.bias",
        ),
        (without("stylegan_decoder.noises.noise3"), r"weights are missing \(first: stylegan_decoder.noises.noise3"),
        (lambda w: {**w, "extra": torch.ones(1)}, r"1 are not known there \(first: extra"),
        (changed("final_conv.bias", lambda t: t[:-1]), r"1 have another shape \(first: final_conv.bias is \(15,\)"),
        (
            changed("conv_body_first.weight", with_nan),
            r"1 of \d+ values of 'conv_body_first.weight' are NaN",
        ),
        (changed("conv_body_first.bias", lambda t: t / 0), r"of 'conv_body_first.bias' are NaN or infinite"),
        (without("final_linear.weight"), "does not hold the weights of a GFP-GAN"),
        (changed("final_linear.weight", lambda t: t[:16]), "of a form that was never published"),
    ],
)
@pytest.mark.parametrize("code", ["authors", "shared"])
def test_weights_that_do_not_fit(
    damage: Callable[[Weights], Weights], message: str, code: str, network: torch.nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "net.pth"
    torch.save({"params_ema": damage(dict(network.state_dict()))}, path)
    with pytest.raises(BadInput, match=message) as caught:
        load(f"checkpoint:{path}?code={code}")
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('ran')",))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncated, "truncated"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_text("<!DOCTYPE html><html>Not found</html>"), "web page"),
        (lambda path: torch.save({"params_ema": Runs()}, path), "holds code"),
        (lambda path: torch.save({"epoch": 7}, path), "not a tensor"),
        (lambda path: path.unlink(), "no such file"),
        (lambda path: torch.save({"a.weight": torch.ones(3)}, path), "no architecture that spandrel .* knows"),
    ],
)
def test_files_that_are_no_weights(
    spoil: Callable[[Path], object], message: str, network: torch.nn.Module, tmp_path: Path
) -> None:
    path = upstream.saved(network, tmp_path / "net.pth")
    spoil(path)
    with pytest.raises(BadInput, match=message) as caught:
        load(f"checkpoint:{path}")
    assert "\n" not in str(caught.value)


def test_another_architecture_under_an_official_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gfpbench import assets

    path = upstream.saved(upstream.original(upstream.TINY), tmp_path / "GFPGANv1.pth")
    monkeypatch.setattr(assets, "path", lambda name, needed_by=None: path)
    with pytest.raises(BadInput, match="holds weights of GFPGANv1, not of GFPGANv1Clean"):
        load("gfpgan-1.4")
    with pytest.raises(BadInput, match="holds weights of GFPGANv1, not of RestoreFormer"):
        load("restoreformer")
    assert load("gfpgan-1").provenance()["weights"] == "GFPGANv1.pth"


def test_an_unfamiliar_architecture_is_run_by_spandrel_and_says_so(face: ImageBatch, tmp_path: Path) -> None:
    from spandrel import ModelLoader
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(0)
    state = Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=2, act_type="prelu").state_dict()
    path = tmp_path / "compact.pth"
    torch.save({"params": state}, path)
    restorer = load(f"checkpoint:{path}")
    descriptor = ModelLoader().load_from_file(path)
    twice = ImageBatch(descriptor(face.pixels).clone(), face.ids)
    assert twice.size == (64, 64)
    assert (restorer(face).pixels - resized(twice, face.size).pixels).abs().max() < 1e-6
    record = restorer.provenance()
    assert (record["architecture"], record["scale"], record["range_known"]) == ("Compact", 2, False)
    assert record["range"] == "[0, 1]"
    with pytest.raises(BadInput, match="there is no option 'w'"):
        load(f"checkpoint:{path}?w=1")
