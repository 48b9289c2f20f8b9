"""RestoreFormer and CodeFormer with seeded weights against the authors' handling of the same network."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench.images import from_signed, quantized, resized, select, to_signed, to_uint8
from gfpbench.restorers import load
from gfpbench.restorers.vq_networks import codeformer_architecture
from gfpbench.types import AssetMissing, BadInput, ImageBatch, PackageMissing
from tests.unit.restorers import upstream_gfpgan as upstream

NARROW = {"ch": 32, "ch_mult": (1, 1, 1, 1, 1, 2), "num_res_blocks": 1, "n_embed": 64}


@pytest.fixture(scope="module")
def one(degraded: ImageBatch) -> ImageBatch:
    return quantized(resized(select(degraded, [0]), (512, 512)))


@pytest.fixture(scope="module")
def restoreformer() -> torch.nn.Module:
    return upstream.randomised(lambda: upstream.upstream().RestoreFormer(**NARROW), seed=0)


def test_restoreformer_is_the_authors_byte_for_byte(
    restoreformer: torch.nn.Module, one: ImageBatch, tmp_path: Path
) -> None:
    path = upstream.saved(restoreformer, tmp_path / "RestoreFormer.pth", key="params")
    restorer = load(f"checkpoint:{path}")
    got = restorer(one)
    assert torch.equal(to_uint8(got), to_uint8(upstream.by_gfpganer(restoreformer, one)))
    assert restorer.provenance()["architecture"] == "RestoreFormer"
    # Why bfloat16 is refused: the nearest code becomes another one, and with it a patch of the image.
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        half = from_signed(restoreformer(to_signed(one))[0], one.ids)
    assert (half.pixels - got.pixels).abs().mean() > 2 / 255


def test_restoreformer_refuses_what_does_not_fit(restoreformer: torch.nn.Module, tmp_path: Path) -> None:
    state = dict(restoreformer.state_dict())
    state.pop("decoder.conv_in.weight")
    torch.save({"params": state}, tmp_path / "net.pth")
    with pytest.raises(BadInput, match=r"does not fit RestoreFormer: .*decoder.conv_in.weight"):
        load(f"checkpoint:{tmp_path / 'net.pth'}")
    path = upstream.saved(restoreformer, tmp_path / "whole.pth")
    with pytest.raises(BadInput, match="cannot run channels-last"):
        load(f"checkpoint:{path}?layout=channels-last")
    with pytest.raises(BadInput, match="dtype=bf16 changes which code is nearest"):
        load(f"checkpoint:{path}?dtype=bf16")


@pytest.fixture(scope="module")
def codeformer() -> Any:
    """The published sizes (they cannot be chosen), with one transformer layer instead of nine."""
    try:
        codeformer_architecture()
    except PackageMissing as missing:
        pytest.skip(str(missing))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from spandrel_extra_arches.architectures.CodeFormer import CodeFormer
    return upstream.randomised(lambda: CodeFormer(n_layers=1), seed=0)


def test_codeformer_is_called_as_its_authors_do(
    codeformer: torch.nn.Module, one: ImageBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a forward that only weighs its input: the real one takes half a minute (``-m gpu`` runs it)."""
    path = upstream.saved(codeformer, tmp_path / "codeformer.pth")
    restorer = load(f"checkpoint:{path}?w=0.9")
    monkeypatch.setattr(type(codeformer), "forward", lambda self, x, weight=0.5: (x * weight, None))
    assert torch.equal(to_uint8(restorer(one)), to_uint8(upstream.by_functions(codeformer, one, weight=0.9)))
    record = restorer.provenance()
    assert (record["architecture"], record["w"], record["range"]) == ("CodeFormer", 0.9, "[-1, 1]")
    assert load(f"checkpoint:{path}").provenance()["w"] == 0.5


@pytest.mark.gpu
def test_codeformer_on_a_gpu(codeformer: torch.nn.Module, one: ImageBatch, tmp_path: Path) -> None:
    path = upstream.saved(codeformer, tmp_path / "codeformer.pth")
    network = copy.deepcopy(codeformer).cuda()
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        wanted = upstream.by_functions(network, one, weight=0.9)
    got = load(f"checkpoint:{path}?w=0.9", device="cuda")(one)
    apart = (to_uint8(got).int() - to_uint8(wanted).int()).abs()
    assert (apart > 1).float().mean() < 1e-3


@pytest.mark.parametrize("w", ["1.1", "-1", "nan", "high"])
def test_a_fidelity_outside_0_to_1_is_refused(codeformer: torch.nn.Module, w: str, tmp_path: Path) -> None:
    path = upstream.saved(codeformer, tmp_path / "codeformer.pth")
    with pytest.raises(BadInput, match=r"give w=0\.\.1"):
        load(f"checkpoint:{path}?w={w}")


def test_without_its_package_codeformer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("spandrel_extra_arches")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "spandrel_extra_arches", None)
    with pytest.raises(AssetMissing, match="pip install spandrel-extra-arches"):
        codeformer_architecture()
