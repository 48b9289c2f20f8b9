"""Learned metrics of the optional package pyiqa, with weights of our own downloads.

pyiqa is under the PolyForm Noncommercial licence and is imported only where one of these is measured. It would download
weights by itself, unpickle them, and take whatever lies at the address that day: here its networks are built bare and
filled from files of the asset table, and every figure carries the package's version and the files' hashes.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gfpbench import assets
from gfpbench.images import quantized
from gfpbench.lazy import LazyModule
from gfpbench.metrics import bare_pyiqa
from gfpbench.metrics.figure_identity import package_version, weights_sha256
from gfpbench.metrics.per_image import PerImageMetric, image_by_image
from gfpbench.types import BadInput, ImageBatch, Json, PackageMissing

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = LazyModule("torch")

INSTALL = "pip install 'gfpbench[pyiqa]'"
FIRST_STEADY = (0, 1, 12)
"""Before this version of pyiqa MANIQA cropped at random: two measurements of one image differed."""


@dataclass(frozen=True, slots=True)
class Network:
    """How one of pyiqa's networks is built without a download.

    Args:
        name: pyiqa's own name of the metric.
        asset: the file that fills it.
        options: of ``pyiqa.create_metric``.
        settings: what else decides about a value; part of the figure's identity.
        clip: whether the file is OpenAI's CLIP, from which pyiqa builds the network by itself.
        branches: part of the network -> a further file, which fills it before ``asset`` fills the whole.
    """

    name: str
    asset: str
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Json] = field(default_factory=dict)
    clip: bool = False
    branches: Mapping[str, str] = field(default_factory=dict)

    @property
    def assets(self) -> tuple[str, ...]:
        """Every file that it needs, in the order in which ``network`` takes them."""
        return (self.asset, *self.branches.values())


RGB = "RGB of the 8-bit image in [0, 1], at its own size"
NETWORKS: dict[str, Network] = {
    "pyiqa_clipiqa": Network(
        "clipiqa", "clip-rn50", settings={"images": RGB, "backbone": "RN50", "prompts": "5 pairs"}, clip=True
    ),
    "pyiqa_fgresq": Network(
        "fgresq",
        "pyiqa-fgresq",
        {"pretrained": False},
        {"images": "RGB of the 8-bit image in [0, 1], resized to 256 px, its middle 224 px", "backbone": "2 ViT-B/16"},
        branches={"task_cls_clip": "pyiqa-fgresq-degradation"},
    ),
    "pyiqa_maniqa": Network(
        "maniqa",
        "pyiqa-maniqa-koniq",
        {"pretrained": False},
        {"images": RGB, "crops": "uniform, 20 of 224 px", "trained on": "KonIQ-10k"},
    ),
    "pyiqa_musiq": Network(
        "musiq",
        "pyiqa-musiq-koniq",
        {"pretrained": False},
        {"images": RGB, "scales": "own, 384, 224", "trained on": "KonIQ-10k"},
    ),
    "pyiqa_topiq_fr": Network(
        "topiq_fr",
        "pyiqa-topiq-fr-kadid",
        {"pretrained": False, "backbone_pretrain": False},
        {"images": RGB, "backbone": "ResNet-50", "trained on": "KADID-10k"},
    ),
    "pyiqa_topiq_nr_face": Network(
        "topiq_nr-face",
        "pyiqa-topiq-nr-face",
        {"pretrained": False, "backbone_pretrain": False, "align_crop_face": False},
        {"images": "RGB of the 8-bit image in [0, 1], resized to 512 px, not aligned", "trained on": "CGFIQA"},
    ),
}
"""Metric -> how its network is built."""


@lru_cache(maxsize=2)
def network(metric: str, *weights: Path) -> nn.Module:
    """pyiqa's own metric, filled from the files of its row's ``assets``, in eval mode on the CPU.

    Raises:
        PackageMissing: without pyiqa.
        BadInput: for weights of another network, and for a version of pyiqa that crops at random or lacks the metric.
    """
    row = NETWORKS[metric]
    if importlib.util.find_spec("pyiqa") is None:
        raise PackageMissing("pyiqa", metric, INSTALL)
    version = package_version("pyiqa")
    if tuple(int(part) for part in version.split(".")[:3] if part.isdigit()) < FIRST_STEADY:
        raise BadInput(f"{metric}: pyiqa {version} crops at random: install 0.1.12 or later")
    given = [_clip_weights(path) if row.clip else assets.load_weights(path) for path in weights]
    towers = bare_pyiqa.vision_towers() if row.branches else contextlib.nullcontext()
    with bare_pyiqa.quiet(), bare_pyiqa.without_downloads(given[0] if row.clip else None), towers:
        pyiqa = importlib.import_module("pyiqa")
        if row.name not in pyiqa.list_models():
            raise BadInput(f"{metric}: pyiqa {version} has no {row.name}: install a newer version")
        with _fits(weights[0], row.asset):
            made: Any = pyiqa.create_metric(row.name, device="cpu", **row.options)
        for path, values, (branch, asset) in zip(weights[1:], given[1:], row.branches.items(), strict=True):
            with _fits(path, asset):
                _fill(made.net.get_submodule(branch), _vision_tower(values))
        if not row.clip:
            with _fits(weights[0], row.asset):
                _fill(made.net, given[0], may_lack=(*row.branches, "default_mean", "default_std"))
    ready: nn.Module = made.eval().requires_grad_(False)
    return ready


@contextlib.contextmanager
def _fits(path: Path, asset: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, KeyError) as error:
        said = str(error).strip().splitlines()[-1].strip()
        raise BadInput(f"{path} does not fit {asset}: {said}") from error


def _fill(network: nn.Module, given: Mapping[str, torch.Tensor], may_lack: tuple[str, ...] = ()) -> None:
    """All weights of a network, but for ``may_lack`` (beginnings of names), which it has already.

    Since version 5 CLIP of the package transformers has no level ``vision_model``, which files from before name, and
    its table of positions, a constant, is no weight.
    """
    expected = network.state_dict()
    named = {name.removeprefix("module."): value for name, value in given.items()}
    if not any("vision_model." in name for name in expected):
        named = {name.replace("vision_model.", ""): value for name, value in named.items()}
    named = {name: value for name, value in named.items() if not name.endswith(".position_ids")}
    had = {name: value for name, value in expected.items() if may_lack and name.startswith(may_lack)}
    network.load_state_dict({**had, **named})


def _vision_tower(given: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """CLIP's vision tower out of a checkpoint of a network around it."""
    inner = {name.removeprefix("clip_model."): given[name] for name in given if name.startswith("clip_model.")}
    found = inner or dict(given)
    return {name: value for name, value in found.items() if name.startswith("vision_model.")} or found


