"""Broken parity checks: damaged candidates that pass, or innocent ones that do not, have to be noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from gfpbench.parity import candidate, findings, frequencies, measure_parity, measuring, ran, verdict
from gfpbench.parity.bounds import Bounds
from gfpbench.parity.record import Bound
from gfpbench.types import GfpbenchError
from tests.unit.parity.candidates import CASE, DAMAGED, INNOCENT, Network, Restored, reference

Patch = pytest.MonkeyPatch


def _bounds(levels: float) -> Callable[[Patch], None]:
    def saboteur(patch: Patch) -> None:
        made = {group: Bound("fp32", 2.0**-24, levels, levels, "") for group in ("face", "other")}
        patch.setattr(Bounds, "of", lambda self, precision: made)

    return saboteur


def _silent(module: object, name: str, answer: object) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(module, name, lambda *arguments, **options: answer)


def _threshold(name: str, value: float) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(frequencies, name, value)


def _failures_are_left_out(patch: Patch) -> None:
    own = candidate.Candidate.take

    def take(self, group, reference, outputs, failures, given, truth=None):
        own(self, group, {name: reference[name] for name in outputs}, outputs, failures, given, truth)

    patch.setattr(candidate.Candidate, "take", take)


def _the_first_batch_stands_for_all(patch: Patch) -> None:
    own = measuring._all_inputs
    patch.setattr(measuring, "_all_inputs", lambda *given: [next(iter(own(*given)))])


SABOTEURS: dict[str, tuple[Callable[[Patch], None], str]] = {
    "any difference is arithmetic": (_bounds(255.0), "one layer rounded to 4 bits"),
    "no difference is arithmetic": (_bounds(0.0), "folded normalisation"),
    "every precision is fp32": (_silent(ran, "precision_of", "fp32"), "bf16"),
    "differences have no names": (_silent(findings, "explained", []), "channels swapped"),
    "shifts are not looked for": (_silent(findings, "_shift", []), "half a pixel"),
    "mirrored images are not looked for": (_silent(findings, "_turned", (np.inf, "", "")), "mirrored"),
    "seams are not looked for": (_silent(findings, "seams", []), "seams"),
    "single values are not looked for": (
        _silent(findings, "single_values", (np.zeros((1, 64, 64), dtype=bool), "")),
        "a dead pixel",
    ),
    "lost detail is not looked for": (_silent(findings, "filtered", (np.inf, "", False)), "half the resolution"),
    "detail has only to be there": (_threshold("HALF_POWER", 0.0), "half the resolution"),
    "JPEG is not looked for": (_silent(findings, "compressed", []), "saved as JPEG"),
    "values and structure stand for colour": (
        lambda patch: patch.setattr(measuring, "METRICS", ("psnr_rgb", "ssim_rgb")),
        "colours astray",
    ),
    "patches are not looked for": (_silent(findings, "patch", []), "a patch"),
    "one colour is told by the reference's span alone": (_silent(findings, "_one_colour", None), "flat at white"),
    "inputs that are no faces decide nothing": (_silent(verdict, "_branch", []), "redder in the dark"),
    "flat outputs pass": (_silent(findings, "flat_outputs", []), "flat on one in twenty"),
    "one batch stands for all": (_the_first_batch_stands_for_all, "flat on one in twenty"),
    "inputs handed back pass": (_silent(findings, "unchanged", []), "its input as it was"),
    "outputs of other inputs pass": (_silent(findings, "other_images", []), "order of the batch"),
    "nothing is restored again": (_silent(measuring, "inconsistent", []), "mixes the batch"),
    "failures are left out": (_failures_are_left_out, "raises at white"),
    "the truth is not asked": (_silent(measuring, "_quality", ((), [])), "blurred"),
}
"""What is broken -> how, and the candidate whose verdict shows it."""


def law(name: str) -> None:
    """A candidate is called what it is."""
    torch.manual_seed(0)
    restorer = DAMAGED[name][0]() if name in DAMAGED else INNOCENT[name]()
    restorer.name = name
    (one,) = measure_parity(replace(CASE, limit=14), [restorer], reference=reference()).parity.candidates
    if name in INNOCENT:
        assert one.safety == "safe", one
        return
    kinds, words = DAMAGED[name][1:]
    assert one.safety != "safe", one
    assert kinds == {""} or {finding.kind for finding in one.findings if finding.unsafe} & kinds, one
    assert any(words in reason for reason in one.reasons), one


@pytest.mark.parametrize("name", sorted({name for _, name in SABOTEURS.values()}))
def test_the_laws_hold(name: str) -> None:
    law(name)


@pytest.mark.parametrize("sabotage", SABOTEURS)
def test_a_broken_check_is_noticed(sabotage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saboteur, name = SABOTEURS[sabotage]
    saboteur(monkeypatch)
    with pytest.raises((AssertionError, GfpbenchError)):
        law(name)


def test_a_table_without_controls_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    lots = Restored("lots", Network(), lambda y, _: y + 0.01 * torch.randn(y.shape))

    def controls_law() -> None:
        with pytest.raises(GfpbenchError, match="a control failed"):
            measure_parity(replace(CASE, limit=4), [Restored("other", Network())], reference=lots)

    controls_law()
    monkeypatch.setattr(measuring, "refuse_bad_controls", lambda found: None)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        controls_law()
