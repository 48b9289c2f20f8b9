"""What every report obeys, each law as a function of the thing under test, so that saboteurs face the same checks."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree as ET

import jinja2
import numpy as np

from gfpbench.report.formatting import printable
from gfpbench.report.model import Cell, Summary
from gfpbench.run.recorder import image_path
from gfpbench.types import Result
from tests.unit.report import sample

VOID = {"meta", "link", "img", "input", "br", "wbr", "hr"}
SELF_CLOSING_SVG = {"path", "rect"}
Summarise = Callable[[Sequence[Result]], Summary]


@dataclass
class Node:
    """An element of a parsed page."""

    tag: str
    attributes: dict[str, str]
    children: list[Node | str] = field(default_factory=list)

    def every(self, tag: str | None = None, **attributes: str) -> Iterator[Node]:
        """Elements below this one with a tag and attributes (``data_x`` for ``data-x``; ``cls`` is one class)."""
        for child in self.children:
            if isinstance(child, Node):
                cls = attributes.get("cls")
                rest = {name.replace("_", "-"): value for name, value in attributes.items() if name != "cls"}
                if (
                    (tag is None or child.tag == tag)
                    and (cls is None or cls in child.attributes.get("class", "").split())
                    and all(child.attributes.get(name) == value for name, value in rest.items())
                ):
                    yield child
                yield from child.every(tag, **attributes)

    def one(self, tag: str | None = None, **attributes: str) -> Node:
        found = list(self.every(tag, **attributes))
        assert len(found) == 1, f"{len(found)} of {tag} {attributes}"
        return found[0]

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("root", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> has an attribute twice: {attrs}"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SELF_CLOSING_SVG, f"<{tag}/> is not closed in HTML"
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parsed(html: str) -> Node:
    """The page as a tree; asserts that every element is closed where it should be."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert parser.open == [parser.root], f"left open: {[node.tag for node in parser.open]}"
    return parser.root


def requests_nothing(html: str) -> None:
    """No attribute, style or script makes a browser fetch anything, and the page forbids it to itself."""
    page = parsed(html)
    for node in page.every():
        for name, value in node.attributes.items():
            assert not name.startswith("on"), f"<{node.tag} {name}>"
            if name in {"src", "srcset", "poster", "data", "action", "background", "xlink:href", "ping"}:
                assert value.startswith("data:image/"), f"<{node.tag} {name}={value[:60]!r}>"
            if name == "href":
                assert node.tag == "a", f"<{node.tag} href>"
                assert value.startswith("#") or value == "claims.html", value  # the page written beside it
        assert node.tag not in {"link", "iframe", "object", "embed", "base", "audio", "video", "form"}
    styles = "".join(node.text for node in page.every("style"))
    styles += "".join(node.attributes.get("style", "") for node in page.every())
    assert not re.search(r"url\s*\(|@import|@font-face|https?:|//[a-z]", styles)
    for script in page.every("script"):
        assert not re.search(r"fetch\(|XMLHttpRequest|import\(|https?:|WebSocket|sendBeacon|innerHTML", script.text)
    policy = page.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "http" not in policy
    for nothing in ("base-uri", "form-action"):  # default-src says nothing of these two
        assert f"; {nothing} 'none'" in policy


def templates_are_compiled_once(render: Callable[[], str]) -> None:
    """Another page of a kind is filled in, and not compiled once more, which takes a tenth of a second."""
    first = render()
    again = AssertionError("a template is compiled again")
    with mock.patch.object(jinja2.Environment, "compile", side_effect=again):
        assert render() == first


def names_are_escaped(html: str) -> None:
    """A hostile name is text: it adds no element, no attribute and no line."""
    page = parsed(html)
    assert len(list(page.every("script"))) == 1, "a name became a script"
    assert "alert(1)" not in page.one("script").text
    for node in page.every():
        for name in node.attributes:
            assert re.fullmatch(r"[a-zA-Z][a-zA-Z-]*", name), f"<{node.tag} {name}>"
    assert "alert(1)" in page.one("main").text, "the hostile name is not on the page, so this proves nothing"
    assert "\u202e" not in html
    assert "\x1b" not in html


