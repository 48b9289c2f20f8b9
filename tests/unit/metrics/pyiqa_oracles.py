"""pyiqa's own metrics, built and filled by pyiqa, with seeded weights: small networks of the same architectures."""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from gfpbench.metrics import pyiqa_networks
from tests.unit.metrics import network_oracles, oracles

SMALL: dict[str, dict[str, Any]] = {
    "pyiqa_clipiqa": {},
    "pyiqa_fgresq": {},
    "pyiqa_maniqa": {"embed_dim": 32, "dim_mlp": 32, "test_sample": 4},
    "pyiqa_musiq": {"num_layers": 1, "hidden_size": 96, "mlp_dim": 64, "num_heads": 2},
    "pyiqa_topiq_fr": {"inter_dim": 32, "semantic_model_name": "resnet10t"},
    "pyiqa_topiq_nr_face": {"inter_dim": 32, "semantic_model_name": "resnet10t", "test_img_size": 96},
}
"""Metric -> options of pyiqa under which its network has a hundredth of the weights."""


SMALL_TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


@contextmanager
def small() -> Iterator[None]:
    """The networks under test are the small ones, with a Transformer of 32 channels in place of MANIQA's ViT-B and
    towers of 32 in place of CLIP's."""
    rows = {name: replace(row, options={**row.options, **SMALL[name]}) for name, row in pyiqa_networks.NETWORKS.items()}
    pyiqa_networks.network.cache_clear()
    with patch.dict(pyiqa_networks.NETWORKS, rows), _without_pretraining():
        yield
    pyiqa_networks.network.cache_clear()


@contextmanager
def _without_pretraining() -> Iterator[None]:
    """timm makes bare backbones, a small ViT among them; nobody makes a face detector; setuptools is an old one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import packaging.version
        import timm
        from timm.models.vision_transformer import VisionTransformer
        from transformers.models import clip

        honest = timm.create_model
        config = clip.CLIPVisionConfig

        def bare(name: str, **options: Any) -> Any:
            if name == "vit_base_patch8_224":
                return VisionTransformer(patch_size=8, embed_dim=32, depth=10, num_heads=2, num_classes=1)
            return honest(name, **{**options, "pretrained": False})

        resources = types.ModuleType("pkg_resources")
        resources.packaging = packaging  # type: ignore[attr-defined]
        with patch.dict(sys.modules, {"pkg_resources": resources}):
            from pyiqa.archs import clipiqa_arch, topiq_arch

            kept = {name: module for name, module in sys.modules.items() if name != "pkg_resources"}
        sys.modules.update(kept)
        del clipiqa_arch
        towers: Any = clip.CLIPVisionModel
        with (
            patch.object(timm, "create_model", bare),
            patch.object(clip, "CLIPVisionConfig", lambda **options: config(**{**options, **SMALL_TOWER})),
            patch.object(towers, "from_pretrained", lambda name: towers(clip.CLIPVisionConfig(patch_size=16))),
            patch.object(towers, "vision_model", property(lambda tower: tower), create=True),
            patch.object(topiq_arch, "FaceRestoreHelper", lambda *_, **__: None),
        ):
            yield


@cache
def weights(metric: str, folder: Path) -> Path:
    """A file as pyiqa publishes it: under ``params`` where its code looks there."""
    with _without_pretraining():
        path = folder / f"{metric}.pth"
        if metric == "pyiqa_clipiqa":
            from pyiqa.archs.clip_model import CLIP

            bare: Any = CLIP(32, 64, (1, 1, 1, 1), 8, None, 77, 49408, 64, 1, 1)
            torch.jit.save(_program(network_oracles.seeded(bare)), str(path))
            return path
        import pyiqa

        row = pyiqa_networks.NETWORKS[metric]
        options = {**row.options, **SMALL[metric]}
        made = pyiqa.create_metric(row.name, device="cpu", **options)
        found = network_oracles.seeded(made.net)
        if metric == "pyiqa_maniqa":  # ReLU ends it: a seed may give 0, which says nothing
            found["fc_score.3.bias"] += 1
        torch.save({"params": found} if metric not in ("pyiqa_fgresq", "pyiqa_musiq") else found, path)
        return path


@cache
def all_weights(metric: str, folder: Path) -> tuple[Path, ...]:
    """Every file of the row. FGResQ's are written with the names of older versions of transformers: the tower of
    degradations inside a network of its own, and the rest without it."""
    main = weights(metric, folder)
    if metric != "pyiqa_fgresq":
        return (main,)
    inner, whole = folder / "tower.pth", folder / "rest.pth"
    rest, tower = _rest_and_tower(main)
    old = {f"clip_model.vision_model.{name}": value for name, value in tower.items()}
    torch.save({"model": {**old, "clip_model.text_projection": torch.zeros(1), "head.bias": torch.zeros(1)}}, inner)
    torch.save({name.replace("clip_model.", "clip_model.vision_model."): value for name, value in rest.items()}, whole)
    return whole, inner


def _rest_and_tower(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    found = torch.load(path, weights_only=True)
    first = "task_cls_clip."
    tower = {name.removeprefix(first): value for name, value in found.items() if name.startswith(first)}
    return {name: value for name, value in found.items() if not name.startswith(first)}, tower


def _program(found: dict[str, torch.Tensor]) -> Any:
    """A TorchScript archive that holds these weights, as OpenAI publishes CLIP."""
    whole = torch.nn.Module()
    for name, tensor in found.items():
        *above, last = name.split(".")
        at = whole
        for part in above:
            if part not in dict(at.named_children()):
                at.add_module(part, torch.nn.Module())
            at = at.get_submodule(part)
        at.register_buffer(last, tensor)
    return torch.jit.script(whole)


@cache
def theirs(metric: str, folder: Path) -> Any:
    """``pyiqa.create_metric`` as its users call it, given the file to load by itself."""
    file = str(weights(metric, folder))
    given = {"backbone": file} if metric == "pyiqa_clipiqa" else {"pretrained_model_path": file}
    if metric == "pyiqa_fgresq":  # by the names of the installed transformers: pyiqa skips any other without a word
        parts = _rest_and_tower(weights(metric, folder))
        given = {"pretrained_model_path": str(folder / "a.pth"), "degradation_model_path": str(folder / "b.pth")}
        for path, part in zip(given.values(), parts, strict=True):
            torch.save(part, path)
    options = {key: value for key, value in pyiqa_networks.NETWORKS[metric].options.items() if key != "pretrained"}
    with _without_pretraining():
        import pyiqa

        return pyiqa.create_metric(
            pyiqa_networks.NETWORKS[metric].name, device="cpu", **{**options, **SMALL[metric], **given}
        )


def value(metric: str) -> Callable[[Any, Any, Path], float]:
    """Restored, truth and the folder of weights -> pyiqa's value."""

    def of(restored: Any, truth: Any, folder: Path) -> float:
        images = [oracles.as_tensor(restored).float()]
        if metric == "pyiqa_topiq_fr":
            images.append(oracles.as_tensor(truth).float())
        with torch.no_grad():
            return float(theirs(metric, folder)(*images))

    return of
