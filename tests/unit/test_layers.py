"""Imports follow the layers of ARCHITECTURE.md: a module imports lower layers only."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "gfpbench"
MAP = PACKAGE.parent / "ARCHITECTURE.md"


def layers(text: str) -> tuple[frozenset[str], ...]:
    """The table of layers in ARCHITECTURE.md, lowest first: rows of a number and names in backticks."""
    rows = re.findall(r"^\| (\d+) \| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1)), "the layers are not numbered in order"
    return tuple(frozenset(re.findall(r"`(\w+)`", names)) for _, names in rows)


FLOORS = layers(MAP.read_text(encoding="utf-8"))
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def upward_imports(path: Path, package: Path = PACKAGE) -> list[str]:
    """Imports of gfpbench in one file that do not point down, as ``file:line name``."""
    room = path.relative_to(package).parts[0].removesuffix(".py")
    wrong = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "gfpbench" else [node.module]
            )
        for name in names:
            target = name.split(".")[1] if name.startswith("gfpbench.") else None
            if target in FLOOR and target != room and FLOOR[target] >= FLOOR[room]:
                wrong.append(f"{path.name}:{node.lineno} {name}")
    return wrong


def test_imports_point_down() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    assert {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in files} == set(FLOOR)
    assert [wrong for path in files for wrong in upward_imports(path)] == []


def test_an_upward_import_is_seen(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    bad = tmp_path / "metrics" / "psnr.py"
    bad.write_text("from gfpbench import images\nfrom gfpbench.run import measure\nimport gfpbench.faces.folder\n")
    assert upward_imports(bad, tmp_path) == ["psnr.py:2 gfpbench.run", "psnr.py:3 gfpbench.faces.folder"]


def imported(path: Path) -> set[str]:
    """The top-level modules that a file imports, wherever in the file it does."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    whole = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    parts = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.split(".")[0] for name in (*whole, *parts)}


def test_the_package_imports_nothing_else_of_the_checkout() -> None:
    """``training`` builds on gfpbench, which is installed without it."""
    # A built documentation lies in site/, and Python has a module of that name.
    checkout = {path.name.removesuffix(".py") for path in PACKAGE.parent.iterdir()} - {
        "gfpbench",
        *sys.stdlib_module_names,
    }
    assert {"training", "tests"} <= checkout
    assert {path.name: imported(path) & checkout for path in PACKAGE.rglob("*.py") if imported(path) & checkout} == {}


def test_an_import_of_the_checkout_is_seen(tmp_path: Path) -> None:
    for line in (
        "import training.loop",
        "from training import losses",
        "def late():\n    from training.data import Faces",
    ):
        (tmp_path / "bad.py").write_text(line)
        assert imported(tmp_path / "bad.py") == {"training"}


def test_only_the_plugin_imports_pytest() -> None:
    importing = [path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py") if "pytest" in imported(path)]
    assert set(importing) == {"plugin"}
