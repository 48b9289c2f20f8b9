"""docs/notebook.ipynb runs from top to bottom, shows what it promises, and is kept without its outputs."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib import pyplot

import gfpbench

DOCUMENT = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


def run(cell: str, names: dict[str, Any]) -> object:
    """Run a cell as a notebook does; returns its last value, which would be displayed."""
    *before, last = ast.parse(cell).body
    if not isinstance(last, ast.Expr):
        before, value = [*before, last], None
    else:
        value = compile(ast.Expression(last.value), "cell", "eval")
    exec(compile(ast.Module(before, []), "cell", "exec"), names)
    return None if value is None else eval(value, names)


def test_it_runs_and_displays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}
    before = pyplot.get_fignums()
    try:
        shown = {
            cell["id"]: run("".join(cell["source"]), names) for cell in written["cells"] if cell["cell_type"] == "code"
        }
        assert [*shown] == ["measure", "show", "function", "collapse", "report"]
        assert isinstance(shown["measure"], gfpbench.Result)
        assert isinstance(shown["function"], gfpbench.Result)
        assert shown["show"]._repr_html_().count("data:image/png;base64,") == 3  # type: ignore[attr-defined]
        assert any("collapses at" in str(line.get_label()) for line in shown["collapse"].lines)  # type: ignore[attr-defined]
        assert shown["report"] == Path("report/index.html")
        assert (tmp_path / "report" / "index.html").exists()
    finally:
        for number in set(pyplot.get_fignums()) - set(before):
            pyplot.close(number)


def test_it_is_a_notebook_without_outputs() -> None:
    assert DOCUMENT.stat().st_size < 100_000
    written = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    assert (written["nbformat"], written["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in written["cells"]}) == len(written["cells"])
    for cell in written["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
        assert all(len(line) <= 140 for line in cell["source"])
