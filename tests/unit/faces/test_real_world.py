"""Face sets without a ground truth: their folders, their names, and that nothing degrades them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import gfpbench
from gfpbench import cli, faces, results, run
from gfpbench.assets.datasets import FACES, has_truth
from gfpbench.degrade import named_for
from gfpbench.faces.real_world import NTIRE_COUNTS
from gfpbench.types import AssetMissing, BadInput, Case
from tests.unit.faces import trees

WITHOUT = {"lfw-test": 1711, "webphoto-test": 407, "celebchild-test": 180, "wider-test": 970, "ntire-test": 450}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    for name in WITHOUT:
        trees.miniature(name)(tmp_path / "faces" / name)
    return tmp_path


def test_the_table_knows_which_have_no_truth_and_how_many_images() -> None:
    assert {name: row.images for name, row in FACES.items() if not row.truth} == WITHOUT
    assert sum(NTIRE_COUNTS.values()) == WITHOUT["ntire-test"]
    for name in WITHOUT:
        assert not has_truth(name)
        assert not has_truth(f"{name}:/somewhere/else")
    assert has_truth("embedded")
    assert has_truth("random-face?count=2")
    assert has_truth("lfw-test-of-mine")


@pytest.mark.parametrize("name", WITHOUT)
def test_they_say_that_they_have_none_and_whether_all_are_here(name: str, home: Path) -> None:
    opened = faces.load(name)
    assert opened.source()["truth"] is False
    assert (opened.source()["published"], opened.source()["complete"]) == (WITHOUT[name], False)
    with pytest.raises(BadInput, match="have no ground truth to degrade"):
        run.load(Case(name, "paper", "bicubic"), device="cpu")
    with pytest.raises(BadInput, match="leave out 'report'"):
        named_for(name, "report", None)
    with pytest.raises(BadInput, match="leave truth=True out"):
        named_for(name, None, True)
    assert named_for(name, None, None) == named_for(name, "no-truth", None) == "no-truth"


def test_the_five_sets_of_the_challenge_are_told_apart(home: Path) -> None:
    opened = faces.load("ntire-test")
    assert len(opened.ids()) == 2 * len(NTIRE_COUNTS)  # none of val, and names that two sets share are two images
    assert {opened.load(face_id).attributes["dataset"] for face_id in opened.ids()} == set(NTIRE_COUNTS)
    assert opened.load("LFW-Test/0412").attributes == {"dataset": "LFW-Test"}
    inside = faces.load(f"ntire-test:{home / 'faces' / 'ntire-test' / 'test'}")
    assert inside.ids() == opened.ids()
    (home / "faces" / "ntire-test" / "test" / "Wider-Test").rename(home / "gone")
    with pytest.raises(BadInput, match="has no folder Wider-Test"):
        faces.load("ntire-test")


def test_one_that_is_not_here_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    for name in WITHOUT:
        with pytest.raises(AssetMissing, match="http"):
            faces.load(name)


def test_a_run_over_one_needs_no_option_and_has_its_sets_as_groups(home: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    words = ["run", "--faces", "ntire-test", "--restorer", "bicubic", "--metric", "piqe", "--metric", "psnr_rgb"]
    done = CliRunner().invoke(cli.app, [*words, "--device", "cpu", "--report", str(report)])
    assert done.exit_code == 0, done.output
    stored = results.read(report / "results.json")
    assert [result.case.restorer for result in stored] == ["input", "bicubic"]
    assert all(not result.case.has_truth and set(result.metrics) == {"piqe"} for result in stored)
    page = (report / "index.html").read_text()
    assert "WebPhoto-Test" in page


def test_the_notebook_and_collapse_know_it(home: Path) -> None:
    result = gfpbench.measure("bicubic", "webphoto-test", metrics=["piqe"])
    assert result.case.degradation == "no-truth"
    with pytest.raises(BadInput, match="no ground truth"):
        gfpbench.measure(replace(result.case, degradation="paper"), metrics=["piqe"])
    with pytest.raises(BadInput, match="no ground truth"):
        gfpbench.collapse("bicubic", "noise", faces="webphoto-test")
    done = CliRunner().invoke(cli.app, ["degrade", "--faces", "webphoto-test", "--to", str(home / "out")])
    assert isinstance(done.exception, BadInput)
    assert "no clean images" in str(done.exception)
    assert not (home / "out").exists()
