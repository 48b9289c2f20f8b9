"""Broken searches, broken definitions and restorers that cheat: the laws of a collapse point have to notice each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench import faces, metrics, results, run
from gfpbench.baselines.collapse import disagreements
from gfpbench.collapse import Collapse, Question, collapse_point, curve, search
from gfpbench.collapse.definition import CRITERIA, Evidence
from gfpbench.collapse.other_face import AgainstOther, pair_with_others
from gfpbench.collapse.plot import plot
from gfpbench.collapse.search import Found, find
from gfpbench.restorers import python_object
from gfpbench.restorers.opened_files import Opened
from gfpbench.run import case as run_case_module
from gfpbench.types import ImageBatch
from tests.unit.collapse import laws, stale, test_definition, test_plot
from tests.unit.collapse.toys import Constant, MeanFace, Smoother

Patch = pytest.MonkeyPatch


def _only_the_resolution(patch: Patch) -> None:
    """The interval says how finely one looked, not how much the images differ."""
    patch.setattr(curve.Curve, "interval", lambda self: (self.point() or 0.0,) * 2)


def _images_as_one(patch: Patch) -> None:
    """The bootstrap draws ten times as many images as there are."""
    original = curve.Curve.resampled.func  # type: ignore[attr-defined]

    def narrow(self: curve.Curve) -> Any:
        return self.means + (original(self) - self.means) / math.sqrt(10)

    patch.setattr(curve.Curve, "resampled", property(narrow))


def _everything_is_wide(patch: Patch) -> None:
    patch.setattr(curve.Curve, "interval", lambda self: (0.0, 1.0))


def _one_criterion_is_enough(patch: Patch) -> None:
    patch.setattr(curve.Curve, "useful", property(lambda self: (self.means > 0).any(axis=0)))


def _a_tie_is_useful(patch: Patch) -> None:
    patch.setattr(curve.Curve, "useful", property(lambda self: (self.means >= 0).all(axis=0)))


def _the_last_fall(patch: Patch) -> None:
    """The last crossing in place of the first: a wave hides its first collapse."""

    def last(useful: Any) -> Any:
        falls = np.flatnonzero(useful[:-1] & ~useful[1:])
        return None if not falls.size else (int(falls[-1]), int(falls[-1]) + 1)

    patch.setattr(curve, "_bracket", last)


def _mean_alone_recovers(patch: Patch) -> None:
    patch.setattr(curve.Curve, "surely_useful", lambda self: self.useful)


def _middle_of_the_bracket(patch: Patch) -> None:
    """The scan's bracket is never halved."""
    patch.setattr(search, "_halvings", lambda resolution, steps: 0)
    patch.setattr(search, "scan_steps", lambda resolution: resolution)


def _unfinished(patch: Patch) -> None:
    """The search stops at the scan."""
    original = curve.Curve.collapse_bracket
    calls: list[int] = []

    def once(self: curve.Curve) -> Any:
        calls.append(1)
        return None if len(self.severities) == 9 and len(calls) % 2 else original(self)

    patch.setattr(curve.Curve, "collapse_bracket", once)


BUGS: tuple[tuple[Callable[[Patch], None], Callable[[Any], object]], ...] = (
    (_only_the_resolution, laws.interval_covers),
    (_images_as_one, laws.interval_covers),
    (_everything_is_wide, laws.interval_covers),
    (_everything_is_wide, laws.interval_shrinks),
    (_one_criterion_is_enough, laws.earliest_criterion_counts),
    (_a_tie_is_useful, laws.shapes_are_told_apart),
    (_the_last_fall, laws.shapes_are_told_apart),
    (_mean_alone_recovers, laws.flicker_is_no_recovery),
    (_middle_of_the_bracket, laws.few_restorations),
    (_unfinished, lambda search_: laws.cliff_is_found(search_, 0.61)),
)


@pytest.mark.parametrize(("bug", "law"), BUGS, ids=[f"{bug.__name__}-{place}" for place, (bug, _) in enumerate(BUGS)])
def test_a_broken_search_is_noticed(
    monkeypatch: Patch, bug: Callable[[Patch], None], law: Callable[[Any], object]
) -> None:
    law(find)
    bug(monkeypatch)
    with pytest.raises(AssertionError):
        law(find)


def _wrong(found: Callable[..., Found], change: Callable[[Found], Found]) -> Callable[..., Found]:
    return lambda *arguments, **options: change(found(*arguments, **options))


@pytest.mark.parametrize(
    "change",
    [
        lambda found: replace(found, point=None if found.point is None else found.point + 1 / 32),
        lambda found: replace(found, point=None if found.bracket is None else found.bracket[0] - 1 / 128),
        lambda found: replace(found, bracket=None if found.bracket is None else (0.0, 1.0)),
    ],
)
def test_a_point_in_the_wrong_place_is_noticed(change: Callable[[Found], Found]) -> None:
    with pytest.raises(AssertionError):
        laws.cliff_is_found(_wrong(find, change), 0.61)


