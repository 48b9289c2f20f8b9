"""A project that only did `pip install gfpbench`: the template, the README's recipe and the tutorial work there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARPER = """
import cv2
import numpy as np

from gfpbench.restorers import from_array_function

def sharpen(rgb: np.ndarray) -> np.ndarray:
    soft = cv2.GaussianBlur(rgb, (0, 0), 2.0)
    return cv2.addWeighted(rgb, 1.5, soft, -0.5, 0)

restorer = from_array_function(sharpen)
"""
BROKEN = SHARPER.replace("return ", "return 255 - ")
# PSNR and SSIM only: what is tested here does not depend on how many figures there are.
OPTIONS = ("--restorer", "python:mymodel:restorer", "--limit", "3", "--device", "cpu", "--protocol", "report-2021")


def readme_recipe() -> str:
    """The Python of the README's recipe for a gate."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"### Gate your model in CI\n.*?```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("gfpbench-*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment that has gfpbench from the wheel, and sees what it depends on here."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # Only a path: files of other projects that are installed here for editing are not followed.
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return Path(sysconfig.get_path("scripts", "venv", {"base": str(folder), "platbase": str(folder)})) / "python"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "docs" / "templates" / "test_gate.py", tmp_path / "tests" / "test_gate.py")
    (tmp_path / "mymodel.py").write_text(SHARPER)
    return tmp_path


def run(python: Path, project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the environment's interpreter in a project, knowing nothing of this checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    words = (str(python), "-P", *words)
    return subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_the_wheel_is_typed_and_brings_its_faces(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "gfpbench/py.typed" in names
    assert [name for name in names if name.startswith("gfpbench/_fixtures/")] == ["gfpbench/_fixtures/manifest.toml"]
    tops = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert tops == {"gfpbench"}, "what trains and what tests stays in the checkout"


def test_a_second_project_gates_its_model(python: Path, project: Path) -> None:
    where = run(python, project, "-c", "import gfpbench; print(gfpbench.__file__)").stdout
    assert Path(where.strip()).is_relative_to(python.parents[1]), where
    made = run(python, project, "-m", "pytest", "-p", "no:cacheprovider", *OPTIONS, "--baseline-update-new")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "3 passed" in made.stdout
    (baseline,) = (project / "baselines" / "quality").iterdir()
    (project / "mymodel.py").write_text(BROKEN)
    broken = run(python, project, "-m", "pytest", "-p", "no:cacheprovider", *OPTIONS, "--report", "report")
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert "not the baseline any more" in broken.stdout
    assert {"index.html", "junit.xml", "results.json"} <= {path.name for path in (project / "report").iterdir()}
    assert baseline.exists()


def files_of(page: Path) -> dict[str, str]:
    """The files that a page says to save: blocks of code whose first line names one."""
    blocks = re.findall(r"(?ms)^```\w+\n(# (\S+\.\w+)\b.*?)^```$", page.read_text(encoding="utf-8"))
    return {name: text for text, name in blocks}


@pytest.mark.usefixtures("forked_sessions")
def test_the_tutorial_stands_a_gate_up(pytester: pytest.Pytester) -> None:
    """Its files as they stand, with the recipe of the README among them; three images in place of sixteen."""
    page = ROOT / "docs" / "tutorial.md"
    files = files_of(page)
    assert list(files) == ["mymodel.py", "tests/test_gate.py", "pyproject.toml"]
    for name, text in files.items():
        (pytester.path / name).parent.mkdir(exist_ok=True)
        (pytester.path / name).write_text(text, encoding="utf-8")
    options = ("--limit", "3", "--gfpbench-protocol", "report-2021", "-p", "no:cacheprovider")
    pytester.runpytest_subprocess(*options, "--baseline-update-new").assert_outcomes(passed=2)
    assert (pytester.path / "report" / "index.html").exists()
    (before, after) = re.findall(r"change `(\w+=\d+)` to `(\w+=\d+)`", page.read_text(encoding="utf-8"))[0]
    assert before in files["mymodel.py"]
    (pytester.path / "mymodel.py").write_text(files["mymodel.py"].replace(before, after), encoding="utf-8")
    broken = pytester.runpytest_subprocess(*options)
    broken.assert_outcomes(passed=1, failed=1)
    assert broken.ret == 1
    broken.stdout.fnmatch_lines(["*not the baseline any more*"])


def test_one_recipe_stands_in_all_places() -> None:
    def code(text: str) -> str:
        return text.partition("from gfpbench")[2]

    tutorial = files_of(ROOT / "docs" / "tutorial.md")["tests/test_gate.py"]
    page = files_of(ROOT / "docs" / "howto" / "gate.md")["tests/test_gate.py"]
    assert code(readme_recipe()) == code(tutorial) == code(page)
    assert len(readme_recipe().splitlines()) <= 10
    assert readme_recipe().count("def test_") == 2
