"""The pytest plugin: options, fixtures, markers and the closing lines. The only file that imports pytest.

It is loaded in every project that has gfpbench installed, so nothing heavy is imported before a test asks for it.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gfpbench.workers import Shared, device_of, scheduler_by_case

if TYPE_CHECKING:
    from gfpbench.baselines import Comparison
    from gfpbench.collapse import Collapse, Question
    from gfpbench.types import Case, Result

_KEY: pytest.StashKey[Bench] = pytest.StashKey()
RESULT_FIXTURES = ("degraded_input", "ground_truth", "restoration")
"""Fixtures of this plugin whose value is a Result."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gfpbench", "face restoration benchmark (gfpbench)")
    group.addoption(
        "--restorer",
        action="append",
        metavar="NAME",
        help="what to test, repeatable: a name or form that `gfpbench list restorers` shows (default: nano)",
    )
    group.addoption(
        "--faces",
        default="embedded",
        metavar="NAME|PATH",
        help="clean faces: a name of `gfpbench list faces` or a folder",
    )
    group.addoption("--degradation", default="paper", metavar="NAME", help="a name of `gfpbench list degradations`")
    group.addoption(
        "--protocol",
        action="append",
        metavar="NAME",
        help="measure as a paper does, repeatable: a name of `gfpbench list protocols` (default: ours)",
    )
    group.addoption("--limit", type=int, metavar="N", help="use the first N faces only")
    group.addoption("--seed", type=int, default=0, metavar="N", help="the seed every draw is keyed by (default: 0)")
    group.addoption("--device", default="auto", metavar="auto|cpu|cuda", help="where restorers run (default: auto)")
    group.addoption("--size", type=int, metavar="PX", help="side of the face crops (default: as the faces are)")
    group.addoption(
        "--draws",
        type=int,
        metavar="N",
        help="degrade each face N times, differently (default: 8 for embedded, else 1)",
    )
    group.addoption("--report", metavar="DIR", help="leave index.html, junit.xml and results.json in DIR")
    group.addoption(
        "--baselines", metavar="DIR", help="where baselines lie (default: baselines/quality below pytest's root folder)"
    )
    group.addoption(
        "--baseline-update", action="store_true", help="rewrite the baseline of every case that a test compares"
    )
    group.addoption(
        "--baseline-update-new", action="store_true", help="write baselines where there is none, and touch no other"
    )
    group.addoption(
        "--strict-assets", action="store_true", help="a test that would skip for want of an asset or a GPU fails"
    )


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "gpu: needs a CUDA device; says so and skips where there is none",
        "network: talks to servers outside this machine; off unless chosen with -m network",
        "slow: takes more than a minute on two cores",
        "needs_asset(name): needs something `gfpbench fetch` brings; skips, or fails with --strict-assets",
    ):
        config.addinivalue_line("markers", line)
    report = config.getoption("--report")
    if report:
        folder = Path(report)
        if folder.exists() and not folder.is_dir():
            raise pytest.UsageError(f"--report {report}: is a file; give a folder")
        if not config.option.xmlpath:
            # Set before pytest's own junitxml plugin is configured (it is registered first, configured in order).
            config.option.xmlpath = str(folder / "junit.xml")
    config.stash[_KEY] = Bench(config)