def test_a_search_without_an_onset_is_noticed() -> None:
    """What is useless at severity 0 is taken for collapsed at once, though it helps further on."""

    def strict(found: Found) -> Found:
        return found if found.curve.useful[0] else replace(found, kind="at once", point=None)

    with pytest.raises(AssertionError):
        laws.shapes_are_told_apart(_wrong(find, strict))


ASKED = Question("toy", "noise", resolution=16, size_px=64, draws=2)


def _portrait() -> torch.Tensor:
    clean = faces.load("embedded", size_px=64, draws=1)
    return torch.stack([clean.load(name).pixels for name in clean.ids()]).mean(0)


@pytest.mark.parametrize("trace", [0.01, 0.05])
def test_the_mean_face_is_exposed(tmp_path: Path, trace: float) -> None:
    """It beats its noisy input everywhere beyond the first severities, so only the criterion ``face`` can tell."""
    cheat = MeanFace(_portrait(), trace)
    by_input = collapse_point(replace(ASKED, criteria=("input",)), store=tmp_path / "input", restorer=cheat)
    assert by_input.kind == "never" or by_input.order > 0.9  # fooled
    found = collapse_point(ASKED, store=tmp_path / "both", restorer=cheat)
    assert found.kind == "at once"
    assert found.fails == ("face",)


def test_ignoring_the_input_is_exposed(tmp_path: Path) -> None:
    found = collapse_point(ASKED, store=tmp_path, restorer=Constant())
    assert found.kind == "at once"
    assert sum(step.failed for step in found.steps) >= 3 * len(found.steps)


class Copy(Smoother):
    """Returns its input and does not say so."""

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        return ImageBatch(degraded.pixels.clone(), degraded.ids)


def test_returning_the_input_is_exposed(tmp_path: Path) -> None:
    found = collapse_point(ASKED, store=tmp_path, restorer=Copy())
    assert found.kind == "at once"
    assert all(step.failed == 4 for step in found.steps)


class Giver(Smoother):
    """Works on easy images and returns somebody's portrait for hard ones: a collapse that looks good."""

    def __init__(self) -> None:
        super().__init__()
        self.portrait = _portrait()

    def answer(self, pixels: torch.Tensor) -> torch.Tensor:
        rough = (pixels[..., 1:] - pixels[..., :-1]).abs().mean(dim=(1, 2, 3), keepdim=True)
        return torch.where(rough > 0.036, 0.98 * self.portrait + 0.02 * pixels, super().answer(pixels))


def test_a_good_looking_collapse_is_found(tmp_path: Path) -> None:
    asked = replace(ASKED, criteria=("face",))
    honest = collapse_point(asked, store=tmp_path / "honest", restorer=Smoother())
    found = collapse_point(asked, store=tmp_path / "giver", restorer=Giver())
    assert honest.severity is not None
    assert found.severity is not None
    assert 0.25 < found.severity < honest.severity - 1 / 16


# The laws that the pieces obey, each with a bug that breaks it.


def better_is_above(gain: Callable[[Evidence], Any], sign: Callable[[str], float]) -> None:
    """A restorer that improves on its input has a margin above 0, for metrics of either direction."""
    for name, own, given in (("psnr_rgb", 30.0, 25.0), ("gmsd", 0.1, 0.2)):
        (metric,) = metrics.load([name])
        way = sign(metric.better)
        assert float(gain(Evidence(np.array([way * own]), np.array([way * given])))[0]) > 0, name


def test_a_metric_read_the_wrong_way_round_is_noticed() -> None:
    gain = CRITERIA["input"].margin
    better_is_above(gain, lambda better: 1.0 if better == "higher" else -1.0)
    with pytest.raises(AssertionError):
        better_is_above(gain, lambda better: 1.0)


def nothing_is_known_of_a_constant(pairing: Callable[..., dict[str, str]]) -> None:
    """An answer that does not depend on its input is as close to others as to its own, on average."""
    clean = faces.load("embedded", size_px=64, draws=2)
    ids = clean.ids()
    truth = ImageBatch(torch.stack([clean.load(name).pixels for name in ids]), ids)
    answer = ImageBatch(truth.pixels[:1].expand_as(truth.pixels).clone(), ids)  # the first face, for everybody
    (ssim,) = metrics.load(["ssim_rgb"])
    apart = ssim(answer, truth) - AgainstOther(ssim, clean, pairing(clean, ids))(answer, truth)
    assert abs(float(apart.mean())) < 1e-9
    assert float(apart.abs().max()) > 0.1


