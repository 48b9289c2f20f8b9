"""constraints.txt: every dependency at a version that pyproject.toml allows, and nothing of where it came from."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PINS = [Requirement(line) for line in TEXT.splitlines() if line and not line.startswith("#")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OVERRIDDEN = {"opencv-python", "tb-nightly"}


def declared() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    wanted = [Requirement(line) for line in (*PROJECT["dependencies"], *(line for extra in extras for line in extra))]
    return [requirement for requirement in wanted if canonicalize_name(requirement.name) != "gfpbench"]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_every_dependency_is_pinned_to_a_version_that_is_allowed(requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    versions = [next(iter(pin.specifier)).version for pin in PINS if canonicalize_name(pin.name) == name]
    assert versions, f"{name} is new: tox run -e constraints"
    assert all(requirement.specifier.contains(version, prereleases=True) for version in versions)


def test_every_line_is_one_exact_version() -> None:
    assert all(re.fullmatch(r"==[^*,]+", str(pin.specifier)) and pin.url is None for pin in PINS)
    assert len({(canonicalize_name(pin.name), str(pin.marker)) for pin in PINS}) == len(PINS)


def test_it_says_how_it_is_renewed_and_not_where_it_came_from() -> None:
    assert "tox run -e constraints" in TEXT
    assert not re.search(r"://|--(extra-)?index|--find-links|@ ", TEXT)


def test_the_overridden_packages_are_left_to_the_override() -> None:
    assert not OVERRIDDEN & {canonicalize_name(pin.name) for pin in PINS}


def test_the_projects_own_tests_run_with_it_and_one_command_renews_it() -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    assert "UV_CONSTRAINT = {tox_root}{/}constraints.txt" in tox["testenv:tests"]["set_env"]
    command = tox["testenv:constraints"]["commands"]
    for part in ("--universal", "--python-version 3.11", "--all-extras", "constraints.txt"):
        assert part in command
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install -c constraints.txt" in readme
    assert "tox run -e constraints" in readme
