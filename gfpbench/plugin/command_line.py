"""Corrects pytest's root folder where it mistook values of gfpbench options for test paths.

pytest looks for its root folder and configuration file before any plugin is loaded. ``--faces /data/faces`` is then an
unknown word and a path, so the root folder moves to ``/data``, the project's configuration is not read, and caches and
baselines would be written among the faces.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gfpbench.plugin.options import taken_names
from gfpbench.plugin.settings import SETTINGS

_CONFIGURATIONS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "conftest.py", "tox.ini", "setup.cfg")
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "pytest.ini", "pytest.toml", ".git")


def correct_root_folder(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Give pytest the root folder and configuration that it would have found without the values of our options.

    Called when plugins are loaded and conftest files are not. Does nothing unless one of our options has a value that
    is an existing path without tests, and the root folder depends on it.

    Raises:
        pytest.UsageError: where the root folder is wrong and this version of pytest does not let it be put right.
    """
    namespace = config.known_args_namespace
    values = list(_values(args, taken_names(parser)))
    if not values:
        return
    paths = _without(namespace.file_or_dir, values)
    if len(paths) < len(namespace.file_or_dir) and not any(_exists(path.partition("::")[0]) for path in paths):
        # Which conftest files come first goes by these too. More of them do no harm: a conftest may yet turn out to
        # own the option, with no value of its own.
        namespace.file_or_dir[:] = [str(config.invocation_params.dir), *config.getini("testpaths"), *values]
    mistaken = [value for value in values if _exists(value) and not _holds_tests(Path(value))]
    if not mistaken or namespace.rootdir:
        return
    intended = [*paths, *(value for value in values if value not in mistaken and value in namespace.file_or_dir)]
    try:
        found = _root_folder(config, intended)
        if (found[0], found[1]) != (config.rootpath, config.inipath):
            _apply(config, args, found)
    except (AttributeError, TypeError) as error:  # not an interface that pytest promises to keep
        raise pytest.UsageError(
            f"pytest took {mistaken[0]} for a folder of tests and {config.rootpath} for its root folder, because the "
            f"value of an option stands apart from it: write --OPTION={mistaken[0]}, or give --rootdir"
        ) from error


def project_folder(config: pytest.Config) -> Path:
    """The folder that ``baselines/`` lies in by default.

    The root folder where it was given or has a configuration file. Else it is no more than the common folder of what
    happened to be on the command line, so the nearest folder above the tests that looks like a project's is taken, and
    the working directory where none does.
    """
    if config.inipath is not None or config.getoption("rootdir", None):
        return config.rootpath
    working = config.invocation_params.dir
    for given in config.args:
        start = (working / given.partition("::")[0]).absolute()
        above = (start, *start.parents)
        for folder in above:
            if any((folder / name).exists() for name in _PROJECT_FILES):
                return folder
        holding = [folder for folder in above if (folder / "conftest.py").exists()]
        if holding:
            return holding[-1]  # the outermost: each folder of tests may have one
    return working


def _values(args: Sequence[str], taken: frozenset[str]) -> Iterator[str]:
    """What stands after one of our options on the command line, as a word of its own."""
    names = {setting.long for setting in SETTINGS.values() if setting.kind != "flag"}
    names |= {setting.short for setting in SETTINGS.values() if setting.kind != "flag"} - taken
    for name, value in pairwise(args):
        if name in names and not value.startswith("-"):
            yield value


def _without(words: Sequence[str], values: Sequence[str]) -> list[str]:
    left = list(words)
    for value in values:
        if value in left:
            left.remove(value)
    return left


def _exists(value: str) -> bool:
    try:
        return Path(value).exists()
    except (OSError, ValueError):
        return False


def _holds_tests(path: Path) -> bool:
    """Whether a path may have been meant as tests, by a conftest that owns a flag of the same name."""
    if not path.is_dir():
        return path.suffix == ".py"
    return any((path / name).exists() for name in _CONFIGURATIONS) or any(path.glob("test_*.py"))


def _root_folder(config: pytest.Config, paths: Sequence[str]) -> tuple[Any, ...]:
    from _pytest.config.findpaths import determine_setup

    namespace = config.known_args_namespace
    told = {
        "inifile": namespace.inifilename,
        "override_ini": namespace.override_ini,
        "args": list(paths),
        "rootdir_cmd_arg": namespace.rootdir or None,
        "invocation_dir": config.invocation_params.dir,
    }
    known = inspect.signature(determine_setup).parameters
    return tuple(determine_setup(**{name: value for name, value in told.items() if name in known}))


def _apply(config: Any, args: list[str], found: tuple[Any, ...]) -> None:
    """Do once more what pytest did with the wrong root folder: see ``Config.parse`` (pytest 9) or ``_preparse`` (8)."""
    before = list(config.getini("addopts"))
    content = "_inicfg" if hasattr(config, "_inicfg") else "inicfg"
    if not all(hasattr(config, name) for name in ("_rootpath", "_inipath", "_inicache", content, "_checkversion")):
        raise AttributeError("_rootpath")
    config._rootpath, config._inipath = found[:2]
    setattr(config, content, found[2])
    if len(found) > 3:
        config._ignored_config_files = found[3]
    config._inicache.clear()
    config._parser.extra_info |= {"rootdir": str(config.rootpath), "inifile": str(config.inipath)}
    if args[: len(before)] == before:
        del args[: len(before)]
    args[:0] = config._validate_args(list(config.getini("addopts")), "via addopts config")
    config._checkversion()
    if hasattr(config, "_configure_python_path"):
        config._configure_python_path()
    config.pluginmanager.consider_preparse(args, exclude_only=False)
    paths = config.known_args_namespace.file_or_dir
    config.known_args_namespace = config._parser.parse_known_args(args, namespace=copy.copy(config.option))
    config.known_args_namespace.file_or_dir[:] = paths
    folder = config.inipath.parent if config.inipath is not None else config.rootpath
    if config.known_args_namespace.confcutdir is None:
        config.known_args_namespace.confcutdir = str(folder)