def test_a_pairing_that_is_no_permutation_is_noticed() -> None:
    nothing_is_known_of_a_constant(pair_with_others)
    with pytest.raises(AssertionError):
        nothing_is_known_of_a_constant(lambda clean, ids: {name: name for name in ids})
    with pytest.raises(AssertionError):
        nothing_is_known_of_a_constant(lambda clean, ids: dict.fromkeys(ids, ids[1]))


def resumed_is_measured(tmp_path: Path) -> None:
    """What another restorer left under the same name is not taken for this one's."""
    asked = replace(ASKED, resolution=4)
    collapse_point(asked, store=tmp_path, restorer=Smoother())
    other = MeanFace(_portrait())
    assert collapse_point(asked, store=tmp_path, restorer=other).restorations == other.images


def test_a_store_that_believes_names_is_noticed(tmp_path: Path, monkeypatch: Patch) -> None:
    resumed_is_measured(tmp_path / "sound")

    def trusting(folder: Path, case: Any, parts: Any, key: Any) -> Any:
        path = folder / "result.json"
        return results.read(path)[0] if path.exists() else None

    monkeypatch.setattr(run_case_module, "finished", trusting)
    with pytest.raises(AssertionError):
        resumed_is_measured(tmp_path / "trusting")


def _nothing_is_asked(patch: Patch) -> None:
    patch.setattr(python_object.PythonRestorer, "opaque", False)
    patch.setattr(Opened, "note", lambda self, path, flags: None)


def _neither_asked_nor_read(patch: Patch) -> None:
    _nothing_is_asked(patch)
    patch.setattr(python_object, "own_modules", lambda module: {})


def _faces_by_their_names(patch: Patch) -> None:
    patch.setattr(run, "faces_sha256", lambda faces, ids: str(ids))


STALE: dict[str, tuple[str, Callable[[Patch], None]]] = {
    "weights": ("weights", _nothing_is_asked),
    "neighbour": ("neighbour", _neither_asked_nor_read),
    "faces": ("faces", _faces_by_their_names),
}


@pytest.mark.parametrize("name", STALE)
def test_a_store_that_overlooks_a_change_is_noticed(tmp_path: Path, monkeypatch: Patch, name: str) -> None:
    law, bug = STALE[name]
    monkeypatch.syspath_prepend(str(tmp_path / "model"))
    bug(monkeypatch)
    try:
        with pytest.raises(AssertionError, match="stale numbers"):
            stale.CHANGES[law](tmp_path)
    finally:
        stale.forget_models()


def test_a_moved_collapse_point_is_noticed(tmp_path: Path) -> None:
    """Both directions: a restorer that collapses before its baseline, and one that outlives it, are named."""
    asked = replace(ASKED, criteria=("face",))
    found = collapse_point(asked, store=tmp_path, restorer=Smoother())
    assert disagreements(found, store=tmp_path, restorer=Smoother()) == ()
    assert found.interval[1] is not None
    later = replace(found, interval=(found.interval[1] + 0.05, 1.0), value_interval=(1.0, 2.0))
    (line,) = disagreements(later, store=tmp_path, restorer=Smoother())
    assert "already" in line
    sooner = replace(found, interval=(0.0, found.interval[0] - 0.05))
    (line,) = disagreements(sooner, store=tmp_path, restorer=Smoother())
    assert "better than stored" in line
    at_once = replace(found, kind="at once", severity=None, interval=(0.0, 0.0), onset=None)
    (line,) = disagreements(at_once, store=tmp_path, restorer=Smoother())
    assert "still useful" in line


def test_an_identity_judged_by_a_fixed_angle_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """30 degrees are a stranger among portraits and a relative among generated faces."""
    fixed = replace(CRITERIA["identity"], margin=lambda known: 30.0 + known.own)
    monkeypatch.setitem(CRITERIA, "identity", fixed)
    with pytest.raises(AssertionError):
        test_definition.test_identity_is_judged_by_the_sets_own_strangers(20.0)


def _up_to_the_point(found: Collapse, ax: Any) -> Any:
    return plot(replace(found, interval=(found.interval[0], found.severity)), ax)


def _without_gaps(found: Collapse, ax: Any) -> Any:
    steps = tuple(replace(step, restored=0.0 if step.restored is None else step.restored) for step in found.steps)
    return plot(replace(found, steps=steps), ax)


def _point_at_its_value(found: Collapse, ax: Any) -> Any:
    axes = plot(replace(found, kind="never", severity=None, value=None), ax)
    axes.axvspan(*found.interval, label="95 % interval")  # type: ignore[arg-type]
    axes.axvline(found.value, label=f"collapses at {found.value:.4g} {found.unit}")  # type: ignore[arg-type]
    return axes


@pytest.mark.parametrize("broken", [_up_to_the_point, _without_gaps, _point_at_its_value])
def test_a_chart_of_something_else_is_noticed(broken: Callable[[Collapse, Any], Any]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        test_plot.shows_what_was_found(broken)
