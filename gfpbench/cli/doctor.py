"""`gfpbench doctor`: which packages, devices and assets are present, and what cannot be measured without the rest."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, TypedDict

from gfpbench import __version__
from gfpbench.cli.catalogue import size_of
from gfpbench.types import GfpbenchError


class Finding(TypedDict):
    """One line of the examination. ``absent`` costs something optional; ``broken`` makes numbers wrong or runs fail."""

    subject: str
    state: Literal["fine", "absent", "broken"]
    says: str


def examine() -> Iterator[Finding]:
    """Look at everything a run depends on, one thing after the other. Nothing is changed or downloaded."""
    for part in (_machine, _torch, _opencv, _faces, _nano, _optional, _assets):
        yield from part()


def _machine() -> Iterator[Finding]:
    yield Finding(
        subject="gfpbench",
        state="fine",
        says=f"{__version__} on Python {platform.python_version()}, {platform.platform()}",
    )
    says = f"{os.cpu_count()} cores; OMP_WAIT_POLICY is {os.environ.get('OMP_WAIT_POLICY', 'not set')}"
    yield Finding(subject="processor", state="fine", says=says)


def _torch() -> Iterator[Finding]:
    import torch

    yield Finding(subject="torch", state="fine", says=f"{torch.__version__}, {torch.get_num_threads()} threads")
    try:
        import torchvision
    except (ImportError, RuntimeError, AttributeError) as error:
        says = f"does not import with this torch ({error}); install the two as the pair they were released as"
        yield Finding(subject="torchvision", state="broken", says=says)
    else:
        yield Finding(subject="torchvision", state="fine", says=str(torchvision.__version__))
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(index).total_memory / 2**30
            yield Finding(
                subject=f"cuda:{index}", state="fine", says=f"{torch.cuda.get_device_name(index)}, {memory:.0f} GiB"
            )
    else:
        yield Finding(
            subject="cuda", state="absent", says="no CUDA device: restorers run on the CPU, `pytest -m gpu` skips"
        )


def _opencv() -> Iterator[Finding]:
    import cv2

    names = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
    found = {name: version for name in names if (version := _installed(name))}
    if len(found) > 1 and len(set(found.values())) > 1:
        names_and_versions = " and ".join(f"{name} {version}" for name, version in found.items())
        says = f"{names_and_versions} overwrite each other's files; uninstall both, install one"
        yield Finding(subject="opencv", state="broken", says=says)
    else:
        yield Finding(
            subject="opencv", state="fine", says=f"{cv2.__version__} ({', '.join(found) or 'not from a wheel'})"
        )


def _faces() -> Iterator[Finding]:
    from gfpbench import faces
    from gfpbench.assets.datasets import FACES

    def look(name: str) -> str:
        found = faces.load(name)
        ids = found.ids()
        found.load(ids[0])
        return f"{len(ids)} images, the first reads and matches its hash"

    for name in FACES:
        yield _tried(f"faces {name}", partial(look, name), "broken" if name == "embedded" else "absent")


def _nano() -> Iterator[Finding]:
    from gfpbench import restorers

    yield _tried(
        "restorer nano", lambda: f"loads; weights {str(_weights(restorers.load('nano').provenance()))[:12]}", "broken"
    )


def _weights(provenance: object) -> object:
    return next((v for k, v in dict(provenance).items() if "sha256" in k), "without a hash")  # type: ignore[call-overload]


def _optional() -> Iterator[Finding]:
    for name, costs in (
        ("dlib-bin", "deg_dlib (identity without downloads) is not measured; pip install 'gfpbench[identity]'"),
        ("lpips", "LPIPS is not measured; pip install lpips"),
        ("pyiqa", "pyiqa_clipiqa and its like are not measured; pip install 'gfpbench[pyiqa]' (non-commercial)"),
        ("gfpgan", "only comparisons with the authors' own code use it; pip install 'gfpbench[upstream]'"),
        ("facexlib", "whole photos fall back to an offline face detector; pip install 'gfpbench[upstream]'"),
        ("onnxruntime", "onnx:PATH restorers do not run; pip install onnxruntime"),
    ):
        version = _installed(name)
        if version:
            yield Finding(subject=name, state="fine", says=version)
        else:
            yield Finding(subject=name, state="absent", says=f"not installed: {costs}")


def _assets() -> Iterator[Finding]:
    from gfpbench import assets

    yield Finding(subject="assets are kept in", state="fine", says=str(assets.home()))
    states: dict[str, Literal["fine", "absent", "broken"]] = {
        "present": "fine",
        "unverified": "fine",
        "damaged": "broken",
    }
    for row in assets.describe():
        licence = f"{row['licence']}{' (non-commercial)' if row['noncommercial'] else ''}"
        says = f"{row['state']}; {size_of(row)}, {licence}; for {', '.join(row['needed_by'])}"
        if row["reason"]:
            says += f"; {row['reason']}"
        yield Finding(subject=str(row["name"]), state=states.get(str(row["state"]), "absent"), says=says)


def _installed(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _tried(subject: str, look: Callable[[], str], otherwise: Literal["absent", "broken"]) -> Finding:
    try:
        return Finding(subject=subject, state="fine", says=look())
    except GfpbenchError as error:
        return Finding(subject=subject, state=otherwise, says=str(error))
