"""Options of the command line and keys of pytest's configuration file for each setting, and which value it has.

``--gfpbench-NAME`` is always there. ``--NAME`` is added only after every other plugin and the first conftest files have
added theirs, and only where none of them took it: a plugin that is loaded in every project must not claim common names.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gfpbench.plugin.settings import NUMBERS, SETTINGS, Setting
from gfpbench.plugin.short_names import add_short_names

GROUP = "gfpbench"


MARKERS_KEY = "gfpbench_markers"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add ``--gfpbench-NAME`` and the keys of the configuration file."""
    group = parser.getgroup(GROUP, "face restoration benchmark (gfpbench)")
    for setting in SETTINGS.values():
        group.addoption(setting.long, **setting.arguments(f"{setting.help}; the same as {setting.short} where free"))
        if setting.configurable:
            kind: Any = {"flag": "bool", "names": "args"}.get(setting.kind, "string")
            if setting.kind in NUMBERS and pytest.version_tuple >= (8, 4):
                kind = "int" if setting.kind == "whole" else "float"  # in a TOML file it may then be written as one
            parser.addini(setting.key, f"as {setting.long}", type=kind, default=None)
    parser.addini(
        MARKERS_KEY,
        "let gfpbench act on the marks gpu, network, slow and needs_asset of every test, not only of those that use "
        "its fixtures",
        type="bool",
        default=False,
    )
    if any(isinstance(plugin, ModuleType) and _is_conftest(plugin) for plugin in pluginmanager.get_plugins()):
        # Named in a conftest's `pytest_plugins`: the hook that adds the short names is running already.
        add_short_options(parser)
        add_short_names(pluginmanager)


def add_short_options(parser: pytest.Parser) -> frozenset[str]:
    """Add ``--NAME`` for each setting whose name is still free. Returns the names that are taken."""
    group, taken = parser.getgroup(GROUP), taken_names(parser)
    for setting in SETTINGS.values():
        if setting.short not in taken:
            group.addoption(setting.short, **setting.arguments(setting.help))
    return taken


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """The command line is read: leave the short names to those conftest files that are loaded by the collection."""
    withdraw_short_options(session.config._parser)


def withdraw_short_options(parser: pytest.Parser) -> None:
    """Make our short names free again. What was given under them stays where it is, in ``config.option``."""
    group, names = parser.getgroup(GROUP), {setting.short: setting.key for setting in SETTINGS.values()}
    group.options = [option for option in group.options if names.keys().isdisjoint(option.names())]
    # Since pytest 9 there is one argparse parser for good; older ones make it of the groups each time.
    reader: Any = getattr(parser, "optparser", None)
    actions = {} if reader is None else dict(reader._option_string_actions)
    for name, key in names.items():
        if name in actions and actions[name].dest == key:
            # As argparse itself does with conflict_handler="resolve".
            del reader._option_string_actions[name]
            actions[name].container._remove_action(actions[name])


def taken_names(parser: pytest.Parser) -> frozenset[str]:
    """The short names that another plugin, or a conftest, has added as options of its own."""
    ours = {setting.key for setting in SETTINGS.values()}
    options = [option for group in (parser._anonymous, *parser._groups) for option in group.options]
    theirs = {name for option in options if option.dest not in ours for name in option.names()}
    return frozenset(theirs & {setting.short for setting in SETTINGS.values()})


def _is_conftest(module: ModuleType) -> bool:
    return Path(getattr(module, "__file__", None) or "").name == "conftest.py"


def value_of(config: pytest.Config, name: str) -> Any:
    """The value of a setting: the command line's, else the configuration file's, else the default.

    A path of the configuration file is meant from the folder of that file.

    Raises:
        pytest.UsageError: for a value that the setting cannot have.
    """
    setting = SETTINGS[name]
    given = getattr(config.option, setting.key, None)
    if given or (given is not None and setting.kind != "flag"):
        return tuple(given) if setting.kind == "names" else given
    stored = _stored(config, setting)
    if stored is None:
        return setting.default if setting.kind != "flag" else False
    if setting.kind == "names":
        return tuple(stored)
    if setting.kind in NUMBERS:
        try:
            return NUMBERS[setting.kind](stored)
        except ValueError:
            where, wanted = (
                config.inipath or "the command line",
                "whole number" if setting.kind == "whole" else "number",
            )
            raise pytest.UsageError(f"{setting.key} = {stored!r} in {where}: a {wanted} is wanted") from None
    if setting.kind == "path" and not is_address(stored):  # an address is refused as it was written
        return str(folder_of_settings(config) / Path(stored).expanduser())
    return stored


def is_address(text: str) -> bool:
    """Whether a path is an address such as ``s3://bucket/report``, of which a folder named ``s3:`` would be made."""
    return "://" in text


def _stored(config: pytest.Config, setting: Setting) -> Any:
    """What the configuration file says of a setting; None where it says nothing."""
    if not setting.configurable:
        return None
    try:
        stored = config.getini(setting.key)
    except (TypeError, ValueError, pytest.UsageError) as error:  # the last since pytest 9.2
        where = config.inipath or "the command line"
        raise pytest.UsageError(f"{setting.key} in {where}: {' '.join(str(error).split())}") from None
    return None if stored in (None, [], "") else stored


def folder_of_settings(config: pytest.Config) -> Path:
    """The folder from which paths in the configuration are meant."""
    return config.inipath.parent if config.inipath is not None else config.invocation_params.dir


def is_configured(config: pytest.Config, name: str) -> bool:
    """Whether a setting has its value from the configuration file."""
    setting = SETTINGS[name]
    given = getattr(config.option, setting.key, None)
    return (given is None or given is False) and _stored(config, setting) is not None


def is_given(config: pytest.Config) -> bool:
    """Whether the command line or the configuration file says anything to gfpbench."""
    given = (getattr(config.option, setting.key, None) for setting in SETTINGS.values())
    if any(value is not None and value is not False for value in given):  # a limit of 0 is given
        return True
    stored = (_stored(config, setting) for setting in SETTINGS.values())
    return any(value not in (None, False) for value in stored) or bool(config.getini(MARKERS_KEY))


def acts_on_all_markers(config: pytest.Config) -> bool:
    """Whether the project lets gfpbench act on the marks of tests that use none of its fixtures."""
    return bool(config.getini(MARKERS_KEY))
