"""The terminal's last lines and the Markdown table."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench.report import markdown, summary, terminal_lines
from gfpbench.report.formatting import markdown_text, shown
from gfpbench.types import Case, Problem, Result
from tests.unit.report import laws, sample


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    store = tmp_path_factory.mktemp("text")
    restorers = {"strong": sample.sharpen(1.5), "mild": sample.sharpen(0.5)}
    return sample.bench(store, sample.crops(3), restorers, {("mild", "astronaut-02"): "RuntimeError: out of memory"})


def test_the_last_lines_say_everything(results: tuple[Result, ...]) -> None:
    lines = terminal_lines(results, Path("report/index.html"))
    text = "\n".join(lines)
    for fact in (
        "3 images: astronaut",
        "psnr_rgb ↑ dB",
        "2 of 3",
        "* mean over fewer images",
        "not measured: niqe: needs faces of at least 192 px",
        "not measured: lpips: run `gfpbench fetch lpips-vgg`",
        "failed (restore): astronaut-02: RuntimeError: out of memory",
    ):
        assert fact in text
    assert lines[-1] == f"report: {Path('report/index.html')}"
    (group,) = summary(results).groups
    for line in group.lines:
        row = next(one for one in lines if one.strip().startswith(line.label))
        for cell, column in zip(line.cells, group.columns, strict=True):
            assert shown(cell.mean, column.decimals) in row.replace("*", "").split()


def test_failures_of_several_restorers_say_whose_they_are(tmp_path: Path) -> None:
    restorers = {"strong": sample.sharpen(1.5), "mild": sample.sharpen(0.5)}
    faces = sample.crops(12)
    broken = {(name, face): "ValueError: no" for name in restorers for face in faces}
    results = sample.bench(tmp_path, faces, restorers, broken)
    for text in ("\n".join(terminal_lines(results, None)), markdown(results)):
        listed = [line for line in text.splitlines() if "failed (restore)" in line]
        for name in restorers:
            assert len([line for line in listed if name in line]) == len(listed) / 2


def test_the_option_that_a_failure_names_is_not_cut(tmp_path: Path) -> None:
    why = (
        "results/restored_imgs/astronaut-02.png is 1024 x 1024 px, but its input is 512 x 512 px: "
        "resize=area or resize=lanczos behind the folder's name measures it at that size, and says so"
    )
    results = sample.bench(tmp_path, sample.crops(3), {"mild": sample.sharpen(0.5)}, {("mild", "astronaut-02"): why})
    assert f"failed (restore): astronaut-02: {why}" in terminal_lines(results, None)


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_a_wide_table_goes_on_below(width: int) -> None:
    laws.every_figure_is_on_the_terminal(terminal_lines, width)


def test_the_width_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert terminal_lines(sample.wide(), None) == terminal_lines(sample.wide(), None, 80)
    monkeypatch.setenv("COLUMNS", "300")
    assert (
        terminal_lines(sample.wide(), None)
        == terminal_lines(sample.wide(), None, 300)
        != terminal_lines(sample.wide(), None, 80)
    )


def test_a_table_that_fits_is_one_table() -> None:
    (narrow,) = (sample.scored("a", {"psnr_rgb": [1.0]}),)
    assert terminal_lines([narrow], None, 80) == terminal_lines([narrow], None, 10_000)
    assert terminal_lines([narrow], None, 1)[0] == terminal_lines([narrow], None, 80)[0]


def test_no_page_no_line_and_nothing_measured_is_said() -> None:
    assert terminal_lines([], None) == ["nothing was measured"]
    assert markdown([]) == "Nothing was measured.\n"


def test_many_problems_are_counted_not_listed() -> None:
    problems = tuple(Problem("faces", f"file{number}.png", "truncated") for number in range(500))
    one = dataclasses.replace(sample.scored("a", {"psnr_rgb": [1.0]}), problems=problems)
    lines = terminal_lines([one], None)
    assert len(lines) < 20
    assert "… and 492 more problems, listed in the report" in lines


def test_the_markdown_table_holds_the_figures(results: tuple[Result, ...]) -> None:
    header, *rows = laws.markdown_cells(markdown(results))
    (group,) = summary(results).groups
    assert header[2:] == ["psnr_rgb ↑ dB", "ssim_rgb ↑", "mae_rgb ↓ grey levels"]
    assert [row[0] for row in rows] == [line.label for line in group.lines]
    for row, line in zip(rows, group.lines, strict=True):
        for text, cell, column in zip(row[2:], line.cells, group.columns, strict=True):
            assert text.replace("*", "").replace("\\", "").split(" ")[0] == shown(cell.mean, column.decimals)
            assert ("\\*" in text) == cell.partial
            if cell.interval is not None and cell.interval[0] != cell.interval[1]:
                assert f"[{shown(cell.interval[0], column.decimals)}, " in text


def test_the_best_is_bold_in_markdown() -> None:
    results = [sample.scored(name, {"psnr_rgb": [value, value]}) for name, value in (("a", 20.0), ("b", 21.0))]
    _, *rows = laws.markdown_cells(markdown(results))
    assert [row[2] for row in rows] == ["20.00", "**21.00**"]


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(name=st.one_of(st.just(sample.HOSTILE), st.text(st.characters(), min_size=1, max_size=40)))
def test_no_name_breaks_the_table_or_drives_the_terminal(name: str) -> None:
    one = dataclasses.replace(
        sample.scored("a", {"psnr_rgb": [1.0, 2.0]}),
        case=Case(name, name, name),
        problems=(Problem(name, name, name),),
        not_measured={name + "!": name},
    )
    one = dataclasses.replace(
        one,
        rows=tuple(dataclasses.replace(row, scores={**row.scores, name: 1.0}) for row in one.rows),
        metrics={key: {**one.metrics["psnr_rgb"], "unit": name} for key in ("psnr_rgb", name)},
    )
    laws.markdown_is_text(markdown([one]))
    assert all(line.isprintable() for line in terminal_lines([one], Path("index.html")))


PIECES = [
    "@user",
    "@org/team",
    "a@b.c",
    "owner/repo@0123456789",
    "#1",
    "owner/repo#1",
    "GH-3",
    "gh-12",
    "https://x.y",
    "HTTP://x",
    "www.x.y",
    "ftp://x.y",
    "$x$",
    "$$x$$",
    "$`x`$",
    ":tada:",
    ":+1:",
    "_x_",
    "__x__",
    "a_b",
    "**",
    "*",
    "`",
    "``",
    "|",
    "||",
    "<b>",
    "</td>",
    "&amp;",
    "&#64;",
    "&#8203;",
    "\\",
    "\\|",
    "[a](b)",
    "![i](u)",
    "[^1]",
    "[ ]",
    "~~x~~",
    "^",
    "#",
    "1.",
    "-",
    ">",
    "+",
    "=",
    "(",
    ")",
    "!",
    "http://",
    "://",
    ":",
    "@",
    "$",
    "\u202e",
    "\x1b[2J",
    "\x00",
    "text",
    "ü",
    "中",
]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(pieces=st.lists(st.sampled_from([*PIECES, " "]), min_size=1, max_size=6))
def test_github_makes_nothing_of_a_name(pieces: list[str]) -> None:
    laws.github_shows_text(markdown_text, "".join(pieces))


@pytest.mark.parametrize("piece", PIECES)
def test_github_makes_nothing_of_a_piece(piece: str) -> None:
    laws.github_shows_text(markdown_text, piece)
    laws.github_shows_text(markdown_text, f"see {piece} there")
