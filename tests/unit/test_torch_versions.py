"""Versions of torch in tox.ini: pairs with torchvision, the oldest as pyproject.toml promises, all in the matrix."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tox() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini", encoding="utf-8")
    return parser


def section() -> configparser.SectionProxy:
    parser = tox()
    return parser[next(name for name in parser.sections() if name.startswith("testenv:torch-"))]


def pins() -> dict[str, dict[str, str]]:
    """Environment to {torch, torchvision} and their versions."""
    found: dict[str, dict[str, str]] = {}
    for name, package, version in re.findall(r"(?m)^(\S+): (torch|torchvision)==([\d.]+)$", section()["deps"]):
        found.setdefault(name, {})[package] = version
    return found


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_every_environment_pins_a_pair_and_is_in_the_matrix() -> None:
    listed = re.findall(r"\{([^}]*)\}", section().name)[0].split(",")
    assert list(pins()) == listed
    assert all(set(pair) == {"torch", "torchvision"} for pair in pins().values())
    assert f"torch-{{{','.join(listed)}}}" == tox()["testenv:matrix"]["depends"]


def test_they_rise_from_oldest_to_newest_and_keep_their_names() -> None:
    found = pins()
    assert (next(iter(found)), [*found][-1]) == ("oldest", "newest")
    for package in ("torch", "torchvision"):
        versions = [numbers(pair[package]) for pair in found.values()]
        assert versions == sorted(set(versions))
    assert all(f"v{found[name]['torch']}".startswith(f"{name}.") for name in list(found)[1:-1])


def test_the_oldest_is_the_lower_bound_of_the_package() -> None:
    required = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    for package, version in pins()["oldest"].items():
        assert f"{package}>={'.'.join(version.split('.')[:2])}" in required
        assert version.endswith(".0")