def _clip_weights(path: Path) -> dict[str, torch.Tensor]:
    """OpenAI publishes CLIP as a TorchScript program, of which the weights alone are taken."""
    if assets.program_in(path) is None:
        return assets.load_weights(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch calls torch.jit deprecated
        try:
            found: dict[str, torch.Tensor] = torch.jit.load(str(path), map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            line = str(error).strip().splitlines()[0][:200]
            raise BadInput(
                f"{path} is not a TorchScript program that torch {torch.__version__} loads: {line}"
            ) from error
    return found


def score(network: nn.Module, *batches: ImageBatch) -> torch.Tensor:
    """(B,) values of the 8-bit images, one at a time."""
    network = network.to(batches[0].pixels.device)

    def one(*images: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = network(*(image[None] for image in images))
        return value.reshape(()).double()

    return image_by_image(one, *(quantized(batch).pixels for batch in batches))


def _identity(metric: str) -> Callable[[], Mapping[str, Json]]:
    def identity() -> Mapping[str, Json]:
        row = NETWORKS[metric]
        return {
            "package": "pyiqa",
            "version": package_version("pyiqa"),
            "weights": {name: weights_sha256(name) for name in row.assets},
            "settings": dict(row.settings),
        }

    return identity


def _metric(name: str, *, source: str, minimum_side_px: int = 32, tolerance: float = 1e-5) -> PerImageMetric:
    full_reference = name == "pyiqa_topiq_fr"

    def scored(restored: ImageBatch, truth: ImageBatch) -> torch.Tensor:
        ready = network(name, *(assets.path(asset, name) for asset in NETWORKS[name].assets))
        return score(ready, restored, truth) if full_reference else score(ready, restored)

    return PerImageMetric(
        name=name,
        unit="",
        better="higher",
        best=None,
        tolerance=tolerance,
        tolerance_reason="sums of float32 differ between thread counts and devices",
        minimum_side_px=minimum_side_px,
        needs_truth=full_reference,
        source=f"{source}; pyiqa's {NETWORKS[name].name} (PolyForm Noncommercial)",
        score=scored,
        computed_by=_identity(name),
    )


clipiqa = _metric("pyiqa_clipiqa", source="Wang et al. 2023 (arXiv 2207.12396), CLIP RN50", minimum_side_px=64)
"""CLIP-IQA: how much nearer CLIP places the image to the good than to the bad word of five pairs (good, bad photo)."""
fgresq = _metric("pyiqa_fgresq", source="Sheng et al. 2026 (arXiv 2508.14475), FGRestore")
"""FGResQ for restored images, in [0, 1]: two CLIP towers, one of them trained to tell degradations."""
maniqa = _metric("pyiqa_maniqa", source="Yang et al. 2022 (arXiv 2204.08958), KonIQ-10k")
"""MANIQA at KonIQ-10k's scale: 20 crops of 224 px at fixed places; before pyiqa 0.1.12 they were random."""
musiq = _metric("pyiqa_musiq", source="Ke et al. 2021 (arXiv 2108.05997), KonIQ-10k", tolerance=1e-3)
"""MUSIQ at KonIQ-10k's scale: the image at its own size and at 384 and 224 px on the longer side."""
topiq_fr = _metric(
    "pyiqa_topiq_fr", source="Chen et al. 2023 (arXiv 2308.03060), with a reference, KADID-10k", minimum_side_px=64
)
"""TOPIQ with the truth as its reference, on ResNet-50."""
topiq_nr_face = _metric(
    "pyiqa_topiq_nr_face", source="Chen et al. 2023 (arXiv 2308.03060), CGFIQA; faces as they are, not aligned again"
)
"""TOPIQ for faces, of the whole image resized to 512 px; pyiqa's own default detects and aligns faces first."""
