"""What every place that joins figures must do with figures of unlike identity; used by the saboteurs as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gfpbench import baselines
from gfpbench.claims import judge
from gfpbench.claims.published import Claim, claims
from gfpbench.report.history import Run, history
from gfpbench.report.matrix import matrix
from gfpbench.report.summary import summary
from gfpbench.types import Json, Result
from tests.unit.baselines import sample
from tests.unit.claims import results as claimed

PYIQA: dict[str, Json] = {
    "package": "pyiqa",
    "version": "0.1.16",
    "weights": {"pyiqa-maniqa": "a" * 64},
    "settings": {"crops": "uniform, 20 of 224 px"},
}
"""As MANIQA's figures say it."""
BEFORE: dict[str, dict[str, Json]] = {
    "version 0.1.16, not 0.1.11": {**PYIQA, "version": "0.1.11"},
    "weights pyiqa-maniqa aaaaaaaaaaaa…, not bbbbbbbbbbbb…": {**PYIQA, "weights": {"pyiqa-maniqa": "b" * 64}},
    "settings crops uniform, 20 of 224 px, not random": {**PYIQA, "settings": {"crops": "random"}},
    "package pyiqa, not gfpbench": {**PYIQA, "package": "gfpbench"},
}
"""What is said -> an identity that differs in that."""


def with_identity(result: Result, identity: Mapping[str, Json], metric: str = "error") -> Result:
    """The same with that identity of one metric."""
    return replace(result, metrics={**result.metrics, metric: {**result.metrics[metric], "identity": identity}})


def compare_refuses(said: str) -> None:
    """The gate, `gfpbench compare` and `gfpbench.compare`: no number, a failing verdict, and what differs."""
    now = with_identity(sample.result(), PYIQA)
    before = with_identity(sample.baseline(), BEFORE[said])
    found = baselines.compare(now, before)
    verdicts = [one for one in found.verdicts if one.metric == "error"]
    assert [(one.kind, one.expected, one.got) for one in verdicts] == [("changed", None, None)]
    assert verdicts[0].reason.endswith(f"the metric is another one than the baseline's: {said}")
    assert [one.metric for one in found.metrics] == ["psnr_rgb"]


def set_scores_refuse(said: str) -> None:
    """The same of a number of the whole set."""
    record = {"value": 5.0, "n": 16, "n_reference": 16, "better": "lower", "tolerance": 0.1, "low": 4.9, "high": 5.1}
    now = sample.result(set_scores={"fid": {**record, "identity": PYIQA}})
    before = sample.baseline(set_scores={"fid": {**record, "identity": BEFORE[said]}})
    (verdict,) = [one for one in baselines.compare(now, before).verdicts if one.metric == "fid"]
    assert (verdict.kind, verdict.got) == ("changed", None)
    assert verdict.reason.endswith(said)


def matrix_refuses(said: str) -> None:
    """The table of versions has no number in the field, and is not passed."""
    old = with_identity(sample.result(environment={**sample.ENVIRONMENT, "torch": "2.0.0"}), PYIQA)
    table = matrix([old, with_identity(sample.result(), BEFORE[said])])
    (row,) = [row for row in table.rows if row.metric == "error"]
    assert [(cell.kind, cell.difference) for cell in row.cells] == [("changed", None)]
    assert said in row.cells[0].note
    assert not table.passed


def history_says(said: str) -> None:
    """The run in which the metric became another is marked, with what differs."""
    runs = [
        Run(label, (with_identity(sample.result(), identity),))
        for label, identity in (("old", BEFORE[said]), ("new", PYIQA))
    ]
    (series,) = [one for one in history(runs).series if one.metric == "error"]
    assert [(point.label, point.kind) for point in series.changes] == [("new", "changed")]
    assert said in series.changes[0].note


def summary_says(said: str) -> None:
    """A page of two restorers crowns neither, and says that the column does not compare."""
    one = with_identity(sample.result(), PYIQA)
    other = with_identity(sample.with_scores(sample.result(), "error", [0.01] * 16), BEFORE[said])
    other = replace(other, case=replace(other.case, restorer="other"))
    (group,) = summary([other, one]).groups
    assert any(f"error of {one.named} and of {other.named} do not compare: {said}" in line for line in group.warnings)
    place = [column.metric for column in group.columns].index("error")
    assert not any(line.cells[place].best for line in group.lines)
    assert any(line.cells[1 - place].best for line in group.lines)


def claims_stay_open(said: str) -> None:
    """A claim about a change is not judged from two kinds of figures."""
    claim: Claim = next(
        one for one in claims() if one.says == "improves" and "psnr_rgb" in one.protocol.figures.values()
    )
    metric = claim.protocol.figures[claim.figure]
    scores: dict[str, Any] = {metric: [20.0 + number for number in range(8)]}
    better = {metric: [30.0 + number for number in range(8)]}
    degraded = with_identity(claimed.result("input", scores), BEFORE[said], metric)
    restored = with_identity(claimed.result("mine", better), PYIQA, metric)
    outcome = judge(claim, restored, degraded, claimed.result("truth", better))
    assert outcome.status == "open"
    assert said in outcome.reason


LAWS = (compare_refuses, set_scores_refuse, matrix_refuses, history_says, summary_says, claims_stay_open)
