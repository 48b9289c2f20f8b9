"""Restorers that restore nothing, broken metrics and wrong data have to fail the claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gfpbench import claims, degrade, faces, metrics, restorers, run
from gfpbench.claims import agreement, stored
from gfpbench.claims.published import parse
from gfpbench.faces import celeba, utkface, wider
from gfpbench.run.parts import Parts
from gfpbench.types import Case, ImageBatch, Json, Result
from tests.reproduction.test_claims import settle
from tests.unit.claims import test_agreement, test_inputs, test_published
from tests.unit.faces import trees

METRICS = ("psnr_rgb", "ssim_rgb", "gmsd")
OWN = [claim for claim in claims.claims() if claim.id.startswith("nano/")]
IMPROVEMENTS = [claim for claim in OWN if claim.says == "improves"]


class Named:
    """Any function of images under a name."""

    def __init__(self, name: str, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.name, self._function = name, function

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        return ImageBatch(self._function(degraded.pixels).clamp(0, 1), degraded.ids)

    def provenance(self) -> Mapping[str, Json]:
        return {"restorer": self.name}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Callable[[object], Result]:
    store = tmp_path_factory.mktemp("claims")
    loaded = metrics.load(METRICS)
    known: dict[str, Result] = {}

    def measure(restorer: object) -> Result:
        name = getattr(restorer, "name", "truth")
        if not isinstance(restorer, Named) and name in known:
            return known[name]
        parts = Parts(faces.load("embedded"), degrade.load("paper"), restorer, loaded)  # type: ignore[arg-type]
        result = run.run_case(Case("embedded", "paper", name), parts, store=store, keep_images=0)
        if not isinstance(restorer, Named):
            known[name] = result
        return result

    return measure


@pytest.fixture(scope="module")
def around(bench: Callable[[object], Result]) -> tuple[Result, Result]:
    return bench(restorers.load("input")), bench(None)


def statuses(result: Result, around: tuple[Result, Result]) -> dict[str, str]:
    return {claim.id: claims.judge(claim, result, *around).status for claim in OWN}


@pytest.mark.parametrize("name", ["nano", "classical"])
def test_an_honest_restorer_holds_them(
    name: str, bench: Callable[[object], Result], around: tuple[Result, Result]
) -> None:
    assert set(statuses(bench(restorers.load(name)), around).values()) == {"held"}


@pytest.mark.parametrize("name", ["input", "bicubic"])
def test_input_and_bicubic_fail_them(
    name: str, bench: Callable[[object], Result], around: tuple[Result, Result]
) -> None:
    told = statuses(bench(restorers.load(name)), around)
    assert {told[claim.id] for claim in IMPROVEMENTS} == {"failed"}
    if name == "bicubic":
        assert set(told.values()) == {"failed"}


BROKEN: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "one grey level brighter": lambda pixels: pixels + 1 / 255,
    "BGR": lambda pixels: pixels.flip(1),
    "mirrored": lambda pixels: pixels.flip(3),
    "shifted by 2 px": lambda pixels: pixels.roll(2, dims=3),
    "grey": lambda pixels: pixels.mean(1, keepdim=True).expand_as(pixels),
    "sharpened too much": lambda pixels: pixels + 3 * (pixels - torch.nn.functional.avg_pool2d(pixels, 5, 1, 2)),
    "in [-1, 1]": lambda pixels: 2 * pixels - 1,
    "the mean face": lambda pixels: pixels.mean(0, keepdim=True).expand_as(pixels) * 0.98 + pixels * 0.02,
}


@pytest.mark.parametrize("bug", BROKEN)
def test_a_broken_restorer_fails_at_least_one(
    bug: str, bench: Callable[[object], Result], around: tuple[Result, Result]
) -> None:
    assert "failed" in statuses(bench(Named(bug, BROKEN[bug])), around).values()


def test_a_restorer_that_works_on_easy_faces_only_fails(
    bench: Callable[[object], Result], around: tuple[Result, Result]
) -> None:
    """A mean over the faces that happened to work is refused."""
    nano = bench(restorers.load("nano"))
    lazy = replace(
        nano,
        rows=tuple(
            replace(row, failure="gave up", scores=dict.fromkeys(row.scores)) if number % 2 else row
            for number, row in enumerate(nano.rows)
        ),
    )
    assert set(statuses(lazy, around).values()) == {"failed"}


def test_a_metric_with_its_direction_turned_is_seen(
    bench: Callable[[object], Result], around: tuple[Result, Result]
) -> None:
    """A Result that says of GMSD that higher is better makes nano fail, not pass."""
    nano = bench(restorers.load("nano"))
    turned = {**nano.metrics, "gmsd": {**nano.metrics["gmsd"], "better": "higher"}}
    claim = next(claim for claim in OWN if claim.figure == "GMSD")
    assert claims.judge(claim, nano, *around).status == "held"
    assert claims.judge(claim, replace(nano, metrics=turned), *around).status == "failed"


def test_a_truth_that_is_not_the_truth_is_seen(
    bench: Callable[[object], Result], around: tuple[Result, Result]
) -> None:
    claim = next(claim for claim in claims.claims() if claim.id.endswith("truth-PSNR"))
    assert claims.judge(claim, around[1], *around).status == "held"
    nearly = bench(Named("truth", lambda pixels: pixels * 0.9))
    assert claims.judge(claim, nearly, around[0], nearly).status == "failed"


def test_what_is_open_never_passes() -> None:
    """In pytest it is skipped with what it waits for, and fails where assets are demanded."""

    def told(status: claims.Status) -> claims.Outcome:
        return claims.Outcome("a/b", "somebody", "It is so", status, "waits for the dataset 'celeba-test'")

    with pytest.raises(pytest.skip.Exception, match="open: waits for the dataset 'celeba-test'"):
        settle(told("open"), strict=False)
    with pytest.raises(pytest.fail.Exception, match="--strict-assets"):
        settle(told("open"), strict=True)
    with pytest.raises(AssertionError, match=r"It is so \(somebody\)"):
        settle(told("failed"), strict=False)
    with pytest.raises(pytest.xfail.Exception, match="disputed: why"):
        settle(told("failed"), strict=False, disputed="why")
    settle(told("held"), strict=True)


def test_a_number_copied_wrongly_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(claims.__file__).parent / "gfpgan-2021.toml").read_text()
    for old, new in (("PSNR = 25.08", "PSNR = 25.80"), ("NIQE = 13.440", "NIQE = 14.430"), ("0.6777", "0.6877")):
        wrong = parse("gfpgan-2021", text.replace(old, new))
        monkeypatch.setattr(claims, "tables", lambda wrong=wrong: wrong.tables)
        monkeypatch.setattr(claims, "claims", lambda wrong=wrong: wrong.claims)
        with pytest.raises(AssertionError):
            test_published.test_published_changes_are_the_difference_of_published_rows()


@pytest.mark.parametrize(
    ("broken", "replacement", "check"),
    [
        # Numbers of other images are compared.
        (
            "_other_images",
            lambda first, second: "",
            test_agreement.test_two_sets_named_celeba_test_are_not_compared,
        ),
        # Two spellings of a method are two methods: there is nothing to compare.
        (
            "_method",
            lambda row: row.method,
            test_agreement.test_gfpgan_in_two_papers_agrees_within_the_tolerances,
        ),
        # A method is taken for another whose name begins alike.
        (
            "_method",
            lambda row: row.method[:7],
            test_agreement.test_two_sets_named_celeba_test_are_not_compared,
        ),
    ],
)
def test_papers_compared_wrongly_are_seen(
    broken: str, replacement: Callable[..., str], check: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    check()
    monkeypatch.setattr(agreement, broken, replacement)
    with pytest.raises((AssertionError, KeyError)):
        check()


def test_inputs_that_are_never_told_apart_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    test_inputs.test_no_number_is_held_to_a_table_of_the_other_set()
    monkeypatch.setattr(stored, "other_inputs", lambda *_: "")
    with pytest.raises(AssertionError):
        test_inputs.test_no_number_is_held_to_a_table_of_the_other_set()


def test_a_box_read_as_corners_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WIDER's third and fourth number are a size; taken for the other corner, the face leaves the middle."""
    honest = wider._box

    def corners(path: Path, number: int, line: str) -> wider.Box:
        box = honest(path, number, line)
        return replace(box, width=max(64, box.width - box.x), height=max(64, box.height - box.y))

    monkeypatch.setattr(wider, "_box", corners)
    assert not passes(trees.wider, wider_is_centred, tmp_path)


