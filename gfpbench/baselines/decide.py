"""The decision: is a Result the same as its baseline, better, worse, or not the same measurement at all?

A verdict on a metric's mean needs size and evidence: beyond what numerical noise does to a single image, and beyond
chance (interval clear of zero and p < 0.05, corrected for the number of metrics and cases). Two more rules see what a
mean hides. On the same model every image has to stay within the noise, because nothing else may move it. And one image
that falls far out of line is a failure of its own, however small its share of the mean.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias, cast

from gfpbench.baselines import inputs
from gfpbench.baselines.comparison import FAILING, NOT_COMPARED, Comparison, Context, MetricComparison, options
from gfpbench.baselines.image_statistics import image_statistics, same_bytes
from gfpbench.baselines.moved_images import beyond, image_verdicts
from gfpbench.baselines.paths import MOST, Paths, different_paths, moved_by_more, other_inputs
from gfpbench.baselines.repeatability import answers_differ
from gfpbench.baselines.scores import OTHER_METRIC, scores, set_scores
from gfpbench.baselines.subgroup import directions
from gfpbench.metrics.figure_identity import has_identity, unlike
from gfpbench.types import BadInput, Result, Verdict, any_scored

AnotherFile: TypeAlias = Literal["fail", "judge"]
"""What becomes of the same restorer with another file of weights (or precision): ``fail`` where its images moved, until
the baseline is made again, or ``judge`` by quality alone, as two models are."""


def compare(
    result: Result,
    baseline: Result,
    *,
    cases: int = 1,
    max_unreadable: float = 0.0,
    another_file: AnotherFile | None = None,
    again: Result | None = None,
    along: Result | None = None,
) -> Comparison:
    """Compare a Result with its baseline, image by image, paired by name.

    Args:
        result: as measured now.
        baseline: as stored. Its envelope says how far numerical noise goes; without one, the metrics' tolerances do.
        cases: how many cases are judged together; the evidence asked for grows with it.
        max_unreadable: the share of the faces that may be unreadable, in [0, 1]; more fails.
        another_file: whether other weights under the same name may move images; where None they may not if the baseline
            is a stored one (it has an envelope), and may between two ordinary Results. Restorers of different names
            are two models, and judged by quality.
        again: some of the inputs restored once more (``restored_again``); other answers than the first fail.
        along: the images that another path of the degradation moved, measured along the baseline's path
            (``measured_along``); they are compared in place of the first. Where None they are left out, if they were
            moved no farther than paths differ.

    Raises:
        BadInput: where the two have no image in common, where the baseline holds no measured value, where two models
            have no score in common, and for what is no Result.
    """
    for name, given in (("result", cast(object, result)), ("baseline", cast(object, baseline))):
        if not isinstance(given, Result):
            raise BadInput(
                f"compare: {name} is a {type(given).__name__}; give a Result, as gfpbench.measure returns it or "
                "gfpbench.results.read(PATH) reads it"
            )
    if empty := inputs.nothing_measured(baseline):
        raise BadInput(empty)
    paths = different_paths(result, baseline)
    rows = {row.id: row for row in result.rows}
    if along is not None and paths is not None:
        rows |= {row.id: row for row in along.rows}
    shared = tuple((row, rows[row.id]) for row in baseline.rows if row.id in rows)
    if not shared:
        raise BadInput(
            f"{result.case.id} and {baseline.case.id} have no image in common: the first holds "
            f"{result.image_ids[0] if result.rows else 'nothing'!r}, the other "
            f"{baseline.image_ids[0] if baseline.rows else 'nothing'!r}"
        )
    machine = inputs.environment_notes(result, baseline)
    model, another = inputs.model_notes(result, baseline)
    envelope = baseline.envelope.get("elsewhere" if machine else "repeat", {})
    if inputs.sums_in_floats(baseline.restorer):
        envelope = {**envelope, "exact": False}
    renamed = result.case.restorer != baseline.case.restorer
    strict = not renamed and (another_file or ("fail" if baseline.envelope else "judge")) == "fail"
    if another:
        envelope = {**envelope, "exact": False}  # the same weights saved again may be read in another order
    context = Context(
        result.case.id,
        shared,
        not machine,
        not another or strict,
        envelope,
        max(1, cases),
        another=("another model" if renamed else "another file") if another else "",
        better=directions(baseline),
    )
    verdicts = _only_in_one(context, result, baseline)
    unread = inputs.too_many_unreadable(result, max_unreadable)
    verdicts += [context.verdict("faces", "missing", unread, result.unreadable[0].subject)] if unread else []
    verdicts += answers_differ(context, result, again) if again is not None else []
    context, changed = _same_question(context, result, baseline, None if along is not None else paths)
    verdicts += changed
    notes = machine + inputs.code_note(result, baseline) + model
    if context.pairs:
        verdicts += _failures(context)
    if paths is not None:
        context, found, note = _along_two_paths(context, paths, along)
        verdicts, notes = verdicts + found, [note, *notes]
    metrics: tuple[MetricComparison, ...] = ()
    likely = "degradation or faces: another thing was measured" if changed else ""
    if context.pairs:
        names, found, more = _names(context, result, baseline)
        verdicts, notes = verdicts + found, notes + more
        metrics, judged = scores(context, names, result, baseline)
        # The numbers of a whole set are of the images along its own path.
        of_sets = context if paths is None else replace(context, same_machine=False, same_model=False)
        judged += set_scores(of_sets, result, baseline)
        notes += [
            f"{NOT_COMPARED}{name}: the baseline lacks it; --baseline-update takes it in"
            for name in result.set_scores
            if name not in baseline.set_scores and name not in baseline.not_measured
        ]
        verdicts += judged
        if not judged and not any(verdict.kind in FAILING for verdict in verdicts):
            if not context.same_model:
                raise BadInput(
                    f"{result.case.id} is another model than the baseline {baseline.case.id}, and no score is in both: "
                    "measure a metric that both have"
                )
            notes.append(f"{NOT_COMPARED}quality: no score is in both; the restored images alone were compared")
        looked, guess = image_verdicts(context, judged, metrics)
        verdicts += looked
        failing = any(verdict.metric == "restoration" and verdict.kind == "worse" for verdict in verdicts)
        likely = likely or guess or ("failure: the restorer did not restore" if failing else "")
    return Comparison(
        case=result.case,
        baseline_case=baseline.case,
        metrics=metrics,
        verdicts=tuple(verdicts),
        notes=tuple(notes),
        likely=likely,
        same_machine=context.same_machine,
        same_model=not another,
        images=len(context.pairs),
        command=f"gfpbench run {options(result.case)} --report report",
        path=inputs.path_of(result),
    )


def _only_in_one(context: Context, result: Result, baseline: Result) -> list[Verdict]:
    """Images that only one of the two holds: a verdict of the same case, a difference of plan between two cases."""
    found = []
    for one, other, said in ((baseline, result, "the baseline holds"), (result, baseline, "the baseline lacks")):
        theirs = set(other.image_ids)
        only = [image for image in one.image_ids if image not in theirs]
        if only:
            listed = ", ".join(only[:3]) + (f" and {len(only) - 3:,} more" if len(only) > 3 else "")
            planned = (one.case.limit, one.case.draws) != (other.case.limit, other.case.draws)
            found.append(context.verdict("images", "same" if planned else "missing", f"only {said} {listed}", only[0]))
    return found


def _along_two_paths(context: Context, paths: Paths, along: Result | None) -> tuple[Context, list[Verdict], str]:
    """Leave out the images whose inputs another path moved, unless they were measured along the baseline's too."""
    of = len(context.pairs)
    if along is not None:
        return context, [], paths.note(len(along.rows), of, measured=True)
    moved = other_inputs(context.pairs)
    if len(moved) > MOST * of and not context.same_machine:  # the machine moves them: compared as between machines
        return context, [], paths.note(len(moved), of, measured=False)
    kept = tuple(pair for pair in context.pairs if pair[1].id not in moved)
    gone = [context.verdict("degradation", "changed", paths.nothing_left(of), moved[0])] if moved and not kept else []
    return replace(context, pairs=kept), gone, paths.note(len(moved), of, measured=False)


