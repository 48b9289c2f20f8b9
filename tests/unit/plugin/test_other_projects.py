"""The plugin in other people's projects: it claims no name of theirs, and does nothing that they did not ask for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from gfpbench import run
from gfpbench.completion import MARK, refuse_unfinished
from gfpbench.plugin.settings import SETTINGS
from gfpbench.plugin.short_names import SHORT_NAMES
from gfpbench.types import BadInput, Case

pytestmark = pytest.mark.usefixtures("forked_sessions")
QUICK = ("-p", "no:cacheprovider")
GATE = """
    def test_gate(restoration, comparison):
        assert comparison.passed
"""
MEASURE = ("--limit", "2", "--protocol", "report-2021", "--device", "cpu")
MODEL = """
    import cv2
    from gfpbench.restorers import from_array_function
    restorer = from_array_function(lambda rgb: cv2.GaussianBlur(rgb, (5, 5), 1.5))
"""
FOREIGN_FIXTURES = "\n".join(
    f"""
@pytest.fixture
def {name}():
    return ["theirs", "{name}"]

def test_{name}({name}):
    assert {name} == ["theirs", "{name}"]
"""
    for name in (*SHORT_NAMES, "report", "device", "seed")
)
CLASHES = "".join(f"    parser.addoption('{setting.short}', action='store', dest='their_{name.replace('-', '_')}')\n"
                  for name, setting in SETTINGS.items())  # fmt: skip
THEIR_VALUES = (
    "def test_theirs(pytestconfig):\n"
    + "".join(f"    assert pytestconfig.getoption('{setting.short}') == 'theirs'\n" for setting in SETTINGS.values())
)  # fmt: skip
ALL_THEIRS = tuple(f"{setting.short}=theirs" for setting in SETTINGS.values())


def faces_in(folder: Path, count: int = 2) -> Path:
    """Some images of noise that stand for faces."""
    folder.mkdir(parents=True)
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC))
    return folder


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("options", [("--junitxml", "junit.xml"), ("-p", "no:junitxml"), ()])
def test_fixtures_of_the_same_names_are_left_alone(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    pytester.makepyfile("import pytest\n" + FOREIGN_FIXTURES)
    outcome = pytester.runpytest_subprocess(*QUICK, *options)
    outcome.assert_outcomes(passed=len(SHORT_NAMES) + 3)
    outcome.stdout.no_fnmatch_line("*gfpbench*===*")


@pytest.mark.parametrize("name", SHORT_NAMES)
def test_a_parameter_of_the_same_name_is_left_alone(pytester: pytest.Pytester, name: str) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("{name}", [1, 2])
        def test_one({name}):
            assert {name} in (1, 2)

        @pytest.mark.parametrize(("other", "{name}"), [(1, 2)])
        def test_two(other, {name}):
            assert (other, {name}) == (1, 2)
        """
    )
    pytester.runpytest_subprocess(*QUICK, "--junitxml", "out.xml").assert_outcomes(passed=3)


def test_a_fixture_of_another_plugin_wins_whichever_is_registered_first(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        theirs="import pytest\n\n@pytest.fixture\ndef baseline():\n    return 'theirs'\n\nspeed = baseline\n",
        test_it="def test_it(baseline):\n    assert baseline == 'theirs'\n",
    )
    pytester.syspathinsert()
    pytester.runpytest_subprocess(*QUICK, "-p", "theirs").assert_outcomes(passed=1)
    with pytest.MonkeyPatch.context() as patch:  # these are loaded after those that are installed
        patch.setenv("PYTEST_PLUGINS", "theirs")
        pytester.runpytest_subprocess(*QUICK).assert_outcomes(passed=1)


