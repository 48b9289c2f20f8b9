"""Parity of restorers: damage has its name, innocent changes pass, controls guard the table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gfpbench.parity import Compared, Measured, from_json, measure_parity, ran
from gfpbench.report.parity import parity_lines, parity_table, write_parity
from gfpbench.types import BadInput, GfpbenchError
from tests.unit.parity.candidates import CASE, DAMAGED, INNOCENT, Network, Restored, reference


def measured(names: list[str]) -> Measured:
    torch.manual_seed(0)
    made = []
    for name in names:
        restorer = DAMAGED[name][0]() if name in DAMAGED else INNOCENT[name]()
        restorer.name = name
        made.append(restorer)
    return measure_parity(CASE, made, reference=reference())


@pytest.fixture(scope="module")
def damaged() -> Measured:
    return measured(list(DAMAGED))


@pytest.fixture(scope="module")
def innocent() -> Measured:
    return measured(list(INNOCENT))


def of(found: Measured, name: str) -> Compared:
    return next(one for one in found.parity.candidates if one.name == name)


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_called_what_it_is(damaged: Measured, name: str) -> None:
    one, (_, kinds, words) = of(damaged, name), DAMAGED[name]
    assert one.safety != "safe", one
    if kinds != {""}:
        assert one.safety == "unsafe", one
        assert {finding.kind for finding in one.findings if finding.unsafe} & kinds, one
    assert any(words in reason for reason in one.reasons), one


@pytest.mark.parametrize("name", INNOCENT)
def test_another_way_to_the_same_function_is_safe(innocent: Measured, name: str) -> None:
    one = of(innocent, name)
    assert one.safety == "safe", one
    assert one.outcome in ("bit-equal", "equal within the arithmetic")
    assert one.precision == ("bf16" if name == "bf16" else "fp32")


def test_the_same_code_is_bit_equal(innocent: Measured) -> None:
    assert of(innocent, "the same code").outcome == "bit-equal"
    assert not any(image.max_levels for image in of(innocent, "the same code").images)


def test_a_coarser_precision_has_a_wider_bound_and_says_why(innocent: Measured) -> None:
    fine, coarse = (of(innocent, name).bounds["face"] for name in ("folded normalisation", "bf16"))
    assert fine.max_levels < 0.01 < coarse.max_levels < 20
    assert "every sum in float64" in fine.how
    assert "rounded to bf16" in coarse.how


def test_bf16_under_the_bound_of_fp32_is_not_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ran, "precision_of", lambda record: "fp32")
    assert of(measured(["bf16"]), "bf16").outcome == "different but as good"


def test_controls_are_in_the_record(innocent: Measured) -> None:
    assert [one.passed for one in innocent.parity.controls] == [True, True, True]


@pytest.mark.parametrize(
    "restorer",
    [
        Restored("lots", Network(), lambda y, _: y + 0.01 * torch.randn(y.shape)),
        Restored("constant", lambda x: torch.full_like(x, 0.5)),
    ],
    ids=lambda one: one.name,
)
def test_a_reference_whose_controls_fail_has_no_table(restorer: Restored) -> None:
    with pytest.raises(GfpbenchError, match="the table is refused: a control failed"):
        measure_parity(replace(CASE, limit=4), [Restored("other", Network())], reference=restorer)


def test_a_file_under_two_names_is_refused() -> None:
    two = [Restored(name, Network(), sha256="ab" * 32) for name in ("old.pth", "new.pth")]
    with pytest.raises(BadInput, match=r"new.pth and old.pth loaded the same file"):
        measure_parity(CASE, [two[1]], reference=two[0])


def test_a_provider_that_did_not_run_is_refused() -> None:
    class Fallen(Restored):
        def what_ran(self) -> dict[str, object]:
            return {
                "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"],
                "provider_asked_for": "CUDAExecutionProvider",
                "nodes": {"CPUExecutionProvider": 9},
            }

    with pytest.raises(BadInput, match="CUDAExecutionProvider was asked for and ran no node"):
        measure_parity(replace(CASE, limit=3), [Fallen("fallen", Network())], reference=reference())


def test_8_bit_outputs_may_fall_to_either_side_and_no_further() -> None:
    def rounded(y: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return (255 * y).round() / 255

    def off(y: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return rounded(y + 0.1 / 255, _)

    one = Restored("rounded", Network(), rounded)
    found = measure_parity(
        replace(CASE, limit=6),
        [Restored("other", INNOCENT["channels last"]().network, rounded), Restored("off", Network(), off)],
        reference=one,
    )
    assert [one.safety for one in found.parity.candidates] == ["safe", "look"], found.parity.candidates


def test_the_record_is_read_back_and_the_page_shows_every_candidate(damaged: Measured, tmp_path: Path) -> None:
    page = write_parity(damaged, tmp_path)
    text = page.read_text()
    assert from_json(json.loads((tmp_path / "parity.json").read_text())) == damaged.parity
    for name in DAMAGED:
        assert f'data-candidate="{name}"' in text
    assert text.count("data:image/png;base64,") > len(DAMAGED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parity.html", "parity.json"]
    head, rows = parity_table(damaged.parity)
    assert {len(row) for row in rows} == {len(head)}
    assert any(line.startswith("unsafe: channels swapped") for line in parity_lines(damaged.parity))


def test_the_page_has_no_figure_of_a_candidate_that_restored_no_face(tmp_path: Path) -> None:
    def fails(degraded: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no kernel")

    found = measure_parity(replace(CASE, limit=2), [Restored("fails", fails)], reference=reference())
    text = write_parity(found, tmp_path).read_text()
    (row,) = [line for line in text.splitlines() if line.startswith('<tr data-candidate="fails"')]
    assert row.count('<td class="num">–</td>') == 2, row


def test_what_computed_elsewhere_than_asked_is_a_reason_to_look() -> None:
    (found,) = ran.other_device({"products": {"cpu float32": 9}}, "cuda:1")
    assert (found.kind, found.unsafe) == ("device", False)
    assert "cuda:1 was asked for, and it computed on cpu" in found.reason
    assert not ran.other_device({"products": {"cuda float32": 9, "cpu float32": 1}}, "cuda:1")
    assert not ran.other_device({"products": {}}, "cuda")
