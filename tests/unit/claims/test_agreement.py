"""What papers say of each other: totals made of their rows again, and one figure in two papers."""

from __future__ import annotations

from pathlib import Path

import pytest

from gfpbench import claims
from gfpbench.claims.published import Table, parse
from gfpbench.metrics import protocols
from gfpbench.types import BadInput

FOLDER = Path(claims.__file__).parent


def tables(*names: str, replaced: tuple[str, str] = ("", "")) -> tuple[Table, ...]:
    """The tables of packaged files, the last of them with one text in place of another."""
    texts = [(FOLDER / f"{name}.toml").read_text() for name in names]
    assert texts[-1].count(replaced[0]) >= 1
    texts[-1] = texts[-1].replace(*replaced, 1) if replaced[0] else texts[-1]
    return tuple(table for name, text in zip(names, texts, strict=True) for table in parse(name, text).tables)


def told(given: tuple[Table, ...]) -> dict[str, claims.Outcome]:
    return {one.id: one for one in claims.agreements(given)}


def test_what_is_packaged_disagrees_nowhere_and_every_difference_is_named() -> None:
    packaged = claims.agreements(claims.tables())
    assert {one.status for one in packaged} == {"held", "open"}
    assert len({one.id for one in packaged}) == len(packaged)
    assert all(one.reason.startswith("not the same ") for one in packaged if one.status == "open")
    assert claims.judged(()).agreements == packaged


def test_gfpgan_in_two_papers_agrees_within_the_tolerances() -> None:
    found = told(tables("gfpgan-2021", "pmrf-2024"))
    for figure in ("PSNR", "SSIM", "LPIPS", "NIQE"):
        one = found[f"gfpgan-2021/celeba-test/GFP-GAN/{figure} = pmrf-2024/celeba-test/GFPGAN"]
        assert one.status == "held"
        assert one.expected is not None
        assert one.got is not None
        assert f"{abs(one.expected - one.got):.3g} away" in one.reason
    assert {key.partition("/celeba-test/")[2].partition("/")[0] for key in found} == {"GFP-GAN"}


@pytest.mark.parametrize(
    ("old", "new", "figure", "status", "said"),
    [
        ("SSIM = 0.6774", "SSIM = 0.6747", "SSIM", "failed", "0.003 away, beyond 0.001"),
        ("PSNR = 24.99", "PSNR = 23.99", "PSNR", "open", "not the same metric: largest value"),
        ("FID = 46.72", "FID = 56.72", "FID", "open", "not the same metric: fid_legacy_vs_ffhq50k, and FID @ pmrf"),
        ("images = 3000", "images = 300", "SSIM", "open", "not the same images: 3000, and 300 of them"),
        ("celeba_512_validation_lq", "self_celeba_512_v2", "SSIM", "open", "GFP-GAN's degraded images"),
    ],
)
def test_other_numbers_fail_unless_the_difference_is_named(
    old: str, new: str, figure: str, status: str, said: str
) -> None:
    found = told(tables("gfpgan-2021", "pmrf-2024", replaced=(old, new)))
    one = found[f"gfpgan-2021/celeba-test/GFP-GAN/{figure} = pmrf-2024/celeba-test/GFPGAN"]
    assert one.status == status
    assert said in one.reason


def test_two_sets_named_celeba_test_are_not_compared() -> None:
    found = told(tables("pmrf-2024", "osdface-2025"))
    assert {one.status for one in found.values()} == {"open"}
    assert "pmrf-2024/celeba-test/DifFace/LPIPS = osdface-2025/celeba-test/DifFace" in found
    for one in found.values():
        assert "GFP-GAN's degraded images (input FID 143.98), and DAEFR's degraded images" in one.reason
    # A method whose name only begins alike is another one.
    assert len(found) == len({key.partition("/LPIPS = ")[0] for key in found if "/LPIPS = " in key}) * 4
    assert not any("/RestoreFormer/" in key for key in found)