class Bench:
    """One session's measurements: each case is measured once and its Result shared by all tests.

    Args:
        config: pytest's configuration, holding the options above.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.results: dict[str, Result] = {}
        self.comparisons: dict[str, Comparison] = {}
        self.written: set[Path] = set()
        self.store: Path | None = Path(config.getoption("--report")) / "cases" if config.getoption("--report") else None
        self.shared: Shared | None = None
        worker: dict[str, Any] = getattr(config, "workerinput", {})  # what pytest-xdist hands to a worker
        self.worker = str(worker.get("workerid", ""))
        if "gfpbench" in worker:
            self.shared = Shared(Path(worker["gfpbench"]["folder"]))
            self.store = Path(worker["gfpbench"]["store"])

    @property
    def restorers(self) -> tuple[str, ...]:
        """The names given with --restorer, in order, each once."""
        return tuple(dict.fromkeys(self.config.getoption("--restorer") or ["nano"]))

    @property
    def protocols(self) -> tuple[str, ...]:
        """The names given with --protocol, in order, each once; what gfpbench recommends where none is."""
        from gfpbench.metrics.protocols import DEFAULT

        return tuple(dict.fromkeys(self.config.getoption("--protocol") or [DEFAULT]))

    def case(self, restorer: str, **changes: Any) -> Case:
        """The Case that the command line describes, for one restorer; ``changes`` replace its fields."""
        from gfpbench.types import Case

        option = self.config.getoption
        case = Case(
            faces=option("--faces"),
            degradation=option("--degradation"),
            restorer=restorer,
            seed=option("--seed"),
            size_px=option("--size"),
            limit=option("--limit"),
            draws=option("--draws"),
        )
        return dataclasses.replace(case, **changes)

    @property
    def device(self) -> str:
        """Where restorers run in this process: with several workers (pytest -n), each has a GPU of its own."""
        from gfpbench import devices

        device = devices.resolve(self.config.getoption("--device"))
        if not self.worker or device != "cuda":
            return device
        import torch

        return device_of(self.worker, device, torch.cuda.device_count())

    def measure(self, case: Case) -> Result:
        """The Result of a case, measured now or earlier in this session, here or by another worker."""
        if case.id not in self.results:
            with self._once("measured", case.id) as mine:
                self.results[case.id] = self._measured_now(case) if mine else self._measured_elsewhere(case.id)
        return self.results[case.id]

    def _measured_now(self, case: Case) -> Result:
        from gfpbench import run
        from gfpbench.report.progress import progress_bar

        if self.store is None:
            raise pytest.UsageError("the bench has no folder to work in")
        capture = self.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled(), progress_bar() as progress:
            return run.measure(case, store=self.store, device=self.device, protocols=self.protocols, progress=progress)

    def _measured_elsewhere(self, case_id: str) -> Result:
        from gfpbench.run.case import RESULT

        assert self.store is not None
        return _read(self.store / case_id / RESULT)

    def _once(self, kind: str, name: str) -> AbstractContextManager[bool]:
        return self.shared.once(kind, name) if self.shared is not None else nullcontext(True)

    def share(self) -> dict[str, str]:
        """What every worker has to know; called in the process that starts them."""
        if self.shared is None:
            self.shared = Shared(Path(tempfile.mkdtemp(prefix="gfpbench-")))
        self.store = self.store or self.shared.folder / "cases"
        return {"folder": str(self.shared.folder), "store": str(self.store.resolve())}

    def gather(self) -> tuple[Result, ...]:
        """All Results of this session, also those of the workers, in an order that does not depend on who measured."""
        if self.shared is not None and not self.worker:
            for case_id in self.shared.done("measured"):
                self.results.setdefault(case_id, self._measured_elsewhere(case_id))
            self.written.update(map(Path, self.shared.done("baseline")))
            for case_id in self.shared.done("compared"):
                kept = self._kept_by_a_worker(case_id)
                self.compare(_read(kept) if kept.exists() else self.results[case_id])
        return tuple(sorted(self.results.values(), key=lambda result: self._place(result.case)))

    def _kept_by_a_worker(self, case_id: str) -> Path:
        assert self.shared is not None
        return self.shared.folder / "compared" / f"{case_id}.json"

    def _place(self, case: Case) -> tuple[Any, ...]:
        """Tables one after the other, that of the command line first; in each the input, restorers as named, truth."""
        places = {name: place for place, name in enumerate(self.restorers)} | {
            "input": -1,
            "truth": len(self.restorers) + 1,
        }
        table = (case.faces, case.degradation, case.seed, case.size_px or 0, case.limit or 0, case.draws or 0)
        other = dataclasses.replace(case, restorer="") != self.case("")
        return other, table, places.get(case.restorer, len(self.restorers)), case.restorer

    @property
    def baselines(self) -> Path:
        """The folder of the stored baselines."""
        from gfpbench.baselines.store import FOLDER

        return Path(self.config.getoption("--baselines") or self.config.rootpath / FOLDER)

    def baseline(self, result: Result) -> tuple[Result, str]:
        """The stored baseline of a Result and a note on it; written first where an option asks for that.

        Fails the test where there is none.
        """
        from gfpbench import baselines

        option = self.config.getoption
        path = baselines.baseline_path(self.baselines, result)
        missing = option("--baseline-update-new") and not path.exists()
        if (option("--baseline-update") or missing) and path not in self.written:
            self.written.add(path)
            with self._once("baseline", str(path)) as mine:
                if mine:
                    baselines.create(self.baselines, result, device=self.device)
        found = baselines.find(self.baselines, result)
        if found is None:
            pytest.fail(
                f"missing: there is no baseline for {result.case.id} ({path}); where this Result is as it should be, "
                f"make it one:\n{baselines.command_to_create(result.case)}",
                pytrace=False,
            )
        return found

    def compare(self, result: Result) -> Comparison:
        """A Result beside its stored baseline; compared once, and listed at the end of the run."""
        from gfpbench import baselines, results

        if result.case.id not in self.comparisons:
            baseline, note = self.baseline(result)
            comparison = baselines.compare(result, baseline, cases=max(1, len(self.restorers)))
            notes = (note, *comparison.notes) if note else comparison.notes
            with self._once("compared", result.case.id):
                self.comparisons[result.case.id] = dataclasses.replace(comparison, notes=notes)
                if self.worker and result.case.id not in self.results:  # measured by a test, without the bench
                    results.write([result], self._kept_by_a_worker(result.case.id))
        return self.comparisons[result.case.id]


class CollapseBench:
    """One session's collapse points: each severity of each restorer is measured once and shared by all tests.

    Args:
        bench: for the device and the options.
        store: a folder of this process.
    """

    def __init__(self, bench: Bench, store: Path) -> None:
        self.bench, self.store = bench, store
        self._loaded: dict[str, Any] = {}

    def question(self, restorer: str, axis: str, **changes: Any) -> Question:
        """Embedded faces, four draws each, unless ``changes`` say otherwise."""
        from gfpbench.collapse import DEFAULT_DRAWS, Question

        return Question(restorer, axis, **{"draws": DEFAULT_DRAWS, **changes})

    def __call__(self, restorer: str, axis: str, **changes: Any) -> Collapse:
        """Where a restorer collapses on an axis, searched for now."""
        from gfpbench.collapse import collapse_point

        return collapse_point(self.question(restorer, axis, **changes), **self._where(restorer))

    def margins(self, restorer: str, axis: str, severity: float, **changes: Any) -> dict[str, float]:
        """The mean margin of each criterion at one severity: useful where all are above 0."""
        from gfpbench.collapse import margins_at

        return margins_at(self.question(restorer, axis, **changes), severity, **self._where(restorer))

    def baseline(self, restorer: str, axis: str) -> Collapse:
        """The stored collapse point; searched for and written first where an option asks for that, else missing."""
        from gfpbench import collapse

        option, root = self.bench.config.getoption, self.bench.baselines.parent / collapse.FOLDER.name
        question = self.question(restorer, axis)
        path = collapse.baseline_path(root, question)
        missing = option("--baseline-update-new") and not path.exists()
        if (option("--baseline-update") or missing) and path not in self.bench.written:
            self.bench.written.add(path)
            with self.bench._once("collapse baseline", str(path)) as mine:
                if mine:
                    collapse.write([self(restorer, axis)], path)
        found = collapse.find_baseline(root, question)
        if found is None:
            pytest.fail(
                f"missing: there is no collapse point stored for {restorer} on {axis} ({path}); to make it: "
                "pytest tests/robustness --baseline-update-new",
                pytrace=False,
            )
        return found

    def disagreements(self, restorer: str, axis: str) -> tuple[str, ...]:
        """Where a restorer does not collapse within the stored interval; empty where it does."""
        from gfpbench.collapse import disagreements

        return disagreements(self.baseline(restorer, axis), **self._where(restorer))

    def _where(self, restorer: str) -> dict[str, Any]:
        from gfpbench import restorers

        device = self.bench.device
        if restorer not in self._loaded:
            self._loaded[restorer] = restorers.load(restorer, device=device)
        return {"store": self.store, "device": device, "restorer": self._loaded[restorer]}


def _read(path: Path) -> Result:
    from gfpbench import results

    return results.read(path)[0]


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Measures cases for this session: ``bench.measure(bench.case("nano"))`` gives a Result."""
    # Waiting threads that spin cost more than the work on small shared machines; no effect once torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    session: Bench = request.config.stash[_KEY]
    if session.store is None:
        session.store = tmp_path_factory.mktemp("gfpbench")
    return session


