"""Objects given as parts of a case: an attribute that raises or is of another type is one line, whoever takes it."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

import numpy as np
import pytest

import gfpbench
from gfpbench import degrade, run
from gfpbench import faces as face_sets
from gfpbench import metrics as metric_table
from gfpbench.decode.point_lists import HoldsPoints
from gfpbench.metrics import set_measures
from gfpbench.parity import measure_parity
from gfpbench.photos import load_pipeline, whole_photo
from gfpbench.process_guard import refuse_unreadable
from gfpbench.restorers import OFFERED
from gfpbench.restorers.checked import Attempting
from gfpbench.types import (
    BadInput,
    Case,
    ComparesWithInput,
    ComputedTwoWays,
    Degradation,
    DrawnOften,
    FaceSet,
    Identified,
    Metric,
    ReadsImages,
    Restorer,
    SetMetric,
    optional_contracts,
)
from tests.unit.run import laws

CASE = Case("embedded", "paper", "bicubic")


def odd(kind: type, attribute: str, value: object) -> Any:
    """An object of a class of its own, of which one attribute is another; it was made with nothing."""
    return object.__new__(type("Odd", (kind,), {attribute: value}))


def members(*kinds: Any) -> set[str]:
    names = {name for kind in kinds for name in (*vars(kind), *kind.__annotations__)}
    return {name for name in names if not name.startswith("_")}


def test_all_that_a_part_may_have_is_looked_at() -> None:
    """Every attribute of the Protocols: of restorers all that are not said to be another part's."""
    of_others = {"default_draws", "using", "identity", "needs_input"}
    kinds = [
        kind
        for kind in vars(optional_contracts).values()
        if getattr(kind, "__module__", "").endswith("optional_contracts")
    ]
    assert members(Restorer, Attempting, *kinds) - of_others == {*OFFERED} - {"__call__"}
    assert members(Metric, Identified, ComparesWithInput) | {"__call__", "score"} == {*metric_table.OFFERED}
    assert members(SetMetric) | {"definition"} == {*set_measures.OFFERED}
    assert members(FaceSet, DrawnOften, HoldsPoints) == {*face_sets.OFFERED}
    assert members(Degradation, ComputedTwoWays, ReadsImages) == {*degrade.OFFERED}
    used = {name for names in (OFFERED, face_sets.OFFERED, degrade.OFFERED, metric_table.OFFERED) for name in names}
    assert members(*kinds) <= used


registered: Any = None
"""What a row of a table names."""


def measured_by(metric: Any, where: str) -> object:
    """Measure with a metric that is given as an object, or that somebody has put into the table of names."""
    if where == "an object":
        return laws.Toy().but(metrics=(metric,)).parts()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(metric_table.METRICS, "odd", f"{__name__}:registered")
        patch.setattr(sys.modules[__name__], "registered", metric)
        if where == "measure":
            return gfpbench.measure("input", limit=1, metrics=["odd"])
        return gfpbench.compute("odd", np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8))


def with_set_metric(metric: Any) -> run.Parts:
    toy, measure = laws.Toy(), set_measures.SetMeasure("odd", metric, set_measures.TRUTH)
    return run.Parts(toy.faces, toy.degradation, toy.restorer, toy.metrics, sets=(measure,))


TAKEN: dict[str, tuple[type, Sequence[str], str, Sequence[Callable[[Any], object]]]] = {
    "restorer": (
        laws.Smooth,
        OFFERED,
        "a restorer (Odd)",
        [
            lambda one: laws.Toy().but(restorer=one).parts(),
            gfpbench.load_restorer,
            gfpbench.collapse,
            lambda one: measure_parity(CASE, ["bicubic", one]),
            lambda one: measure_parity(CASE, ["bicubic"], reference=one),
            load_pipeline,
            whole_photo,
        ],
    ),
    "metric": (
        laws.ToyMetric,
        metric_table.OFFERED,
        "metric 'odd'",
        [partial(measured_by, where=where) for where in ("an object", "measure", "compute")],
    ),
    "set metric": (laws.ToySet, set_measures.OFFERED, "set metric 'odd'", [with_set_metric]),
    "faces": (
        laws.ToyFaces,
        face_sets.OFFERED,
        "a face set (Odd)",
        [lambda one: laws.Toy().but(faces=one).parts(), partial(gfpbench.measure, "input")],
    ),
    "degradation": (
        laws.ToyNoise,
        degrade.OFFERED,
        "a degradation (Odd)",
        [
            lambda one: laws.Toy().but(degradation=one).parts(),
            partial(gfpbench.measure, "input", "embedded"),
            partial(gfpbench.degrade, np.zeros((8, 8, 3), np.uint8)),
        ],
    ),
}
"""Part of a case -> a class of it, what it may have, what it is called in a line, and all that take one."""


@pytest.mark.parametrize("error", [ValueError("boom"), AttributeError("boom"), SystemExit("boom")], ids=repr)
@pytest.mark.parametrize("part", TAKEN)
def test_a_property_that_raises_is_one_line(part: str, error: BaseException) -> None:
    """Before anything is measured, and alike for what a part has to have and for what it may have."""

    def raises(self: object) -> NoReturn:
        raise error

    kind, attributes, said, takers = TAKEN[part]
    for attribute in attributes:
        given = odd(kind, attribute, property(raises))
        if part == "metric" and attribute != "name":
            given.name = "odd"
        for taken in takers:
            unnamed = part == "metric" and attribute == "name" and taken is takers[0]
            who = re.escape("a metric (Odd)" if unnamed else said)
            with pytest.raises(BadInput, match=f"^{who}: reading its attribute '{attribute}' failed: .*: boom$"):
                taken(given)


def test_a_slot_that_is_empty_is_an_attribute_that_is_missing() -> None:
    class Slotted:
        __slots__ = ("held", "missing")

        def __init__(self) -> None:
            self.held = 5

    refuse_unreadable("a part", Slotted(), ("held", "missing", "other"))


UNFIT: dict[str, tuple[object, str]] = {
    "seconds_per_image": (lambda self: 3.0, "a number of seconds, or None where there is no limit, not <bound method"),
    "opaque": (lambda self: False, "True, False or None, not <bound method"),
    "faster_with": (lambda self: "", "a text, or None, not <bound method"),
    "name": (None, "a text that is not empty, not None"),
}


@pytest.mark.parametrize("attribute", UNFIT)
def test_an_attribute_of_a_restorer_s_that_is_of_another_type_is_one_line(attribute: str) -> None:
    value, wanted = UNFIT[attribute]
    for taken in TAKEN["restorer"][3]:
        with pytest.raises(BadInput, match=rf"^a restorer \(Odd\): {attribute} has to be {wanted}"):
            taken(odd(laws.Smooth, attribute, value))


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1, True, "3"])
def test_a_limit_that_is_no_number_of_seconds_is_refused(seconds: object) -> None:
    with pytest.raises(BadInput, match="seconds_per_image has to be a number of seconds"):
        laws.Toy().but(restorer=odd(laws.Smooth, "seconds_per_image", seconds)).parts()


def test_what_restorers_say_of_themselves_is_taken() -> None:
    for attribute, value in (
        ("seconds_per_image", 3),
        ("seconds_per_image", None),
        ("opaque", np.True_),
        ("opaque", None),
        ("faster_with", None),
    ):
        restorer = odd(laws.Smooth, attribute, value)
        assert laws.Toy().but(restorer=restorer).parts().restorer is restorer
