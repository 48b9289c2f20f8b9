"""What fails, what passes, and what is said about it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from gfpbench.baselines import Comparison, compare
from gfpbench.baselines.scores import _fallen
from gfpbench.report.verdicts import headline
from gfpbench.types import BadInput, Problem, Result, Row
from tests.unit.baselines import sample
from tests.unit.baselines.sample import baseline, each, result, with_scores

OTHER_WEIGHTS = {"restorer": "model", "weights_sha256": "def"}
OTHER_TORCH = {**sample.ENVIRONMENT, "torch": "2.4.0"}


def kinds(comparison: Comparison) -> dict[str, str]:
    return {verdict.metric: verdict.kind for verdict in comparison.verdicts if verdict.kind not in ("same", "alike")}


def psnr(moves: object, now: Result | None = None) -> Result:
    return with_scores(now or result(), "psnr_rgb", np.broadcast_to(np.asarray(moves, dtype=float), 16).tolist())


def test_the_same_is_the_same() -> None:
    comparison = compare(result(), baseline())
    assert (comparison.kind, comparison.passed, comparison.stale, comparison.notes) == ("same", True, False, ())
    assert comparison.images == 16
    assert [metric.difference for metric in comparison.metrics] == [0, 0]


def test_noise_within_the_envelope_is_the_same() -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 16)
    assert compare(psnr(0.0009 * noise), baseline()).kind == "same"
    assert compare(psnr(0.019 * noise, result(environment=OTHER_TORCH)), baseline()).kind == "same"


def test_noise_beyond_the_envelope_is_a_change_on_the_same_model() -> None:
    noise = np.resize([1.0, -1.0], 16)
    assert kinds(compare(psnr(0.002 * noise), baseline())) == {"psnr_rgb": "changed"}
    assert kinds(compare(psnr(0.021 * noise, result(environment=OTHER_TORCH)), baseline())) == {"psnr_rgb": "changed"}


def test_without_an_envelope_the_tolerance_decides() -> None:
    assert compare(psnr(-0.0009), result()).passed
    assert not compare(psnr(-0.0011), result()).passed
    assert compare(psnr(-0.009, result(environment=OTHER_TORCH)), result()).passed
    assert not compare(psnr(-0.011, result(environment=OTHER_TORCH)), result()).passed


def test_a_worse_mean_fails_and_a_better_one_is_stale() -> None:
    worse = compare(psnr(-0.05), baseline())
    assert kinds(worse) == {"psnr_rgb": "worse"}
    metric = worse.metrics[0]
    assert metric.difference == pytest.approx(-0.05)
    assert metric.low == pytest.approx(-0.05)
    assert metric.p_value < 0.001
    assert len(metric.worst) == 3
    better = compare(psnr(0.5), baseline())
    assert (better.kind, better.passed, better.stale) == ("better", True, True)


def test_better_needs_an_effect() -> None:
    """PSNR spreads by 2 dB here: what rises by less than a twentieth of that everywhere is another arithmetic."""
    little = compare(psnr(0.05), baseline())
    assert kinds(little) == {"psnr_rgb": "changed"}
    judged = compare(psnr(0.05, result(restorer=OTHER_WEIGHTS)), baseline(), another_file="judge")
    assert (judged.kind, judged.passed, judged.stale) == ("alike", True, False)
    assert "too little to call it better" in next(v for v in judged.verdicts if v.metric == "psnr_rgb").reason
    assert compare(psnr(0.5, result(restorer=OTHER_WEIGHTS)), baseline(), another_file="judge").stale


def test_better_on_average_and_worse_in_places_is_a_change_of_the_same_model() -> None:
    moves = np.full(16, 0.5)
    moves[3] = -0.002  # beyond the noise, and far too little to fall out of line
    comparison = compare(psnr(moves), baseline())
    assert kinds(comparison) == {"psnr_rgb": "changed"}
    assert "1 of 16 images are worse" in comparison.failures[0].reason
    assert comparison.failures[0].image == "face 03"
    assert compare(psnr(np.where(moves < 0, -0.0009, moves)), baseline()).stale  # within the noise
    other = psnr(moves, result(restorer=OTHER_WEIGHTS))
    assert compare(other, baseline(), another_file="judge").stale  # between models images move


def test_every_image_up_on_the_same_model_is_better_though_few() -> None:
    """The noise of the same model is measured: what rises beyond it everywhere rose, however few images there are."""
    for count in (4, 8):
        up = with_scores(result(count), "psnr_rgb", [10.0] * count)
        comparison = compare(up, baseline(count), cases=40)  # so many that no evidence is enough
        assert (comparison.kind, comparison.passed, comparison.stale) == ("better", True, True)
        assert "all of them up" in next(one for one in comparison.verdicts if one.kind == "better").reason
    half = with_scores(result(8), "psnr_rgb", [10.0] * 4 + [0.0] * 4)
    assert kinds(compare(half, baseline(8), cases=40)) == {"psnr_rgb": "changed"}  # part of the images only
    mixed = with_scores(result(8), "psnr_rgb", [10.0] * 7 + [-0.01])
    assert kinds(compare(mixed, baseline(8), cases=40)) == {"psnr_rgb": "changed"}


def test_faces_that_cannot_be_read_fail_beyond_a_share() -> None:
    """Strict unless told otherwise: what cannot be read is measured by nobody."""
    torn = tuple(Problem("faces", f"torn {i}", "is no image") for i in range(4))
    comparison = compare(result(problems=torn), baseline())
    assert kinds(comparison) == {"faces": "missing"}
    assert "4 of 20 faces cannot be read" in comparison.failures[0].reason
    assert "torn 0: is no image (and 3 more)" in comparison.failures[0].reason
    assert compare(result(problems=torn), baseline(), max_unreadable=0.2).passed
    assert not compare(result(problems=torn), baseline(), max_unreadable=0.19).passed


def test_lower_is_better_where_the_metric_says_so() -> None:
    up = with_scores(result(), "error", [0.05] * 16)
    assert kinds(compare(up, baseline())) == {"error": "worse"}
    assert compare(with_scores(result(), "error", [-0.05] * 16), baseline()).stale


def test_between_two_models_only_size_and_evidence_count() -> None:
    other = result(restorer=OTHER_WEIGHTS)
    noise = np.random.default_rng(2).normal(0, 0.3, 16)
    comparison = compare(psnr(noise - noise.mean(), other), baseline(), another_file="judge")
    assert comparison.kind == "alike"
    assert any("weights_sha256" in note for note in comparison.notes)
    assert kinds(compare(psnr(noise - noise.mean() - 0.5, other), baseline(), another_file="judge")) == {
        "psnr_rgb": "worse"
    }
    assert (
        compare(psnr(-0.0005, other), baseline(), another_file="judge").kind == "alike"
    )  # sure, and too small to matter


def test_more_cases_ask_for_more_evidence() -> None:
    other = result(restorer=OTHER_WEIGHTS)
    noise = np.random.default_rng(2).normal(0, 0.3, 16)
    moves = noise - noise.mean() - 0.2
    assert kinds(compare(psnr(moves, other), baseline(), another_file="judge")) == {"psnr_rgb": "worse"}
    assert compare(psnr(moves, other), baseline(), cases=1000, another_file="judge").passed


def test_too_few_images_for_evidence_are_said_to_be() -> None:
    other = with_scores(result(4, restorer=OTHER_WEIGHTS), "psnr_rgb", [-1, -1.1, -0.9, -1])
    comparison = compare(other, baseline(4), another_file="judge")
    assert comparison.passed
    assert any("4 are too few" in verdict.reason for verdict in comparison.verdicts)


@pytest.mark.parametrize("restorer", [OTHER_WEIGHTS, sample.result().restorer])
def test_one_image_that_goes_wrong_is_seen(restorer: dict[str, str]) -> None:
    moves = np.random.default_rng(4).normal(0, 0.0002 if restorer is not OTHER_WEIGHTS else 0.2, 16)
    moves[7] = -9
    comparison = compare(psnr(moves, result(restorer=restorer)), baseline(), another_file="judge")
    assert kinds(comparison) == {"psnr_rgb": "worse"}
    verdict = next(verdict for verdict in comparison.verdicts if verdict.kind == "worse")
    assert verdict.image == "face 07"
    assert comparison.metrics[0].worst[0].image == "face 07"


@pytest.mark.parametrize("tails", ["normal", "laplace", "student"])
def test_images_out_of_line_are_rare_where_nothing_is_wrong(tails: str) -> None:
    rng = np.random.default_rng(0)
    draw = {
        "normal": lambda: rng.normal(0, 0.3, 16),
        "laplace": lambda: rng.laplace(0, 0.3, 16),
        "student": lambda: 0.3 * rng.standard_t(3, 16),
    }[tails]
    scores = rng.normal(24, 2.5, 16)
    assert sum(_fallen(draw(), scores, 0.002, False) is not None for _ in range(1000)) <= 20


def changed(row: Row, **changes: Any) -> Row:
    return dataclasses.replace(row, **changes)


def test_another_draw_is_named_and_never_compared() -> None:
    now = each(result(), lambda i, row: changed(row, parameters={**row.parameters, "jpeg_quality": 55 + i}))
    comparison = compare(now, baseline())
    assert kinds(comparison) == {"degradation": "changed"}
    reason = comparison.failures[0].reason
    assert "image face 00 drew jpeg_quality 55, baseline 60" in reason
    assert "15 more" in reason
    assert comparison.metrics == ()


def test_the_last_bit_of_a_drawn_number_is_no_change() -> None:
    now = each(
        result(), lambda i, row: changed(row, parameters={**row.parameters, "noise_std": 3.25 * i * (1 + 1e-15)})
    )
    assert compare(now, baseline()).kind == "same"


def test_another_face_is_named_and_left_out() -> None:
    now = each(result(), lambda i, row: changed(row, face_sha256="0" * 64) if i == 3 else row)
    comparison = compare(now, baseline())
    assert kinds(comparison) == {"faces": "changed"}
    assert "face 03 is another image" in comparison.failures[0].reason
    assert comparison.metrics[0].n == 15


def test_another_description_of_the_degradation_is_named() -> None:
    now = result(degradation={"name": "noise", "jpeg": {"quality": [55, 100]}})
    assert kinds(compare(now, baseline())) == {"degradation": "changed"}
    assert compare(result(degradation={"name": "noise", "summary": "reworded"}), baseline()).kind == "same"


def test_another_degraded_image_from_the_same_draw_is_seen() -> None:
    def repainted(i: int, row: Row) -> Row:
        prints = sample.fingerprint(sample.image(1000 + i), np.roll(sample.image(2000 + i), 1, 1))
        return changed(row, fingerprint=prints)

    for environment in (sample.ENVIRONMENT, OTHER_TORCH):
        comparison = compare(each(result(environment=environment), repainted), baseline())
        assert kinds(comparison) == {"degradation": "changed"}
        assert "from the same draw" in comparison.failures[0].reason


def test_one_byte_of_a_degraded_image_counts_here_and_not_elsewhere() -> None:
    def tipped(i: int, row: Row) -> Row:
        degraded = sample.image(2000 + i)
        degraded[5, 5, 1] += 1
        return changed(row, fingerprint=sample.fingerprint(sample.image(1000 + i), degraded))

    assert kinds(compare(each(result(), tipped), baseline())) == {"degradation": "changed"}
    assert compare(each(result(environment=OTHER_TORCH), tipped), baseline()).kind == "same"


def test_the_same_image_with_another_score_is_the_metrics_fault() -> None:
    now = each(
        result(),
        lambda i, row: changed(row, scores={**row.scores, "psnr_rgb": row.scores["psnr_rgb"] + 1.8}),  # type: ignore[operator]
    )
    comparison = compare(now, baseline())
    assert kinds(comparison) == {"psnr_rgb": "changed"}
    assert comparison.likely.startswith("metric")


def test_images_that_change_behind_equal_scores_are_seen() -> None:
    def mirrored(i: int, row: Row) -> Row:
        return changed(row, fingerprint=sample.fingerprint(sample.image(1000 + i)[:, ::-1], sample.image(2000 + i)))

    comparison = compare(each(result(), mirrored), baseline())
    assert kinds(comparison) == {"images": "changed"}
    assert comparison.likely == "geometry: mirrored left to right"


def test_one_byte_counts_where_bytes_never_move() -> None:
    def tipped(i: int, row: Row) -> Row:
        restored = sample.image(1000 + i)
        restored[5, 5, 1] += 1
        return changed(row, fingerprint=sample.fingerprint(restored, sample.image(2000 + i)))

    exact = {**sample.ENVELOPE, "repeat": {**sample.ENVELOPE["repeat"], "exact": True}}
    now = dataclasses.replace(each(result(), tipped), restorer={"restorer": "classical"})
    before = baseline(restorer=now.restorer)
    assert compare(now, before).kind == "same"
    assert kinds(compare(now, dataclasses.replace(before, envelope=exact))) == {"images": "changed"}
    assert compare(dataclasses.replace(now, environment=OTHER_TORCH), before).kind == "same"


@pytest.mark.parametrize(
    "record",
    [{"restorer": "net", "precision": "float32"}, {"restorer": "python:mine:net"}, {"restorer": "onnx:net.onnx"}],
    ids=["network", "own", "unknown"],
)
def test_a_network_is_never_taken_for_exact(record: dict[str, str]) -> None:
    """None of sixteen images moved while the noise was measured; on another day one byte of one does."""
    exact = {**sample.ENVELOPE, "repeat": {**sample.ENVELOPE["repeat"], "exact": True, "bytes_moved": 0.0}}
    before = baseline(restorer=record)
    before = dataclasses.replace(before, envelope=exact)
    assert compare(dataclasses.replace(_tipped(2), restorer=record), before).kind == "same"
    assert kinds(compare(dataclasses.replace(_tipped(16), restorer=record), before)) == {"images": "changed"}


def _tipped(images: int, count: int = 16) -> Result:
    """One byte by one grey level in so many images."""

    def tipped(i: int, row: Row) -> Row:
        restored = sample.image(1000 + i)
        restored[5, 5, 1] += i < images
        return changed(row, fingerprint=sample.fingerprint(restored, sample.image(2000 + i)))

    return each(result(count), tipped)


def _with_bytes_moved(share: float | None, count: int = 16) -> Result:
    repeat = {**sample.ENVELOPE["repeat"], **({} if share is None else {"bytes_moved": share})}
    return dataclasses.replace(baseline(count), envelope={**sample.ENVELOPE, "repeat": repeat})


def test_other_bytes_in_more_images_than_noise_moves_are_a_change() -> None:
    assert kinds(compare(_tipped(16), _with_bytes_moved(0.2))) == {"images": "changed"}
    assert kinds(compare(_tipped(9), _with_bytes_moved(0.1))) == {"images": "changed"}
    assert compare(_tipped(8), _with_bytes_moved(0.1)).kind == "same"  # half
    assert compare(_tipped(9), _with_bytes_moved(0.2)).kind == "same"  # less than three times as many
    assert compare(_tipped(16), _with_bytes_moved(0.34)).kind == "same"  # noise moves a third
    assert compare(_tipped(16), _with_bytes_moved(None)).kind == "same"  # a baseline made before this was measured
    assert kinds(compare(_tipped(8, 8), _with_bytes_moved(0.1, 8))) == {"images": "changed"}
    assert compare(_tipped(7, 7), _with_bytes_moved(0.1, 7)).kind == "same"  # too few to say
    elsewhere = dataclasses.replace(_tipped(16), environment=OTHER_TORCH)
    assert compare(elsewhere, _with_bytes_moved(0.2)).kind == "same"
    another = dataclasses.replace(_tipped(16), restorer=OTHER_WEIGHTS)
    assert compare(another, _with_bytes_moved(0.2), another_file="judge").kind == "alike"
    assert kinds(compare(another, _with_bytes_moved(0.2))) == {"images": "changed"}


def _with_blocks(found: Result, moved: int) -> Result:
    """Hashes of 256 blocks beside the fingerprint, so many of them other ones than zero."""
    return each(
        found,
        lambda i, row: changed(
            row,
            fingerprint={
                **row.fingerprint,
                "restored": {**row.fingerprint["restored"], "blocks": "1" * moved + "0" * (256 - moved)},
            },
        ),
    )


def test_places_are_counted_where_they_are_known() -> None:
    """Every image may have other bytes by rounding, in few places; a drift has them in many."""
    repeat = {**sample.ENVELOPE["repeat"], "bytes_moved": 1.0, "places_moved": 0.01}
    before = dataclasses.replace(_with_blocks(baseline(), 0), envelope={**sample.ENVELOPE, "repeat": repeat})
    assert compare(_with_blocks(_tipped(16), 7), before).kind == "same"  # 2.7 % of the blocks, noise moves 1 %
    assert kinds(compare(_with_blocks(_tipped(16), 8), before)) == {"images": "changed"}
    assert compare(_with_blocks(_tipped(8), 8), before).kind == "same"  # half of the images
    assert compare(_tipped(16), before).kind == "same"  # a Result that has no hashes: noise moves all images


def test_another_file_says_what_is_true() -> None:
    """Under the same name as a stored baseline, other weights that move images fail until the baseline is renewed."""
    moved = psnr(np.resize([0.01, -0.01], 16), result(restorer=OTHER_WEIGHTS))
    failing = compare(moved, baseline())
    assert kinds(failing)["images"] == "changed"
    said = next(verdict.reason for verdict in failing.failures if verdict.metric == "images")
    assert said.startswith("another file; 16 of 16 images differ, by ")
    assert "quality alike, psnr_rgb within " in said
    assert said.endswith("--baseline-update accepts it")
    judged = compare(moved, baseline(), another_file="judge")
    assert (judged.kind, judged.passed) == ("alike", True)
    assert not headline(judged).startswith("same")
    assert headline(judged).startswith("another file; 16 of 16 images differ")
    better = compare(psnr(0.5, result(restorer=OTHER_WEIGHTS)), baseline())
    assert (better.kind, better.passed) == ("changed", False)
    assert "quality better, psnr_rgb by 0.5 dB" in next(v.reason for v in better.failures if v.metric == "images")
    saved_again = compare(result(restorer=OTHER_WEIGHTS), baseline())
    assert (saved_again.kind, saved_again.passed) == ("alike", True)
    assert headline(saved_again).startswith("another file, the same images")
    assert compare(moved, result()).passed  # two ordinary Results are judged by quality
    assert not compare(moved, result(), another_file="fail").passed
    renamed = dataclasses.replace(moved, case=dataclasses.replace(moved.case, restorer="other"))
    assert headline(compare(renamed, baseline())).startswith("another model; 16 of 16")


def _repainted(chosen: list[int], by: int, others: int = 0, count: int = 24) -> Result:
    """Restored images so many levels brighter in the chosen images, and in the others."""

    def painted(i: int, row: Row) -> Row:
        step = by if i in chosen else others
        rgb = np.clip(sample.image(1000 + i).astype(int) + step, 0, 255).astype(np.uint8)
        return changed(row, fingerprint={**row.fingerprint, "restored": sample.fingerprint(rgb, rgb)["restored"]})

    return each(result(count), painted)


def test_a_change_of_part_of_the_images_is_a_finding() -> None:
    levels = [np.mean(row.fingerprint["restored"]["mean_levels"]) for row in result(24).rows]
    dark = [int(place) for place in np.argsort(levels)[:6]]
    now = dataclasses.replace(_repainted(dark, 3), restorer=OTHER_WEIGHTS)
    for how in ("fail", "judge"):
        comparison = compare(now, baseline(24), another_file=how)
        assert not comparison.passed
        (part,) = (verdict for verdict in comparison.failures if verdict.metric == "part")
        assert part.reason.startswith("6 of 24 images moved, and the others did not: the darkest ones by mean level")
    some = _repainted([3, 8, 17], 12, others=1)
    renamed = dataclasses.replace(some, case=dataclasses.replace(some.case, restorer="other"))
    (part,) = (verdict for verdict in compare(renamed, baseline(24)).failures if verdict.metric == "part")
    assert "3 of 24 images moved 4 times as far" in part.reason
    assert "nothing recorded tells them apart (face 03, face 08, face 17)" in part.reason
    everywhere = _repainted(list(range(24)), 3)
    renamed = dataclasses.replace(everywhere, case=dataclasses.replace(everywhere.case, restorer="other"))
    assert "part" not in kinds(compare(renamed, baseline(24)))
    one = dataclasses.replace(_repainted([5], 3), restorer=OTHER_WEIGHTS)
    assert "part" not in kinds(compare(one, baseline(24)))  # that one is named by itself


def test_the_truth_given_back_is_no_improvement() -> None:
    def truth(i: int, row: Row) -> Row:
        prints = sample.fingerprint(sample.image(i), sample.image(2000 + i))
        return changed(row, scores={"psnr_rgb": float("inf"), "error": 0.0}, fingerprint=prints)

    comparison = compare(each(result(), truth), baseline())
    assert kinds(comparison)["images"] == "worse"
    assert "ground truth itself" in next(v for v in comparison.failures if v.metric == "images").reason


def test_the_input_given_back_is_seen() -> None:
    def untouched(i: int, row: Row) -> Row:
        return changed(row, fingerprint={**row.fingerprint, "restored": row.fingerprint["degraded"]})

    failures = compare(each(result(), untouched), baseline()).failures
    assert [verdict.kind for verdict in failures if "its own input" in verdict.reason] == ["worse"]


def test_a_restorer_that_always_gave_its_input_back_is_no_news() -> None:
    """The degraded image may move by a byte elsewhere, and the answer with it."""

    def identity(tip: int) -> Result:
        def untouched(i: int, row: Row) -> Row:
            degraded = sample.image(2000 + i)
            degraded[5, 5, 1] += tip
            return changed(row, fingerprint=sample.fingerprint(degraded, degraded))

        return each(result(environment=OTHER_TORCH if tip else sample.ENVIRONMENT), untouched)

    assert compare(identity(1), dataclasses.replace(identity(0), envelope=sample.ENVELOPE)).kind == "same"


def test_a_failure_is_worse() -> None:
    now = each(
        result(),
        lambda i, row: changed(row, failure="out of memory", scores=dict.fromkeys(row.scores)) if i == 2 else row,
    )
    comparison = compare(now, baseline())
    assert kinds(comparison) == {"restoration": "worse"}
    assert "face 02 fails now: out of memory" in comparison.failures[0].reason
    assert comparison.failures[0].image == "face 02"
    assert kinds(compare(result(), dataclasses.replace(now, envelope=sample.ENVELOPE))) == {"restoration": "better"}


def test_a_lost_score_is_missing_and_an_absent_asset_is_a_note() -> None:
    lost = each(result(), lambda i, row: changed(row, scores={**row.scores, "error": None}) if i else row)
    assert kinds(compare(lost, baseline())) == {"error": "missing"}
    blank = each(result(), lambda i, row: changed(row, scores={**row.scores, "error": None}))
    comparison = compare(dataclasses.replace(blank, not_measured={"error": "needs the asset 'x'"}), baseline())
    assert comparison.passed
    assert "not compared: error: needs the asset 'x'" in comparison.notes


def test_a_metric_is_missing_where_it_was_and_a_note_where_it_is_new() -> None:
    less = dataclasses.replace(
        each(result(), lambda i, row: changed(row, scores={"psnr_rgb": row.scores["psnr_rgb"]})),
        metrics={"psnr_rgb": sample.METRICS["psnr_rgb"]},
    )
    assert kinds(compare(less, baseline())) == {"error": "missing"}
    comparison = compare(result(), dataclasses.replace(less, envelope=sample.ENVELOPE))
    assert (comparison.kind, kinds(comparison)) == ("same", {})
    assert "not compared: error: the baseline lacks it; --baseline-update takes it in" in comparison.notes


def test_a_metric_that_was_not_asked_for_is_a_note() -> None:
    less = dataclasses.replace(
        each(result(), lambda i, row: changed(row, scores={"psnr_rgb": row.scores["psnr_rgb"]})),
        metrics={"psnr_rgb": sample.METRICS["psnr_rgb"]},
        protocols={"short": {"PSNR": "psnr_rgb"}},
    )
    comparison = compare(less, baseline())
    assert comparison.passed
    assert "not compared: error: not asked for in this run" in comparison.notes


def _fid(value: float, n: int = 16) -> dict[str, dict[str, object]]:
    record = {"value": value, "low": value - 5, "high": value + 5, "n": n, "n_reference": 50, "better": "lower"}
    return {"fid": {**record, "tolerance": 0.01}}


def test_set_scores_are_judged_by_tolerance_or_by_their_intervals() -> None:
    def judged(now: Result, before: float = 50.0) -> dict[str, str]:
        return kinds(compare(now, baseline(set_scores=_fid(before)), another_file="judge"))

    assert judged(result(set_scores=_fid(50.005))) == {}
    assert judged(result(set_scores=_fid(50.02))) == {"fid": "changed"}
    assert judged(result(set_scores=_fid(50.02), environment=OTHER_TORCH)) == {}
    assert judged(result(set_scores=_fid(54), restorer=OTHER_WEIGHTS)) == {}
    assert judged(result(set_scores=_fid(61), restorer=OTHER_WEIGHTS)) == {"fid": "worse"}
    assert judged(result(set_scores=_fid(39), restorer=OTHER_WEIGHTS)) == {"fid": "better"}
    assert judged(result(set_scores=_fid(90, n=15))) == {}
    assert judged(result()) == {"fid": "missing"}
    comparison = compare(result(set_scores=_fid(50)), baseline())
    assert comparison.passed
    assert "not compared: fid: the baseline lacks it; --baseline-update takes it in" in comparison.notes
    assert judged(result(not_measured={"fid": "needs the asset 'inception'"})) == {}


def test_images_are_paired_by_name() -> None:
    backwards = dataclasses.replace(result(), rows=result().rows[::-1])
    assert compare(backwards, baseline()).kind == "same"
    fewer = dataclasses.replace(result(), rows=result().rows[1:])
    comparison = compare(fewer, baseline())
    assert kinds(comparison) == {"images": "missing"}
    assert comparison.failures[0].image == "face 00"
    limited = dataclasses.replace(fewer, case=dataclasses.replace(sample.CASE, limit=15))
    assert compare(limited, baseline()).passed
    strangers = each(result(), lambda i, row: changed(row, id=f"stranger {i}"))
    with pytest.raises(BadInput, match="no image in common"):
        compare(strangers, baseline())


def test_a_comparison_is_plain_json() -> None:
    now = each(result(), lambda i, row: changed(row, scores={**row.scores, "psnr_rgb": float("inf")}))
    record = compare(now, baseline()).to_json()
    assert json.loads(json.dumps(record, allow_nan=False))["metrics"][0]["got"] == "inf"


def test_a_machine_that_rounds_otherwise_is_another_one_where_both_say_how() -> None:
    """An older baseline does not say it, and that alone makes no other machine."""
    here, there, older = ({**sample.ENVIRONMENT, **said} for said in ({"rounding": "a"}, {"rounding": "b"}, {}))
    assert compare(result(environment=here), baseline(environment=here)).same_machine
    assert compare(result(environment=here), baseline(environment=older)).same_machine
    assert compare(result(environment=older), baseline(environment=here)).same_machine
    comparison = compare(result(environment=here), baseline(environment=there))
    assert not comparison.same_machine
    assert comparison.notes == ("rounding: 'a', baseline 'b'",)


def _blank(result: Result, *metrics: str) -> Result:
    """Without scores of these metrics; of all, where none is named."""

    def emptied(i: int, row: Row) -> Row:
        scores = {name: None if name in (metrics or row.scores) else score for name, score in row.scores.items()}
        return changed(row, scores=scores)

    return each(result, emptied)


def test_a_baseline_without_a_measured_value_is_refused() -> None:
    for now in (result(), sample.failed(result())):
        with pytest.raises(BadInput, match=r"of model-some-noise-s0 holds no measured value \(16 of 16 .*boom.* again"):
            compare(now, sample.failed(baseline()))
    one = each(sample.failed(baseline()), lambda i, row: baseline().rows[3] if i == 3 else row)
    assert kinds(compare(result(), one)) == {"restoration": "better"}


def test_images_alone_are_compared_of_one_model_and_never_of_two() -> None:
    before = _blank(baseline())
    same = compare(result(), before)
    assert same.passed
    assert "not compared: quality: no score is in both; the restored images alone were compared" in same.notes
    mirrored = each(result(), lambda i, row: changed(row, fingerprint=_mirrored(i)))
    assert not compare(mirrored, before).passed
    with pytest.raises(BadInput, match=r"b-some-noise-s0 is another model than .* and no score is in both"):
        compare(result(case=dataclasses.replace(sample.CASE, restorer="b")), before)


def _mirrored(i: int) -> dict[str, object]:
    return sample.fingerprint(sample.image(1000 + i)[:, ::-1].copy(), sample.image(2000 + i))


def test_a_metric_that_only_one_side_holds_a_score_of_is_said() -> None:
    lacks = "not compared: error: the baseline lacks it: it has no score of any of these images; --baseline-update"
    assert any(note.startswith(lacks) for note in compare(result(), _blank(baseline(), "error")).notes)
    both = compare(_blank(result(), "error"), _blank(baseline(), "error"))
    assert "not compared: error: no image has a score, in the baseline and now" in both.notes


def test_a_metric_that_can_score_no_image_any_more_is_missing() -> None:
    """Though the run says that it was not measured: nothing is lacking but a number."""
    could = tuple(Problem("metric", f"face {i:02d}", "error: is undefined (not a number)") for i in range(16))
    said = {"error": "could not score a single image; each is listed among the problems with the reason"}
    now = dataclasses.replace(_blank(result(), "error"), problems=could, not_measured=said)
    (lost,) = compare(now, baseline()).failures
    assert (lost.metric, lost.kind) == ("error", "missing")
    assert lost.reason == "16 images have no score any more: error: is undefined (not a number)"


def test_a_score_of_the_same_bytes_where_there_was_none_is_a_change_of_the_metric() -> None:
    """A metric that stops saying what it cannot score gives a number, such as the identity of a face never found."""
    before = each(baseline(), lambda i, row: changed(row, scores={**row.scores, "error": None}) if i in (3, 5) else row)
    comparison = compare(result(), before)
    assert kinds(comparison) == {"error": "changed"}
    (verdict,) = comparison.failures
    assert verdict.reason == "the metric changed: 2 images are the same bytes and have a score where there was none"
    assert verdict.image == "face 03"
    assert compare(result(environment=OTHER_TORCH), before).passed  # where a face may be found that was not
    other = each(result(), lambda i, row: changed(row, fingerprint=_mirrored(i)))
    assert kinds(compare(other, before)).get("error") is None  # of another image it says nothing
