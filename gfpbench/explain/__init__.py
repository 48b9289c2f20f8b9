"""Explains why a published number differs from the described protocol: measures hypotheses and ranks them.

The degraded input alone is explained, not a restorer's output: no weights are needed, and a wrong input row makes every
other row of its table wrong.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gfpbench import metrics
from gfpbench.explain.hypotheses import HYPOTHESES, Hypothesis
from gfpbench.explain.pipeline import Loaded, Pair, Pipeline, load, measured, names, only
from gfpbench.explain.ranking import Figure, Finding, figure_of, finding, scales_of
from gfpbench.images import to_rgb_arrays, write_png
from gfpbench.metrics import METRICS
from gfpbench.registry import unknown
from gfpbench.types import AssetMissing, BadInput, FaceSet, Metric, Progress

__all__ = ["HYPOTHESES", "Explanation", "Figure", "Finding", "Hypothesis", "Pipeline", "chosen", "explain"]

PAIR_FACES = 12
"""Faces on which all pairs are tried first; the nearest are then measured on all faces."""
PAIRS_KEPT = 5


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found.

    Args:
        published: the figures that were explained.
        described: the same, measured as the paper describes.
        findings: single hypotheses, nearest first.
        combined: pairs, nearest first; empty where a single one reaches the row.
        untested: hypothesis or figure -> why it could not be measured.
        faces, count, size_px: what it was measured on; None for faces of several sizes.
    """

    published: Mapping[str, float]
    described: Finding
    findings: tuple[Finding, ...]
    combined: tuple[Finding, ...]
    untested: Mapping[str, str]
    faces: str
    count: int
    size_px: tuple[int, int] | None


def chosen(wanted: Sequence[str] | None) -> tuple[Hypothesis, ...]:
    """The hypotheses of these names; all of them for None. Raises BadInput with near names."""
    known = {hypothesis.name: hypothesis for hypothesis in HYPOTHESES}
    for name in wanted or ():
        if name not in known:
            raise unknown("hypothesis", name, known)
    return HYPOTHESES if wanted is None else tuple(known[name] for name in dict.fromkeys(wanted))


def explain(
    published: Mapping[str, float],
    measures: Mapping[str, str],
    faces: FaceSet,
    *,
    hypotheses: Sequence[Hypothesis] = HYPOTHESES,
    images: int = 3000,
    limit: int | None = None,
    seed: int = 0,
    together: bool = True,
    sheets: Path | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """Rank what may have gone wrong by how near it brings the measured input row to the published one.

    Args:
        published: figure -> number, of an input row. What is infinite or cannot be measured here is named, not used.
        measures: figure -> our metric.
        faces: what to measure on; the nearer to the published faces, the more the answer is worth.
        hypotheses: what to try; pairs of them where none reaches the row alone.
        images: how many images the published row is said to be a mean of.
        limit: use the first faces only.
        seed: of every draw.
        together: try pairs where none reaches the row alone.
        sheets: a folder for one PNG per finding: degraded beside truth, as compared.
        progress: told how many hypotheses are done.

    Raises:
        BadInput: where no figure can be measured, or fewer than five faces are there.
    """
    loaded = load(faces, limit)
    untested: dict[str, str] = {}
    start = Pipeline(images=images)
    used = _metrics(published, measures, untested, next(loaded.pairs(start, seed)))
    goal = {figure: published[figure] for figure in used}
    described = measured(start, loaded, used, seed)
    base = {figure: figure_of(scores, images) for figure, scores in described.items()}
    search = _Search(goal, scales_of(goal, base), used, loaded, seed, start, untested)
    tested = [hypothesis for hypothesis in hypotheses if search.can_test(hypothesis)]
    pairs = list(itertools.combinations([one for one in tested if one.name != "few-images"], 2))
    singles: list[Finding] = []
    for number, hypothesis in enumerate(tested, 1):
        found = search.find((hypothesis,), loaded)
        singles += [found] if found is not None else []
        if progress is not None:
            progress(number, len(tested), "hypotheses")
    singles.sort(key=lambda one: one.distance)
    combined: list[Finding] = []
    if together and not any(one.reaches for one in singles):
        quick = []
        for number, pair in enumerate(pairs, 1):
            found = search.find(pair, only(loaded, PAIR_FACES))
            quick += [(found.distance, number, pair)] if found is not None else []
            if progress is not None:
                progress(number, len(pairs), "pairs of hypotheses")
        best = [search.find(pair, loaded) for _, _, pair in sorted(quick, key=lambda one: one[:2])[:PAIRS_KEPT]]
        combined = sorted((one for one in best if one is not None), key=lambda one: one.distance)
    first = finding((), "as the paper describes it", described, goal, search.scales, images)
    if sheets is not None:
        first, *rest = (search.shown(one, sheets) for one in (first, *singles, *combined))
        singles, combined = rest[: len(singles)], rest[len(singles) :]
    sizes = {face.size for face in loaded.faces}
    size = sizes.pop() if len(sizes) == 1 else None
    return Explanation(goal, first, tuple(singles), tuple(combined), untested, faces.name, len(loaded.faces), size)


def _metrics(
    published: Mapping[str, float], measures: Mapping[str, str], untested: dict[str, str], pair: Pair
) -> dict[str, Metric]:
    """The figures of the row that can be measured here, one image at a time; tried on one pair."""
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