def _same_question(
    context: Context, result: Result, baseline: Result, paths: Paths | None
) -> tuple[Context, list[Verdict]]:
    """Leave out images that are not the same measurement, and say so."""
    pairs = context.pairs
    findings = [inputs.faces_changed(pairs), inputs.draws_changed(pairs), inputs.ranges_changed(result, baseline)]
    out = {image for finding in findings if finding for image in finding.images}
    pairs = tuple(pair for pair in pairs if pair[1].id not in out)
    before, now = (image_statistics([pair[side] for pair in pairs], "degraded") for side in (0, 1))
    if before is not None and now is not None:
        moved = ~same_bytes(before, now)
        if not context.same_machine:
            moved &= beyond(before, now, context.envelope.get("degraded", {}))[0]
        if paths is not None:
            moved = moved_by_more(before, now, moved)
        if moved.any():
            images = tuple(pair[1].id for pair, is_moved in zip(pairs, moved, strict=True) if is_moved)
            reason = f"the degradation changed: from the same draw, image {images[0]} is degraded into another image"
            findings.append(inputs.Changed("degradation", images, reason))
            pairs = tuple(pair for pair in pairs if pair[1].id not in images)
    changed = [
        context.verdict(finding.subject, "changed", finding.line, finding.images[0] if finding.images else None)
        for finding in findings
        if finding
    ]
    return replace(context, pairs=pairs), changed


