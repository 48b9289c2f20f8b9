"""A challenge scored as its early script does it (means of what is there, divided by all) must not pass."""

from __future__ import annotations

from typing import Any

import pytest

from gfpbench.claims import challenge as scored
from gfpbench.metrics.protocol import Challenge, Term
from tests.unit.claims import test_challenge as checks


def unweighted(*given: Any) -> Any:
    """The mean of the means of the sets."""
    figures, missing = HONEST(*given)
    values = given[3]
    for figure in figures.keys() & values.keys():
        figures[figure] = sum(sum(found) / len(found) for found in values[figure].values()) / len(values[figure])
    return figures, missing


def of_what_is_there(*given: Any) -> Any:
    """Missing files are not noticed."""
    _, challenge, result, values, _ = given
    figures = {figure: sum(map(sum, sets.values())) / challenge.images for figure, sets in values.items()}
    return figures | {"FID": result.set_scores["g"]["value"]}, []


HONEST = scored._of_all
MISSING = checks.test_what_is_missing_leaves_the_score_out_with_the_reason


def fewer_files() -> None:
    MISSING(lambda given: checks.without(given, 2, "Wider-Test"), "images are missing")


BROKEN = {
    "unweighted": (scored, "_of_all", unweighted, checks.test_the_thirteen_published_rows_give_their_published_scores),
    "missing files": (scored, "_of_all", of_what_is_there, fewer_files),
    "at the threshold": (
        Challenge,
        "fails",
        lambda self, part, identity: identity <= self.parts[part].threshold,
        checks.test_an_image_at_the_threshold_does_not_fail_and_thresholds_are_those_of_the_year,
    ),
    "NIQE over 10 counts against": (
        Term,
        "value",
        lambda self, figure: figure / self.divisor,
        checks.test_the_thirteen_published_rows_give_their_published_scores,
    ),
}


@pytest.mark.parametrize("bug", BROKEN)
def test_another_score_is_seen(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, broken, check = BROKEN[bug]
    check()
    monkeypatch.setattr(where, name, broken)
    with pytest.raises(AssertionError):
        check()