def numbers_are_the_results(html: str, results: Sequence[Result]) -> None:
    """Every mean in the table, parsed back, is the mean over the measured rows; what is shown is it rounded."""
    table = parsed(html).one("table", cls="summary")
    for result in results:
        row = table.one("tr", data_restorer=result.case.restorer)
        failed = sum(one.failure is not None for one in result.rows)
        assert int(row.one("td", cls="count").attributes["data-failures"]) == failed
        assert f"{len(result.rows) - failed:,}" in row.one("td", cls="count").text
        for cell in row.every("td", cls="num"):
            metric = cell.attributes["data-metric"]
            values = [one.scores[metric] for one in result.rows if one.failure is None]
            numbers = [value for value in values if value is not None and not math.isnan(value)]
            assert int(cell.attributes["data-n"]) == len(numbers)
            if not numbers:
                assert "data-mean" not in cell.attributes
                continue
            exact = float(cell.attributes["data-mean"])
            finite = [value for value in numbers if not math.isinf(value)]  # identical pairs are counted beside it
            expected = np.mean(finite or numbers)
            assert exact == expected or abs(exact - expected) < 1e-9
            assert int(cell.attributes.get("data-identical", "0")) == len(numbers) - len(finite)
            text = cell.one("span", cls="mean").text
            if math.isinf(exact):
                assert text == "∞"
            else:
                digits = len(text.partition(".")[2])
                assert abs(float(text.replace("−", "-")) - exact) <= 0.5 * 10**-digits + 1e-12


def identical_pairs_are_counted(html: str, expected: dict[str, tuple[str, str]]) -> None:
    """For each restorer the mean and what is said of identical pairs beside it, as written in its cell."""
    table = parsed(html).one("table", cls="summary")
    for restorer, (mean, note) in expected.items():
        cell = table.one("tr", data_restorer=restorer).one("td", cls="num")
        assert cell.one("span", cls="mean").text == mean
        said = [one.text for one in cell.every("small", cls="warn")]
        assert said == ([note] if note else [])


def images_match_by_name(html: str, results: Sequence[Result], store: Path) -> None:
    """In every strip, each image is the file of that face and restorer, and the numbers below it are that row's."""
    by_restorer = {result.case.restorer: result for result in results}
    strips = list(parsed(html).every("article", cls="strip"))
    assert strips
    for strip in strips:
        face = strip.attributes["data-id"]
        for figure in strip.every("figure"):
            kind = figure.attributes["data-kind"]
            label = {"degraded": "input", "truth": "truth"}.get(kind, figure.attributes["data-restorer"])
            result = by_restorer[label]
            row = next(row for row in result.rows if row.id == face)
            for image in figure.every("img"):
                embedded = base64.b64decode(image.attributes["src"].partition(",")[2])
                assert embedded == image_path(store / result.case.id, face, kind).read_bytes(), (face, label)
            if row.failure is not None:
                assert not list(figure.every("img"))
                assert row.failure in figure.text
            scores = {
                node.attributes["data-metric"]: float(node.attributes["data-score"])
                for node in figure.every("div")
                if "data-score" in node.attributes
            }
            expected = {name: value for name, value in row.scores.items() if value is not None}
            assert scores == expected, (face, label)


def no_nan_is_shown(html: str) -> None:
    """Neither text nor data of the page holds a NaN."""
    page = parsed(html)
    for node in page.every():
        for name, value in node.attributes.items():
            if name.startswith("data-") or name in {"d", "x", "width"}:
                assert not re.search(r"\bnan\b", value, re.IGNORECASE), (node.tag, name, value)
    for cell in page.every("td"):
        assert not re.search(r"\bnan\b", cell.text, re.IGNORECASE), cell.text


def _cell(summary: Summary, restorer: str, metric: str) -> Cell:
    (group,) = summary.groups
    return next(line for line in group.lines if line.result.case.restorer == restorer).cell(metric)


def failures_are_in_no_mean(summarise: Summarise) -> None:
    """A failed face that still carries a number (a broken engine) is counted as failed and in no mean."""
    scores = {"psnr_rgb": [20.0, 30.0, 99.0]}
    result = sample.scored("a", scores, failures={2: "returned its own input"})
    whole = summarise([sample.scored("input", {"psnr_rgb": [10.0, 10.0, 10.0]}), result])
    cell = _cell(whole, "a", "psnr_rgb")
    assert cell.mean == 25.0
    assert cell.n == 2
    assert cell.partial, "a mean over fewer faces is not marked"
    assert next(line for line in whole.groups[0].lines if line.role == "restorer").failures == 1
    assert [(problem.stage, problem.subject) for _, problem in whole.problems] == [("restore", "f2")]


def nan_is_no_number(summarise: Summarise) -> None:
    """A NaN is left out of the mean and named among the problems."""
    whole = summarise([sample.scored("a", {"psnr_rgb": [20.0, math.nan, 30.0]})])
    cell = _cell(whole, "a", "psnr_rgb")
    assert (cell.mean, cell.n, cell.blanks) == (25.0, 2, 1)
    assert any("NaN" in problem.reason and "f1" in problem.reason for _, problem in whole.problems)


