"""The documentation site: every row of every table stands in its reference, every page in its navigation."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, MutableMapping
from pathlib import Path

import pytest
import yaml

from gfpbench import assets, degrade, metrics, restorers
from gfpbench.assets.datasets import FACES
from gfpbench.degrade.axes import AXES
from gfpbench.gallery import CASES
from gfpbench.metrics.protocols import PROTOCOLS
from gfpbench.metrics.set_measures import SET_METRICS
from gfpbench.plugin import fixtures, settings
from tests.site import axes as axis_pages
from tests.site import metrics as metric_pages
from tests.site.api import origins
from tests.site.commands import every_command, fixtures_by_name
from tests.site.generated import GENERATED, MARK, filled

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
MARKDOWN = (ROOT / "README.md", *PAGES)

HELD: dict[str, Iterable[str]] = {
    "commands": [f"## gfpbench {name}" for name in every_command()],
    "pytest options": [f"`{setting.key}`" for setting in settings.SETTINGS.values() if setting.configurable],
    "pytest fixtures": [f"`{name}`" for name in fixtures_by_name(fixtures)],
    "pytest markers": ["`gpu`", "`needs_asset(name)`"],
    "restorers": [f"`{name}`" for name in restorers.RESTORERS],
    "restorer forms": [f"`{name}`" for name in restorers.SCHEMES],
    "faces": [f"## {name}\n" for name in FACES],
    "degradations": [f"## {name}\n" for name in degrade.DEGRADATIONS],
    "axes": [f"## {name}\n" for name in AXES],
    "metrics": [f"### {name}\n" for name in metrics.METRICS],
    "set metrics": [f"### {name}\n" for name in SET_METRICS],
    "protocols": [f"## {name}\n" for name in PROTOCOLS],
    "assets": [f"`{name}`" for name in assets.ASSETS],
    "api": [f"::: {path}" for path in origins().values()],
    "gallery": [f"[{case.title}](gallery.html#{case.name})" for case in CASES],
}
"""What is generated -> what has to stand in it."""


@pytest.mark.parametrize("name", GENERATED)
def test_every_row_is_shown(name: str) -> None:
    made = GENERATED[name]()
    assert [row for row in HELD[name] if row not in made] == []
    assert MARK.search(made) is None


def test_every_option_of_a_command_is_shown() -> None:
    made = GENERATED["commands"]()
    for name, command in every_command().items():
        section = made.partition(f"## gfpbench {name}\n")[2].partition("\n## ")[0]
        given = [one for parameter in command.params if not parameter.hidden for one in parameter.opts]
        assert [one for one in given if one.startswith("-") and f"`{one}" not in section] == [], name


@pytest.mark.parametrize(
    ("name", "table", "row", "like"),
    [
        ("restorers", restorers.RESTORERS, "another", "bicubic"),
        ("faces", FACES, "another", "portraits"),
        ("protocols", PROTOCOLS, "another", "ours"),
    ],
)
def test_a_new_row_is_shown(
    name: str, table: MutableMapping[str, object], row: str, like: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert row not in GENERATED[name]().replace("another ", "")
    monkeypatch.setitem(table, row, table[like])
    assert row in GENERATED[name]()


def test_a_metric_without_a_note_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(metrics.METRICS, "mae_rgb", metrics.METRICS["psnr_rgb"])
    with pytest.raises(metric_pages.Undocumented, match="mae_rgb: needs formula, range, misleads"):
        GENERATED["metrics"]()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"psnr_rgb", "psnr_y"', '"psnr_rgb", "psnr_z"', "psnr_y: needs formula"),
        ('"psnr_rgb", "psnr_y"', '"psnr_rgb", "psnr_y", "gmsd"', "gmsd has two notes"),
        ('"psnr_rgb", "psnr_y"', '"psnr_rgb", "psnr_y", "psnr_z"', "there is no metric psnr_z"),
        ('range = "0 dB upward', 'ranges = "0 dB upward', "psnr_rgb.*: needs formula"),
    ],
)
def test_a_wrong_note_is_refused(before: str, after: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.toml"
    text = metric_pages.NOTES.read_text(encoding="utf-8")
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(metric_pages.Undocumented, match=said):
        metric_pages.notes(path)


def test_a_metric_without_a_convention_is_refused() -> None:
    with pytest.raises(metric_pages.Undocumented, match=r"psnr\.py: PEAK needs a text below it"):
        metric_pages.attribute_docstring("gfpbench.metrics.psnr:PEAK")


def test_every_axis_names_its_image() -> None:
    made = GENERATED["axes"]()
    assert [name for name in AXES if f"]({axis_pages.file_of(name)})" not in made] == []


@pytest.mark.parametrize("name", AXES)
def test_an_axis_is_shown_at_four_strengths(name: str) -> None:
    shown = axis_pages.image(name, 64)
    assert shown.shape == (64, 256, 3)
    squares = [shown[:, start : start + 64].tobytes() for start in range(0, 256, 64)]
    assert len(set(squares)) == 4


def test_what_is_generated_stands_on_one_page() -> None:
    marks = [mark for page in PAGES for mark in MARK.findall(page.read_text(encoding="utf-8"))]
    assert sorted(marks) == sorted(GENERATED)


def test_a_mark_that_names_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"page\.md: nothing is generated as 'metric'; there are: commands"):
        filled("text\n\n<!-- generated: metric -->\n", "page.md")


def _leaves(nav: object) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else []
    return [leaf for part in parts for leaf in _leaves(part)]


def test_every_page_is_in_the_navigation() -> None:
    """mkdocs says it too, in an environment of its own."""
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(_leaves(site["nav"])) == [page.relative_to(DOCS).as_posix() for page in PAGES]


def test_the_site_is_built_strictly_and_in_ci() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert site["strict"] is True
    assert site["theme"]["font"] is False
    assert set(site["validation"]["links"].values()) == {"warn"}
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    assert "mkdocs build --strict" in tox["testenv:docs"]["commands"]
    assert "tox run -e docs" in (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def lost_links(path: Path, text: str) -> list[str]:
    """Relative links of a file that lead to no file; images that the build makes are there."""
    made = {axis_pages.file_of(name) for name in AXES}
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"(?s)```.*?```|`[^`\n]*`", "", text))
    files = [link.partition("#")[0] for link in links if not re.match(r"https?://|mailto:|#", link)]
    return [file for file in files if file not in made and not (path.parent / file).exists()]


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files(path: Path) -> None:
    assert lost_links(path, path.read_text(encoding="utf-8")) == []


def test_a_lost_link_is_seen() -> None:
    text = "[a](nano.md) [b](nowhere.md#x) `[c](in-code.md)` [d](https://example.org) ![e](no.png)"
    assert lost_links(DOCS / "index.md", text) == ["nowhere.md", "no.png"]


def unknown_words(text: str) -> list[str]:
    """Commands and options of `gfpbench` and environments of tox in the code of a text that there are not."""
    commands = every_command()
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    fenced = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", text)
    plain = re.sub(r"(?ms)^```.*?^```$", "", text)
    blocks = [block for kind, block in fenced if kind in ("", "bash", "sh", "yaml")]
    code = "\n".join(blocks + re.findall(r"`([^`]+)`", plain))
    found = []
    for name, rest in re.findall(r"(?m)(?<![\w/.-])gfpbench ([a-z]+)((?:[^\n|>#`]|\\\n)*)", code):
        if name not in commands:
            found.append(f"gfpbench {name}")
            continue
        known = {one for parameter in commands[name].params for one in (*parameter.opts, "--help")}
        found += [f"{name} {option}" for option in re.findall(r"(?<!\S)--[a-z-]+", rest) if option not in known]
    for names in re.findall(r"tox run -e ([\w.,-]+)", code):
        stems = [name.removeprefix("torch-") for name in names.split(",")]
        found += [f"tox: {stem}" for stem in stems if not re.search(rf"(?<!\w){re.escape(stem)}(?!\w)", tox)]
    return found


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_in_the_text_are_there(path: Path) -> None:
    assert unknown_words(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_yaml_in_the_text_can_be_read(path: Path) -> None:
    for block in re.findall(r"(?ms)^```yaml\n(.*?)^```$", path.read_text(encoding="utf-8")):
        assert yaml.safe_load(block)


def test_a_command_that_is_not_there_is_seen() -> None:
    text = "```\ngfpbench fetsch x\ngfpbench fetch --everything\ntox run -e docs,dogs\n```\n`gfpbench run --faces --no`"
    assert unknown_words(text) == ["gfpbench fetsch", "fetch --everything", "run --no", "tox: dogs"]


def test_the_readme_leads_to_the_pages_and_stays_short() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 200, "move what only some readers need into a page of docs/, and link that"
    unnamed = [page.name for page in (DOCS / "howto").glob("*.md") if f"docs/howto/{page.name}" not in readme]
    assert unnamed == []
