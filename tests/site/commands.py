"""The reference of the `gfpbench` command, out of its Typer application, and of the pytest plugin."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from typer.main import get_command

from gfpbench.cli import app
from gfpbench.plugin import fixtures, pytest_configure, settings, short_names
from tests.site.markdown import cell, code, table, text


def every_command() -> Mapping[str, Any]:
    """Name -> command, as the application holds them."""
    return get_command(app).commands  # type: ignore[attr-defined]


def commands() -> str:
    """A section for each command: what it does, its arguments and its options."""
    return "\n\n".join(_command(name, command) for name, command in every_command().items())


def _command(name: str, command: Any) -> str:
    parameters = [parameter for parameter in command.params if not parameter.hidden]
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    given = [one for one in parameters if one.param_type_name == "option"]
    shown = [_argument(one) for one in arguments]
    usage = " ".join(["gfpbench", name, *shown, *(["[OPTIONS]"] if given else [])])
    parts = [f"## gfpbench {name}", text(inspect.cleandoc(command.help or "")), f"```text\n{usage}\n```"]
    if arguments:
        rows = ([code(_argument(one)), cell(one.help or "")] for one in arguments)
        parts.append(table(["argument", "meaning"], rows))
    if given:
        rows = ([_option(one), cell(one.help or ""), _default(one)] for one in given)
        parts.append(table(["option", "meaning", "default"], rows))
    return "\n\n".join(parts)


def _argument(one: Any) -> str:
    name = (one.metavar or one.name).upper() + ("..." if one.nargs != 1 else "")
    return name if one.required else f"[{name}]"


def _option(one: Any) -> str:
    value = "" if one.is_flag else f" {one.metavar or one.name.upper()}"
    names = [*one.opts, *one.secondary_opts]
    return ", ".join(code(name + (value if name.startswith("--") else "")) for name in names)


def _default(one: Any) -> str:
    value = one.default
    if callable(value) or value in (None, False, (), []):
        return ""
    listed = value if isinstance(value, tuple | list) else (value,)
    return code(" ".join(str(getattr(each, "value", each)) for each in listed))


def pytest_options() -> str:
    """Every setting: its short and long option, and its key in the configuration file."""
    rows = []
    for setting in settings.SETTINGS.values():
        value = f" {setting.metavar}" if setting.metavar else ""
        key = code(setting.key) if setting.configurable else "command line only"
        rows.append([code(setting.short + value), code(setting.long), key, cell(setting.help)])
    return table(["option", "the same, always free", "key in the configuration", "meaning"], rows)


def pytest_markers() -> str:
    """What the plugin registers as markers."""
    lines: list[str] = []

    class Recording:
        def addinivalue_line(self, name: str, line: str) -> None:
            assert name == "markers"
            lines.append(line)

        def __getattr__(self, name: str) -> Any:
            raise _Enough

    with contextlib.suppress(_Enough):
        pytest_configure(Recording())  # type: ignore[arg-type]
    return table(
        ["marker", "meaning"], ([code(name), cell(says)] for name, _, says in (x.partition(": ") for x in lines))
    )


class _Enough(Exception):
    """The plugin has registered its markers and goes on to what needs a session."""


def fixtures_by_name(module: ModuleType) -> dict[str, Any]:
    """Name -> the function behind each pytest fixture that a module defines."""
    found = {name: value for name, value in vars(module).items() if type(value).__name__ == "FixtureFunctionDefinition"}
    return {name: value._get_wrapped_function() for name, value in found.items()}


def pytest_fixtures() -> str:
    """Every fixture under its own name, its short name and what it gives."""
    short = {
        next(name for name in inspect.signature(function).parameters): name
        for name, function in fixtures_by_name(short_names).items()
    }
    rows = []
    for name, function in fixtures_by_name(fixtures).items():
        gives = str(inspect.signature(function).return_annotation).rpartition(".")[2]
        rows.append([code(short.get(name, "")), code(name), code(gives), cell(inspect.getdoc(function) or "")])
    return table(["fixture", "the same, always free", "type", "meaning"], rows)
