"""Explains why a published number differs from the described protocol: measures hypotheses and ranks them.

On several sets of faces the ranking is by the set on which a hypothesis is farthest from the row: one collection alone
says as much of its faces as of the row.

The degraded input alone is explained, not a restorer's output: no weights are needed, and a wrong input row makes every
other row of its table wrong.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from gfpbench import metrics
from gfpbench.explain.across import Across, Explanation, OverSets, over_sets, ranked, refuse_shared
from gfpbench.explain.hypotheses import HYPOTHESES, Hypothesis
from gfpbench.explain.pipeline import Loaded, Pair, Pipeline, load, measured, names, only
from gfpbench.explain.ranking import Figure, Finding, figure_of, finding, scales_of
from gfpbench.images import to_rgb_arrays, write_png
from gfpbench.metrics import METRICS
from gfpbench.registry import unknown
from gfpbench.types import AssetMissing, BadInput, FaceSet, Metric, Progress

__all__ = [
    "HYPOTHESES",
    "Across",
    "Explanation",
    "Figure",
    "Finding",
    "Hypothesis",
    "OverSets",
    "Pipeline",
    "chosen",
    "explain",
    "explain_over",
]

PAIR_FACES = 12
"""Faces on which all pairs are tried first; the nearest are then measured on all faces."""
PAIRS_KEPT = 5


def chosen(wanted: Sequence[str] | None) -> tuple[Hypothesis, ...]:
    """The hypotheses of these names; all of them for None. Raises BadInput with near names."""
    known = {hypothesis.name: hypothesis for hypothesis in HYPOTHESES}
    for name in wanted or ():
        if name not in known:
            raise unknown("hypothesis", name, known)
    return HYPOTHESES if wanted is None else tuple(known[name] for name in dict.fromkeys(wanted))


def explain(published: Mapping[str, float], measures: Mapping[str, str], faces: FaceSet, **asked: Any) -> Explanation:
    """``explain_over`` one set of faces: what it says may hold on these alone."""
    return explain_over(published, measures, [faces], **asked).explanations[0]


def explain_over(
    published: Mapping[str, float],
    measures: Mapping[str, str],
    sets: Sequence[FaceSet],
    *,
    hypotheses: Sequence[Hypothesis] = HYPOTHESES,
    images: int = 3000,
    limit: int | None = None,
    seed: int = 0,
    together: bool = True,
    sheets: Path | None = None,
    progress: Progress | None = None,
) -> OverSets:
    """Rank what may have gone wrong by how near it brings the measured input row to the published one, on every set.

    Args:
        published: figure -> number, of an input row. What is infinite or cannot be measured here is named, not used.
        measures: figure -> our metric.
        sets: what to measure on, each on its own; the nearer to the published faces, the more the answer is worth.
        hypotheses: what to try; pairs of them where none reaches the row alone on every set.
        images: how many images the published row is said to be a mean of.
        limit: use the first faces of each set only.
        seed: of every draw.
        together: try pairs where none reaches the row alone on every set.
        sheets: a folder for one PNG per finding: degraded beside truth, as compared; one folder in it for each set
            where there are several.
        progress: told how many hypotheses are done.

    Raises:
        BadInput: where no figure can be measured on all sets, a set has fewer than five faces, or two sets share a
            face.
    """
    loaded = [load(one, limit) for one in sets]
    refuse_shared([one.name for one in sets], loaded)
    untested: dict[str, str] = {}
    start = Pipeline(images=images)
    used = _metrics(published, measures, untested, [next(one.pairs(start, seed)) for one in loaded])
    goal = {figure: published[figure] for figure in used}
    searches = [_search(goal, used, one, seed, start, {**untested, **one.left_out}) for one in loaded]
    tested = [hypothesis for hypothesis in hypotheses if False not in [one.can_test(hypothesis) for one in searches]]
    singles: list[_Row] = []
    for number, hypothesis in enumerate(tested, 1):
        singles.append([one.find((hypothesis,), one.faces) for one in searches])
        if progress is not None:
            progress(number, len(tested), "hypotheses")
    combined: list[_Row] = []
    if together and not any(all(one is not None and one.reaches for one in row) for row in singles):
        pairs = list(itertools.combinations([one for one in tested if one.name != "few-images"], 2))
        quick = []
        for number, pair in enumerate(pairs, 1):
            found = [one.find(pair, only(one.faces, PAIR_FACES)) for one in searches]
            measured_everywhere = [one.distance for one in found if one is not None]
            if len(measured_everywhere) == len(searches):
                quick.append((max(measured_everywhere), number, pair))
            if progress is not None:
                progress(number, len(pairs), "pairs of hypotheses")
        best = [pair for _, _, pair in sorted(quick, key=lambda one: one[:2])[:PAIRS_KEPT]]
        combined = [[one.find(pair, one.faces) for one in searches] for pair in best]
    first: _Row = [one.as_described() for one in searches]
    if sheets is not None:
        several = len(sets) > 1
        places = [sheets / f"set-{number}" if several else sheets for number in range(1, len(sets) + 1)]
        first, *rest = (
            [
                None if found is None else one.shown(found, at)
                for found, one, at in zip(row, searches, places, strict=True)
            ]
            for row in (first, *singles, *combined)
        )
        singles, combined = rest[: len(singles)], rest[len(singles) :]
    explanations = tuple(
        _explanation(
            faces.name, search, first[place], [row[place] for row in singles], [row[place] for row in combined]
        )
        for place, (faces, search) in enumerate(zip(sets, searches, strict=True))
    )
    return over_sets(explanations, first, singles, combined)


_Row: TypeAlias = list[Finding | None]
"""One hypothesis on each set in turn; None where it could not be measured."""


def _explanation(faces: str, search: _Search, first: Finding | None, singles: _Row, combined: _Row) -> Explanation:
    assert first is not None  # for mypy: the row as described is always measured
    sizes = {face.size for face in search.faces.faces}
    return Explanation(
        search.goal,
        first,
        ranked(singles),
        ranked(combined),
        search.untested,
        faces,
        len(search.faces.faces),
        sizes.pop() if len(sizes) == 1 else None,
    )


def _metrics(
    published: Mapping[str, float], measures: Mapping[str, str], untested: dict[str, str], pairs: Sequence[Pair]
) -> dict[str, Metric]:
    """The figures of the row that can be measured here, one image at a time; tried on one pair of each set."""
    used: dict[str, Metric] = {}
    for figure, value in published.items():
        name = measures.get(figure, "")
        if not math.isfinite(value):
            untested[figure] = "is infinite: nothing is degraded"
        elif name not in METRICS:
            untested[figure] = f"{name or 'not known here'}: is no number of single images"
        else:
            try:
                (metric,) = metrics.load([name])
                for pair in pairs:
                    metric(*pair)
            except (AssetMissing, BadInput) as error:
                untested[figure] = str(error)
            else:
                used[figure] = metric
    if not used:
        reasons = "; ".join(f"{figure}: {reason}" for figure, reason in untested.items())
        raise BadInput(f"nothing of this row can be measured here ({reasons})")
    return used


@dataclass(frozen=True, slots=True)
class _Search:
    goal: Mapping[str, float]
    scales: Mapping[str, float]
    metrics: Mapping[str, Metric]
    faces: Loaded
    seed: int
    start: Pipeline
    untested: dict[str, str]
    described: Mapping[str, list[float]]

    def as_described(self) -> Finding:
        words = "as the paper describes it"
        return finding((), words, self.described, self.goal, self.scales, self.start.images)

    def can_test(self, hypothesis: Hypothesis) -> bool:
        if hypothesis.concerns and hypothesis.concerns not in self.metrics:
            self.untested[hypothesis.name] = f"moves {hypothesis.concerns} only, which is not measured here"
            return False
        return True

    def find(self, parts: tuple[Hypothesis, ...], faces: Loaded) -> Finding | None:
        pipeline = self.pipeline(parts)
        title = tuple(part.name for part in parts)
        try:
            scores = measured(pipeline, faces, self.metrics, self.seed)
        except BadInput as error:  # two that exclude one another, or images too small for a metric
            self.untested[names(title)] = str(error)
            return None
        if not all(math.isfinite(sum(values)) for values in scores.values()):
            self.untested[names(title)] = "leaves an image equal to its truth: its PSNR is infinite"
            return None
        return finding(title, " ".join(part.words for part in parts), scores, self.goal, self.scales, pipeline.images)

    def pipeline(self, parts: Sequence[Hypothesis]) -> Pipeline:
        pipeline = self.start
        for part in parts:
            pipeline = part.change(pipeline)
        return pipeline

    def shown(self, one: Finding, folder: Path) -> Finding:
        known = {hypothesis.name: hypothesis for hypothesis in HYPOTHESES}
        pipeline = self.pipeline([known[name] for name in one.names])
        compared, truth = next(self.faces.pairs(pipeline, self.seed))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{'+'.join(one.names) or 'as-described'}.png"
        write_png(path, np.hstack([*to_rgb_arrays(compared), *to_rgb_arrays(truth)]))
        return replace(one, image=path)


def _search(
    goal: Mapping[str, float],
    used: Mapping[str, Metric],
    faces: Loaded,
    seed: int,
    start: Pipeline,
    untested: dict[str, str],
) -> _Search:
    """A search on one set, with the row as described measured there: the gap by which its distances are scaled."""
    described = measured(start, faces, used, seed)
    base = {figure: figure_of(scores, start.images) for figure, scores in described.items()}
    return _Search(goal, scales_of(goal, base), used, faces, seed, start, untested, described)