def means_are_means(summarise: Summarise) -> None:
    """Means agree with numpy over the faces with a value, and intervals hold them."""
    values = np.random.default_rng(1).normal(25, 3, 40)
    scores: list[float | None] = [None if number % 7 == 0 else float(value) for number, value in enumerate(values)]
    whole = summarise([sample.scored("a", {"psnr_rgb": scores})])
    cell = _cell(whole, "a", "psnr_rgb")
    expected = np.mean([value for value in scores if value is not None])
    assert cell.mean is not None
    assert abs(cell.mean - expected) < 1e-12
    assert (cell.n, cell.blanks) == (34, 6)
    assert cell.interval is not None
    assert cell.interval[0] < expected < cell.interval[1]
    error = float(np.std([value for value in scores if value is not None], ddof=1)) / math.sqrt(34)
    assert 1.5 * 2 * error < cell.interval[1] - cell.interval[0] < 2.6 * 2 * error


def best_is_best(summarise: Summarise) -> None:
    """Bold is the highest PSNR and the lowest error among restorers; the input and the truth do not compete."""
    whole = summarise(
        [
            sample.scored("input", {"psnr_rgb": [40.0, 40.0], "mae_rgb": [0.1, 0.1]}),
            sample.scored("a", {"psnr_rgb": [20.0, 21.0], "mae_rgb": [5.0, 5.0]}),
            sample.scored("b", {"psnr_rgb": [25.0, 24.0], "mae_rgb": [6.0, 6.0]}),
            sample.scored("truth", {"psnr_rgb": [math.inf, math.inf], "mae_rgb": [0.0, 0.0]}),
        ]
    )
    best = {(line.label, cell.metric) for line in whole.groups[0].lines for cell in line.cells if cell.best}
    assert best == {("b", "psnr_rgb"), ("a", "mae_rgb")}


def gains_are_paired(summarise: Summarise) -> None:
    """The comparison with the input is face by face by name, and positive where better, whatever the direction."""
    worse_first = sample.scored("input", {"psnr_rgb": [10.0, 30.0, 20.0], "mae_rgb": [5.0, 1.0, 3.0]})
    restored = sample.scored("a", {"psnr_rgb": [11.0, 31.0, 19.0], "mae_rgb": [4.0, 0.5, 3.5]})
    shuffled = Result(**{**_fields(restored), "rows": restored.rows[1:] + restored.rows[:1]})
    for metric, mean in (("psnr_rgb", 1 / 3), ("mae_rgb", 1 / 3)):
        gain = _cell(summarise([worse_first, shuffled]), "a", metric).gain
        assert gain is not None
        assert abs(gain.mean - mean) < 1e-12
        assert (gain.wins, gain.losses, gain.n) == (2, 1, 3)


def _fields(result: Result) -> dict[str, Any]:
    return {name: getattr(result, name) for name in Result.__dataclass_fields__}


def worst_comes_first(ranked: Sequence[str], values: Mapping[str, float | None], better: str) -> None:
    """Failures (None) first, then numbers from worst to best."""
    scores = [values[name] for name in ranked]
    failed = [value for value in scores if value is None]
    assert scores[: len(failed)] == failed, "a failure stands behind a number"
    numbers = [value for value in scores[len(failed) :] if value is not None]
    assert numbers == sorted(numbers, reverse=better == "lower")


def junit_holds(xml: bytes, results: Sequence[Result]) -> None:
    """Structure as CI systems expect it, counts that add up, every figure a property, every failure a failure."""
    root = ET.fromstring(xml)
    assert root.tag == "testsuites"
    children = {"testsuites": {"testsuite"}, "testsuite": {"properties", "testcase"}, "properties": {"property"}}
    children["testcase"] = {"properties", "skipped", "failure", "system-out"}
    required = {
        "testsuite": {"name", "tests", "failures", "errors", "skipped"},
        "testcase": {"classname", "name", "time"},
    }
    required |= {"property": {"name", "value"}, "failure": {"message", "type"}, "skipped": {"message"}}
    for node in root.iter():
        assert {child.tag for child in node} <= children.get(node.tag, set()), node.tag
        assert required.get(node.tag, set()) <= set(node.attrib), (node.tag, node.attrib)
    suites = root.findall("testsuite")
    assert len(suites) == len(results)
    for suite, result in zip(suites, results, strict=True):
        cases = suite.findall("testcase")
        assert len({case.get("name") for case in cases}) == len(cases)
        assert int(suite.get("tests", "")) == len(cases)
        assert int(suite.get("failures", "")) == sum(case.find("failure") is not None for case in cases)
        assert int(suite.get("skipped", "")) == sum(case.find("skipped") is not None for case in cases)
        figures = {node.get("name"): node.get("value") for node in suite.findall("properties/property")}
        failed = [row for row in result.rows if row.failure is not None]
        assert figures["gfpbench.failures"] == str(len(failed))
        restoration = next(case for case in cases if case.get("name") == "restoration")
        failure = restoration.find("failure")
        assert (failure is not None) == bool(failed)
        for row in failed:
            assert failure is not None
            assert row.id in (failure.text or "")
        for metric in result.metrics:
            values = [row.scores.get(metric) for row in result.rows if row.failure is None]
            numbers = [value for value in values if value is not None]
            assert figures[f"gfpbench.{metric}.n"] == str(len(numbers))
            if numbers:
                assert math.isclose(float(str(figures[f"gfpbench.{metric}.mean"])), float(np.mean(numbers)))
            else:
                assert f"gfpbench.{metric}.mean" not in figures
                case = next(case for case in cases if case.get("name") == metric)
                assert case.find("skipped") is not None


