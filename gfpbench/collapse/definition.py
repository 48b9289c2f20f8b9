"""The definition of collapse: the margins over the input and over other faces that a restoration must keep.

A restoration is useful while it is better than the image it was made of, and still of this face. A restorer has
**collapsed** at the first severity, from the one on at which it is useful, where the mean over images of either fails:

``input``: the restored image is no closer to the truth than its own input.
    Whoever looks at it instead of the input is worse off. It needs no threshold, and compares each image with itself,
    so that hard faces do not count as bad restorations. Alone it is not enough: against noise of 120 grey levels the
    mean face of any crowd is an improvement, so a restorer that never looks at its input would never collapse.

``face``: less than a quarter is left of what tells this face from another.
    ``own``: how close the restored image is to its own truth; ``other``: how close it is to the truth of another
    face of the set; ``reference``: what own - other is for the perfect answer. It fails where own - other falls below
    a quarter of the reference. Faces are paired with others by a permutation, so that for an answer that does not
    depend on the input the mean of own - other is exactly 0, whatever the metric: the mean face collapses at once.
    Alone it is not enough either: it would praise a restorer for returning its input.
    The quarter is a convention, looked at on two people only. By ``ssim_rgb`` on the embedded faces ``nano`` reaches it
    where its answers are 27.5 to 29.2 degrees from the truth in dlib's embedding, on blur, noise, JPEG, downscale,
    motion blur and all steps together alike, and these two people are 27.6 degrees apart. (Underexposed it comes
    sooner, at 23.3: SSIM asks for the light as well.) A half would be reached inside the range that GFP-GAN is trained
    on, at half of it for all steps together, where nobody would speak of a collapse.

``identity``: ``face`` for the angle of a face network, which hardly tells whose face it is: under a quarter is left of
    the angle by which it tells this face from another of the set. For identity metrics in degrees; no angle is fixed,
    so it holds for any network and any collection of people. Measured with ``classical`` on all steps together, ten
    faces each, by dlib: at 0.3 of the paper's range 0.16 is left on official portraits, 0.19 on generated faces, 0.34
    on LFW, at 0.5 of it 0.04, 0.05 and 0.11.
    A fixed angle would not do: by dlib, 23 % of the pairs among 59 official portraits are under 30 degrees apart, 50 %
    among 56 faces of LFW and 77 % among 40 generated faces (``metrics.identity``).

Why not the change point of the curve, which the eye looks for? A smooth curve has none: the broken line that fits a
falling straight line best breaks anywhere, so the "point" says more about where one measured than about the restorer.
The curve is drawn in the report for the eye to judge.

Where the input is already perfect (severity 0 of axes without a base) nothing can be better than it. So a search
starts from the first severity at which the restorer is useful, its **onset**, and says so where that is not 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gfpbench.collapse.other_face import PERFECT, RESTORED
from gfpbench.degrade.axes import AXES
from gfpbench.degrade.axes import TABLE as AXES_TABLE
from gfpbench.metrics import needs_input
from gfpbench.registry import companion, unknown
from gfpbench.statistics import Floats
from gfpbench.types import BadInput, Metric, Result

QUARTER = 0.25


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of n images at one severity; every array is (n,) and higher is better.

    Args:
        own: score of the restored image against its truth.
        given: score of the degraded image against the same truth.
        other: score of the restored image against the truth of another face.
        reference: what own - other is for the perfect answer.
    """

    own: Floats
    given: Floats
    other: Floats | None = None
    reference: Floats | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """One way to have collapsed: ``margin`` gives one number for each image, and fails where their mean is not above 0.

    ``refuses`` says why a metric cannot be judged by it, or returns an empty text.
    """

    name: str
    says: str
    margin: Callable[[Evidence], Floats]
    refuses: Callable[[Metric], str]
    needs_other: bool = False


def _gain(evidence: Evidence) -> Floats:
    with np.errstate(invalid="ignore"):  # equal infinities differ by nothing
        return np.where(evidence.own == evidence.given, 0.0, evidence.own - evidence.given)


def _left_over(share: float) -> Callable[[Evidence], Floats]:
    """What is left, above this share, of what tells this face from another."""

    def margin(evidence: Evidence) -> Floats:
        if evidence.other is None or evidence.reference is None:
            raise BadInput("the criteria 'face' and 'identity' need the scores against another face")
        return np.asarray(evidence.own - evidence.other - share * evidence.reference)

    return margin