def test_the_formula_of_the_challenge_is_the_published_one() -> None:
    """Each term by hand, at a point where none is cut off and at one where two are."""
    challenge = protocols.find("ntire-2025").challenge
    assert challenge is not None
    figures = {"CLIPIQA": 0.9, "MANIQA": 0.7, "MUSIQ": 77.0, "NIQE": 4.0, "QALIGN": 4.5, "FID": 55.0}
    assert challenge.total(figures) == pytest.approx(0.9 + 0.7 + 0.77 + 0.6 + 0.9 + 0.45, abs=1e-12)
    assert challenge.total({**figures, "NIQE": 12.0, "FID": 140.0}) == pytest.approx(0.9 + 0.7 + 0.77 + 0.9, abs=1e-12)
    assert challenge.images == 450
    with pytest.raises(BadInput, match="Score needs NIQE, FID"):
        challenge.total({name: figures[name] for name in ("CLIPIQA", "MANIQA", "MUSIQ", "QALIGN")})


def test_an_image_fails_strictly_below_the_threshold_of_its_set_and_year() -> None:
    years = {year: protocols.find(f"ntire-{year}").challenge for year in (2025, 2026)}
    thresholds = {
        2025: {"CelebA": 0.5, "LFW-Test": 0.6, "CelebChild-Test": 0.6, "Wider-Test": 0.3, "WebPhoto-Test": 0.3},
        2026: {"CelebA": 0.5, "LFW-Test": 0.6, "CelebChild-Test": 0.6, "Wider-Test": 0.2, "WebPhoto-Test": 0.25},
    }
    for year, challenge in years.items():
        assert challenge is not None
        assert {name: part.threshold for name, part in challenge.parts.items()} == thresholds[year]
        for name, threshold in thresholds[year].items():
            assert not challenge.fails(name, threshold)
            assert challenge.fails(name, threshold - 1e-9)
        assert challenge.valid(10)
        assert not challenge.valid(11)


def test_all_totals_of_the_challenge_are_made_of_their_rows_and_a_digit_read_wrongly_is_seen() -> None:
    found = told(tables("ntire-2025"))
    totals = {key: one for key, one in found.items() if key.endswith("/Score from its row")}
    assert len(totals) == 13
    assert {one.status for one in found.values()} == {"held"}
    for one in totals.values():
        assert one.expected is not None
        assert one.got is not None
        assert abs(one.got - one.expected) < 1.1e-4  # and within 1e-4 at the four printed decimals
    for old, new in (
        ("CLIPIQA = 0.9517", "CLIPIQA = 0.9511"),
        ("FID = 55.3807", "FID = 56.3807"),
        ("4.3638", "4.3683"),
    ):
        wrong = told(tables("ntire-2025", replaced=(old, new)))
        assert wrong["ntire-2025/test/AllForFace/Score from its row"].status == "failed"
    wrong = told(tables("ntire-2025", replaced=("failing = 10,", "failing = 11,")))
    assert wrong["ntire-2025/test/AIIALab/valid from its row"].status == "failed"


def test_two_papers_repeat_no_reference_figures_to_a_thousandth_and_fid_to_about_one() -> None:
    found = told(tables("osdface-2025", "spider"))
    assert {one.status for one in found.values()} == {"held"}
    assert len(found) == 12  # four rows, three figures
    for key, one in found.items():
        assert one.expected is not None
        assert one.got is not None
        assert abs(one.expected - one.got) <= (1 if "/FID = " in key else 1e-3)
    wrong = told(tables("osdface-2025", "spider", replaced=("MANIQA = 0.5420", "MANIQA = 0.5240")))
    assert wrong["osdface-2025/lfw-test/DAEFR/MANIQA = spider/lfw-test/DAEFR"].status == "failed"
    assert not any("GFPGAN" in key for key in found)  # its version is not stated: it is compared with nothing


def test_a_total_without_its_bound_is_refused() -> None:
    text = (FOLDER / "ntire-2025.toml").read_text().replace("recomputes_within", "# recomputes_within")
    with pytest.raises(BadInput, match="Score, failing, valid are made of other figures: state recomputes_within"):
        parse("ntire-2025", text)
