"""The examples in docstrings are true: each module that carries some is run by doctest, in a folder of its own."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import gfpbench

PACKAGE = Path(gfpbench.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def _name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = sorted(_name(path) for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


def failures(module: object, name: str) -> list[str]:
    """What doctest says of each example that does not come out as it stands; empty where all do."""
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    tests = [test for test in doctest.DocTestFinder().find(module, name) if test.examples]
    assert tests, f"{name}: has examples that doctest does not find"
    for test in tests:
        runner.run(test, out=said.append)
    return said


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # an example may write a report
    assert "".join(failures(importlib.import_module(name), name)) == ""


def test_the_front_door_has_examples() -> None:
    assert {"gfpbench", "gfpbench.notebook", "gfpbench.degrade", "gfpbench.collapse"} <= set(MODULES)


def test_a_wrong_example_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrong_example.py").write_text('"""\n>>> 1 + 1\n3\n"""\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "Expected:\n    3\nGot:\n    2" in "".join(
        failures(importlib.import_module("wrong_example"), "wrong_example")
    )
