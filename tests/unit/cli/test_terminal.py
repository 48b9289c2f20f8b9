"""No text from a file drives the terminal of who looks at it, whatever field it stands in, whichever verb shows it."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gfpbench import cli

HOSTILE = "\x1b[2J\x1b]0;t\x07\r\x9b31m\u202e\u2066\x00\t"
PLAIN = ("inf", "-inf", "higher", "lower")


def hostile(value: Any) -> Any:
    """The same JSON with every text made hostile, names of metrics too; what the reader itself looks for stays."""
    if isinstance(value, str):
        return value if value in PLAIN else value + HOSTILE
    if isinstance(value, list):
        return [hostile(one) for one in value]
    if isinstance(value, dict):
        named = {"scores", "metrics", "not_measured", "protocols"}
        return {
            key: {hostile(name): hostile(one) for name, one in inner.items()}
            if key in named and isinstance(inner, dict)
            else inner
            if key in ("face_sha256", "fingerprint", "schema")
            else hostile(inner)
            for key, inner in value.items()
        }
    return value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``now``, ``before`` and ``other``: hostile results, ``before`` with better scores, ``other`` of another torch."""
    path = tmp_path_factory.mktemp("hostile")
    words = ["run", "--limit", "8", "--metric", "psnr_rgb", "--restorer", "bicubic", "--report", str(path / "run")]
    outcome = CliRunner().invoke(cli.app, words)
    assert outcome.exit_code == 0, outcome.output
    data = json.loads((path / "run" / "results.json").read_text())
    for result in data["results"]:
        result["problems"] = [{"stage": "restore", "subject": "a face", "reason": "why"}]
        result["not_measured"] = {"lpips": "an asset is missing"}
    data["results"] = [result for result in data["results"] if result["case"]["restorer"] != "truth"]
    for name, shift, torch in (("now", 0, "2.15.0"), ("before", 9, "2.15.0"), ("other", 9, "2.3.0")):
        record = hostile(data)
        for result in record["results"]:
            result["environment"]["torch"] = torch + HOSTILE
            for row in result["rows"]:
                row["scores"] = {metric: value + shift for metric, value in row["scores"].items()}
        (path / name).mkdir()
        (path / name / "results.json").write_text(json.dumps(record))
    return path


def drives_nothing(text: str) -> None:
    assert "x1b" in text, "nothing hostile is shown, so this proves nothing"
    wrong = {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char != "\n"}
    assert not wrong, f"{wrong} reached the terminal"


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        (("report", "now", "--to", "out"), 0),
        (("report", "now", "before", "--to", "both"), 0),
        (("report", "now", "--markdown"), 0),
        (("compare", "now", "before"), 1),
        (("compare", "now", "before", "--report", "compared"), 1),
        (("matrix", "now", "other", "--to", "matrix"), 1),
        (("matrix", "now", "other", "--markdown"), 1),
    ],
)
def test_no_text_drives_the_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...], code: int
) -> None:
    monkeypatch.chdir(folder)
    outcome = CliRunner().invoke(cli.app, verb)
    assert outcome.exit_code == code, outcome.output
    drives_nothing(outcome.stdout)


def test_verdicts_of_a_file_drive_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    CliRunner().invoke(cli.app, ["compare", "now", "before", "--report", "verdicts"])
    assert (folder / "verdicts" / "verdicts.json").exists()
    outcome = CliRunner().invoke(cli.app, ["report", "verdicts", "--markdown"])
    assert outcome.exit_code == 0, outcome.output
    drives_nothing(outcome.stdout)


def test_texts_as_they_are_are_caught(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``printable`` doing nothing, these tests fail."""
    from gfpbench.report import formatting, text, verdicts

    monkeypatch.chdir(folder)
    for module in (formatting, text, verdicts):
        monkeypatch.setattr(module, "printable", lambda text, limit=None: str(text))
    outcome = CliRunner().invoke(cli.app, ["compare", "now", "before"])
    with pytest.raises(AssertionError):
        drives_nothing(outcome.stdout)


def test_what_a_model_is_called_drives_no_progress_bar() -> None:
    from io import StringIO

    from rich.console import Console

    from gfpbench.report.progress import progress_bar

    for terminal in (False, True):
        console = Console(file=StringIO(), force_terminal=terminal, color_system=None, width=100)
        with progress_bar(console) as progress:
            progress(1, 1, f"[bold]a\x07b{HOSTILE}")
        assert isinstance(console.file, StringIO)
        shown = console.file.getvalue()
        assert "[bold]a\\x07b\\x1b[2J" in shown
        assert "\x07" not in shown
        assert "\u202e" not in shown
