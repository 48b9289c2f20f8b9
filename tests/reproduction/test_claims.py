"""What the papers publish, number by number, and what they claim of any faces. What cannot be measured here is open."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from gfpbench import claims, devices, run
from gfpbench.metrics import METRICS
from gfpbench.metrics.set_measures import SET_METRICS
from gfpbench.plugin import Bench
from gfpbench.plugin.options import value_of
from gfpbench.types import Case, Result

MEASURABLE = {*METRICS, *SET_METRICS}
NUMBERS = {
    f"{row.id}/{figure}": (table, row, figure)
    for table in claims.tables()
    for row in table.rows
    for figure in row.figures
    if row.restorer is not None  # other people's methods: nothing of ours claims to be them
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "claimed" in metafunc.fixturenames:
        names = value_of(metafunc.config, "restorer")
        cases = [
            (claim, name) for claim in claims.claims() if claim.applies_to != ("*",)
            for name in dict.fromkeys(names) if claim.is_made_by(name)
        ]  # fmt: skip
        cases += [(claim, "truth") for claim in claims.claims() if claim.applies_to == ("*",)]
        metafunc.parametrize("claimed", cases, ids=[f"{claim.id}-{name}" for claim, name in cases])


@pytest.fixture(scope="session")
def measured(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case, tuple[str, ...]], Result]:
    """A case with the metrics a claim needs: this session's Result where it has them, else one of its own."""
    kept: dict[tuple[str, tuple[str, ...]], Result] = {}
    store = tmp_path_factory.mktemp("claims")

    def measure(case: Case, metrics: tuple[str, ...]) -> Result:
        wanted = tuple(name for name in metrics if name in MEASURABLE)
        if case == bench.case(case.restorer):
            result = bench.measure(case)
            if set(wanted) <= {*result.metrics, *result.set_scores, *result.not_measured}:
                return result
        key = (case.id, wanted)
        if key not in kept:
            device = devices.resolve(bench.setting("device"))
            kept[key] = run.measure(case, store=store / str(len(kept)), device=device, metrics=wanted, keep_images=0)
        return kept[key]

    return measure


def settle(told: claims.Outcome, strict: bool, disputed: str = "") -> None:
    """Pass what is held, fail what failed; what is open is skipped with its reason, and fails with --strict-assets."""
    if told.status == "open":
        reason = f"open: {told.reason}"
        pytest.fail(f"{reason} (--strict-assets)", pytrace=False) if strict else pytest.skip(reason)
    if told.status == "failed" and disputed:
        pytest.xfail(f"{told.reason}; disputed: {disputed}")
    assert told.status == "held", f"{told.words} ({told.source}): {told.reason}"


def test_claim(claimed: tuple[claims.Claim, str], bench: Bench, measured: Callable[..., Result]) -> None:
    claim, name = claimed
    metrics = (claim.metric,) if claim.metric else ()
    if not metrics or metrics[0] not in MEASURABLE:
        told = claims.Outcome(
            claim.id,
            claim.source,
            claim.words,
            "open",
            f"waits for {claim.figure} @ {claim.protocol.name}: nothing here measures it",
        )
    else:
        restored, degraded, truth = (measured(bench.case(restorer), metrics) for restorer in (name, "input", "truth"))
        told = claims.judge(claim, restored, degraded, truth)
    settle(told, bench.setting("strict-assets"))


@pytest.mark.parametrize("number", NUMBERS)
def test_published_number(number: str, bench: Bench, measured: Callable[..., Result]) -> None:
    table, row, figure = NUMBERS[number]
    assert row.restorer is not None
    device = devices.resolve(bench.setting("device"))
    metric = table.protocol.figures.get(figure)
    reason = claims.waits_for(table, row, device)
    if not reason and metric not in MEASURABLE:
        missing = {**table.undefined, **table.protocol.absent}.get(figure, "nothing here measures it")
        reason = f"waits for {figure} @ {table.protocol.name}: {missing}"
    if reason:
        told = claims.open_outcome(table, row, figure, reason)
    else:
        every = tuple(name for name in table.protocol.metrics if name in MEASURABLE)
        limit = table.images if table.images != 3000 else None
        case = Case(table.faces, table.degradation, row.restorer, seed=0, limit=limit)
        result = measured(case, every)
        # Two sets of degraded images go by the name CelebA-Test: its own input row says which is here.
        degraded = measured(dataclasses.replace(case, restorer="input"), every) if table.inputs else None
        other = "" if row.restorer == "truth" else claims.other_inputs(table, row, result, degraded)
        told = claims.open_outcome(table, row, figure, other) if other else claims.judge_row(table, row, figure, result)
    settle(told, bench.setting("strict-assets"), table.disputed)


def test_a_result_on_disk_says_the_same(bench: Bench, tmp_path: Path) -> None:
    """Claims are about stored Results as well: written and read again, they are judged alike."""
    from gfpbench import results

    three = tuple(bench.measure(bench.case(name)) for name in (bench.restorers[0], "input", "truth"))
    results.write(three, tmp_path / "results.json")
    again = results.read(tmp_path / "results.json")
    made = [claim for claim in claims.claims() if claim.is_made_by(three[0].case.restorer)]
    first, second = ([claims.judge(claim, *given) for claim in made] for given in (three, again))
    assert [dataclasses.asdict(one) for one in first] == [dataclasses.asdict(one) for one in second]
    assert first


@pytest.mark.parametrize("told", claims.agreements(claims.tables()), ids=lambda told: str(told.id))
def test_papers_agree_or_their_difference_is_named(told: claims.Outcome) -> None:
    """Published tables against each other and against their own totals: needs no weights, so no assets are demanded."""
    settle(told, strict=False)