def markdown_cells(text: str) -> list[list[str]]:
    """The rows of the first table of a Markdown text; asserts that all have equally many cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert len(rows) > 2
    assert len({len(row) for row in rows}) == 1, [len(row) for row in rows]
    assert all(set(cell) <= {":", "-"} for cell in rows[1])
    return [rows[0], *rows[2:]]


def markdown_is_text(text: str) -> None:
    """No name of a Markdown report becomes a tag, a link, a mention or a second cell."""
    markdown_cells(text)
    stripped = re.sub(r"<sub>\[[^<\]]*\]</sub>", "", text)  # our own intervals
    stripped = stripped.replace("<span>&#36;</span>", "")  # a dollar sign that begins no formula
    assert "<" not in stripped
    assert "$" not in stripped
    assert not re.search("@(?!&#8203;)", stripped)
    assert not re.search(r"(?<!\\)[`\[]", stripped)
    assert all(line.isprintable() for line in text.splitlines())


GITHUB = {
    "a mention": r"(?<![\w/])@\w",
    "an address": r"[\w.+-]+@[\w-]+\.\w",
    "an issue": r"#\d",
    "an issue by GH": r"(?i)\bgh-\d",
    "an emoji": r":[\w+-]+:",
    "a link": r"(?i)\b(https?|ftp)://|\bwww\.\w",
}
"""What GitHub looks for in the text of a comment after the Markdown has been rendered."""


def github_shows_text(markdown_text: Callable[[str], str], text: str) -> None:
    """A text in a table cell, rendered as GitHub does it: the same text, in no element, nothing made of it."""
    from markdown_it import MarkdownIt

    source = markdown_text(text)
    renderer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    cells = _Cells()
    cells.feed(renderer.render(f"| a | b |\n|---|---|\n| x {source} x | last |\n"))
    assert len(cells.cells) == 4, f"{text!r} is {len(cells.cells)} cells"
    assert cells.tags <= {"table", "thead", "tbody", "tr", "th", "td", "span"}, f"{text!r} became {cells.tags}"
    shown = "".join(cells.cells[2]).replace("\u200b", "")
    assert shown == f"x {printable(text)} x", f"{text!r} is shown as {shown!r}"
    assert "$" not in source, f"{text!r} is a formula"
    for what, pattern in GITHUB.items():
        found = [node for node in cells.cells[2] if re.search(pattern, node)]
        assert not found, f"{text!r} becomes {what}: {found}"


class _Cells(HTMLParser):
    """The texts of each table cell, and the elements that there are."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.cells: list[list[str]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append([])

    def handle_data(self, data: str) -> None:
        if data.strip() and self.cells:
            self.cells[-1].append(data)


def every_figure_is_on_the_terminal(lines_of: Callable[..., Sequence[str]], width: int) -> None:
    """A table wider than the terminal is folded: each row's means stand under their metrics, once, and nothing is cut.

    Args:
        lines_of: results, report path and width to lines.
    """
    results = sample.wide()
    lines = list(lines_of(results, None, width))[1:]
    assert max(map(len, lines)) <= width
    labels = [result.case.restorer for result in results]
    found: dict[tuple[str, str], str] = {}
    heads: list[tuple[int, str]] = []
    for line in lines:
        label = next((one for one in labels if line.startswith(f"  {one}  ")), None)
        if label is None:  # a heading: each metric's name with what stands behind it ends above its figures
            heads = [
                (match.end(), match[1]) for match in re.finditer(r"(?<=  )(\S+)(?: \S+)*", line) if match[1] != "…"
            ]
            continue
        for match in re.finditer(r"(?<=  )[\d,.]+$|(?<=  )[\d,.]+(?=  )", line[len(label) + 2 :]):
            (metric,) = [name for end, name in heads if end == match.end() + len(label) + 2]
            assert (label, metric) not in found, f"{label} says {metric} twice"
            found[label, metric] = match[0]
    for result in results:
        assert found.pop((result.case.restorer, "images")) == "2"
        for metric, value in result.rows[0].scores.items():
            assert value is not None
            shown = found.pop((result.case.restorer, metric))
            assert math.isclose(float(shown.replace(",", "")), value, abs_tol=0.5), (metric, shown, value)
    assert not found
