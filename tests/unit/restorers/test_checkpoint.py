"""Checkpoints of any kind: told by their contents, refused in one clear line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
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


KEYS = (
    *("params_ema", "params-ema", "g_ema", "ema", "state_dict_ema", "params", "net_g", "netG", "generator"),
    *("model_state_dict", "state_dict", "model", "net"),
)
PREFIXES: tuple[str, ...]
PREFIXES = ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "net_g.", "model.generator.")
PREFIXES += ("student.", "ema_model.", "module.averaged.net.")


@pytest.mark.parametrize("how", ["bare", "legacy", "safetensors", *KEYS, *PREFIXES])
def test_the_ways_in_which_people_save_weights(
    how: str, network: torch.nn.Module, face: ImageBatch, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    path = tmp_path / "net.pth"
    if how == "safetensors":
        path = path.with_suffix(".safetensors")
        save_file(state, path)
    elif how.endswith("."):
        torch.save({f"{how}{name}": tensor for name, tensor in state.items()}, path)
    else:
        found = state if how in ("bare", "legacy") else {"epoch": 7, how: state, "optimizer": {"state": {0: {}}}}
        torch.save(found, path, _use_new_zipfile_serialization=how != "legacy")
    wanted = upstream.by_functions(network, face, randomize_noise=False)
    restorer = load(f"checkpoint:{path}")
    assert torch.equal(to_uint8(restorer(face)), to_uint8(wanted))
    record = restorer.provenance()
    assert record.get("weights_key") == (how if how in KEYS else None)
    assert record.get("left_out_of_file") == (["epoch", "optimizer"] if how in KEYS else None)
    assert record.get("prefix_of_names") == (how if how.endswith(".") else None)


@pytest.mark.parametrize(("counter", "prefix"), [("n_averaged", "module."), ("step", ""), ("num_updates", "")])
def test_single_numbers_saved_as_tensors_are_left_out(
    counter: str, prefix: str, network: torch.nn.Module, face: ImageBatch, tmp_path: Path
) -> None:
    """As ``torch.optim.swa_utils.AveragedModel`` and classes of moving averages save them, in the table itself."""
    state = {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({counter: torch.tensor(3), **state}, tmp_path / "net.pth")
    restorer = load(f"checkpoint:{tmp_path / 'net.pth'}")
    wanted = upstream.by_functions(network, face, randomize_noise=False)
    assert torch.equal(to_uint8(restorer(face)), to_uint8(wanted))
    assert restorer.provenance()["left_out_of_file"] == [counter]


@pytest.mark.parametrize("prefix", ["params_ema.", "module.g_ema.", "generator.module."])
def test_one_network_of_several_under_prefixes(
    prefix: str, network: torch.nn.Module, face: ImageBatch, tmp_path: Path
) -> None:
    """As a Lightning module or a flat safetensors file holds a generator beside a discriminator and a loss."""
    from safetensors.torch import save_file

    state = {f"{prefix}{name}": tensor.clone() for name, tensor in network.state_dict().items()}
    other = {f"discriminator.{number}.weight": torch.ones(2) for number in range(3)}
    if prefix.startswith("module."):  # one wrapper around both
        other = {f"module.{name}": tensor for name, tensor in other.items()}
    path = tmp_path / "net.safetensors"
    save_file({**state, **other}, path)
    restorer = load(f"checkpoint:{path}")
    wanted = upstream.by_functions(network, face, randomize_noise=False)
    assert torch.equal(to_uint8(restorer(face)), to_uint8(wanted))
    assert restorer.provenance()["prefix_of_names"] == prefix
    assert restorer.provenance()["weights_left_out"] == 3


def test_of_two_networks_under_unknown_prefixes_none_is_guessed(network: torch.nn.Module, tmp_path: Path) -> None:
    state = {f"{who}.{name}": value for who in ("student", "teacher") for name, value in network.state_dict().items()}
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(BadInput, match=r"weights of no architecture .*they begin with student\."):
        load(f"checkpoint:{tmp_path / 'net.pth'}")


@pytest.mark.skipif(not hasattr(torch.serialization, "safe_globals"), reason="torch before 2.5 cannot be told to")
def test_a_number_of_numpys_beside_the_weights(network: torch.nn.Module, face: ImageBatch, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"params_ema": network.state_dict(), "loss": np.float64(0.25)}, path)
    wanted = upstream.by_functions(network, face, randomize_noise=False)
    restorer = load(f"checkpoint:{path}")
    assert torch.equal(to_uint8(restorer(face)), to_uint8(wanted))
    assert restorer.provenance()["left_out_of_file"] == ["loss"]


def test_what_lies_beside_the_tensors_is_left_out_and_named(
    network: torch.nn.Module, face: ImageBatch, tmp_path: Path
) -> None:
    path = tmp_path / "net.pth"
    torch.save({**network.state_dict(), "step": 7, "name": "mine"}, path)
    restorer = load(f"checkpoint:{path}")
    assert restorer.provenance()["left_out_of_file"] == ["step", "name"]
    wanted = upstream.by_functions(network, face, randomize_noise=False)
    assert torch.equal(to_uint8(restorer(face)), to_uint8(wanted))


def test_of_several_unknown_tables_none_is_guessed(network: torch.nn.Module, face: ImageBatch, tmp_path: Path) -> None:
    other = upstream.clean(upstream.TINY, seed=5)
    path = tmp_path / "net.pth"
    torch.save({"slow": other.state_dict(), "fast": {"deep": network.state_dict()}, "epoch": 3}, path)
    with pytest.raises(
        BadInput, match=r"several tables of weights.*: slow, fast; choose one: checkpoint:PATH\?key=slow"
    ):
        load(f"checkpoint:{path}")
    with pytest.raises(BadInput, match=r"no table of weights under key=quick; tables there: slow, fast"):
        load(f"checkpoint:{path}?key=quick")
    wanted = upstream.by_functions(network, face, randomize_noise=False)
    for key in ("fast", "fast/deep"):
        restorer = load(f"checkpoint:{path}?key={key}")
        assert torch.equal(to_uint8(restorer(face)), to_uint8(wanted))
        assert restorer.provenance()["weights_key"] == "fast/deep"
    torch.save({"only": network.state_dict(), "epoch": 3}, path)
    assert load(f"checkpoint:{path}").provenance()["weights_key"] == "only"


def test_a_program_is_named_for_what_it_is(tmp_path: Path) -> None:
    class Halved(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / 2

    scripted, exported = tmp_path / "net.pt", tmp_path / "net.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Halved()).save(scripted)
    torch.export.save(torch.export.export(Halved(), (torch.ones(1, 3, 8, 8),)), exported)
    (tmp_path / "net.onnx").write_bytes(b"\x08\x08")
    for path, form in ((scripted, "torchscript"), (exported, "pt2"), (tmp_path / "net.onnx", "onnx")):
        with pytest.raises(BadInput, match=f"a program and no table of weights: .* name it {form}:PATH"):
            load(f"checkpoint:{path}")


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
        (
            lambda w: {name.replace("conv_body_first", "first"): tensor for name, tensor in w.items()},
            r"GFPGANv1Clean: 2 of \d+ weights are missing \(first: conv_body_first.weight\); 2 are not known there",
        ),
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