def wider_is_centred(root: Path) -> None:
    import cv2

    box = (40, 30, 70, 80)
    photograph = np.zeros((200, 260, 3), np.uint8)
    photograph[30:110, 40:110] = 255
    name = "0--Parade/0_Parade_marchingband_1_465"
    cv2.imwrite(str(root / "WIDER_val" / "images" / f"{name}.jpg"), photograph)
    cut = faces.load(f"wider:{root}").load(f"{name}/000").pixels.permute(1, 2, 0).numpy() * 255
    trees.check_box_is_centred(cut, box, wider.MARGIN)


def test_the_honest_box_is_in_the_middle(tmp_path: Path) -> None:
    assert passes(trees.wider, wider_is_centred, tmp_path)


def passes(make: Callable[[Path], Path], check: Callable[[Path], None], tmp_path: Path) -> bool:
    try:
        check(make(tmp_path))
    except AssertionError:
        return False
    return True


def test_gender_and_group_exchanged_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(root: Path) -> None:
        opened = faces.load(f"utkface:{root}")
        for name, expected in trees.UTK_NAMES.items():
            assert dict(opened.load(name.removesuffix(".jpg")).attributes) == expected

    assert passes(trees.utkface, check, tmp_path / "honest")
    monkeypatch.setattr(utkface, "GENDERS", ("female", "male"))
    assert not passes(trees.utkface, check, tmp_path / "turned")


def test_the_training_partition_in_place_of_the_test_partition_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(root: Path) -> None:
        assert sorted(faces.load(f"celeba:{root}").ids()) == ["000006", "000007", "000008"]

    assert passes(trees.celeba, check, tmp_path / "honest")
    honest = celeba._table

    def shifted(path: Path | None, width: int | None) -> celeba.Table | None:
        table = honest(path, width)
        if table is None or width != 1:
            return table
        return replace(table, rows={name: (2 - value[0],) for name, value in table.rows.items()})

    monkeypatch.setattr(celeba, "_table", shifted)
    assert not passes(trees.celeba, check, tmp_path / "shifted")
