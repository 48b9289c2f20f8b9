"""A plugin that disturbs other projects is seen: each saboteur breaks a small project that passes without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.plugin import test_other_projects as laws
from tests.unit.plugin.test_workers import OPTIONS, check_nothing_was_there_before
from tests.unit.test_supervised import PROGRAMS, check_nothing_comes_from_where_it_is_started

PATCH = "import gfpbench.plugin as plugin\nfrom gfpbench.plugin import closing, options, ours, short_names\n"
OWN_FIXTURE = (
    "import pytest\n\n@pytest.fixture\ndef restoration():\n    return 'theirs'\n\n"
    "@pytest.mark.gpu\n@pytest.mark.network\ndef test_it(restoration):\n    assert restoration == 'theirs'\n"
)
OWN_PLUGIN = "import pytest\n\n@pytest.fixture\ndef baseline():\n    return 'theirs'\n"
OWN_OPTION = "def pytest_addoption(parser):\n    parser.addoption('--device')\n"
ASKS_PLUGIN = "def test_it(baseline):\n    assert baseline == 'theirs'\n"
ASKS_OPTION = "def test_it(pytestconfig):\n    assert pytestconfig.getoption('--device') == 'theirs'\n"
ROOT = "def test_it(pytestconfig):\n    assert pytestconfig.rootpath.name == 'project' and pytestconfig.inipath\n"

SABOTEURS = {
    "fixtures are told by their names": (
        "ours._is_ours = lambda definition: definition.argname == 'restoration'\n"
        "ours._FIXTURES = ''\nplugin.RESULT = 'restoration'\n",
        {"test_it": OWN_FIXTURE},
        (),
    ),
    "marks are told by their names": (
        "plugin.marker_is_ours = lambda item: True\n",
        {"test_it": OWN_FIXTURE.replace("@pytest.mark.gpu\n", "")},
        (),
    ),
    "names of other plugins are not looked for": (
        "short_names._fixtures_in = lambda plugin: ()\n",
        {"theirs": OWN_PLUGIN, "test_it": ASKS_PLUGIN},
        ("-p", "theirs"),
    ),
    "common options are claimed at once": (
        "options.taken_names = lambda parser: frozenset()\n",
        {"conftest": OWN_OPTION, "test_it": ASKS_OPTION},
        ("--device", "theirs"),
    ),
    "common options are kept while others are still to come": (
        "options.withdraw_short_options = lambda parser: None\n",
        {"inner/conftest": OWN_OPTION, "inner/test_it": "def test_it():\n    pass\n"},
        (".",),
    ),
    "the root folder is left where it moved": (
        "plugin.correct_root_folder = lambda *given: None\n",
        {"test_it": ROOT},
        ("--faces", "../faces"),
    ),
}


def run_beside(pytester: pytest.Pytester, patch: str, files: dict[str, str], options: tuple[str, ...]) -> bool:
    """Run a project beside a plugin that holds a patch; whether its one test passed."""
    (pytester.path / "faces").mkdir(exist_ok=True)
    project = pytester.path / "project"
    project.mkdir(exist_ok=True)
    (project / "pytest.ini").write_text("[pytest]\n")
    for name, text in {**files, "saboteur": PATCH + patch}.items():
        (project / f"{name}.py").parent.mkdir(exist_ok=True)
        (project / f"{name}.py").write_text(text)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(project)
        monkeypatch.setenv("PYTHONPATH", str(project))
        outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "saboteur", *options)
    return outcome.ret == 0 and "1 passed" in outcome.stdout.str()


@pytest.mark.usefixtures("forked_sessions")
@pytest.mark.parametrize("saboteur", SABOTEURS)
def test_a_plugin_that_disturbs_other_projects_is_seen(pytester: pytest.Pytester, saboteur: str) -> None:
    patch, files, options = SABOTEURS[saboteur]
    assert run_beside(pytester, "", files, options)
    assert not run_beside(pytester, patch, files, options)


@pytest.mark.parametrize("process", PROGRAMS)
def test_a_process_that_imports_from_where_it_is_started_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    start, words = PROGRAMS[process]
    broken = [word for word in start if word != "-P"]
    with pytest.raises(AssertionError):
        check_nothing_comes_from_where_it_is_started(tmp_path, broken, words)


@pytest.mark.usefixtures("forked_sessions")
def test_a_status_that_a_model_may_choose_is_seen(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(saboteur=f"{PATCH}closing.keep_the_status = lambda session: None\n")
    monkeypatch.setenv("PYTEST_PLUGINS", "saboteur")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    with pytest.raises(AssertionError, match=r"ExitCode\.OK: 0"):
        laws.test_what_a_model_registers_cannot_make_a_failed_gate_a_success(pytester, "atexit.register(os._exit, 0)")


@pytest.mark.usefixtures("forked_sessions")
def test_a_plugin_that_reads_failures_of_others_is_seen(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(saboteur=f"{PATCH}plugin.Bench.used = property(lambda self: True, lambda self, value: None)\n")
    monkeypatch.setenv("PYTEST_PLUGINS", "saboteur")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    with pytest.raises(AssertionError, match=r"INTERRUPTED: 2.* == .*TESTS_FAILED"):
        laws.test_failures_of_others_are_not_read(pytester)


@pytest.mark.usefixtures("forked_sessions")
def test_a_report_that_every_worker_writes_is_seen(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(restoration):\n    assert restoration.rows\n")
    pytester.makepyfile(
        saboteur="""
        from gfpbench.plugin import closing

        def pytest_terminal_summary(terminalreporter, config):
            if hasattr(config, "workerinput"):
                closing._summarize(terminalreporter, config.stash[closing.KEY])
        """
    )
    outcome = pytester.runpytest_subprocess(
        *OPTIONS, "--restorer", "bicubic", "--report", "report", "-n", "2", "-p", "saboteur"
    )
    outcome.assert_outcomes(passed=1)
    with pytest.raises(pytest.fail.Exception):
        check_nothing_was_there_before(outcome)