def test_values_that_a_hook_gives_to_the_same_names_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        def pytest_generate_tests(metafunc):
            for name in ("speed", "comparison", "restoration"):
                if name in metafunc.fixturenames:
                    metafunc.parametrize(name, [1, 2])

        @pytest.mark.gpu
        def test_speed(speed):
            assert speed in (1, 2)

        @pytest.mark.network
        def test_comparison(comparison):
            assert comparison in (1, 2)

        def test_both(speed, restoration):
            assert speed in (1, 2) and restoration in (1, 2)
        """
    )
    options = ("--restorer", "nano", "--restorer", "bicubic")
    pytester.runpytest_subprocess(*QUICK, *options).assert_outcomes(passed=8)


def test_fixtures_of_a_plugin_that_is_no_module_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        theirs="""
        import pytest

        class Plugin:
            @pytest.fixture
            def speed(self):
                return "theirs"

        def pytest_addoption(pluginmanager):
            pluginmanager.register(Plugin())
        """,
        test_it="def test_it(speed):\n    assert speed == 'theirs'\n",
    )
    pytester.syspathinsert()
    pytester.runpytest_subprocess(*QUICK, "-p", "theirs").assert_outcomes(passed=1)


def test_marks_of_the_same_names_are_left_alone(pytester: pytest.Pytester) -> None:
    marks = "gpu", "network", "slow", "speed", "needs_asset('x')"
    tests = "".join(f"@pytest.mark.{mark}\ndef test_{number}():\n    pass\n" for number, mark in enumerate(marks))
    pytester.makepyfile("import pytest\n" + tests)
    pytester.runpytest_subprocess(*QUICK).assert_outcomes(passed=len(marks))
    pytester.runpytest_subprocess(*QUICK, "-m", "gpu or speed").assert_outcomes(passed=2, deselected=3)


def test_marks_act_where_a_test_uses_a_fixture_of_ours_or_the_project_says_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.network
        def test_plain():
            pass

        @pytest.mark.network
        def test_ours(bench):
            pass
        """
    )
    pytester.runpytest_subprocess(*QUICK).assert_outcomes(passed=1, skipped=1)
    pytester.makeini("[pytest]\ngfpbench_markers = true\n")
    pytester.runpytest_subprocess(*QUICK).assert_outcomes(skipped=2)


