"""What a command does not need is not loaded: each starts in an interpreter of its own, whose modules are looked at."""

from __future__ import annotations

import ast
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import gfpbench
from gfpbench import baselines, results
from gfpbench.lazy import LazyModule
from gfpbench.plugin import session_settings
from gfpbench.types import Case, Result, Row
from tests.preloaded import WITHOUT_THEIRS

HEAVY = (
    "torch", "torchvision", "cv2", "scipy", "matplotlib", "skimage", "numpy", "requests", "jinja2", "PIL", "tifffile",
    "pooch", "rich", "pydantic", "concurrent.futures", "gfpbench.cli.measure", "gfpbench.collapse.measuring",
)  # fmt: skip
PACKAGE = Path(gfpbench.__file__).parent
LAZY_PACKAGES = [
    path.parent.name for path in PACKAGE.glob("*/__init__.py") if "lazy_package(__name__" in path.read_text()
]


def loaded(*words: str, code: str = "from gfpbench.supervised import main; main()") -> set[str]:
    """Which of the heavy packages and modules a fresh interpreter has loaded when it is done."""
    told = f"[name for name in {HEAVY!r} if name in sys.modules]"
    at_exit = f"import atexit, json, sys; atexit.register(lambda: print('\\n' + json.dumps({told})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{at_exit}\n{code}", *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["gfpbench", "gfpbench.types"])
def test_words_need_no_packages(module: str) -> None:
    assert loaded(code=f"import {module}") == set()


def test_help_needs_what_draws_it() -> None:
    assert loaded("--version") <= {"gfpbench.cli.measure"}
    assert loaded("--help") <= {"rich", "gfpbench.cli.measure"}
    assert loaded("run", "--help") <= {"rich", "gfpbench.cli.measure"}


@pytest.mark.parametrize(
    "words",
    [
        ("list", "restorers"),
        ("list", "faces", "--json"),
        ("list", "metrics"),
        ("list", "protocols"),
        ("list", "assets"),
        ("list", "claims"),
    ],
    ids=" ".join,
)
def test_names_need_no_packages(words: tuple[str, ...]) -> None:
    """Nor the options of other verbs."""
    assert loaded(*words) == set()


@pytest.mark.parametrize("what", ["degradations", "axes", "hypotheses"])
def test_lists_of_what_draws_need_numpy(what: str) -> None:
    assert loaded("list", what) <= {"numpy", "concurrent.futures", "PIL"}


def test_the_check_sees_torch() -> None:
    assert {"torch", "numpy"} <= loaded(code="import gfpbench.images as i; i.levels.torch.float32")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    rows = tuple(Row(f"face{n}", f"{n:064d}", (32, 32), {}, {}, {"psnr_rgb": 20.0 + n}) for n in range(4))
    metric = {"unit": "dB", "better": "higher", "best": float("inf"), "tolerance": 0.01, "minimum_side_px": 1}
    for name in ("old", "new"):
        result = Result(Case("embedded", "paper", "bicubic"), rows, {"psnr_rgb": metric}, {}, {}, {}, {})
        results.write([result], tmp_path / name / "results.json")
    return tmp_path


def test_reports_and_comparisons_of_stored_results_need_no_torch(stored: Path) -> None:
    old, new = str(stored / "old"), str(stored / "new")
    assert loaded("report", old, "--to", str(stored / "page")) <= {"numpy", "jinja2"}
    assert (stored / "page" / "index.html").exists()
    assert loaded("report", old, "--markdown") <= {"numpy"}
    assert loaded("compare", new, old) <= {"numpy", "rich"}


FACES = "from gfpbench.faces import embedded; embedded.Embedded().source()"
IMPORTING = "from importlib.resources import files; embedded._beside = lambda package, file: (files(package) / file)"


@pytest.mark.usefixtures("forked_processes")
def test_the_embedded_faces_do_not_import_the_packages_that_carry_them() -> None:
    assert not {"matplotlib", "skimage"} & loaded(code=FACES)
    imported = loaded(code=FACES.replace("; ", f"; {IMPORTING}.read_bytes(); "))
    assert {"matplotlib", "skimage"} <= imported, "the check sees nothing"


WITH_A_WORKER = "import pytest; assert pytest.main(['-q', '-n', '1', *sys.argv[1:]]) == 0"
IMPORTING_STORES = """
from gfpbench import baselines
from gfpbench.plugin.session_settings import SessionSettings
SessionSettings.baselines = property(lambda session: baselines.QUALITY.folder)
"""


