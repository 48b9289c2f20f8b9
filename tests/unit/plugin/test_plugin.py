"""The plugin in a project that only installed gfpbench: options, fixtures, markers, files, closing lines."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree

import pytest

pytestmark = pytest.mark.usefixtures("forked_sessions")
SMALL = ("--limit", "2", "--device", "cpu", "-p", "no:cacheprovider")
FEW = ("--protocol", "report-2021")
"""PSNR and SSIM, where a test does not ask which metrics there are."""

USES_A_RESULT = """
    def test_it_improves(restoration, degraded_input, ground_truth):
        assert restoration.image_ids == degraded_input.image_ids == ground_truth.image_ids
        assert all(value == float("inf") for value in ground_truth.scores("psnr_rgb"))
"""


def test_a_report_of_three_files_and_closing_lines(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(USES_A_RESULT)
    outcome = pytester.runpytest_subprocess(*SMALL, "--report", "out")
    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines(["*= gfpbench =*", "*nano*", "not measured: niqe*", "report: out*index.html"])
    folder = pytester.path / "out"
    assert {"index.html", "junit.xml", "results.json"} <= {file.name for file in folder.iterdir()}
    properties = {
        item.get("name"): item.get("value")
        for item in ElementTree.parse(folder / "junit.xml").getroot().iter("property")
    }
    stored = json.loads((folder / "results.json").read_text())
    assert len(stored["results"]) == 3
    assert float(str(properties["gfpbench.psnr_rgb.mean"])) > 10


def test_nothing_is_left_without_report_nor_captured(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(USES_A_RESULT)
    outcome = pytester.runpytest_subprocess(*SMALL, *FEW, "-p", "no:capture")
    outcome.assert_outcomes(passed=1)
    assert not (pytester.path / "report").exists()


def test_each_restorer_is_a_test_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_rows(restoration):\n    assert restoration.rows\n")
    outcome = pytester.runpytest_subprocess(*SMALL, *FEW, "--restorer", "nano", "--restorer", "bicubic", "-v")
    outcome.assert_outcomes(passed=2)
    outcome.stdout.fnmatch_lines(["*test_rows?nano-embedded-paper-s0-n2* PASSED*", "*test_rows?bicubic-*PASSED*"])


def test_a_failed_restoration_is_in_the_report_and_not_a_number(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(broken="def restorer(batch):\n    raise ValueError('out of paint')\n")
    pytester.makepyfile(
        """
        def test_restored(restoration):
            assert [row.failure for row in restoration.rows if row.failure] == []
        """
    )
    outcome = pytester.runpytest_subprocess(*SMALL, "--restorer", "python:broken:restorer", "--report", "out")
    outcome.assert_outcomes(failed=1)
    stored = json.loads((pytester.path / "out" / "results.json").read_text())
    rows = [row for result in stored["results"] for row in result["rows"] if row["failure"]]
    assert len(rows) == 2
    assert all(value is None for row in rows for value in row["scores"].values())


def test_gpu_tests_say_why_they_skip_and_strict_assets_fails_them(pytester: pytest.Pytester) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here, so nothing is skipped for want of one")
    pytester.makeini("[pytest]\ngfpbench_markers = true\n")
    pytester.makepyfile("import pytest\n@pytest.mark.gpu\ndef test_fast():\n    pass\n")
    lenient = pytester.runpytest_subprocess("-m", "gpu", "-rs", "-p", "no:cacheprovider")
    lenient.assert_outcomes(skipped=1)
    lenient.stdout.fnmatch_lines(["*no GPU*"])
    strict = pytester.runpytest_subprocess("-m", "gpu", "--strict-assets", "-p", "no:cacheprovider")
    assert strict.parseoutcomes().keys() <= {"failed", "errors", "error"}
    strict.stdout.fnmatch_lines(["*no GPU*--strict-assets*"])


@pytest.mark.parametrize(
    "skipping",
    [
        "import torch\n@pytest.mark.skipif(True, reason='needs a CUDA device')\n@MARK\ndef test_it():\n    pass\n",
        "@MARK\ndef test_it():\n    pytest.skip('needs a CUDA device')\n",
        "@MARK\ndef test_it():\n    pytest.importorskip('absent_package', reason='needs a CUDA device')\n",
        "@pytest.fixture\ndef gpu():\n    pytest.skip('needs a CUDA device')\n@MARK\ndef test_it(gpu):\n    pass\n",
    ],
    ids=["by a mark", "in its body", "for a package", "in a fixture"],
)
@pytest.mark.parametrize("mark", ["gpu", "needs_asset()"])
def test_strict_assets_lets_no_such_test_skip_itself(pytester: pytest.Pytester, skipping: str, mark: str) -> None:
    pytester.makeini("[pytest]\ngfpbench_markers = true\n")
    pytester.makeconftest("import torch\ntorch.cuda.is_available = lambda: True\n")
    pytester.makepyfile("import pytest\n" + skipping.replace("MARK", f"pytest.mark.{mark}"))
    lenient = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    lenient.assert_outcomes(skipped=1)
    strict = pytester.runpytest_subprocess("--strict-assets", "-p", "no:cacheprovider")
    assert strict.ret == 1
    assert strict.parseoutcomes().keys() <= {"failed", "error", "errors"}
    strict.stdout.fnmatch_lines(["*needs a CUDA device (--strict-assets)*"])


def test_strict_assets_leaves_other_skips_and_expected_failures_alone(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngfpbench_markers = true\n")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.skip(reason="not today")
        def test_skipped():
            pass

        @pytest.mark.needs_asset()
        @pytest.mark.xfail(reason="known")
        def test_expected():
            assert False

        @pytest.mark.needs_asset()
        @pytest.mark.network
        def test_network():
            pass
        """
    )
    pytester.runpytest_subprocess("--strict-assets", "-p", "no:cacheprovider").assert_outcomes(skipped=2, xfailed=1)


