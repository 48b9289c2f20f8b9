"""A misspelt name or a number out of range ends the session with one line and exit code 4, before any test has run."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import io
import json
import os
import sys
from pathlib import Path
from unittest import mock

import pytest

from gfpbench import results
from gfpbench.completion import is_unfinished
from tests import child
from tests.preloaded import WITHOUT_THEIRS, Preloaded
from tests.unit.baselines import sample

QUICK = ("-p", "no:cacheprovider", "--import-mode=importlib")
FILES = {
    "ours.py": "def test_rows(restoration, comparison):\n    raise AssertionError('was run')\n",
    "bench.py": "def test_it(bench):\n    assert bench.case('nano', faces='mine', limit=None).faces == 'mine'\n",
    "skipped.py": "import pytest\n@pytest.mark.skip(reason='not here')\ndef test_it(restoration):\n    pass\n",
    "parameter.py": "import pytest\n@pytest.mark.parametrize('restoration', [1])\n"
    "def test_it(restoration):\n    pass\n",
    "fixture.py": "import pytest\n@pytest.fixture\ndef restoration():\n    pass\ndef test_it(restoration):\n    pass\n",
    "broken/input-embedded-paper-s0.json": "{",
    "other.py": "def test_it():\n    pass\n",
    "made/pytest.ini": "[pytest]\ngfpbench_faces = later\ngfpbench_device = cuda\n"
    "gfpbench_restorer = checkpoint:later.pth\ngfpbench_seconds_per_image = 3\n",
    "made/conftest.py": """
import pytest
from gfpbench.plugin import Bench

@pytest.fixture(scope="session", autouse=True)
def faces(pytestconfig):
    (pytestconfig.rootpath / "later").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bench, "measure", lambda self, case: case)
        yield
