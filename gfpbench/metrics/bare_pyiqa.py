"""pyiqa while one of its networks is built: silent, without downloads, beside packages newer than it knows.

pyiqa, timm and transformers download weights as they build a network. Here they build it bare, to be filled later.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gfpbench.lazy import LazyModule

if TYPE_CHECKING:
    from unittest import mock

    import torch
else:
    mock = LazyModule("unittest.mock")  # it brings asyncio along


@contextlib.contextmanager
def without_downloads(clip: Mapping[str, torch.Tensor] | None) -> Iterator[None]:
    """While active, pyiqa builds backbones bare, makes no face detector, and takes CLIP from these weights."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_setuptools_of_old())
        timm = importlib.import_module("timm")
        honest = timm.create_model

        def bare(*arguments: Any, **options: Any) -> Any:
            return honest(*arguments, **{**options, "pretrained": False})

        def no_detector(*_: object, **__: object) -> None: ...

        stack.enter_context(mock.patch.object(timm, "create_model", bare))
        topiq = importlib.import_module("pyiqa.archs.topiq_arch")
        stack.enter_context(mock.patch.object(topiq, "FaceRestoreHelper", no_detector))
        if clip is not None:
            built = importlib.import_module("pyiqa.archs.clip_model").build_model
            clipiqa = importlib.import_module("pyiqa.archs.clipiqa_arch")

            def given(*_: object, **__: object) -> Any:
                return built(dict(clip)).float()

            stack.enter_context(mock.patch.object(clipiqa, "load", given))
        yield


@contextlib.contextmanager
def vision_towers() -> Iterator[None]:
    """While active, transformers gives CLIP's vision tower of ViT-B/16 without weights; pyiqa asks it for a level that
    transformers had before version 5."""
    clip = importlib.import_module("transformers.models.clip")

    def bare(name: str) -> Any:
        return clip.CLIPVisionModel(clip.CLIPVisionConfig(patch_size=16))

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(clip.CLIPVisionModel, "from_pretrained", bare))
        if not hasattr(
            clip.CLIPVisionModel(clip.CLIPVisionConfig(hidden_size=12, num_hidden_layers=1)), "vision_model"
        ):
            level = property(lambda tower: tower)
            stack.enter_context(mock.patch.object(clip.CLIPVisionModel, "vision_model", level, create=True))
        yield


@contextlib.contextmanager
def _setuptools_of_old() -> Iterator[None]:
    """openai-clip takes ``packaging`` from pkg_resources, which setuptools no longer brings."""
    if importlib.util.find_spec("pkg_resources") is not None:
        yield
        return
    importlib.import_module("packaging.version")
    stand_in = ModuleType("pkg_resources")
    stand_in.packaging = sys.modules["packaging"]  # type: ignore[attr-defined]
    with mock.patch.dict(sys.modules, {"pkg_resources": stand_in}):
        yield
        loaded = {name: module for name, module in sys.modules.items() if name != "pkg_resources"}
    sys.modules.update(loaded)  # what was imported meanwhile stays


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """pyiqa prints and logs as it builds; its packages warn about each other."""
    logger = logging.getLogger("pyiqa")
    level = logger.level
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            logger.setLevel(level)