def _failures(context: Context) -> list[Verdict]:
    """Restorations that fail now and did not, and the other way round."""
    new = [now for before, now in context.pairs if now.failure is not None and before.failure is None]
    mended = [now for before, now in context.pairs if now.failure is None and before.failure is not None]
    found = []
    if new:
        more = f" (and {len(new) - 1:,} more)" if len(new) > 1 else ""
        found.append(
            context.verdict("restoration", "worse", f"{new[0].id} fails now: {new[0].failure}{more}", new[0].id)
        )
    if mended:
        found.append(context.verdict("restoration", "better", f"{len(mended)} failed and do no longer", mended[0].id))
    return found


def _names(context: Context, result: Result, baseline: Result) -> tuple[list[str], list[Verdict], list[str]]:
    """Metrics that both hold under one convention; what is missing, and what could not be measured."""
    names, verdicts, notes = [], [], []
    # Measured under other protocols, the two were asked for other metrics.
    planned = set(result.protocols) != set(baseline.protocols)
    for name in dict.fromkeys((*baseline.metrics, *result.metrics, *baseline.not_measured, *result.not_measured)):
        blank = result.not_measured.get(name), baseline.not_measured.get(name)
        if name in result.metrics and name in baseline.metrics:
            now, before = result.metrics[name], baseline.metrics[name]
            if (now["better"], now["unit"]) != (before["better"], before["unit"]):
                verdicts.append(context.verdict(name, "changed", f"{name} has another unit or direction than before"))
                continue
            if differs := unlike(now, before):
                verdicts.append(context.verdict(name, "changed", f"{OTHER_METRIC}: {differs}"))
                continue
            before_any, now_any = (any_scored(context.rows(side), name) for side in (0, 1))
            if before_any and blank[0] and not blank[1]:
                notes.append(f"{NOT_COMPARED}{name}: {blank[0]}")
            elif now_any and not before_any:
                why = blank[1] or "it has no score of any of these images"
                notes.append(f"{NOT_COMPARED}{name}: the baseline lacks it: {why}; --baseline-update takes it in")
            elif not before_any and not any(blank):
                notes.append(f"{NOT_COMPARED}{name}: no image has a score, in the baseline and now")
            names.append(name)
        elif name in baseline.metrics and not blank[1]:
            if planned:
                notes.append(f"{NOT_COMPARED}{name}: not asked for in this run")
            elif blank[0]:
                notes.append(f"{NOT_COMPARED}{name}: {blank[0]}")
            else:
                verdicts.append(context.verdict(name, "missing", f"{name} is in the baseline and was not measured"))
        elif name in result.metrics and not blank[0]:
            if planned:
                notes.append(f"{NOT_COMPARED}{name}: not asked for in the baseline")
            elif blank[1]:
                notes.append(f"{NOT_COMPARED}{name}: the baseline lacks it: {blank[1]}")
            else:  # a metric more takes nothing away from the comparison of the others
                notes.append(f"{NOT_COMPARED}{name}: the baseline lacks it; --baseline-update takes it in")
    both = {**baseline.metrics, **baseline.set_scores}
    silent = [
        name
        for name, record in {**result.metrics, **result.set_scores}.items()
        if name in both and has_identity(record) and not has_identity(both[name])
    ]
    if silent:
        notes.append(
            f"the baseline does not say which version of a metric it holds (it is older): taken for the same "
            f"({', '.join(silent[:3])}{', ...' if len(silent) > 3 else ''})"
        )
    return names, verdicts, notes
