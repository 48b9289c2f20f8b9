"""pyproject.toml declares what gfpbench imports, and nothing that it does not."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

IMPORTED_AS = {
    "dlib-bin": "dlib",
    "face-recognition-models": "face_recognition_models",
    "markdown-it-py": "markdown_it",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "protobuf": "google",
    "pytest-benchmark": "pytest_benchmark",
    "pytest-timeout": "pytest_timeout",
    "pytest-xdist": "xdist",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "spandrel-extra-arches": "spandrel_extra_arches",
    "torch-fidelity": "torch_fidelity",
}
"""Packages whose module has another name."""

UNIMPORTED = {
    "basicsr": "the authors' code, which tests compare with",
    "face-recognition-models": "holds weights, which are read as files",
    "gfpgan": "the authors' code, which tests compare with",
    "hatchling": "is run as a program",
    "pytest-benchmark": "is a plugin",
    "pytest-timeout": "is a plugin",
    "onnxscript": "torch's exporter to ONNX imports it",
    "scikit-image": "holds an embedded portrait, which is read as a file",
}
"""Declared and imported by nobody, and why it is declared."""

BY_OTHERS = {
    "_pytest": "pytest's",
    "markupsafe": "jinja2's",
    "timm": "pyiqa's",
    "transformers": "pyiqa's",
    "torch_directml": "of Windows alone, and imported where it is found",
    "xdist": "only within a session that pytest-xdist distributes",
}
"""Imported and not declared: what cannot be missing where it is imported."""


@cache
def imported_by(path: Path) -> frozenset[str]:
    """Top-level modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            first = node.args[0] if node.args else None
            if called in ("import_module", "importorskip") and isinstance(first, ast.Constant):
                found.add(str(first.value))
    return frozenset(name.split(".")[0] for name in found)


def imported(*folders: str) -> dict[str, str]:
    """Top-level modules that files below these folders import, each with one place where."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {name: str(path.relative_to(ROOT)) for path in paths for name in imported_by(path)}


def declared(*extras: str) -> dict[str, str]:
    """The modules of the dependencies and of these extras, and the package that brings each."""
    lines = [*PROJECT["dependencies"]]
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    found: dict[str, str] = {}
    for requirement in map(Requirement, lines):
        if requirement.name == "gfpbench":
            found |= declared(*requirement.extras)
        else:
            found[IMPORTED_AS.get(requirement.name, requirement.name.replace("-", "_"))] = requirement.name
    return found


def undeclared(found: dict[str, str], known: dict[str, str]) -> dict[str, str]:
    ours = {"gfpbench", "tests", "training"}
    return {name: at for name, at in found.items() if name not in {*sys.stdlib_module_names, *known, *ours, *BY_OTHERS}}


OPTIONAL = [name for name in PROJECT["optional-dependencies"] if name not in ("test", "train", "all")]


def test_what_the_package_imports_is_declared() -> None:
    assert undeclared(imported("gfpbench"), declared(*OPTIONAL)) == {}


def test_what_training_imports_is_declared() -> None:
    assert undeclared(imported("training"), declared("train")) == {}


def test_what_is_declared_is_imported() -> None:
    """By the package, or, of the extra ``test``, by its tests; extras ask for nothing that only others ask for."""
    found = imported("gfpbench")
    unused = {package for module, package in declared(*OPTIONAL).items() if module not in found}
    tests = imported("tests", "gfpbench")
    unused |= {package for module, package in declared("test").items() if module not in tests}
    assert unused - set(UNIMPORTED) == set()


@pytest.mark.parametrize("known", [UNIMPORTED, IMPORTED_AS])
def test_no_exception_is_stale(known: dict[str, str]) -> None:
    assert set(known) <= set(declared("all", "train").values())
    assert set(BY_OTHERS) <= set(imported("gfpbench"))


def test_a_missing_and_an_idle_dependency_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = PROJECT["dependencies"]
    monkeypatch.setitem(PROJECT, "dependencies", [*(line for line in lines if not re.match("numpy", line)), "plotly"])
    with pytest.raises(AssertionError, match="numpy"):
        test_what_the_package_imports_is_declared()
    with pytest.raises(AssertionError, match="plotly"):
        test_what_is_declared_is_imported()
