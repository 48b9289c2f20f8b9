"""Tables of the documents say which command makes them, and what stored baselines hold stands there as it is stored."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from safetensors import safe_open

from gfpbench import metrics
from gfpbench.restorers.nano import WEIGHTS
from tests.figures import check, made
from tests.figures.blocks import DOCUMENTS, ROOT, UNMADE, Block, Unmarked, blocks, replaced, unmarked_tables
from tests.figures.made import FIGURES

TEXT = "before\n<!-- figures: one: tox run -e x -->\n| a |\n|---|\n<!-- end -->\n| b |\n|---|\n"


def of_documents() -> list[Block]:
    return [block for name in DOCUMENTS for block in blocks(name, (ROOT / name).read_text(encoding="utf-8"))]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_table_is_marked(document: str) -> None:
    unmarked = unmarked_tables(document, (ROOT / document).read_text(encoding="utf-8"))
    assert not unmarked, (
        f"{document}:{unmarked[0]}: put `<!-- figures: NAME: COMMAND -->` before this table and `<!-- end -->` behind "
        "it; tests/figures/blocks.py says what NAME can be"
    )


@pytest.mark.parametrize("block", of_documents(), ids=lambda block: f"{block.document}:{block.line}")
def test_a_mark_names_what_exists(block: Block) -> None:
    assert block.name in (*FIGURES, *UNMADE), f"{block.document}:{block.line}: no figure is called {block.name}"
    assert block.said or block.name == "none", f"{block.document}:{block.line}: which command, or why there is none?"
    if block.name in FIGURES:
        assert block.said.startswith(f"tox run -e docs-figures -- {block.name}")
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    for name in re.findall(r"tox run -e ([\w-]+)", block.said):
        assert f"testenv:{name}" in tox, f"{block.document}:{block.line}: tox.ini has no environment {name}"


def test_every_figure_has_its_place_once() -> None:
    named = [block.name for block in of_documents() if block.name in FIGURES]
    assert sorted(named) == sorted(FIGURES)


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.stored])
def test_figures_of_stored_baselines_are_what_is_stored(name: str) -> None:
    (block,) = (block for block in of_documents() if block.name == name)
    assert FIGURES[name].make(block.text, None) == block.text, f"run: {block.said} --write"


def test_sizes_in_the_text_are_those_of_the_code() -> None:
    """Figures in sentences that the code itself holds."""
    niqe, ms_ssim = metrics.load(["niqe", "ms_ssim"])
    page = " ".join((ROOT / "docs" / "explanation" / "numbers.md").read_text(encoding="utf-8").split())
    assert f"NIQE needs {niqe.minimum_side_px} px and MS-SSIM {ms_ssim.minimum_side_px} px" in page
    with safe_open(WEIGHTS, "pt") as weights:
        count = sum(weights.get_tensor(name).numel() for name in weights.keys())  # noqa: SIM118
    about = f"{count / 1e6:.1f} million weights ({WEIGHTS.stat().st_size / 1e6:.1f} MB)"
    assert about in (ROOT / "docs" / "nano.md").read_text(encoding="utf-8")


def test_a_stale_figure_is_found_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "page.md"
    stale = "Text.\n\n<!-- figures: nano-embedded: tox -->\npsnr +9.99\n<!-- end -->\n\nMore text.\n"
    document.write_text(stale, encoding="utf-8")
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setattr(check, "DOCUMENTS", ("page.md",))
    assert check.main(["--stored"]) == 1
    assert "page.md:3: nano-embedded: differs" in capsys.readouterr().out
    assert document.read_text(encoding="utf-8") == stale
    assert check.main(["--stored", "--write"]) == 0
    assert check.main(["--stored"]) == 0
    written = document.read_text(encoding="utf-8")
    assert written.startswith("Text.\n\n<!-- figures")
    assert written.endswith("<!-- end -->\n\nMore text.\n")
    assert "9.99" not in written


def test_a_cell_is_made_again_where_its_faces_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table over three sources with stored Results in place of measured ones; one source is not here."""
    results = {"nano": made._stored("nano"), "input": made._stored("input")}
    monkeypatch.setattr(
        made, "_measured", lambda restorer, faces, seed=0: results[restorer] if faces == "embedded" else "not here"
    )
    row = "| psnr_rgb, dB | +1.00 [0.50, 1.50] | **+2.00 [0.00, 1.00]** | +3.00 [0.00, 1.00] |"
    cells = FIGURES["nano-sources"].make(row, None).split(" | ")
    assert cells[1] == "+1.00 [0.50, 1.50]"
    assert cells[2] == "**+0.45 [0.26, 0.61]**"
    assert cells[3].startswith("+3.00")


def test_marks() -> None:
    (block,) = blocks("page.md", TEXT)
    assert (block.line, block.name, block.said, block.text) == (2, "one", "tox run -e x", "| a |\n|---|")
    assert replaced(TEXT, "page.md", {"one": "| c |"}) == TEXT.replace("| a |\n|---|", "| c |", 1)
    assert unmarked_tables("page.md", TEXT) == [7]
    with pytest.raises(Unmarked, match=r"page\.md:1: a block does not end"):
        blocks("page.md", "<!-- figures: one -->\ntext")
    with pytest.raises(Unmarked, match=r"page\.md:2: a block ends that did not begin"):
        blocks("page.md", "text\n<!-- end -->")


@pytest.mark.parametrize("wrong", [["nothing"], ["--portraits", "no/such/folder"]])
def test_a_name_or_folder_that_is_not_there_is_one_line(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        check.main(wrong)
    assert ended.value.code == 2
    assert wrong[-1] in capsys.readouterr().err
