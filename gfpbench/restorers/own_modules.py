"""The source files of a user's module: its own, and those of the local modules it imports."""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

_PACKAGE = Path(__file__).resolve().parents[1]


def own_modules(module: ModuleType) -> dict[str, str]:
    """Name -> sha256 of the module's file and of every file that it imports, however deep, inside functions too.

    Found by reading the sources, not by what happens to be imported: the answer is the same in every process. Left out
    are the standard library, installed packages and gfpbench (their versions say what they are), and what is imported
    by a name that is only known when the code runs.
    """
    found: dict[str, str] = {}
    waiting = _with_parents(module.__name__)
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        spec = _spec(name)
        file = None if spec is None or spec.origin is None else Path(spec.origin)
        if spec is None or file is None or not file.is_file() or installed(file):
            continue
        content = file.read_bytes()
        found[name] = hashlib.sha256(content).hexdigest()
        package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
        for imported in _imported(content, package) if file.suffix == ".py" else ():
            new = [each for each in _with_parents(imported) if each not in seen]
            seen.update(new)
            waiting += new
    return dict(sorted(found.items()))


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _imported(source: bytes, package: str) -> Iterator[str]:
    """Names that a source file may import: ``from a import b`` gives ``a`` and ``a.b``."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # it was imported, so it was edited since
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = "." * node.level + (node.module or "")
            try:
                base = importlib.util.resolve_name(above, package) if node.level else above
            except ImportError:  # beyond the top: it would not import either
                continue
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """Where a module is, without importing anything; None where there is none."""
    known = getattr(sys.modules.get(name), "__spec__", None)
    if isinstance(known, importlib.machinery.ModuleSpec):
        return known
    parent = name.rpartition(".")[0]
    try:
        if not parent:
            return importlib.machinery.PathFinder.find_spec(name)
        above = _spec(parent)
        if above is None or above.submodule_search_locations is None:
            return None
        return importlib.machinery.PathFinder.find_spec(name, list(above.submodule_search_locations))
    except (ImportError, ValueError):
        return None


def installed(file: Path) -> bool:
    """Whether a file belongs to Python, to an installed package or to gfpbench, and not to the user."""
    file = file.resolve()
    return {"site-packages", "dist-packages"} & set(file.parts) != set() or any(
        file.is_relative_to(place) for place in _installed_places()
    )


@cache
def _installed_places() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    places = {paths[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    places |= {*site.getsitepackages(), site.getusersitepackages()}
    return (_PACKAGE, *sorted(Path(place).resolve() for place in places))