def test_a_session_of_pytest_xdist_that_uses_nothing_of_ours_loads_no_torch(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text("def test_it(): pass")
    words = (f"--rootdir={tmp_path}", *WITHOUT_THEIRS["PYTEST_ADDOPTS"].split(), str(tmp_path / "test_theirs.py"))
    assert "torch" not in loaded(*words, code=WITH_A_WORKER)
    assert "torch" in loaded(*words, code=IMPORTING_STORES + WITH_A_WORKER), "the check sees nothing"


def test_the_folder_of_baselines_is_where_they_are_stored() -> None:
    assert baselines.QUALITY.folder == session_settings.QUALITY_FOLDER


def test_garbage_is_collected_while_a_verb_works() -> None:
    """Not while it is imported, and not what was."""
    code = """
import gc
from gfpbench import supervised
from gfpbench.cli import look
def list_(what: str) -> None: assert gc.isenabled() and gc.get_freeze_count() > 10_000
look.list_ = list_
gc.freeze = lambda freeze=gc.freeze: (freeze(), print(gc.isenabled()))
supervised.main()
"""
    done = subprocess.run([sys.executable, "-c", code, "list", "faces"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["False", "True"]), done.stderr


def test_the_doctors_first_lines_need_no_packages() -> None:
    first = "from gfpbench.cli.doctor import examine; assert next(examine())['subject'] == 'gfpbench'"
    assert loaded(code=first) == set()


@pytest.mark.usefixtures("forked_processes")
@pytest.mark.parametrize("package", LAZY_PACKAGES)
def test_a_lazy_package_offers_what_it_says(package: str) -> None:
    """In a fresh interpreter, after its modules were imported first: a module never hides a function of its name."""
    modules = sorted(path.stem for path in (PACKAGE / package).glob("*.py") if path.stem != "__init__")
    code = "\n".join(
        [
            "import importlib, types",
            f"for name in {modules!r}: importlib.import_module('gfpbench.{package}.' + name)",
            f"package = importlib.import_module('gfpbench.{package}')",
            "for name in package.__all__: assert not isinstance(getattr(package, name), types.ModuleType), name",
            "assert set(package.__all__) <= set(dir(package))",
            "assert not hasattr(package, 'nothing_of_that_name')",
        ]
    )
    loaded(code=code)


def test_all_lazy_packages_are_looked_at() -> None:
    assert {"report", "run", "baselines", "collapse", "assets", "restorers"} <= set(LAZY_PACKAGES)


def test_a_lazy_module_is_the_module() -> None:
    stand_in = LazyModule("torch")
    assert stand_in.Tensor is torch.Tensor
    assert isinstance(torch.zeros(1), stand_in.Tensor)
    with pytest.raises(AttributeError):
        _ = stand_in.nothing_of_that_name


def test_the_module_takes_the_place_of_its_stand_in_where_that_was_made() -> None:
    """At the first use and not before, under each of its names; whoever holds the stand-in itself can go on."""
    place: dict[str, Any] = {"LazyModule": LazyModule}
    exec("torch = other = LazyModule('torch')\nnp = LazyModule('numpy')\ndef zeros(): return torch.zeros(1)", place)
    stand_in, unused = place["torch"], place["np"]
    assert isinstance(stand_in, LazyModule)
    assert torch.equal(place["zeros"](), torch.zeros(1))
    assert place["torch"] is place["other"] is torch
    assert place["np"] is unused
    place.update(torch="what a test put there")
    assert stand_in.Tensor is torch.Tensor
    assert place.get("torch") == "what a test put there"


def test_what_is_set_on_a_lazy_module_is_set_on_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = LazyModule("gfpbench.registry")
    from gfpbench import registry

    before = registry.Value
    with monkeypatch.context() as patched:
        patched.setattr(stand_in, "Value", "set here")
        assert str(registry.Value) == "set here"
    assert registry.Value is before, "what a test replaces is restored, not deleted"
    assert stand_in.Value is before


def test_results_and_batches_survive_pickling() -> None:
    from gfpbench.types import ImageBatch

    batch = ImageBatch(torch.zeros(1, 3, 4, 4), ("a",))
    assert torch.equal(pickle.loads(pickle.dumps(batch)).pixels, batch.pixels)


def test_a_type_checker_and_the_interpreter_see_the_same_modules() -> None:
    """Each stand-in has the name and the module that the block for type checkers imports."""
    for path in PACKAGE.rglob("*.py"):
        for block in ast.parse(path.read_text()).body:
            if not (isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING" and block.orelse):
                continue
            seen = {}
            for node in block.body:
                if isinstance(node, ast.Import):
                    for alias in node.names:
                        seen[alias.asname or alias.name.partition(".")[0]] = (
                            alias.name if alias.asname else alias.name.partition(".")[0]
                        )
                elif isinstance(node, ast.ImportFrom):
                    seen |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            made = [ast.unparse(node) for node in block.orelse]
            namespace: dict[str, object] = {"LazyModule": str}
            exec("\n".join(made), namespace)
            stand_ins = {name: namespace[name] for name in namespace if name not in ("LazyModule", "__builtins__")}
            assert stand_ins.items() <= seen.items(), path
