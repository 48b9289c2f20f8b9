"""A value that is taken as it is given is the one that typer would have made of it, and what is wrong is told alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from gfpbench.cli import application, subcommand

LINES = (
    "list",
    "list metrics psnr_rgb --json",
    "list a b c",
    "report",
    "report one",
    "report one two ./three/ --to page --markdown --csv rows.csv",
    "compare one",
    "compare one two",
    "compare one two --max-unreadable 0.5 --another-file judge --report page",
    "compare one two --max-unreadable 2",
    "compare one two --max-unreadable many",
    "compare one two --another-file other",
    "claims",
    "claims one --to .",
    "matrix a=one b=two",
    "matrix",
    "history one --benchmark-json folder",
    "run --limit 3 --restorer a --restorer b",
    "run --limit three",
    "run --seed 0 --workers 0",
    "fetch --from package --for a x y",
    "explain PSNR=14.4 --limit 5 --faces a",
)


def parsed(line: str) -> dict[str, Any]:
    """Each value with its type, or what is told of the first wrong one."""
    name, *words = line.split()
    command: Any = get_command(application(name))
    try:
        context = command.commands[name].make_context(name, words)
    except Exception as error:  # noqa: BLE001 - typer's own classes of errors, which differ between its releases
        return {"error": (type(error).__name__, error.format_message() if hasattr(error, "format_message") else "")}
    return {key: (type(value), value) for key, value in context.params.items()}


@pytest.mark.parametrize("line", LINES)
def test_it_is_what_typer_makes_of_it(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = parsed(line)
    monkeypatch.setattr(subcommand, "_converted_where_needed", lambda parameters: parameters)
    assert parsed(line) == given


def test_the_lines_hold_values_and_errors() -> None:
    made = [parsed(line) for line in LINES]
    assert sum("error" in one for one in made) >= 6
    told = [value for one in made for value in one.values()]
    for expected in (Path("page"), 0.5, [Path("one"), Path("two"), Path("three")], "metrics"):
        assert (type(expected), expected) in told


def test_an_address_is_typers_to_parse() -> None:
    assert subcommand._as_it_is("s3://bucket/report", Path, Path) is subcommand.UNKNOWN
