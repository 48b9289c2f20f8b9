"""The pieces of a collapse point: criteria, pairing with other faces, records on disk, words, groups."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer

from gfpbench import collapse, faces, images, metrics
from gfpbench.cli import app
from gfpbench.collapse import Collapse, Question, Step, group_difference
from gfpbench.collapse.definition import CRITERIA, Evidence, criteria_for
from gfpbench.collapse.other_face import AgainstOther, pair_with_others
from gfpbench.types import BadInput, Case, ImageBatch, Result, Row

FOUND = Collapse(
    question=Question("nano", "noise+middle", criteria=("input", "face"), draws=4),
    kind="collapses",
    severity=0.65,
    value=78.0,
    interval=(0.5, 0.75),
    value_interval=(60.0, 90.0),
    onset=0.0,
    recovers=None,
    fails=("face",),
    unit="grey levels",
    trained=(0.0, 0.125),
    steps=(Step(0.0, 0.0, 0.6, 0.5, {"input": (0.1, 0.05, 0.15), "face": (None, None, None)}, 0, "nano-x"),),
    images=8,
    faces=2,
    restorations=96,
    grid_restorations=520,
    better="higher",
    notes=("two faces",),
    environment={"torch": "2"},
)


def test_margins_by_hand() -> None:
    known = Evidence(
        own=np.array([0.8, 0.5]),
        given=np.array([0.6, 0.5]),
        other=np.array([0.2, 0.4]),
        reference=np.array([0.8, 0.8]),
    )
    np.testing.assert_allclose(CRITERIA["input"].margin(known), [0.2, 0.0])
    np.testing.assert_allclose(CRITERIA["face"].margin(known), [0.6 - 0.2, 0.1 - 0.2])
    angles = Evidence(own=-np.array([20.0, 35.0]), given=-np.array([25.0, 40.0]))
    np.testing.assert_allclose(CRITERIA["identity"].margin(angles), [10.0, -5.0])


def test_equal_infinities_are_no_gain() -> None:
    known = Evidence(own=np.array([np.inf, 30.0]), given=np.array([np.inf, np.inf]))
    assert CRITERIA["input"].margin(known).tolist() == [0.0, -np.inf]


def test_criteria_of_metrics() -> None:
    assert [c.name for c in criteria_for(metrics.load(["ssim_rgb"])[0], None)[0]] == ["input", "face"]
    chosen, note = criteria_for(metrics.load(["niqe"])[0], None)
    assert [c.name for c in chosen] == ["input"]
    assert "looks at no truth" in note
    assert criteria_for(metrics.load(["deg_dlib"])[0], ["identity"])[0][0].name == "identity"


def test_an_answer_without_its_input_tells_no_face_from_another() -> None:
    """Over a permutation of the faces the mean of own - other is 0 for any constant answer and any metric."""
    clean = faces.load("embedded", size_px=64, draws=3)
    ids = clean.ids()
    others = pair_with_others(clean, ids)
    assert sorted(others.values()) == sorted(ids)
    assert all(name.split("~")[0] != other.split("~")[0] for name, other in others.items())
    truth = ImageBatch(torch.stack([clean.load(name).pixels for name in ids]), ids)
    answer = images.quantized(ImageBatch(truth.pixels.mean(0, keepdim=True).expand_as(truth.pixels).clone(), ids))
    for metric in metrics.load(["psnr_rgb", "ssim_rgb", "gmsd"]):
        apart = metric(answer, truth) - AgainstOther(metric, clean, others)(answer, truth)
        assert abs(float(apart.mean())) < 1e-9
        assert float(apart.abs().max()) > 1e-4  # face by face it does differ


def test_another_face_is_measured_as_by_hand() -> None:
    clean = faces.load("embedded", size_px=64)
    ids = clean.ids()
    (ssim,) = metrics.load(["ssim_rgb"])
    truth = ImageBatch(torch.stack([clean.load(name).pixels for name in ids]), ids)
    swapped = ImageBatch(truth.pixels.flip(0), ids)
    noisy = images.quantized(ImageBatch((truth.pixels * 0.8 + 0.1), ids))
    others = pair_with_others(clean, ids)
    restored = AgainstOther(ssim, clean, others)
    perfect = AgainstOther(ssim, clean, others, of_truth=True)
    assert torch.equal(restored(noisy, truth), ssim(noisy, swapped))
    assert torch.equal(perfect(noisy, truth), ssim(truth, swapped))
    assert restored.name == "ssim_rgb_other"
    assert perfect.name == "ssim_rgb_truth_other"


def test_one_face_is_not_enough() -> None:
    clean = faces.load("embedded", size_px=64, draws=3)
    with pytest.raises(BadInput, match="--criterion input"):
        pair_with_others(clean, ["astronaut~0", "astronaut~1"])


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "points.json"
    others = (replace(FOUND, kind="never", severity=None, value=None, interval=(1.0, None), trained=None),)
    collapse.write([FOUND, *others], path)
    assert collapse.read(path) == (FOUND, *others)
    first = path.read_bytes()
    collapse.write(collapse.read(path), path)
    assert path.read_bytes() == first
    assert [item.name for item in path.parent.iterdir()] == ["points.json"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.update(schema=99),
        lambda data: data["collapses"][0].pop("kind"),
        lambda data: data["collapses"][0].update(extra=1),
        lambda data: data["collapses"][0]["question"].pop("axis"),
        lambda data: data["collapses"][0]["steps"][0].pop("case"),
        lambda data: data.update(collapses=5),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "points.json"
    collapse.write([FOUND], path)
    data = json.loads(path.read_text())
    spoil(data)
    path.write_text(json.dumps(data))
    with pytest.raises(BadInput, match=r"points\.json"):
        collapse.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent\.json: cannot be read: No such file"):
        collapse.read(tmp_path / "absent.json")


def test_nan_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        collapse.write([replace(FOUND, value=float("nan"))], tmp_path / "points.json")
    assert not (tmp_path / "points.json").exists()


def test_words() -> None:
    text = "\n".join(collapse.collapse_lines(FOUND, report="my report"))
    assert "collapses at 78 grey levels (95 % interval 60 to 90" in text
    assert "trained on 0 to 15 grey levels" in text
    assert "96 restorations" in text
    assert "5.4 times" in text
    assert "under a quarter" in text
    words = shlex.split(collapse.worst_faces_command(FOUND, report="my report"))
    assert words[:2] == ["gfpbench", "collapse"]
    options = dict(zip(words[2::2], words[3::2], strict=True))
    assert options["--at"] == "78"
    assert options["--axis"] == "noise+middle"
    assert options["--report"] == "my report"
    assert options["--draws"] == "4"
    group: Any = typer.main.get_command(app)
    known = {name for given in group.commands["collapse"].params for name in given.opts}
    assert set(options) <= known
    assert {"--restorer", "--metric", "--faces"} < set(options)
    other = replace(FOUND, question=replace(FOUND.question, seed=3, limit=5, draws=None, size_px=256))
    more = collapse.worst_faces_command(other)
    assert "--seed 3" in more
    assert "--limit 5" in more
    assert "--size 256" in more
    assert "--draws" not in more
    at_once = replace(FOUND, kind="at once", severity=None, value=None, interval=(0.0, 0.0), value_interval=(0.0, 0.0))
    assert "at once" in collapse.collapse_lines(at_once)[0]
    never = replace(at_once, kind="never", interval=(0.8, None), value_interval=(96.0, None))
    assert (
        "does not collapse up to 120 grey levels (for other images perhaps from 96)"
        in collapse.collapse_lines(never)[0]
    )
    wave = replace(FOUND, kind="not monotone", recovers=0.875, interval=(0.5, None), value_interval=(60.0, None))
    assert "not monotone" in collapse.collapse_lines(wave)[0]
    assert "beyond 120" in collapse.collapse_lines(wave)[0]
    assert at_once.order < FOUND.order < never.order


def grouped(scores: dict[str, list[list[float]]]) -> Result:
    """A Result with faces of groups: group -> faces -> scores of their copies."""
    rows = [
        Row(f"{group}{face}~{copy}", f"{group}{face}", (64, 64), {"group": group}, {}, {"psnr_rgb": score})
        for group, people in scores.items()
        for face, copies in enumerate(people)
        for copy, score in enumerate(copies)
    ]
    return Result(Case("x", "paper", "toy"), tuple(rows), {"psnr_rgb": {}}, {}, {}, {}, {})


def test_groups_by_hand() -> None:
    result = grouped({"a": [[1, 3], [4]], "b": [[10], [12]], "alone": [[5]]})
    (found,) = group_difference(result, "psnr_rgb", "group")
    assert found.groups == ("a", "b")
    assert found.means == (3.0, 11.0)
    assert found.counts == (2, 2)
    assert found.difference == -8.0
    assert found.low <= -8.0 <= found.high
    assert found.sure
    assert group_difference(result, "psnr_rgb", "age") == ()
    with pytest.raises(BadInput, match="ssim_rgb"):
        group_difference(result, "ssim_rgb", "group")


def test_groups_hold_their_level() -> None:
    """Two groups from one distribution: told apart about one time in twenty, not more."""
    rng = np.random.default_rng(0)
    sure = 0
    for _ in range(200):
        people = {name: [[float(score)] for score in rng.normal(0, 1, 12)] for name in "ab"}
        sure += group_difference(grouped(people), "psnr_rgb", "group")[0].sure
    assert sure <= 18


def test_a_difference_between_groups_is_seen() -> None:
    rng = np.random.default_rng(1)
    people = {name: [[float(score)] for score in rng.normal(shift, 1, 12)] for name, shift in (("a", 0.0), ("b", 3.0))}
    (found,) = group_difference(grouped(people), "psnr_rgb", "group")
    assert found.sure
    assert found.low <= -3.0 <= found.high