def _input_refuses(metric: Metric) -> str:
    if needs_input(metric):
        return f"{metric.name} is measured against the input, which it cannot be better than"
    return ""


def _face_refuses(metric: Metric) -> str:
    if not metric.needs_truth:
        return f"{metric.name} looks at no truth, so it cannot tell one face from another"
    if metric.best is None or not np.isfinite(metric.best):
        return f"{metric.name} has no finite best value, so no quarter of it"
    return ""


def _identity_refuses(metric: Metric) -> str:
    if metric.unit != "degrees":
        return f"{metric.name} is no angle between faces: use deg_dlib"
    return _face_refuses(metric)


CRITERIA: Mapping[str, Criterion] = {
    "input": Criterion("input", "no better than its own input", _gain, _input_refuses),
    "face": Criterion(
        "face", "under a quarter is left of what tells this face from another", _left_over(QUARTER), _face_refuses, True
    ),
    "identity": Criterion(
        "identity",
        "under a quarter is left of the angle that tells this face from another of the set",
        _left_over(QUARTER),
        _identity_refuses,
        True,
    ),
}
"""Name -> criterion."""

DEFAULT = ("input", "face")
"""Useful means better than the input and still this face; see the module's text."""


DEFAULT_AXES = (
    "blur",
    "noise",
    "jpeg",
    "downscale",
    "all",
    "motion-blur",
    "face-scale",
    "roll",
    "yaw",
    "occlusion-mask",
    "side-light",
    "underexposure",
)
"""What ``--axis default`` stands for: the paper's four steps and their diagonal, and one axis of each other kind."""


def default_axes() -> tuple[str, ...]:
    """``DEFAULT_AXES``. Raises BadInput for one that the table of axes lacks."""
    for name in DEFAULT_AXES:
        companion(AXES, name, "DEFAULT_AXES in gfpbench/collapse/definition.py", AXES_TABLE)
    return DEFAULT_AXES


def criteria_for(metric: Metric, names: Sequence[str] | None) -> tuple[tuple[Criterion, ...], str]:
    """The criteria of these names for a metric, and a note on any that had to be left out.

    Args:
        names: ``DEFAULT`` where None; of those, one that the metric cannot be judged by is left out and noted.

    Raises:
        BadInput: for an unknown name, none at all, or a criterion asked for that the metric cannot be judged by.
    """
    chosen, notes = [], []
    for name in dict.fromkeys(DEFAULT if names is None else names):
        if names is None:
            companion(CRITERIA, name, "DEFAULT in gfpbench/collapse/definition.py", "CRITERIA in the same file")
        if name not in CRITERIA:
            raise unknown("criterion", name, CRITERIA)
        why = CRITERIA[name].refuses(metric)
        if why and names is not None:
            raise BadInput(f"criterion {name!r}: {why}")
        if why:
            notes.append(f"criterion {name!r} left out: {why}")
        else:
            chosen.append(CRITERIA[name])
    if not chosen:
        raise BadInput(f"no criterion of collapse to judge {metric.name} by")
    return tuple(chosen), "; ".join(notes)


def evidence(metric: Metric, own: Result, given: Result, ids: Sequence[str], needs_other: bool) -> Evidence:
    """Scores of these images as evidence: higher is better, in the order of ``ids``.

    Raises:
        BadInput: where one of them has no score.
    """
    sign = 1.0 if metric.better == "higher" else -1.0

    def scores(result: Result, name: str) -> Floats:
        values = {row.id: row.scores.get(name) for row in result.rows}
        blank = [image for image in ids if values.get(image) is None]
        if blank:
            raise BadInput(f"{result.case.id}: {blank[0]!r} has no {name}")
        return sign * np.array([values[image] for image in ids], dtype=np.float64)

    restored = scores(own, metric.name)
    if not needs_other:
        return Evidence(restored, scores(given, metric.name))
    perfect = np.full(len(ids), sign * float(metric.best or 0.0))
    return Evidence(
        own=restored,
        given=scores(given, metric.name),
        other=scores(own, metric.name + RESTORED),
        reference=perfect - scores(given, metric.name + PERFECT),
    )


def without_score(metric: Metric, result: Result, needs_other: bool) -> tuple[set[str], set[str]]:
    """The images that failed to be restored, and those that were restored but lack a score."""
    names = [metric.name, *([metric.name + RESTORED, metric.name + PERFECT] if needs_other else [])]
    failed = {row.id for row in result.rows if row.failure is not None}
    blank = {row.id for row in result.rows if any(row.scores.get(name) is None for name in names)}
    return failed, blank - failed
