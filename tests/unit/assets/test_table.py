"""The table is data: these are the mistakes a new row could make."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest

from gfpbench import assets
from gfpbench.assets import ASSETS, Asset
from gfpbench.assets.datasets import FACES
from gfpbench.metrics import METRICS
from gfpbench.metrics.set_measures import SET_METRICS
from gfpbench.restorers import RESTORERS as TABLE
from gfpbench.types import BadInput

OPTIONS = {"whole-photo"}
"""What a user names that is neither a restorer nor a metric: ``gfpbench fetch --for whole-photo``."""
RESTORERS = {"gfpgan-1", "gfpgan-1.2", "gfpgan-1.3", "gfpgan-1.4", "restoreformer", "codeformer"}
ROWS = [pytest.param(asset, id=name) for name, asset in ASSETS.items()]


@pytest.mark.parametrize("asset", ROWS)
def test_a_row_makes_sense(asset: Asset) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", asset.name)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", asset.filename)
    assert asset.filename.endswith((".pth", ".pt", ".npz", ".safetensors", ".onnx", ".zip"))
    assert asset.sha256 is None or re.fullmatch(r"[0-9a-f]{8,63}|[0-9a-f]{64}", asset.sha256)
    assert asset.size_bytes is None or asset.size_bytes > 10_000
    assert asset.licence
    assert asset.source
    assert asset.needed_by
    assert len(set(asset.urls)) == len(asset.urls)
    for url in asset.urls:
        assert urlsplit(url).scheme == "https"
        # A hub names the weights of every repository alike; here they have a name of their own.
        assert unquote(urlsplit(url).path).rpartition("/")[2] in (asset.filename, "model.safetensors")


@pytest.mark.parametrize("asset", ROWS)
def test_a_hash_in_the_publishers_name_begins_the_hash(asset: Asset) -> None:
    suffix = re.search(r"-([0-9a-f]{8})\.pth$", asset.filename)
    assert suffix is None or (asset.sha256 or "").startswith(suffix[1])


@pytest.mark.parametrize("asset", ROWS)
def test_a_non_commercial_licence_is_marked(asset: Asset) -> None:
    words = asset.licence.lower()
    assert asset.noncommercial == any(
        word in words for word in ("-nc", " nc", "s-lab", "noncommercial", "non-commercial")
    )


@pytest.mark.parametrize("asset", ROWS)
def test_github_addresses_agree_with_the_source(asset: Asset) -> None:
    for url in asset.urls:
        if found := re.fullmatch(r"https://github\.com/([^/]+/[^/]+)/releases/download/([^/]+)/[^/]+", url):
            assert asset.source in (f"{found[1]}@{found[2]}", "https://huggingface.co/chaofengc/IQA-PyTorch-Weights")


def test_names_and_files_are_unique() -> None:
    assert all(name == asset.name for name, asset in ASSETS.items())
    assert len({asset.filename for asset in ASSETS.values()}) == len(ASSETS)
    hashes = [asset.sha256 for asset in ASSETS.values() if asset.sha256]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("asset", ROWS)
def test_what_needs_an_asset_exists_under_that_name(asset: Asset) -> None:
    assert set(asset.needed_by) <= {*TABLE, *METRICS, *SET_METRICS, *FACES, *OPTIONS}
    assert len(set(asset.needed_by)) == len(asset.needed_by)


def test_every_published_restorer_has_its_weights() -> None:
    for restorer in RESTORERS:
        assert assets.for_restorer(restorer) == [restorer]
    assert assets.for_restorer("input") == assets.for_restorer("checkpoint:gfpgan-1.4") == []
    assert assets.needed_for("whole-photo") == [
        *("retinaface-resnet50", "parsing-parsenet", "yunet"),
        "mediapipe-detector",
    ]


def test_a_misspelt_name_is_answered_with_near_ones() -> None:
    with pytest.raises(BadInput, match=r"did you mean .*'gfpgan-1\.4'"):
        assets.find("gfpgan1.4")
    with pytest.raises(BadInput, match="there are: adaface-ir50, alexnet"):
        assets.find("zzz")
