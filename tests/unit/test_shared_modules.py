"""How the tests are laid out: folders named after packages, shared modules imported by name and rewritten by pytest."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook

import gfpbench
from tests import child
from tests.unit.metrics import per_image_laws

HERE = Path(__file__).parent


def test_assertions_of_shared_modules_say_what_they_compared() -> None:
    assert all(isinstance(module.__loader__, AssertionRewritingHook) for module in (per_image_laws, child))


def where() -> None:
    print(gfpbench.__file__)


def test_an_interpreter_of_its_own_tests_the_same_gfpbench() -> None:
    assert child.run(__name__, "where", timeout=60).strip() == gfpbench.__file__


@pytest.mark.usefixtures("forked_processes")
def test_a_function_that_fails_in_its_own_interpreter_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="has no attribute 'absent'"):
        child.run(__name__, "absent", timeout=60)


FOLDERS = sorted({path.parent for path in HERE.rglob("test_*.py")})


@pytest.mark.parametrize("folder", FOLDERS, ids=[path.name for path in FOLDERS])
def test_folders_are_named_after_packages(folder: Path) -> None:
    package = Path(gfpbench.__file__).parent / folder.relative_to(HERE)
    assert (package / "__init__.py").exists()
    assert (folder / "__init__.py").exists()
