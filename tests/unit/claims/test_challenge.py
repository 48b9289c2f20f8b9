"""The score of a challenge: published rows fed through it; no score where a file, a value or weights are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench import claims
from gfpbench.claims.challenge import Standing, standing
from gfpbench.claims.published import parse
from gfpbench.metrics import protocols
from gfpbench.metrics.protocol import Protocol
from gfpbench.types import Case, Json, Result, Row

FIGURES = {"NIQE": "a", "CLIPIQA": "b", "MANIQA": "c", "MUSIQ": "d", "QALIGN": "e", "AdaFace": "f", "FID": "g"}
"""Any metrics, so that what is proven is the arithmetic and not what this machine has weights for."""
PLAIN = {"NIQE": 4.0, "CLIPIQA": 0.9, "MANIQA": 0.7, "MUSIQ": 77.0, "QALIGN": 4.5, "AdaFace": 0.8, "FID": 55.0}


def protocol(year: int = 2025) -> Protocol:
    return replace(protocols.PROTOCOLS[f"ntire-{year}"], figures=FIGURES, absent={})


def result(figures: Mapping[str, float] = PLAIN, *, failing: int = 0, seed: int = 0) -> Result:
    """450 images whose means of all sets, weighted by their numbers, are these figures.

    Sets and images are far apart, so that a mean that is not weighted, or over other images, is another number.
    """
    challenge = protocol().challenge
    assert challenge is not None
    rng = np.random.default_rng(seed)
    names = [name for name, part in challenge.parts.items() for _ in range(part.images)]
    per_image = {metric: figure for figure, metric in FIGURES.items() if figure != "FID"}
    values: dict[str, Any] = {}
    for metric, figure in per_image.items():
        away = rng.normal(0, 1, len(names)) + np.array(
            [{"CelebChild-Test": 3.0, "LFW-Test": -2.0}.get(n, 0) for n in names]
        )
        values[metric] = figures[figure] + 0.02 * figures[figure] * (away - away.mean())
    # Identities by themselves: so many lie below the threshold of their set, the others well above.
    thresholds = np.array([challenge.parts[name].threshold for name in names])
    lost = rng.permutation(len(names))[:failing]
    values["f"] = thresholds + 0.1
    values["f"][lost] = thresholds[lost] - 1e-6
    rows = tuple(
        Row(
            f"{name}/{number:04d}", "0" * 64, (512, 512), {"dataset": name}, {},
            {metric: float(values[metric][number]) for metric in values},
        )
        for number, name in enumerate(names)
    )  # fmt: skip
    record = {"unit": "", "better": "higher", "best": None, "tolerance": 0.001, "tolerance_reason": "made up"}
    record |= {"minimum_side_px": 1, "needs_truth": False, "source": "made up"}
    fid: dict[str, Json] = {
        "value": figures["FID"],
        "low": None,
        "high": None,
        "n": len(names),
        "n_reference": 50_000,
        "level": 0.95,
    }
    fid |= {"extrapolated": None, "note": "", "unit": "", "better": "lower", "best": None, "tolerance": 0.5}
    fid |= {"tolerance_reason": "made up", "minimum_side_px": 1, "source": "made up", "reference": "made up"}
    listed = {"five_points": {"file": "test_face.csv"}}
    return Result(
        Case("ntire-test", "no-truth", "theirs"), rows, dict.fromkeys(values, record), {}, {}, listed, {},
        set_scores={"g": fid}, protocols={"ntire-2025": FIGURES},
    )  # fmt: skip


def told(given: Result, year: int = 2025) -> Standing:
    return standing(protocol(year), given)


def without(given: Result, count: int, part: str) -> Result:
    """So many images of a set are gone."""
    gone = [row.id for row in given.rows if row.attributes["dataset"] == part][:count]
    return replace(given, rows=tuple(row for row in given.rows if row.id not in gone))


def changed(given: Result, image: int, **changes: Any) -> Result:
    row = replace(given.rows[image], **changes)
    return replace(given, rows=(*given.rows[:image], row, *given.rows[image + 1 :]))


def test_the_thirteen_published_rows_give_their_published_scores() -> None:
    text = (Path(claims.__file__).parent / "ntire-2025.toml").read_text()
    (table,) = parse("ntire-2025", text).tables
    assert len(table.rows) == 13
    assert table.recomputes_within is not None
    for seed, row in enumerate(table.rows):
        found = told(result(row.figures, failing=int(row.figures["failing"]), seed=seed))
        assert found.missing == ()
        assert found.score is not None
        assert abs(found.score - row.figures["Score"]) <= table.recomputes_within, row.method
        assert abs(round(found.score, 4) - row.figures["Score"]) < 1.01e-4, row.method  # at the four printed decimals
        assert len(found.failing) == row.figures["failing"]
        assert found.valid == bool(row.figures["valid"])


def test_sets_are_told_one_by_one_and_weighted_by_their_images() -> None:
    found = told(result())
    by_name = {line.name: line for line in found.parts}
    assert {name: line.here for name, line in by_name.items()} == {
        "CelebA": 100, "LFW-Test": 100, "WebPhoto-Test": 100, "CelebChild-Test": 50, "Wider-Test": 100,
    }  # fmt: skip
    means = {name: line.means["CLIPIQA"] for name, line in by_name.items()}
    assert found.figures["CLIPIQA"] == pytest.approx(0.9, abs=1e-9)
    assert np.mean([value for value in means.values() if value is not None]) != pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda given: without(given, 2, "Wider-Test"), "images are missing: 98 of 100 of Wider-Test are here"),
        (
            lambda given: without(given, 50, "CelebChild-Test"),
            "images are missing: 0 of 50 of CelebChild-Test are here",
        ),
        (
            lambda given: changed(given, 7, failure="it raised", scores=dict.fromkeys("abcdef")),
            "CLIPIQA: has no value for 1 images (1 of CelebA)",
        ),
        (
            lambda given: changed(given, 7, scores={**given.rows[7].scores, "d": None}),
            "MUSIQ: has no value for 1 images",
        ),
        (lambda given: replace(given, set_scores={"g": {**given.set_scores["g"], "n": 449}}), "FID: is of 449 of 450"),
        (lambda given: replace(given, set_scores={}, not_measured={"g": "fetch it"}), "FID: fetch it"),
        (
            lambda given: replace(given, metrics={k: v for k, v in given.metrics.items() if k != "e"}),
            "QALIGN: e was not measured",
        ),
        (
            lambda given: changed(given, 7, id="stray", attributes={}),
            "1 images belong to none of the sets CelebA, LFW-Test",
        ),
    ],
)
def test_what_is_missing_leaves_the_score_out_with_the_reason(spoil: Any, said: str) -> None:
    found = told(spoil(result()))
    assert found.score is None
    assert any(said in line for line in found.missing), found.missing
    assert "Score not measured" in found.lines[0]
    assert f"{found.challenge.most_failing} may fail (" in found.lines[0]


def test_the_identity_is_no_part_of_the_score_but_of_the_verdict() -> None:
    given = result()
    unchecked = replace(
        given, metrics={k: v for k, v in given.metrics.items() if k != "f"}, not_measured={"f": "weights"}
    )
    found = told(unchecked)
    assert found.score == pytest.approx(told(given).score)
    assert (found.valid, found.checked, found.missing) == (None, 0, ("AdaFace: weights",))
    # More than ten that fail are enough to know; fewer are not while any image is unchecked.
    assert told(without(result(failing=12), 1, "LFW-Test")).valid is False
    assert told(without(result(failing=5), 1, "LFW-Test")).valid is None


def test_without_the_list_of_points_nobody_is_said_to_fail() -> None:
    """Faces aligned otherwise have other cosines than those that the thresholds are for."""
    found = told(replace(result(failing=12), faces={}))
    assert (found.failing, found.checked, found.valid) == ((), 0, None)
    assert found.score is not None
    assert len(found.missing) == 1
    assert "AdaFace: the faces were aligned by the mean points of FFHQ" in found.missing[0]
    assert {line.failing for line in found.parts} == {None}


def test_an_image_at_the_threshold_does_not_fail_and_thresholds_are_those_of_the_year() -> None:
    given = result()
    place = next(number for number, row in enumerate(given.rows) if row.attributes["dataset"] == "Wider-Test")
    for identity, failing in ((0.3, {}), (0.29, {2025}), (0.19, {2025, 2026})):
        spoilt = changed(given, place, scores={**given.rows[place].scores, "f": identity})
        assert {year for year in (2025, 2026) if told(spoilt, year).failing} == set(failing)
    (worst,) = told(spoilt).failing
    assert (worst.part, worst.identity, worst.threshold) == ("Wider-Test", 0.19, 0.3)


def test_the_set_of_an_image_is_its_attribute_or_its_folder() -> None:
    given = result()
    bare = replace(given, rows=tuple(replace(row, attributes={}) for row in given.rows))
    assert told(bare).score == told(given).score
    nested = replace(bare, rows=tuple(replace(row, id=f"test/{row.id}") for row in bare.rows))
    assert told(nested).score == told(given).score
