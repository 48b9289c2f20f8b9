"""Published tables and claims as data: what is there, and data files that cannot be read."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gfpbench import claims
from gfpbench.claims.published import Claim, Table, parse
from gfpbench.types import BadInput

MINIMAL = """
source = "Somebody 2030"
protocol = "gfpgan-paper"
applies_to = ["theirs"]
[[table]]
id = "t"
title = "T"
faces = "celeba-test"
degradation = "stored"
images = 3
note = ""
tolerance = { PSNR = 0.1, reason = "because" }
[[table.row]]
method = "Input"
restorer = "input"
figures = { PSNR = 25.0 }
[[claim]]
id = "c"
words = "w"
figure = "PSNR"
says = "improves"
"""


def test_the_numbers_are_those_of_the_papers() -> None:
    """Spot checks against the sources: at least one row of every table."""
    expected = {
        "gfpgan-2021/celeba-test/Input": {"LPIPS": 0.4866, "FID": 143.98, "NIQE": 13.44, "PSNR": 25.35, "SSIM": 0.6848},
        "gfpgan-2021/celeba-test/GFP-GAN": {"LPIPS": 0.3646, "FID": 42.62, "NIQE": 4.077, "Deg": 34.6, "PSNR": 25.08},
        "gfpgan-2021/celeba-test/Ground truth": {"FID": 43.43, "NIQE": 4.292, "PSNR": math.inf, "SSIM": 1.0},
        "report-2021/celeba/Input": {"PSNR": 14.400068, "SSIM": 0.531505, "FID": 222.854079, "LPIPS": 0.517061},
        "report-2021/utkface/Output": {"PSNR": 9.931122, "SSIM": 0.414266, "FID": 148.868457, "LPIPS": 0.546444},
        "report-2021/wider/Output": {"PSNR": 9.59578, "SSIM": 0.413394, "FID": 313.560935, "LPIPS": 0.740526},
        "pmrf-2024/celeba-test/GFPGAN": {"FID": 46.72, "KID": 0.035, "NIQE": 4.415, "precision": 0.697, "LMD": 2.443},
        "osdface-2025/celeba-test/RestoreFormer++": {
            "LPIPS": 0.4535,
            "DISTS": 0.2301,
            "MUSIQ": 72.3612,
            "FID-HQ": 72.788,
        },
        "osdface-2025/celeba-test/OSDFace": {"NIQE": 3.884, "Deg": 60.0708, "LMD": 5.2867, "FID-FFHQ": 45.415},
        "osdface-2025/wider-test/RestoreFormer++": {"CLIPIQA": 0.7159, "MUSIQ": 71.332, "FID": 45.398},
        "osdface-2025/wider-test/OSDFace": {"MANIQA": 0.5229, "NIQE": 3.7741, "FID": 34.648},
        "osdface-2025/lfw-test/CodeFormer": {"CLIPIQA": 0.689, "MANIQA": 0.5266, "FID": 52.341},
        "osdface-2025/lfw-test/DiffBIR": {"CLIPIQA": 0.7948, "NIQE": 5.6782, "FID": 40.32},
        "osdface-2025/webphoto-test/VQFR": {"CLIPIQA": 0.6769, "NIQE": 4.6095, "FID": 84.776},
        "osdface-2025/webphoto-test/OSDFace": {"MUSIQ": 73.935, "NIQE": 3.9864, "FID": 84.597},
        "spider/lfw-test/DAEFR": {"MANIQA": 0.542, "CLIPIQA": 0.6965, "FID": 47.69},
        "spider/wider-test/DiffBIR": {"MANIQA": 0.6624, "CLIPIQA": 0.8083, "FID": 35.82},
        "ntire-2025/test/AllForFace": {
            "NIQE": 3.981,
            "CLIPIQA": 0.9517,
            "MANIQA": 0.7035,
            "Score": 4.3638,
            "failing": 1,
        },
        "ntire-2025/test/Night Watch": {"MUSIQ": 77.1615, "QALIGN": 4.5075, "FID": 76.5814, "failing": 130, "valid": 0},
        "ntire-2025/test/IPCV": {"AdaFace": 0.638, "NIQE": 5.4568, "FID": 55.7525, "Score": 3.645},
        "pmrf-2024/celeba-test/PMRF": {"PSNR": 26.37, "SSIM": 0.7073, "LPIPS": 0.347, "Deg": 30.67, "LMD": 2.03},
    }
    unchecked = [table.id for table in claims.tables() if not any(row.id in expected for row in table.rows)]
    assert unchecked == [], "no row of these tables is typed from its paper once more"
    for row_id, figures in expected.items():
        _, row = claims.row(row_id)
        assert {name: row.figures[name] for name in figures} == figures


def test_published_changes_are_the_difference_of_published_rows() -> None:
    table, rows = claims.tables()[0], {row.method: row.figures for row in claims.tables()[0].rows}
    assert table.id == "gfpgan-2021/celeba-test"
    for claim in claims.claims():
        if claim.change is None:
            continue
        rival = rows["Ground truth" if claim.says == "beats-truth" else "Input"]
        assert claim.change == pytest.approx(rows["GFP-GAN"][claim.figure] - rival[claim.figure], abs=1e-9), claim.id


def contradicted(claim: Claim, table: Table) -> list[str]:
    """Rows of a table that say the opposite of a claim about restoration."""
    lower = claim.figure in ("LPIPS", "FID", "NIQE", "Deg", "KID", "LMD")
    rows = {row.method: row.figures for row in table.rows}
    wrong = []
    for method in set(rows) - {"Input", "Ground truth"}:
        if claim.figure not in rows[method] or "Input" not in rows:
            continue
        rise = rows[method][claim.figure] - rows["Input"][claim.figure]
        if (claim.says == "improves" and (rise >= 0) == lower) or (claim.says == "does-not-rise" and rise > 0):
            wrong.append(method)
    return wrong


def test_the_paper_agrees_with_itself_and_the_report_does_not_agree_with_the_paper() -> None:
    tables = {table.id: table for table in claims.tables()}
    relative = [claim for claim in claims.claims() if claim.id.startswith("gfpgan-2021/")]
    for claim in relative:
        assert contradicted(claim, tables["gfpgan-2021/celeba-test"]) == []
    lpips = next(claim for claim in relative if claim.id.endswith("lowers-LPIPS"))
    said = {name: bool(contradicted(lpips, tables[f"report-2021/{name}"])) for name in ("celeba", "utkface", "wider")}
    assert said == {"celeba": True, "utkface": False, "wider": True}


def test_every_tolerance_covers_what_two_groups_measured() -> None:
    """The stated reason of the paper's tolerances: PMRF's authors measured the same method again."""
    table, ours = claims.row("gfpgan-2021/celeba-test/GFP-GAN")
    _, theirs = claims.row("pmrf-2024/celeba-test/GFPGAN")
    for figure in ours.figures:
        away = abs(ours.figures[figure] - theirs.figures[figure])
        assert away <= table.tolerance[figure] <= max(4 * away, 1.05 * away), figure


def test_restorers_and_faces_of_the_data_exist() -> None:
    from gfpbench.assets.datasets import FACES
    from gfpbench.degrade import DEGRADATIONS
    from gfpbench.restorers import RESTORERS

    for table in claims.tables():
        assert table.faces in FACES
        assert table.degradation in DEGRADATIONS
        for row in table.rows:
            assert row.restorer in {None, "truth", *RESTORERS}


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("gfpgan-1", {"LPIPS", "FID", "NIQE", "Deg", "PSNR", "SSIM"}),
        ("gfpgan-1.4?dtype=bf16", {"LPIPS", "FID", "NIQE", "Deg", "PSNR", "SSIM"}),
        ("checkpoint:weights/GFPGANv1.4.pth", {"LPIPS", "FID", "NIQE", "Deg", "PSNR", "SSIM"}),
        ("nano", {"SSIM", "GMSD", "PSNR"}),
        ("codeformer", set()),
    ],
)
def test_who_claims_what(name: str, figures: set[str]) -> None:
    made = {claim.figure for claim in claims.claims() if claim.is_made_by(name) and claim.applies_to != ("*",)}
    assert made == figures


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "somebody-2030.toml"
    path.write_text(MINIMAL)
    paper = claims.read(path)
    assert paper.tables[0].rows[0].id == "somebody-2030/t/Input"
    assert paper.claims[0].id == "somebody-2030/c"
    assert paper.claims[0].metric == "psnr_rgb"
    with pytest.raises(BadInput, match="cannot be read"):
        claims.read(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('source = "Somebody 2030"', "", "source must be str"),
        ('protocol = "gfpgan-paper"', 'protocol = "gfpgan-papers"', "did you mean 'gfpgan-paper'"),
        ("images = 3", "images = true", "images must be int"),
        ("images = 3", "images = 3\ncolour = 1", "unknown colour"),
        ("PSNR = 25.0", "PSNR = 25.0, PSMR = 1", "no figure 'PSMR'"),
        ("PSNR = 25.0", "PSNR = nan", "must be a number"),
        ("PSNR = 25.0", 'PSNR = "25"', "must be a number"),
        ("{ PSNR = 0.1, ", "{ ", "no tolerance for PSNR"),
        (', reason = "because"', "", "reason of its tolerance"),
        ('says = "improves"', 'says = "improve"', "did you mean 'improves'"),
        ('applies_to = ["theirs"]', "", "nobody makes this claim"),
        ("[[claim]]", '[[table.row]]\nmethod = "Input"\nfigures = { PSNR = 1 }\n[[claim]]', "there twice"),
        ("[[claim]]", "[[claim", "is not TOML"),
    ],
)
def test_a_broken_file_is_refused_in_words(old: str, new: str, said: str) -> None:
    assert old in MINIMAL
    with pytest.raises(BadInput, match=said):
        parse("somebody-2030", MINIMAL.replace(old, new, 1))


def test_a_misspelt_row_is_answered_with_a_near_one() -> None:
    with pytest.raises(BadInput, match="report-2021/celeba/Input"):
        claims.row("report-2021/celeba/input")
