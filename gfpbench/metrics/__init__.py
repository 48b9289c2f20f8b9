"""Metrics by name: the metric table, and the function that loads a metric from it.

To add one: write a file with a ``PerImageMetric``, and add its row to ``METRICS`` and its oracle (somebody else's
implementation or a closed form) to ``ORACLES`` in ``tests/unit/metrics/every_metric.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from gfpbench.codec.text import cut
from gfpbench.metrics.per_image import VS_INPUT, PerImageMetric, against_input
from gfpbench.process_guard import refuse_unreadable
from gfpbench.registry import companion, listed, named_alike, resolve, unknown
from gfpbench.types import BadInput, ComparesWithInput, Json, Metric, SetMetric

if TYPE_CHECKING:
    from gfpbench.metrics.set_measures import SetMeasure

_FILE = "gfpbench/metrics/__init__.py"
TABLE = f"METRICS in {_FILE}"

METRICS: dict[str, str] = {
    "psnr_rgb": "gfpbench.metrics.psnr:psnr_rgb",
    "psnr_y": "gfpbench.metrics.psnr:psnr_y",
    "ssim_rgb": "gfpbench.metrics.ssim:ssim_rgb",
    "ssim_y": "gfpbench.metrics.ssim:ssim_y",
    "ms_ssim": "gfpbench.metrics.ms_ssim:ms_ssim",
    "gmsd": "gfpbench.metrics.gmsd:gmsd",
    "niqe": "gfpbench.metrics.niqe:niqe",
    "piqe": "gfpbench.metrics.piqe:piqe",
    "lpips_alex": "gfpbench.metrics.lpips:lpips_alex",
    "lpips_vgg": "gfpbench.metrics.lpips:lpips_vgg",
    "dists": "gfpbench.metrics.dists:dists",
    "deg_arcface": "gfpbench.metrics.identity:deg_arcface",
    "deg_dlib": "gfpbench.metrics.identity:deg_dlib",
    "cos_adaface": "gfpbench.metrics.cos_adaface:cos_adaface",
    "deg_faceres": "gfpbench.metrics.faceres:deg_faceres",
    "lmd_awing": "gfpbench.metrics.landmarks:lmd_awing",
    "lmd_dlib": "gfpbench.metrics.landmarks:lmd_dlib",
    "lmd_mediapipe": "gfpbench.metrics.mediapipe_faces:lmd_mediapipe",
    "eye_mismatch": "gfpbench.metrics.eye_mismatch:eye_mismatch",
    "gaze_mismatch": "gfpbench.metrics.mediapipe_faces:gaze_mismatch",
    "hallucination": "gfpbench.metrics.hallucination:hallucination",
    "colour_shift": "gfpbench.metrics.colour_shift:colour_shift",
    # The same under the conventions of single papers and packages (see protocols.py).
    "psnr_rgb_fitted": "gfpbench.metrics.colour_fit:psnr_rgb_fitted",
    "ssim_rgb_fitted": "gfpbench.metrics.colour_fit:ssim_rgb_fitted",
    "psnr_rgb_cap80": "gfpbench.metrics.pyiqa_defaults:psnr_rgb_cap80",
    "psnr_yiq_cap80": "gfpbench.metrics.pyiqa_defaults:psnr_yiq_cap80",
    "ssim_yiq": "gfpbench.metrics.pyiqa_defaults:ssim_yiq",
    "niqe_yiq": "gfpbench.metrics.niqe:niqe_yiq",
    "lpips_vgg_bgr": "gfpbench.metrics.bgr:lpips_vgg_bgr",
    "lpips_vgg_bgr_01": "gfpbench.metrics.bgr:lpips_vgg_bgr_01",
    "deg_arcface_vqfr": "gfpbench.metrics.identity:deg_arcface_vqfr",
    "rad_arcface_bgr": "gfpbench.metrics.bgr:rad_arcface_bgr",
    # Networks of the optional package pyiqa.
    "pyiqa_clipiqa": "gfpbench.metrics.pyiqa_networks:clipiqa",
    "pyiqa_fgresq": "gfpbench.metrics.pyiqa_networks:fgresq",
    "pyiqa_maniqa": "gfpbench.metrics.pyiqa_networks:maniqa",
    "pyiqa_musiq": "gfpbench.metrics.pyiqa_networks:musiq",
    "pyiqa_topiq_fr": "gfpbench.metrics.pyiqa_networks:topiq_fr",
    "pyiqa_topiq_nr_face": "gfpbench.metrics.pyiqa_networks:topiq_nr_face",
}
"""Name with its convention -> "module:attribute". One file per metric, read only when asked for."""

DEFAULT: tuple[str, ...] = ("psnr_rgb", "psnr_y", "ssim_rgb", "ssim_y", "ms_ssim", "gmsd", "niqe", "piqe")
"""What a run measures unless told otherwise: the pixel metrics, which need no face and no download."""

NO_TRUTH_REASON = "needs the ground truth, which these inputs do not have"
ITSELF_REASON = "is measured against the input, which would be compared with itself"
"""Why a metric is blank for inputs without a ground truth, and for the row of the inputs themselves."""


SURVIVING: Mapping[str, str] = {
    "deg": "identity",
    "rad": "identity",
    "cos": "identity",
    "lmd": "landmarks",
    "colour": "colours",
}
"""First part of a metric's name -> what it looks at, which a restoration has to leave as it is in the input. Every
metric of these families is also there against the degraded input, as ``deg_dlib_vs_input``."""


def input_form(name: str) -> str | None:
    """The name of the same metric against the degraded input; None where comparing with the input says nothing."""
    return f"{name}{VS_INPUT}" if name in METRICS and name.partition("_")[0] in SURVIVING else None


def every_name() -> tuple[str, ...]:
    """All metrics of single images: those of the table, and behind them those against the input."""
    return (*METRICS, *(form for name in METRICS if (form := input_form(name))))


def load(names: Sequence[str] | None = None) -> tuple[Metric, ...]:
    """The metrics of these names (``every_name``), in this order; ``DEFAULT`` where none are given.

    Raises:
        BadInput: for a name no metric has (with the nearest ones), and for a name given twice.
    """
    wanted = DEFAULT if names is None else listed("metric", names)
    twice = sorted({name for name in wanted if wanted.count(name) > 1})
    if twice:
        raise BadInput(f"each metric is measured once; named more than once: {', '.join(twice)}")
    if names is None:
        for name in DEFAULT:
            companion(METRICS, name, f"DEFAULT in {_FILE}", TABLE)
    found = tuple(map(_loaded, wanted))
    for name, metric in zip(wanted, found, strict=True):
        if not hasattr(metric, "name"):
            kind = type(metric).__name__
            raise BadInput(f"the row {name!r} of {TABLE} names a {kind}, not a metric: wrap it in PerImageMetric")
        named_alike("metric", name, metric.name, TABLE)
    return found


def _loaded(name: str) -> Metric:
    base = name.removesuffix(VS_INPUT) if isinstance(name, str) else name
    if base != name and input_form(base) == name:
        metric = _resolved(base)
        named_alike("metric", base, metric.name, TABLE)
        if not isinstance(metric, PerImageMetric):
            raise BadInput(f"the row {base!r} of {TABLE} has no form against the input: it is no PerImageMetric")
        return cast(Metric, against_input(metric))
    if name not in METRICS:
        raise unknown("metric", name, every_name())
    return _resolved(name)


def _resolved(name: str) -> Metric:
    """What the table names, each attribute of which can be read."""
    metric = cast(Metric, resolve("metric", METRICS, name))
    kind: type[object] = type(metric)
    if kind is not PerImageMetric:  # which has no properties, while the guard loads torch: a list of names may not
        refuse_unreadable(f"metric {name!r}", metric, OFFERED)
    return metric


OFFERED_BY_ALL = ("name", "unit", "better", "best", "tolerance", "tolerance_reason", "minimum_side_px", "source")
"""The attributes that a metric of images and one of sets have both."""
OFFERED = (*OFFERED_BY_ALL, "needs_truth", "__call__", "identity", "needs_input", "score")
"""The attributes that a metric has, and those that it may have besides (``gfpbench.types``, ``run.key.code_of``)."""
_TEXTS = ("unit", "tolerance_reason", "source")


def refuse_undeclared(metrics: Sequence[Metric]) -> None:
    """Raise BadInput where one does not say about itself what ``Metric`` asks for: before anything is measured by it.

    One line names the metric, what it lacks, what cannot be read or what is of another type, and what is wanted.
    """
    for metric in metrics:
        refuse_unreadable(f"a metric ({_kind(metric)})", metric, ("name",))
        refuse_unreadable(_who(metric), metric, OFFERED)
    names = [
        _declared(metric, "name", "a text that is not empty", lambda name: isinstance(name, str) and bool(name))
        for metric in metrics
    ]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"two metrics are called {twice!r}: their scores could not be told apart")
    for metric in metrics:
        for text in _TEXTS:
            _declared(metric, text, "a text", lambda said: isinstance(said, str))
        _declared(metric, "better", "'higher' or 'lower'", lambda said: said in ("higher", "lower"))
        _declared(
            metric, "best", "a number, or None where there is none", lambda said: said is None or _is_number(said)
        )
        _declared(metric, "tolerance", "a number, 0 or more", lambda said: _is_number(said) and 0 <= said < math.inf)
        _declared(
            metric, "minimum_side_px", "a number of pixels, 0 or more", lambda said: _is_number(said) and said >= 0
        )
        _declared(metric, "needs_truth", "True or False", lambda said: isinstance(said, bool))
        if isinstance(metric, ComparesWithInput):
            _declared(metric, "needs_input", "True or False", lambda said: isinstance(said, bool))
        if not callable(metric):
            raise BadInput(f"metric {metric.name!r} cannot be called with two batches of images")


def common_record(metric: Metric | SetMetric) -> dict[str, Json]:
    """What a Result keeps of a metric of images and of one of sets alike."""
    return {
        "unit": metric.unit,
        "better": metric.better,
        "best": metric.best,
        "tolerance": metric.tolerance,
        "tolerance_reason": metric.tolerance_reason,
        "minimum_side_px": metric.minimum_side_px,
    }


def _declared(metric: Metric, attribute: str, wanted: str, fits: Callable[[Any], bool]) -> Any:
    """An attribute of a metric. Raises BadInput where it is not there, or does not fit."""
    if not hasattr(metric, attribute):
        raise BadInput(f"{_who(metric)} lacks {attribute!r}, which has to be {wanted}")
    said = getattr(metric, attribute)
    if not fits(said):
        raise BadInput(f"{_who(metric)}: {attribute} has to be {wanted}, not {cut(ascii(said))}")
    return said


def _who(metric: Metric) -> str:
    name = getattr(metric, "name", None)
    return f"metric {name!r}" if isinstance(name, str) else f"a metric ({_kind(metric)})"


def _kind(metric: object) -> str:
    return metric.__name__ if isinstance(metric, type) else type(metric).__name__


def _is_number(said: object) -> bool:
    """A number that JSON holds, and not NaN."""
    return isinstance(said, int | float) and not isinstance(said, bool) and said == said


def needs_input(metric: Metric) -> bool:
    """Whether a metric compares with the degraded input."""
    return isinstance(metric, ComparesWithInput) and metric.needs_input


def without_truth(
    metrics: Sequence[Metric], sets: Sequence[SetMeasure]
) -> tuple[tuple[Metric, ...], tuple[SetMeasure, ...], dict[str, str]]:
    """Replace what needs a truth.

    Args:
        metrics: of single images. One that compares what a restoration has to leave as it is in the input (identity,
            landmarks, colours) is measured against the input, under its name with ``_vs_input``.
        sets: numbers of the whole set; those against the truth of the run cannot be had.

    Returns:
        The metrics and sets that can be measured, and for each of the others the reason.
    """
    kept: dict[str, Metric] = {}
    reasons: dict[str, str] = {}
    for metric in metrics:
        if not metric.needs_truth:
            kept[metric.name] = metric
            continue
        form = input_form(metric.name)
        reasons[metric.name] = NO_TRUTH_REASON
        if form and isinstance(metric, PerImageMetric):
            kept.setdefault(form, cast(Metric, against_input(metric)))
    reasons |= {measure.name: NO_TRUTH_REASON for measure in sets if measure.against_truth}
    return tuple(kept.values()), tuple(measure for measure in sets if not measure.against_truth), reasons


def without_itself(metrics: Sequence[Metric]) -> tuple[tuple[Metric, ...], dict[str, str]]:
    """The metrics of the row of the inputs themselves: none that would compare an input with itself, and why not."""
    kept = tuple(metric for metric in metrics if not needs_input(metric))
    return kept, {metric.name: ITSELF_REASON for metric in metrics if needs_input(metric)}
