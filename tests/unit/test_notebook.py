"""The front door: what ``import gfpbench`` offers, in any order of imports, with names, functions and arrays."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch

import gfpbench
from gfpbench.images import as_batch, to_rgb_arrays
from gfpbench.metrics import load as load_metrics
from gfpbench.report.summary import summary
from gfpbench.types import BadInput, Case, ImageBatch, Result
from tests.unit.run.laws import Smooth

pytestmark = pytest.mark.usefixtures("forked_processes")
README = Path(__file__).parents[2] / "README.md"
RECIPE = Path(__file__).parents[2] / "docs" / "howto" / "notebook.md"
DOOR = {"Case", "Result", "ImageBatch", "load_faces", "load_restorer", "degrade", "measure", "compare", "write_report"}
DOOR |= {"compute", "collapse"}
RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 256, (3, 48, 40, 3), dtype=np.uint8)
RESTORED = np.clip(TRUTH.astype(np.int16) + RNG.integers(-9, 10, TRUTH.shape), 0, 255).astype(np.uint8)


def mirrored(rgb: np.ndarray) -> np.ndarray:
    return rgb[:, ::-1]


def brighter(batch: ImageBatch) -> ImageBatch:
    return ImageBatch((batch.pixels * 0.9 + 0.1).clamp(0, 1), batch.ids)


def fresh(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def two() -> tuple[Result, Result]:
    faces = gfpbench.load_faces("embedded", draws=2)
    return tuple(gfpbench.measure(one, faces, metrics=["psnr_rgb", "ssim_rgb"]) for one in ("bicubic", mirrored))  # type: ignore[return-value]


def test_the_door_offers_what_it_says() -> None:
    assert DOOR <= set(gfpbench.__all__) <= set(dir(gfpbench))
    assert all(getattr(gfpbench, name) is not None for name in gfpbench.__all__)
    with pytest.raises(AttributeError, match="no attribute 'messure'"):
        _ = gfpbench.messure  # type: ignore[attr-defined]


ORDERS = list(
    permutations(
        [
            "import gfpbench; assert callable(gfpbench.degrade) and callable(gfpbench.collapse)",
            "from gfpbench.degrade import load as d; import gfpbench.degrade.chain; import gfpbench.collapse.search",
            "from gfpbench import degrade, collapse; assert degrade.load and collapse.Question",
        ]
    )
)


@pytest.mark.parametrize("order", ORDERS, ids=range(len(ORDERS)))
def test_a_package_that_can_be_called_stays_a_package(order: tuple[str, ...]) -> None:
    fresh(
        "\n".join(
            [
                *order,
                "import gfpbench.degrade as d1, gfpbench.collapse as c1, sys, types",
                "assert d1 is gfpbench.degrade is degrade is sys.modules['gfpbench.degrade']",
                "assert c1 is gfpbench.collapse is collapse is sys.modules['gfpbench.collapse']",
                "assert isinstance(d1, types.ModuleType) and callable(d1) and callable(c1)",
                "assert gfpbench.degrade.chain.Chain.__module__ == 'gfpbench.degrade.chain'",
                "assert gfpbench.collapse.search.find is gfpbench.collapse.find",
                "import importlib; assert importlib.reload(d1) is d1 and callable(d1)",
            ]
        )
    )


def test_a_star_import_gives_the_same_names() -> None:
    said = fresh("from gfpbench import *; import gfpbench; print(all(n in globals() for n in gfpbench.__all__))")
    assert said.strip() == "True"


@pytest.mark.parametrize("metric", ["psnr_rgb", "ssim_y", "gmsd"])
def test_compute_is_the_metric_itself(metric: str) -> None:
    (scorer,) = load_metrics([metric])
    batches = as_batch(RESTORED), as_batch(TRUTH)
    expected = scorer(*batches).tolist()
    assert np.asarray(gfpbench.compute(metric, RESTORED, TRUTH)).tolist() == expected
    assert np.asarray(gfpbench.compute(metric, *batches)).tolist() == expected
    single = gfpbench.compute(metric, RESTORED[1], TRUTH[1])
    assert isinstance(single, float)
    assert single == expected[1]


def test_compute_agrees_with_the_formula() -> None:
    error = ((RESTORED[0].astype(float) - TRUTH[0]) ** 2).mean()
    assert gfpbench.compute("psnr_rgb", RESTORED[0], TRUTH[0]) == pytest.approx(10 * math.log10(255**2 / error))


def test_compute_without_a_truth() -> None:
    large = RNG.integers(0, 256, (192, 192, 3), dtype=np.uint8)
    assert gfpbench.compute("niqe", large) == gfpbench.compute("niqe", large, large // 2)


@pytest.mark.parametrize(
    ("restored", "truth", "says"),
    [
        (RESTORED / 255.0, TRUTH, r"restored: .* not \(3, 48, 40, 3\) float64; of floats the range is not known"),
        (RESTORED, (TRUTH / 255).astype(np.float32), r"truth: .* float32; of floats the range is not known"),
        (RESTORED.astype(np.int64), TRUTH, r"restored: .* int64$"),
        (RESTORED.transpose(0, 3, 1, 2), TRUTH, r"restored: expected \(H, W, 3\) or \(B, H, W, 3\)"),
        (RESTORED[..., 0], TRUTH, r"restored: .* not \(3, 48, 40\) uint8"),
        (torch.from_numpy(RESTORED), TRUTH, "restored: .* torch.uint8"),
        (RESTORED.tolist(), TRUTH, "restored: .* ImageBatch, not list"),
        (RESTORED, None, "compares with the truth"),
        (RESTORED, TRUTH[:2], "as many distinct names"),
        (RESTORED, TRUTH[:, :32], "one size"),
    ],
)
def test_compute_refuses_what_it_cannot_be_sure_of(restored: object, truth: object, says: str) -> None:
    with pytest.raises(BadInput, match=says) as refused:
        gfpbench.compute("psnr_rgb", restored, truth)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_compute_refuses_other_names() -> None:
    with pytest.raises(BadInput, match="did you mean 'psnr_rgb'"):
        gfpbench.compute("psnr_rbg", RESTORED, TRUTH)
    for name in (None, ["psnr_rgb"], 3):
        with pytest.raises(BadInput, match="no metric named"):
            gfpbench.compute(name, RESTORED, TRUTH)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="whole set"):
        gfpbench.compute("fid_legacy_vs_truth", RESTORED, TRUTH)


def test_degrade_is_what_a_run_does() -> None:
    batch = as_batch(TRUTH, ids=("a", "b", "c"))
    chain = gfpbench.degrade.load("paper")
    expected = chain.apply(batch, [chain.draw(name, 5, batch.size) for name in batch.ids])
    assert torch.equal(gfpbench.degrade(batch, "paper", seed=5).pixels, expected.pixels)
    arrays = gfpbench.degrade(TRUTH, chain, seed=5, ids=("a", "b", "c"))
    assert np.array_equal(arrays, np.stack(to_rgb_arrays(expected)))
    assert np.array_equal(gfpbench.degrade(TRUTH[1], "paper", seed=5, ids=("b",)), arrays[1])
    assert not np.array_equal(gfpbench.degrade(TRUTH[1], "paper", seed=6, ids=("b",)), arrays[1])
    with pytest.raises(BadInput, match="of floats the range is not known"):
        gfpbench.degrade(TRUTH / 255.0)  # type: ignore[arg-type]


def test_measure_by_objects_is_measure_by_names(two: tuple[Result, Result]) -> None:
    by_name = gfpbench.measure(Case("embedded", "paper", "bicubic", draws=2), metrics=["psnr_rgb", "ssim_rgb"])
    assert by_name.case == two[0].case
    assert by_name.rows == two[0].rows
    degradation = gfpbench.degrade.load("paper")
    restorer = gfpbench.load_restorer("bicubic", device="cpu")
    again = gfpbench.measure(restorer, "embedded", degradation, draws=2, metrics=["psnr_rgb", "ssim_rgb"], device="cpu")
    assert again.rows == by_name.rows
    assert again.case == by_name.case


def test_functions_restore(two: tuple[Result, Result]) -> None:
    assert two[1].case.restorer == "mirrored"
    assert not any(row.failure for row in two[1].rows)
    batch = gfpbench.measure(brighter, limit=2, metrics=["psnr_rgb"])
    assert batch.case.restorer == "brighter"
    assert not any(row.failure for row in batch.rows)
    array = gfpbench.measure(gfpbench.load_restorer(lambda rgb: rgb // 2, name="dark"), limit=2, metrics=["psnr_rgb"])
    assert (array.case.restorer, [row.failure for row in array.rows]) == ("dark", [None, None])
    broken = gfpbench.measure(lambda rgb: rgb.astype(float), limit=2, metrics=["psnr_rgb"])
    assert all("not (128, 128, 3) uint8" in str(row.failure) for row in broken.rows)


def called(name: object) -> Smooth:
    restorer = Smooth()
    restorer.name = name  # type: ignore[assignment]
    return restorer


def test_what_is_no_restorer_is_refused() -> None:
    for given, says in [
        (torch.nn.Identity(), "from_module"),
        (3, "not int"),
        ("bicubc", "did you mean 'bicubic'"),
        (Smooth, r"Smooth is a class, not a restorer: give an object of it, Smooth\(\)"),
        (called(5), r"a restorer \(Smooth\): name has to be a text that is not empty, not 5"),
        (called("truth"), "a restorer of your own cannot be called 'truth'"),
    ]:
        for take in (gfpbench.load_restorer, gfpbench.collapse):
            with pytest.raises(BadInput, match=says):
                take(given)  # type: ignore[arg-type]
    for role in ("truth", "input"):
        with pytest.raises(BadInput, match=f"cannot be called '{role}'"):
            gfpbench.load_restorer(mirrored, name=role)
    with pytest.raises(BadInput, match="has a name"):
        gfpbench.load_restorer("nano", name="mine")


def test_a_case_says_everything_itself() -> None:
    case = Case("embedded", "paper", "bicubic", limit=2)
    with pytest.raises(BadInput, match="change them in the Case"):
        gfpbench.measure(case, limit=1)
    with pytest.raises(BadInput, match="give them to load_faces"):
        gfpbench.measure("bicubic", gfpbench.load_faces("embedded"), draws=1)


def test_faces_come_as_they_were_asked_for(tmp_path: Path) -> None:
    opened = gfpbench.load_faces("embedded", size_px=64)
    assert len(opened.ids()) == 16  # each of two portraits, degraded in eight ways
    result = gfpbench.measure("input", opened, limit=2, metrics=["psnr_rgb"])
    assert (result.case.size_px, result.case.draws, result.rows[0].size_px) == (64, None, (64, 64))
    with pytest.raises(BadInput):
        gfpbench.load_faces(tmp_path)


def test_means_are_those_of_the_report(two: tuple[Result, Result]) -> None:
    (group,) = summary(list(two)).groups
    for line in group.lines:
        for column, cell in zip(group.columns, line.cells, strict=True):
            mean = gfpbench.means(line.result)[column.metric]
            assert (mean.mean, (mean.low, mean.high)) == (cell.mean, cell.interval)


def test_means_of_equal_images() -> None:
    mean = gfpbench.means(gfpbench.measure("truth", limit=2, metrics=["psnr_rgb"]))["psnr_rgb"]
    assert (mean.low, mean.mean, mean.high) == (math.inf, math.inf, math.inf)
    assert "spread is not known" in mean.note


def test_a_report_holds_the_images_and_the_verdicts(two: tuple[Result, Result], tmp_path: Path) -> None:
    comparison = gfpbench.compare(two[1], two[0])
    assert comparison.images == 4
    page = gfpbench.write_report(two, tmp_path / "report", comparisons=[comparison])
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") >= 4 * 4  # degraded, two restored and the truth of each image
    assert {"junit.xml", "results.json", "verdicts.json"} <= {file.name for file in page.parent.iterdir()}
    alone = gfpbench.write_report(two[0], tmp_path / "alone").read_text(encoding="utf-8")
    assert "mirrored" not in alone


def test_two_results_of_one_case_are_told_apart(tmp_path: Path) -> None:
    one, other = (
        gfpbench.measure(gfpbench.load_restorer(function, name="mine"), limit=2, metrics=["psnr_rgb"])
        for function in (mirrored, lambda rgb: rgb // 2)
    )
    assert one.case == other.case
    page = gfpbench.write_report([one, other], tmp_path).read_text(encoding="utf-8")
    images = set(re.findall(r"data:image/png;base64,[^\"']+", page))
    assert len(images) == 2 * 4  # the second run has not overwritten the images of the first


def test_a_store_of_ones_own_is_kept(tmp_path: Path) -> None:
    result = gfpbench.measure("bicubic", limit=2, metrics=["psnr_rgb"], store=tmp_path / "cases")
    assert (tmp_path / "cases" / result.case.id / "result.json").exists()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    code = (
        f"import tempfile; tempfile.tempdir = {str(tmp_path)!r}\n"
        "import gfpbench; gfpbench.measure('input', limit=1, metrics=['psnr_rgb'])\n"
        "from pathlib import Path; print(len(list(Path(tempfile.tempdir).glob('gfpbench-*'))))"
    )
    assert fresh(code).strip() == "1"
    assert list(tmp_path.glob("gfpbench-*")) == []


def test_collapse_takes_a_function() -> None:
    found = gfpbench.collapse(mirrored, limit=2, size_px=32, draws=1, resolution=4)
    assert (found.question.restorer, found.kind) == ("mirrored", "at once")
    assert gfpbench.collapse_lines(found)


def test_the_recipe_of_the_documentation_runs(tmp_path: Path) -> None:
    (recipe,) = [
        code for code in re.findall(r"```python\n(.*?)```", RECIPE.read_text(), re.DOTALL) if "compare(" in code
    ]
    (tmp_path / "recipe.py").write_text(recipe)
    done = subprocess.run(
        [sys.executable, "recipe.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^psnr_rgb: \d+\.\d{3}, 95 % from \d+\.\d{3} to \d+\.\d{3}$", done.stdout, re.MULTILINE)
    assert "smooth-embedded-paper-s0-d4" in done.stdout
    assert (tmp_path / "report" / "index.html").exists()
    assert len([line for line in recipe.splitlines() if line and not line.startswith("import")]) <= 10


def test_the_recipe_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (recipe,) = [
        code for code in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if "measure(" in code
    ]
    exec(compile(recipe, "README.md", "exec"), {})
    said = capsys.readouterr().out
    means = re.findall(r"^(\w+): \d+\.\d{3}, 95 % from \d+\.\d{3} to \d+\.\d{3}$", said, re.MULTILINE)
    assert means == ["psnr_rgb", "ssim_rgb"]
