"""What editors and pre-commit do is what tox does: the same commands, versions and line length."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOX = configparser.ConfigParser(interpolation=None)
TOX.read(ROOT / "tox.ini")
LINE_LENGTH = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["line-length"]


def of_tox() -> dict[str, str]:
    """Each command of ruff and mypy in tox.ini, and the version that it installs for it."""
    found = {}
    for name in ("testenv:lint", "testenv:types"):
        deps = {re.split(r"[=<>]", line)[0]: line for line in TOX[name]["deps"].split("\n")}
        for command in TOX[name]["commands"].split("\n"):
            tool = command.partition(" ")[0]
            if tool in ("ruff", "mypy"):
                found[command] = deps[tool]
    return found


def hooks(text: str) -> dict[str, str]:
    """Each command of pre-commit's hooks, and the version that the hook installs, or tells to install."""
    found = {}
    for hook in (hook for repo in yaml.safe_load(text)["repos"] for hook in repo["hooks"]):
        assert hook["pass_filenames"] is False, "tox takes the whole tree"
        told = re.search(rf"'({hook['id']}[=<>][^']+)'", text)
        (version,) = hook.get("additional_dependencies") or [told and told[1]]
        found[hook["entry"]] = version
    return found


CONFIG = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")


def test_pre_commit_runs_what_tox_runs() -> None:
    assert len(of_tox()) == 3
    assert hooks(CONFIG) == of_tox()


@pytest.mark.parametrize(
    ("old", "new"),
    [("ruff==0.17.*", "ruff==0.16.*"), ("mypy>=1.18", "mypy>=1.0"), ("entry: ruff check .", "entry: ruff")],
)
def test_another_version_or_command_is_noticed(old: str, new: str) -> None:
    assert old in CONFIG
    assert hooks(CONFIG.replace(old, new)) != of_tox()


def test_editors_break_lines_where_ruff_does() -> None:
    editor: Any = configparser.ConfigParser()
    editor.read_string("[top]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))
    assert editor["top"]["root"] == "true"
    assert int(editor["*.{py,pyi}"]["max_line_length"]) == LINE_LENGTH