@pytest.mark.parametrize("place", ["conftest", "-p", "PYTEST_PLUGINS"])
def test_options_of_the_same_names_are_theirs(
    pytester: pytest.Pytester, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"def pytest_addoption(parser):\n{CLASHES}"
    pytester.makepyfile(**{"conftest" if place == "conftest" else "theirs": code}, test_it=THEIR_VALUES)
    pytester.syspathinsert()
    if place == "PYTEST_PLUGINS":
        monkeypatch.setenv("PYTEST_PLUGINS", "theirs")
    extra = ("-p", "theirs") if place == "-p" else ()
    outcome = pytester.runpytest_subprocess(*QUICK, *extra, *ALL_THEIRS)
    outcome.assert_outcomes(passed=1)
    outcome.stdout.no_fnmatch_line("*gfpbench: *")  # nobody asked gfpbench for anything


@pytest.mark.parametrize("style", ["flag", "dest"])
def test_a_conftest_may_have_a_flag_or_the_same_place_for_a_value(pytester: pytest.Pytester, style: str) -> None:
    told = "action='store_true'" if style == "flag" else "dest='report'"
    pytester.makeconftest(f"def pytest_addoption(parser):\n    parser.addoption('--report', {told})\n")
    (pytester.path / "inner").mkdir()
    expected = True if style == "flag" else "x"
    (pytester.path / "inner" / "test_it.py").write_text(
        f"def test_it(pytestconfig):\n    assert pytestconfig.getoption('report') == {expected!r}\n"
    )
    words = ("--report", "inner") if style == "flag" else ("--report", "x", "inner")
    pytester.runpytest_subprocess(*QUICK, *words).assert_outcomes(passed=1)


@pytest.mark.parametrize("ours", [(), ("--limit", "7")])
def test_a_conftest_that_the_collection_finds_may_have_options(
    pytester: pytest.Pytester, ours: tuple[str, ...]
) -> None:
    inner = pytester.path / "package" / "inner"
    inner.mkdir(parents=True)
    (inner / "conftest.py").write_text(f"def pytest_addoption(parser):\n{CLASHES}")
    (inner / "test_theirs.py").write_text("def test_theirs():\n    pass\n")
    pytester.makepyfile(f"def test_ours(bench):\n    assert bench.case('x').limit == {7 if ours else None}\n")
    pytester.runpytest_subprocess(*QUICK, *ours).assert_outcomes(passed=2)


def test_a_clash_is_one_line_and_the_long_names_work(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(f"def pytest_addoption(parser):\n{CLASHES}")
    pytester.makepyfile(GATE)
    long = ("--gfpbench-limit", "2", "--gfpbench-protocol=report-2021", "--gfpbench-device", "cpu")
    outcome = pytester.runpytest_subprocess(
        *QUICK, *long, "--gfpbench-restorer", "bicubic", "--gfpbench-baseline-update-new", "--gfpbench-report", "out"
    )
    outcome.assert_outcomes(passed=1)
    lines = [line for line in outcome.outlines if line.startswith("gfpbench: ")]
    assert len(lines) == 1
    assert "--device" in lines[0]
    assert "--gfpbench-device" in lines[0]
    assert (pytester.path / "out" / "results.json").exists()
    assert (pytester.path / "out" / "junit.xml").exists()


@pytest.mark.parametrize("loaded", ["pytest_plugins", "-p"])
def test_it_works_where_plugins_are_not_loaded_by_themselves(
    pytester: pytest.Pytester, loaded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    if loaded == "pytest_plugins":
        pytester.makeconftest("pytest_plugins = ['gfpbench.plugin']\n")
    pytester.makepyfile("def test_it(bench):\n    assert (bench.case('x').seed, bench.case('x').limit) == (7, 3)\n")
    extra = ("-p", "gfpbench.plugin") if loaded == "-p" else ()
    pytester.runpytest_subprocess(*QUICK, *extra, "--seed", "7", "--limit=3").assert_outcomes(passed=1)


def test_help_shows_both_names(pytester: pytest.Pytester) -> None:
    text = pytester.runpytest_subprocess("--help").stdout.str()
    assert all(f"  {setting.short}" in text and setting.long in text for setting in SETTINGS.values())


def test_long_fixture_names_are_the_same_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_same(gfpbench_result, restoration, gfpbench_input, degraded_input, gfpbench_bench, bench,
                      gfpbench_truth, ground_truth):
            assert gfpbench_result is restoration
            assert gfpbench_input is degraded_input
            assert gfpbench_truth is ground_truth
            assert gfpbench_bench is bench
        """
    )
    outcome = pytester.runpytest_subprocess(*QUICK, *MEASURE, "--restorer", "bicubic", "--junitxml", "out.xml")
    outcome.assert_outcomes(passed=1)
    text = (pytester.path / "out.xml").read_text()
    assert text.count('name="gfpbench.psnr_rgb.mean"') == 3  # of input, truth and restoration, each once


def test_a_fixture_may_wrap_one_of_ours(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "import pytest\n\n@pytest.fixture\ndef restoration(restoration):\n    return ('wrapped', restoration)\n"
    )
    pytester.makepyfile("def test_it(restoration):\n    assert restoration[0] == 'wrapped' and restoration[1].rows\n")
    options = (*MEASURE, "--restorer", "bicubic", "--restorer", "input")
    pytester.runpytest_subprocess(*QUICK, *options).assert_outcomes(passed=2)


@pytest.mark.parametrize("kind", ["pyproject.toml", "pytest.ini"])
def test_settings_live_in_the_configuration_of_the_project(pytester: pytest.Pytester, kind: str) -> None:
    if kind == "pytest.ini":
        head, quote = "[pytest]\n", ""
    else:
        head, quote = "[tool.pytest.ini_options]\n", '"'
    settings = {
        "restorer": "python:mine:restorer",
        "baselines": "gate/stored",
        "protocol": "report-2021",
        "limit": "2",
        "report": "out",
    }
    (pytester.path / kind).write_text(
        head + "".join(f"gfpbench_{name} = {quote}{value}{quote}\n" for name, value in settings.items())
    )
    pytester.makepyfile(mine=MODEL)
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "test_gate.py").write_text("def test_gate(comparison):\n    assert comparison.passed\n")
    made = pytester.runpytest_subprocess(*QUICK, "--baseline-update-new")
    made.assert_outcomes(passed=1)
    made.stdout.fnmatch_lines(["*python:mine*", f"baselines: {pytester.path}/gate/stored"])
    assert len(files_below(pytester.path / "gate" / "stored")) == 1
    assert (pytester.path / "out" / "index.html").exists()
    pytester.runpytest_subprocess(*QUICK).assert_outcomes(passed=1)


def test_the_command_line_outweighs_the_configuration(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngfpbench_seed = 5\ngfpbench_restorer = nano bicubic\ngfpbench_limit = 3\n")
    pytester.makepyfile(
        """
        def test_it(bench):
            case = bench.case("x")
            assert (case.seed, case.limit, bench.restorers) == (0, 3, ("nano", "bicubic"))
        """
    )
    pytester.runpytest_subprocess(*QUICK, "--seed", "0").assert_outcomes(passed=1)


def test_what_the_configuration_describes_has_one_name_wherever_pytest_is_started(pytester: pytest.Pytester) -> None:
    """Paths and modules in the configuration are meant from its folder."""
    faces_in(pytester.path / "faces")
    pytester.makeini(
        "[pytest]\ngfpbench_faces = faces\ngfpbench_restorer = python:mine:restorer\ngfpbench_protocol = report-2021\n"
    )
    pytester.makepyfile(mine=MODEL)
    tests = pytester.path / "tests"
    tests.mkdir()
    (tests / "test_gate.py").write_text("def test_gate(comparison):\n    assert comparison.passed\n")
    pytester.runpytest_subprocess(*QUICK, "--baseline-update-new").assert_outcomes(passed=1)
    stored = files_below(pytester.path / "baselines")
    for folder, words in ((tests, ()), (pytester.path.parent, (str(tests),)), (tests, ("-n", "1"))):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            pytester.runpytest_subprocess(*QUICK, *words).assert_outcomes(passed=1)
    assert files_below(pytester.path / "baselines") == stored
    assert files_below(pytester.path / "faces") == ["0.png", "1.png"]


def test_a_second_session_into_one_report_loses_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_rows(restoration):\n    assert restoration.rows\n")
    for name in ("bicubic", "classical"):
        outcome = pytester.runpytest_subprocess(*QUICK, *MEASURE, "--restorer", name, "--report", "out")
        outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines(["out: also holds 1 case measured before: bicubic-*"])
    stored = json.loads((pytester.path / "out" / "results.json").read_text())["results"]
    assert {result["case"]["restorer"] for result in stored} == {"bicubic", "classical"}


def test_a_result_may_be_asked_for_while_a_test_runs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(request):\n    assert request.getfixturevalue('restoration').rows\n")
    pytester.runpytest_subprocess(*QUICK, *MEASURE, "--restorer", "bicubic").assert_outcomes(passed=1)
    several = pytester.runpytest_subprocess(*QUICK, *MEASURE, "--restorer", "bicubic", "--restorer", "input")
    several.assert_outcomes(failed=1)
    several.stdout.fnmatch_lines(["*gfpbench_result is asked for while a test runs*"])


def test_a_missing_baseline_names_the_command_that_was_typed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_gate="def test_gate(comparison):\n    assert comparison.passed\n")
    outcome = pytester.runpytest_subprocess("test_gate.py", *MEASURE, "--restorer", "bicubic")
    outcome.stdout.fnmatch_lines(
        ["pytest * test_gate.py --limit 2 --protocol report-2021 --device cpu --restorer bicubic --baseline-update-new"]
    )


ENDS = """
    import ctypes, os, threading, time
    from concurrent.futures import ThreadPoolExecutor
    import cv2
    from gfpbench.restorers import from_array_function

    def blurred(rgb):
        return cv2.GaussianBlur(rgb, (5, 5), 1.5)

    def leaves_a_thread(rgb):
        threading.Thread(target=time.sleep, args=(1000,), name="feeder").start()
        return blurred(rgb)

    def leaves_a_pool(rgb):
        ThreadPoolExecutor().submit(time.sleep, 1000)
        return blurred(rgb)

    libc_exit = from_array_function(lambda rgb: ctypes.CDLL(None).exit(0))
    os_exit = from_array_function(lambda rgb: os._exit(0))
    execl = from_array_function(lambda rgb: os.execl("/bin/true", "true"))
    thread = from_array_function(leaves_a_thread)
    pool = from_array_function(leaves_a_pool)
"""
ROWS = "def test_rows(restoration):\n    assert not restoration.rows[0].failure\n"


def test_a_restorer_that_ends_the_process_is_no_success(pytester: pytest.Pytester) -> None:
    """Nothing within a process can keep the C library from ending it; what it leaves is known to be unfinished."""
    pytester.makepyfile(mine=ENDS, test_gate=ROWS)
    options = (*QUICK, *MEASURE, "--restorer", "python:mine:libc_exit", "--report", "out")
    pytester.runpytest_subprocess(*options)
    assert (pytester.path / "out" / MARK).exists()
    with pytest.raises(BadInput, match="has not finished"):
        refuse_unfinished(pytester.path / "out")
    witness = pytester.run(sys.executable, "-m", "gfpbench", "report", "out", "--markdown")  # as the template does
    assert witness.ret == 2
    witness.stderr.fnmatch_lines(["gfpbench: out: the run that writes here has not finished*"])
    outcome = pytester.runpytest_subprocess(*options, "--isolate")
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(["*its process ended with status 0*"])
    refuse_unfinished(pytester.path / "out")


@pytest.mark.parametrize(("model", "said"), [("os_exit", "os._exit(0)"), ("execl", "os.execv('/bin/true')")])
def test_what_python_can_refuse_is_a_failed_restoration(pytester: pytest.Pytester, model: str, said: str) -> None:
    pytester.makepyfile(mine=ENDS, test_gate=ROWS)
    outcome = pytester.runpytest_subprocess(*QUICK, *MEASURE, "--restorer", f"python:mine:{model}", "--report", "out")
    outcome.assert_outcomes(failed=1)
    assert f"SystemExit: {said}" in outcome.stdout.str()
    refuse_unfinished(pytester.path / "out")


@pytest.mark.parametrize(("model", "name", "status"), [("thread", "feeder", 0), ("pool", "ThreadPoolExecutor-0_0", 1)])
def test_a_thread_of_a_restorer_does_not_keep_the_session(
    pytester: pytest.Pytester, model: str, name: str, status: int
) -> None:
    written = "import atexit, pathlib\natexit.register(pathlib.Path('written').touch)\n"
    written += "from gfpbench.plugin import ending\nending.ENDING_SECONDS = 2.0\n"
    pytester.makepyfile(
        conftest=written, mine=ENDS, test_gate=f"{ROWS}\ndef test_other():\n    assert 'red' == 'blue'\n"
    )
    gate = (*QUICK, *MEASURE, "--restorer", f"python:mine:{model}", "--report", "out", "test_gate.py")
    words = gate if status else (*gate, "-k", "rows")
    outcome = pytester.runpytest_subprocess(*words, timeout=100)
    assert outcome.ret == status
    outcome.stderr.fnmatch_lines([f"gfpbench: a restorer has left threads that do not end (*{name}*"])
    assert (pytester.path / "written").exists()
    refuse_unfinished(pytester.path / "out")


ENDS_AT_EXIT = """
    import atexit, os, sys
    from gfpbench.process_guard import contained

    with contained():
        {registers}
"""


@pytest.mark.parametrize(
    "registers",
    ["atexit.register(lambda: sys.modules[os.name]._exit(0))", "atexit.register(os._exit, 0)"],
    ids=["called there", "kept"],
)
def test_what_a_model_registers_cannot_make_a_failed_gate_a_success(pytester: pytest.Pytester, registers: str) -> None:
    """Some end the process themselves, so that nothing is torn down: the status is that of the tests all the same."""
    pytester.makepyfile(conftest=ENDS_AT_EXIT.format(registers=registers))
    pytester.makepyfile("def test_gate():\n    assert 'red' == 'blue'\n")
    assert pytester.runpytest_subprocess(*QUICK).ret == pytest.ExitCode.TESTS_FAILED


def test_threads_of_others_are_waited_for(pytester: pytest.Pytester) -> None:
    """A thread of a project's own ends in its own time, and the session with it."""
    theirs = """
        import pathlib, threading, time
        from gfpbench.plugin import ending

        ending.ENDING_SECONDS = 0.5

        def upload():
            time.sleep(2)
            pathlib.Path("uploaded").touch()

        def test_theirs():
            threading.Thread(target=upload).start()
    """
    pytester.makepyfile(mine=ENDS, test_theirs=theirs, test_gate=ROWS)
    outcome = pytester.runpytest_subprocess(*QUICK, *MEASURE, "--restorer", "python:mine:thread", timeout=100)
    assert outcome.ret == pytest.ExitCode.OK
    outcome.stderr.fnmatch_lines(["gfpbench: a restorer has left threads*"])
    assert (pytester.path / "uploaded").exists()


def test_a_value_that_is_no_number_is_one_line(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngfpbench_limit = few\n")
    pytester.makepyfile("def test_it(bench):\n    bench.case('x')\n")
    outcome = pytester.runpytest_subprocess(*QUICK, "--limit", "x")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome = pytester.runpytest_subprocess(*QUICK)
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["ERROR: gfpbench_limit in *: *few*"])
    outcome = pytester.runpytest_subprocess(*QUICK, "-o", "gfpbench_limit=abc")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["ERROR: gfpbench_limit*abc*"])
    pytester.makepyfile("def test_it():\n    pass\n")  # of somebody else, beside such a value
    words = (word for name in ("limit", "seconds_per_image") for word in ("-o", f"gfpbench_{name}=few"))
    assert pytester.runpytest_subprocess(*QUICK, *words).ret == pytest.ExitCode.OK


def test_a_session_that_uses_nothing_of_ours_leaves_nothing(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(pytester.mkdir("scratch")))
    pytester.makepyfile("def test_nothing():\n    pass\n")
    pytester.runpytest_subprocess(*QUICK, "-n", "2").assert_outcomes(passed=1)
    assert not [name for name in files_below(pytester.path / "scratch") if "gfpbench" in name]


def test_failures_of_others_are_not_read(pytester: pytest.Pytester) -> None:
    """One may begin with the name of an error of ours, and thousands of tracebacks take long to write out."""
    pytester.makepyfile("import pytest\n\ndef test_it():\n    pytest.fail('DiskRefused: theirs', pytrace=False)\n")
    for workers in ("0", "2"):
        assert pytester.runpytest_subprocess(*QUICK, "-n", workers).ret == pytest.ExitCode.TESTS_FAILED


# Where things are written. `--faces` with an absolute path used to move pytest's root folder among the faces.

CONFIGURATIONS = ("", "[pytest]\n", "[pytest]\naddopts = -rA\npythonpath = code\n")


def gate_project(folder: Path, configuration: str) -> Path:
    (folder / "code").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_gate.py").write_text("def test_gate(comparison):\n    assert comparison.passed\n")
    model = "code" if "pythonpath" in configuration else "."
    lines = [line.removeprefix("    ") for line in MODEL.strip("\n").splitlines()]
    (folder / model / "mine.py").write_text("\n".join(lines) + "\n")
    (folder / "conftest.py").write_text("def pytest_addoption(parser):\n    parser.addoption('--theirs')\n")
    if configuration:
        (folder / "pytest.ini").write_text(configuration)
    else:
        (folder / "pyproject.toml").write_text("[project]\nname = 'theirs'\nversion = '1'\n")
    return folder


@pytest.mark.parametrize(
    # Three runs each; of the whole table only these take different ways through the code.
    ("spelling", "configuration"),
    [*(("apart", configuration) for configuration in CONFIGURATIONS), ("joined", ""), ("long", CONFIGURATIONS[-1])],
)
def test_baselines_stay_in_the_project_whatever_the_options_and_their_order(
    pytester: pytest.Pytester, spelling: str, configuration: str
) -> None:
    faces = faces_in(pytester.path / "data" / "faces")
    project = gate_project(pytester.path / "work" / "project", configuration)
    given = {
        "apart": ["--faces", str(faces)],
        "joined": [f"--faces={faces}"],
        "long": ["--gfpbench-faces", str(faces)],
    }[spelling]
    options = [*given, "--protocol", "report-2021", "--restorer", "python:mine:restorer", "--theirs", "1"]
    before = files_below(faces)
    pytester.chdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setenv("PYTHONPATH", str(project))
        made = pytester.runpytest_subprocess(*options, "--baseline-update-new")
        made.assert_outcomes(passed=1)
        made.stdout.fnmatch_lines([f"baselines: {project}/baselines/quality"])
        again = pytester.runpytest_subprocess("tests", *options)
        again.assert_outcomes(passed=1)
        if "-rA" in configuration:  # the project's configuration was read
            again.stdout.fnmatch_lines(["PASSED tests/test_gate.py*"])
        patch.chdir(pytester.path)
        elsewhere = [word for word in options if word not in ("--theirs", "1")]
        pytester.runpytest_subprocess(*elsewhere, str(project / "tests")).assert_outcomes(passed=1)
    assert files_below(faces) == before
    assert len(files_below(project / "baselines" / "quality")) == 1
    assert not (pytester.path / "data" / "baselines").exists()


@pytest.mark.parametrize("option", ["--report", "--baselines"])
def test_nothing_is_written_into_the_faces(pytester: pytest.Pytester, option: str) -> None:
    faces = faces_in(pytester.path / "faces")
    before = files_below(faces)
    pytester.makepyfile(mine=MODEL, test_gate=GATE)
    outcome = pytester.runpytest_subprocess(
        *QUICK, "--faces", "faces", "--protocol", "report-2021", "--restorer", "python:mine:restorer",
        "--baseline-update-new", option, "faces/below",
    )  # fmt: skip
    assert outcome.ret != pytest.ExitCode.OK
    told = outcome.stderr if option == "--report" else outcome.stdout
    told.fnmatch_lines(["*lies in the folder of the faces*choose a folder outside of it*"])
    assert files_below(faces) == before


def test_a_report_among_the_faces_is_refused_by_the_command(tmp_path: Path) -> None:
    faces = faces_in(tmp_path / "faces")
    (tmp_path / "link").symlink_to(faces)
    for store in (faces / "report", tmp_path / "link" / "report", faces):
        with pytest.raises(BadInput, match="lies in the folder of the faces"):
            run.measure(Case(str(faces), "paper", "bicubic"), store=store, metrics=["psnr_rgb"])
    with pytest.raises(BadInput, match="lies in the folder of the restored images"):
        run.measure(Case("embedded", "paper", f"outputs:{faces}"), store=faces / "x", metrics=["psnr_rgb"])
    assert len(files_below(faces)) == 2


def test_a_result_of_the_faces_is_not_read_back_as_a_baseline(pytester: pytest.Pytester) -> None:
    """JUnit properties tell what was measured now; a stored Result that a test also holds is not mixed in."""
    pytester.makepyfile(
        """
        def test_it(restoration, baseline, comparison):
            assert baseline is not restoration
        """
    )
    options = (*MEASURE, "--restorer", "bicubic", "--baseline-update-new", "--report", "out")
    pytester.runpytest_subprocess(*QUICK, *options).assert_outcomes(passed=1)
    assert (pytester.path / "out" / "junit.xml").read_text().count('name="gfpbench.psnr_rgb.mean"') == 1
    assert json.loads((pytester.path / "out" / "results.json").read_text())["results"]
