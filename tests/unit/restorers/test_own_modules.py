"""The user's own source files that a module is made of."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gfpbench.restorers import load
from gfpbench.restorers.own_modules import own_modules

TREE = {
    "own_entry.py": "import numpy, json, torch\nimport own_flat\nfrom own_package.deep import layer as found\n"
    "def restore(batch):\n    import own_late\n    return batch\n",
    "own_flat.py": "import own_entry  # a circle\nfrom gfpbench.types import ImageBatch\nimport own_absent\n",
    "own_late.py": "",
    "own_unused.py": "",
    "own_package/__init__.py": "",
    "own_package/deep/__init__.py": "from . import layer\nfrom .. import side\nfrom ....far import beyond\n",
    "own_package/deep/layer.py": "from ..side import *\n",
    "own_package/side.py": "",
    "own_package/unused.py": "",
    "site-packages/own_installed.py": "",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, source in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    (tmp_path / "own_flat.py").write_text(
        "import own_installed\n" + TREE["own_flat.py"].replace("import own_absent", "")
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    yield tmp_path
    importlib.invalidate_caches()


def test_neighbours_are_found_wherever_they_are_imported(tree: Path) -> None:
    broken = tree / "own_package" / "deep" / "__init__.py"
    broken.write_text(
        broken.read_text().replace(
            "from ....far import beyond\n", "try:\n    from ....far import x\nexcept ImportError: ...\n"
        )
    )
    module = importlib.import_module("own_entry")
    found = own_modules(module)
    assert set(found) == {
        "own_entry",
        "own_flat",
        "own_late",
        "own_package",
        "own_package.deep",
        "own_package.deep.layer",
        "own_package.side",
    }
    assert found["own_flat"] == hashlib.sha256((tree / "own_flat.py").read_bytes()).hexdigest()
    assert "own_late" not in sys.modules  # nothing is imported to find it


def test_a_file_edited_into_nonsense_is_hashed_and_not_read(tree: Path) -> None:
    (tree / "own_package" / "deep" / "__init__.py").write_text("")
    module = importlib.import_module("own_entry")
    (tree / "own_flat.py").write_text("def (")
    assert own_modules(module)["own_flat"] == hashlib.sha256(b"def (").hexdigest()


def test_the_record_names_the_neighbours(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "own_package" / "deep" / "__init__.py").write_text("")
    monkeypatch.chdir(tree)
    record = load("python:own_entry:restore").provenance()
    assert record["source_sha256"] == hashlib.sha256((tree / "own_entry.py").read_bytes()).hexdigest()
    assert set(record["imported_sha256"]) == {
        "own_flat",
        "own_late",
        "own_package",
        "own_package.deep",
        "own_package.deep.layer",
        "own_package.side",
    }
