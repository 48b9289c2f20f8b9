"""pyiqa's networks: imported only when asked for, filled from our files, and the same number each time."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench import assets, run
from gfpbench.metrics import load, pyiqa_networks
from gfpbench.types import BadInput, Case, PackageMissing
from tests.unit.metrics import every_metric, pyiqa_oracles


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pyiqa_oracles.small():
        yield tmp_path_factory.mktemp("pyiqa")


@pytest.mark.usefixtures("forked_processes")
def test_it_is_not_imported_unless_it_is_asked_for() -> None:
    code = (
        "import sys; from gfpbench import metrics; from gfpbench.run.measures import metric_record\n"
        "records = [metric_record(one) for one in metrics.load(list(metrics.METRICS))]\n"
        "print([name for name in ('pyiqa', 'timm', 'clip', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", pyiqa_networks.NETWORKS)
def test_without_weights_it_is_not_measured(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "home"))
    result = run.measure(Case("embedded", "paper", "input", limit=1), store=tmp_path / "store", metrics=[name])
    asset = pyiqa_networks.NETWORKS[name].asset
    said = f"{name} needs the asset {asset!r}, which is not here: run `gfpbench fetch {asset}`"
    assert result.not_measured == {name: said}


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    pyiqa_networks.network.cache_clear()
    with pytest.raises(PackageMissing, match=r"pyiqa_musiq needs the package 'pyiqa'.*gfpbench\[pyiqa\]"):
        pyiqa_networks.network("pyiqa_musiq", Path("absent.pth"))


def test_a_version_that_crops_at_random_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyiqa_networks, "package_version", lambda name: "0.1.11")
    pyiqa_networks.network.cache_clear()
    with pytest.raises(BadInput, match=r"pyiqa_maniqa: pyiqa 0\.1\.11 crops at random: install 0\.1\.12 or later"):
        pyiqa_networks.network("pyiqa_maniqa", Path("absent.pth"))


def test_maniqa_draws_nothing(folder: Path) -> None:
    """Under two states of every generator the same bits; with its random crops, as before 0.1.12, two values."""
    network: Any = pyiqa_networks.network("pyiqa_maniqa", pyiqa_oracles.weights("pyiqa_maniqa", folder))
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 240, 260, generator=generator)

    def drawn() -> list[float]:
        found = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            found.append(float(network(image)))
        return found

    assert len(set(drawn())) == 1
    network.net.training = True  # of itself alone: its layers stay as they are
    try:
        assert len(set(drawn())) == 2
    finally:
        network.net.training = False


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    other = pyiqa_oracles.weights("pyiqa_musiq", folder)
    with pytest.raises(BadInput, match=r"pyiqa_musiq\.pth does not fit pyiqa-topiq-fr-kadid: "):
        pyiqa_networks.network("pyiqa_topiq_fr", other)


def test_a_file_without_its_vision_tower_is_refused(folder: Path) -> None:
    """pyiqa fills what it finds and leaves the rest as it was built: by chance, without weights."""
    whole, _ = pyiqa_oracles.all_weights("pyiqa_fgresq", folder)
    with pytest.raises(BadInput, match=r"pyiqa_musiq\.pth does not fit pyiqa-fgresq-degradation: "):
        pyiqa_networks.network("pyiqa_fgresq", whole, pyiqa_oracles.weights("pyiqa_musiq", folder))


def test_a_version_without_the_metric_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyiqa

    monkeypatch.setattr(pyiqa, "list_models", lambda: ["musiq"])
    with pytest.raises(BadInput, match=r"pyiqa_fgresq: pyiqa \S+ has no fgresq: install a newer version"):
        pyiqa_networks.network("pyiqa_fgresq", *pyiqa_oracles.all_weights("pyiqa_fgresq", folder)[::-1])


def test_a_file_with_code_is_not_run(tmp_path: Path) -> None:
    """pyiqa itself unpickles whatever the file holds."""
    torch.save({"params": pytest.MonkeyPatch()}, tmp_path / "bad.pth")
    with pytest.raises(BadInput, match=r"bad\.pth"):
        pyiqa_networks.network("pyiqa_musiq", tmp_path / "bad.pth")


@pytest.mark.parametrize("name", pyiqa_networks.NETWORKS)
def test_a_figure_says_what_it_was_computed_by(name: str) -> None:
    (metric,) = load([name])
    row = pyiqa_networks.NETWORKS[name]
    identity = metric.identity()  # type: ignore[attr-defined]
    assert identity["package"] == "pyiqa"
    assert identity["version"] == metadata.version("pyiqa")
    assert set(identity["weights"]) == set(row.assets)
    assert identity["settings"] == row.settings
    assert {assets.find(one).needed_by for one in row.assets} == {(name,)}


def test_the_settings_are_those_of_pyiqa() -> None:
    """What a figure's settings claim, against pyiqa's own defaults."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyiqa.archs.fgresq_arch import FGResQ
        from pyiqa.archs.maniqa_arch import MANIQA
        from pyiqa.archs.musiq_arch import MUSIQ
        from pyiqa.default_model_configs import DEFAULT_CONFIGS

    assert inspect.signature(MANIQA).parameters["test_sample"].default == 20
    assert inspect.signature(MUSIQ).parameters["longer_side_lengths"].default == [224, 384]
    options = {name: DEFAULT_CONFIGS[row.name]["metric_opts"] for name, row in pyiqa_networks.NETWORKS.items()}
    assert options["pyiqa_maniqa"]["train_dataset"] == "koniq"
    assert options["pyiqa_musiq"]["pretrained"] == "koniq10k"
    assert options["pyiqa_clipiqa"] == {"type": "CLIPIQA"}
    assert options["pyiqa_fgresq"] == {"type": "FGResQ", "pretrained": True}
    defaults = {name: one.default for name, one in inspect.signature(FGResQ).parameters.items()}
    assert (defaults["resize_size"], defaults["input_size"]) == (256, 224)
    assert defaults["clip_model"] == defaults["task_clip_model"] == "openai/clip-vit-base-patch16"
    assert options["pyiqa_topiq_fr"]["model_name"] == "cfanet_fr_kadid_res50"
    assert options["pyiqa_topiq_nr_face"]["model_name"] == "topiq_nr_cgfiqa_res50"
    assert options["pyiqa_topiq_nr_face"]["test_img_size"] == 512


def test_the_oracle_is_pyiqas_own_and_bit_for_bit() -> None:
    assert {every_metric.ORACLES[name].within for name in pyiqa_networks.NETWORKS} == {0.0}
