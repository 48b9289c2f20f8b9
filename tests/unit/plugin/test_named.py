"""A misspelt name or a number out of range ends the session with one line and exit code 4, before any test has run."""

from __future__ import annotations

import numpy as np  # noqa: F401  # loaded once: pytester forgets what a session within this process has imported
import pytest
import torch  # noqa: F401

from gfpbench.completion import is_unfinished
from gfpbench.metrics import protocols  # noqa: F401
from gfpbench.plugin import Bench

USES = "def test_rows(restoration, comparison):\n    raise AssertionError('was run')\n"
QUICK = ("-p", "no:cacheprovider")
WRONG = {
    ("--restorer", "nanoo"): "no restorer named 'nanoo': did you mean 'nano'*",
    ("--restorer", "bicubic", "--restorer", "checkpoint:"): "restorer 'checkpoint:' lacks its argument*",
    ("--faces", "embeded"): "no face set named 'embeded': did you mean 'embedded'*",
    ("--degradation", "papr"): "no degradation named 'papr': did you mean 'paper'*",
    ("--degradation", "nois@0.3"): "no axis named 'nois'*",
    ("--protocol", "our"): "no protocol named 'our': did you mean 'ours'*",
    ("--device", "tpu"): "no device 'tpu': here are auto, cpu*",
    ("--device", "xpu:99"): "device 'xpu:99' was asked for*",
    ("--size", "8"): "faces come in sizes from 32 to 2048 px, not 8",
    ("--limit", "0"): "a limit of 0 faces leaves nothing to measure",
    ("--draws", "0"): "a face is drawn 1 to 10000 times, not 0",
    ("--seconds-per-image", "3"): "--seconds-per-image 3: has an effect with --isolate only*",
    ("--baselines", "test_it.py"): "--baselines test_it.py: *test_it.py is a file; give a folder",
    ("--baselines", "test_it.py/quality"): "--baselines test_it.py/quality: *test_it.py is a file; give a folder",
}


@pytest.mark.parametrize("options", WRONG, ids=" ".join)
def test_what_no_test_could_use_is_a_usage_error(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    pytester.makepyfile(test_it=USES)
    outcome = pytester.runpytest_inprocess(*QUICK, *options)
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.assert_outcomes()
    outcome.stderr.fnmatch_lines([f"ERROR: {WRONG[options]}"])
    assert len([line for line in outcome.errlines if line]) == 1


def test_workers_end_the_session_in_the_same_way(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=USES)
    outcome = pytester.runpytest_subprocess(*QUICK, "--restorer", "nanoo", "-n", "2", timeout=120)
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.assert_outcomes()
    outcome.stderr.fnmatch_lines(["ERROR: no restorer named 'nanoo': did you mean 'nano'*"])


@pytest.mark.parametrize(
    "configuration",
    ["restorer = nanoo", "device = tpu", "faces = embeded"],
)
def test_in_the_configuration_too(pytester: pytest.Pytester, configuration: str) -> None:
    pytester.makepyfile(test_it=USES)
    pytester.makeini(f"[pytest]\ngfpbench_{configuration}\n")
    outcome = pytester.runpytest_inprocess(*QUICK)
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    assert len([line for line in outcome.errlines if line]) == 1


@pytest.mark.parametrize(
    "theirs",
    [
        "def test_it():\n    pass\n",
        "def test_it(bench):\n    assert bench.case('nano', faces='mine', size_px=64, limit=None).limit is None\n",
        "import pytest\n@pytest.mark.skip(reason='not here')\ndef test_it(restoration):\n    pass\n",
        "import pytest\n@pytest.mark.parametrize('restoration', [1])\ndef test_it(restoration):\n    pass\n",
        "import pytest\n@pytest.fixture\ndef restoration():\n    pass\ndef test_it(restoration):\n    pass\n",
    ],
    ids=["another test", "the bench alone", "a skipped test", "a parameter of the name", "a fixture of the name"],
)
def test_nobody_elses_test_is_stopped(pytester: pytest.Pytester, theirs: str) -> None:
    options = ["--restorer", "nanoo", "--faces", "embeded", "--size", "8", "--limit", "0", "--protocol", "our"]
    options += [] if "bench" in theirs else ["--device", "tpu"]  # whatever uses the bench uses its device
    pytester.makepyfile(test_it=theirs)
    assert pytester.runpytest_inprocess(*QUICK, *options).ret == pytest.ExitCode.OK


def test_only_what_is_chosen_counts(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=f"{USES}\n\ndef test_other():\n    pass\n")
    assert pytester.runpytest_inprocess(*QUICK, "--restorer", "nanoo", "-k", "other").ret == pytest.ExitCode.OK
    assert pytester.runpytest_inprocess(*QUICK, "--restorer", "nanoo", "--collect-only").ret == pytest.ExitCode.OK


def test_what_a_fixture_may_yet_make_is_left_to_the_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bench, "measure", lambda self, case: case)
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def faces(pytestconfig):
            (pytestconfig.rootpath / "made").mkdir()
        """
    )
    pytester.makepyfile(
        test_it="from pathlib import Path\ndef test_it(restoration):\n    assert Path('made').is_dir()\n"
    )
    pytester.makeini(
        "[pytest]\ngfpbench_faces = made\ngfpbench_device = cuda\ngfpbench_restorer = checkpoint:later.pth"
        "\ngfpbench_seconds_per_image = 3\n"
    )
    outcome = pytester.runpytest_inprocess(*QUICK)
    assert outcome.ret == pytest.ExitCode.OK
    outcome.stdout.fnmatch_lines(["gfpbench: gfpbench_seconds_per_image has an effect with --isolate only*"])


def test_a_module_that_is_not_there_is_an_error_of_its_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=USES)
    outcome = pytester.runpytest_inprocess(*QUICK, "--restorer", "python:nowhere:restorer", "--device", "cpu")
    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["BadInput: no module named 'nowhere'*"])


def test_a_report_whose_run_was_refused_stays_unfinished(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=USES)
    pytester.runpytest_inprocess(*QUICK, "--restorer", "nanoo", "--report", "out")
    assert is_unfinished(pytester.path / "out")