""",
    "made/test_it.py": "def test_it(restoration, pytestconfig):\n"
    "    assert (pytestconfig.rootpath / 'later').is_dir()\n",
}
WRONG = {
    "--restorer nanoo": "no restorer named 'nanoo': did you mean 'nano'*",
    "--restorer bicubic --restorer checkpoint:": "restorer 'checkpoint:' lacks its argument*",
    "--faces embeded": "no face set named 'embeded': did you mean 'embedded'*",
    "--degradation papr": "no degradation named 'papr': did you mean 'paper'*",
    "--degradation nois@0.3": "no axis named 'nois'*",
    "--protocol our": "no protocol named 'our': did you mean 'ours'*",
    "--device tpu": "no device 'tpu': here are auto, cpu*",
    "--device xpu:99": "device 'xpu:99' was asked for*",
    "--size 8": "faces come in sizes from 32 to 2048 px, not 8",
    "--limit 0": "a limit of 0 faces leaves nothing to measure",
    "--draws 0": "a face is drawn 1 to 10000 times, not 0",
    "--workers 0": "--workers 0: leaves nobody to measure; give 1 or more",
    "-o gfpbench_workers=-1": "--workers -1: leaves nobody to measure*",
    "--workers 2 -n 1": "--workers 2: pytest-xdist (-n) has workers of its own*",
    "--engine dask": "--engine dask: give processes or ray",
    "-o gfpbench_engine=dask": "--engine dask: give processes or ray",
    "--engine ray": "--engine ray needs the package 'ray', which is not here: run `pip install gfpbench[[]ray]`",
    "--engine ray -n 1": "--engine ray: pytest-xdist (-n) has workers of its own*",
    "--address auto": "--address is for --engine ray",
    "-o gfpbench_gpus_per_worker=1": "--gpus-per-worker is for --engine ray",
    "--seconds-per-image 3": "--seconds-per-image 3: has an effect with --isolate only*",
    "--baselines other.py": "--baselines other.py: *other.py is a file; give a folder",
    "--baselines other.py/quality": "--baselines other.py/quality: *other.py is a file; give a folder",
    "--baselines s3://bucket/quality": "--baselines s3://bucket/quality: is an address; give a folder",
    "--report s3://bucket/x": "--report s3://bucket/x: a session writes its report into a folder of this disk: give "
    "one, and put it there with `gfpbench report DIR --to ADDRESS`, or measure with `gfpbench run --report ADDRESS`",
    "--report memory://me:secret@host/x?signed=secret": "--report memory://host/x: a session writes*",
    "-o gfpbench_report=memory://x": "--report memory://x: a session writes*",
    "-o gfpbench_baselines=s3://bucket/quality": "--baselines s3://bucket/quality: is an address; give a folder",
    "-o gfpbench_restorer=nanoo": "no restorer named 'nanoo': did you mean 'nano'*",
    "-o gfpbench_faces=embeded": "no face set named 'embeded': did you mean 'embedded'*",
    "-o gfpbench_device=tpu": "no device 'tpu': here are auto, cpu*",
    "--restorer classical --restorer bicubic --baselines no-standard": "*/bicubic-embedded-paper-s0.json: the "
    "baseline of bicubic-embedded-paper-s0 holds no measured value (16 of 16 restorations failed: face 00: boom): "
    "record it again with --baseline-update",
    "--restorer input --baselines broken": "*/broken/input-embedded-paper-s0.json: *",
    "-o gfpbench_size=8": "faces come in sizes from 32 to 2048 px, not 8",
}
ALL_WRONG = "--restorer nanoo --faces embeded --size 8 --limit 0 --protocol our --degradation papr --baselines other.py"
ALLOWED = {
    "another test": f"other.py {ALL_WRONG} --device tpu --seconds-per-image 3",
    "a skipped test": f"skipped.py {ALL_WRONG} --device tpu",
    "a parameter of the name": f"parameter.py {ALL_WRONG} --device tpu",
    "a fixture of the name": f"fixture.py {ALL_WRONG} --device tpu",
    "the bench alone": f"bench.py {ALL_WRONG}",
    "no baseline is asked for": "bench.py --restorer input --baselines broken",
    "another test is chosen": f"ours.py other.py -k test_it {ALL_WRONG}",
    "nothing is to be run": f"ours.py --collect-only {ALL_WRONG}",
    "a fixture makes what is named": "made -c made/pytest.ini",
}
MODULE = "ours.py --restorer python:nowhere:restorer --device cpu"
REPORT = "ours.py --restorer nanoo --report out"


def sessions(folder: Path) -> None:
    """For a process of its own: print exit code, stdout and stderr of each session that pytest is asked for."""
    os.chdir(folder)
    sys.modules["ray"] = None  # type: ignore[assignment]  # not installed, wherever this runs
    told = {}
    for words in json.loads((folder / "sessions.json").read_text()):
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            status = pytest.main([*QUICK, *words.split()])
        told[words] = (int(status), out.getvalue(), errors.getvalue())
    print(json.dumps(told))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    case = dataclasses.replace(sample.CASE, faces="embedded", degradation="paper", restorer="bicubic")
    results.write([sample.failed(sample.baseline(case=case))], folder / "no-standard" / f"{case.id}.json")
    return folder


@pytest.fixture(scope="module")
def told(folder: Path, preloaded: Preloaded) -> dict[str, tuple[int, str, str]]:
    """What each session ended with: one process for all of them, which loads torch once."""
    asked = [*(f"ours.py {options}" for options in WRONG), *ALLOWED.values(), MODULE, REPORT]
    (folder / "sessions.json").write_text(json.dumps(asked))
    with preloaded.starts_children(), mock.patch.dict(os.environ, WITHOUT_THEIRS):
        found: dict[str, tuple[int, str, str]] = json.loads(child.run(__name__, "sessions", folder, timeout=300))
    return found


@pytest.mark.parametrize("options", WRONG)
def test_what_no_test_could_use_is_a_usage_error(told: dict[str, tuple[int, str, str]], options: str) -> None:
    status, out, errors = told[f"ours.py {options}"]
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "was run" not in out
    assert " error" not in out
    (line,) = filter(None, errors.splitlines())
    assert fnmatch.fnmatchcase(line, f"ERROR: {WRONG[options]}")


@pytest.mark.parametrize("which", ALLOWED)
def test_nothing_else_is_stopped(told: dict[str, tuple[int, str, str]], which: str) -> None:
    status, out, errors = told[ALLOWED[which]]
    assert (status, errors) == (pytest.ExitCode.OK, "")
    useless = "gfpbench: gfpbench_seconds_per_image has an effect with --isolate only"
    assert (useless in out) is ("made" in ALLOWED[which])


def test_a_module_that_is_not_there_is_an_error_of_its_test(told: dict[str, tuple[int, str, str]]) -> None:
    status, out, _ = told[MODULE]
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "BadInput: no module named 'nowhere'" in out


def test_a_report_whose_session_was_refused_is_unfinished(told: dict[str, tuple[int, str, str]], folder: Path) -> None:
    assert told[REPORT][0] == pytest.ExitCode.USAGE_ERROR
    assert is_unfinished(folder / "out")


def test_no_folder_is_named_like_an_address(told: dict[str, tuple[int, str, str]], folder: Path) -> None:
    assert all(told[f"ours.py {options}"][0] == pytest.ExitCode.USAGE_ERROR for options in WRONG if "://" in options)
    assert not [*folder.rglob("*:")]


@pytest.mark.usefixtures("forked_sessions")
def test_workers_end_the_session_in_the_same_way(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FILES["ours.py"])
    outcome = pytester.runpytest_subprocess(*QUICK, "--restorer", "nanoo", "-n", "2", timeout=120)
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.assert_outcomes()
    outcome.stderr.fnmatch_lines(["ERROR: no restorer named 'nanoo': did you mean 'nano'*"])