@pytest.fixture(scope="session")
def restoration(request: pytest.FixtureRequest, bench: Bench) -> Result:
    """The Result of each restorer named on the command line, one parametrized test for each."""
    return bench.measure(bench.case(request.param))


@pytest.fixture(scope="session")
def degraded_input(bench: Bench) -> Result:
    """The Result of the degraded faces themselves: what a restorer has to improve on."""
    return bench.measure(bench.case("input"))


@pytest.fixture(scope="session")
def ground_truth(bench: Bench) -> Result:
    """The Result of the clean faces against themselves: the best any restorer could score."""
    return bench.measure(bench.case("truth"))


@pytest.fixture(scope="session")
def baseline(restoration: Result, bench: Bench) -> Result:
    """The stored Result that ``restoration`` is compared with; the test fails where there is none."""
    return bench.baseline(restoration)[0]


@pytest.fixture(scope="session")
def comparison(restoration: Result, bench: Bench) -> Comparison:
    """``restoration`` beside its stored baseline: verdicts, what changed, how surely, and what it looks like."""
    return bench.compare(restoration)


@pytest.fixture(scope="session")
def collapse_point(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> CollapseBench:
    """Searches for collapse points in this session: ``collapse_point("nano", "noise")`` gives a Collapse."""
    return CollapseBench(bench, tmp_path_factory.mktemp("collapse"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "restoration" in metafunc.fixturenames:
        session = metafunc.config.stash[_KEY]
        names = session.restorers
        metafunc.parametrize(
            "restoration", names, ids=[session.case(name).id for name in names], indirect=True, scope="session"
        )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Every figure of a Result that a test used becomes a JUnit property of that test."""
    if call.when != "call" or not item.config.option.xmlpath:
        return
    used = {name: value for name, value in getattr(item, "funcargs", {}).items() if name in RESULT_FIXTURES}
    if used:
        from gfpbench import report

        for name in sorted(used):
            item.user_properties.extend(report.junit_properties(used[name]))


def pytest_runtest_setup(item: pytest.Item) -> None:
    strict = item.config.getoption("--strict-assets")

    def absent(reason: str) -> None:
        pytest.fail(f"{reason} (--strict-assets)", pytrace=False) if strict else pytest.skip(reason)

    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            absent(f"no GPU: torch {torch.__version__} sees no CUDA device on this machine")
    for marker in item.iter_markers("needs_asset"):
        from gfpbench import assets
        from gfpbench.types import AssetMissing

        for name in marker.args:
            try:
                assets.path(name)
            except AssetMissing as missing:
                absent(str(missing))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "network" not in (config.option.markexpr or ""):
        for item in items:
            if item.get_closest_marker("network"):
                item.add_marker(pytest.mark.skip(reason="talks to the network; choose it with -m network"))


@pytest.hookimpl(tryfirst=True)
def pytest_exception_interact(call: pytest.CallInfo[Any], report: Any) -> None:
    """Our own errors are one clear line for a person; a traceback through the engine would bury it."""
    import sys

    types = sys.modules.get("gfpbench.types")
    if types is not None and call.excinfo is not None and isinstance(call.excinfo.value, types.GfpbenchError):
        report.longrepr = f"{type(call.excinfo.value).__name__}: {call.excinfo.value}"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    session = config.stash.get(_KEY, None)
    results = session.gather() if session is not None else ()
    if session is None or not results:
        return
    from gfpbench import report

    page: Path | None = None
    if config.getoption("--report"):
        page = report.write_report(results, Path(config.getoption("--report")), store=session.store)
    terminalreporter.section("gfpbench")
    for line in report.terminal_lines(results, page):
        terminalreporter.write_line(line)
    for path in sorted(session.written):
        terminalreporter.write_line(f"baseline written: {path}")
    comparisons = [session.comparisons[case_id] for case_id in sorted(session.comparisons)]
    changed = [compared for compared in comparisons if compared.kind != "same"]
    if len(session.comparisons) > len(changed):
        count = len(session.comparisons) - len(changed)
        terminalreporter.write_line(f"same as the baseline: {count} case{'s' * (count > 1)}")
    for compared in changed:
        for line in report.comparison_lines(compared):
            terminalreporter.write_line(line)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist: every worker learns where all of them keep what they measure."""
    node.workerinput["gfpbench"] = node.config.stash[_KEY].share()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """pytest-xdist: with several restorers named, all tests of one go to one worker, and none waits for another."""
    session = config.stash[_KEY]
    if config.getoption("dist") != "load" or len(session.restorers) < 2:
        return None
    return scheduler_by_case(config, log, [session.case(name).id for name in session.restorers])


def pytest_unconfigure(config: pytest.Config) -> None:
    session = config.stash.get(_KEY, None)
    if session is not None and session.shared is not None and not session.worker:
        shutil.rmtree(session.shared.folder, ignore_errors=True)