def test_a_missing_asset_skips_or_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(pytester.path / "empty"))
    pytester.makeini("[pytest]\ngfpbench_markers = true\n")
    pytester.makepyfile("import pytest\n@pytest.mark.needs_asset('gfpgan-1.4')\ndef test_real():\n    pass\n")
    lenient = pytester.runpytest_subprocess("-rs", "-p", "no:cacheprovider")
    lenient.assert_outcomes(skipped=1)
    lenient.stdout.fnmatch_lines(["*gfpbench fetch gfpgan-1.4*"])
    strict = pytester.runpytest_subprocess("--strict-assets", "-p", "no:cacheprovider")
    strict.stdout.fnmatch_lines(["*gfpbench fetch gfpgan-1.4*--strict-assets*"])
    assert strict.ret == 1


def test_a_project_that_does_not_use_it_pays_nothing(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")  # so that it gets an interpreter of its own
    pytester.makepyfile(
        """
        import sys

        def test_nothing_heavy_is_loaded():
            assert not {"torch", "cv2", "gfpbench.types"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_a_report_path_that_is_a_file_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing():\n    pass\n")
    (pytester.path / "taken").write_text("")
    outcome = pytester.runpytest_subprocess("--report", "taken")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["*taken*is a file*"])


def test_a_report_path_with_a_page_of_another_program_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing():\n    pass\n")
    site = pytester.mkdir("site") / "index.html"
    site.write_text("<title>My site</title>")
    result = pytester.runpytest("--report", "site")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--report site?index.html: was not written by gfpbench*another folder*"])
    assert site.read_text() == "<title>My site</title>"


def test_a_session_in_this_process_leaves_the_modules_of_ours(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys, types\n"
        "def test_imports():\n"
        "    for name in ('gfpbench.made_up', 'another.made_up'):\n"
        "        sys.modules[name] = types.ModuleType(name)\n"
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
    assert sys.modules.pop("gfpbench.made_up", None) is not None
    assert "another.made_up" not in sys.modules
