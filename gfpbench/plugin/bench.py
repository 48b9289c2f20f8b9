"""The measurements of one pytest session: each case once, shared by tests and by pytest-xdist workers."""

from __future__ import annotations

import dataclasses
import os
import shlex
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gfpbench.plugin.options import folder_of_settings
from gfpbench.plugin.processes import Processes
from gfpbench.plugin.session_settings import SessionSettings
from gfpbench.plugin.settings import SETTINGS
from gfpbench.plugin.workers import Shared

if TYPE_CHECKING:
    from gfpbench.baselines import Comparison
    from gfpbench.baselines.speed import SpeedOf
    from gfpbench.run import Parts, SharedInputs
    from gfpbench.types import Case, Result


class Bench(SessionSettings):
    """One session's measurements: each case is measured once and its Result shared by all tests.

    Args:
        config: pytest's configuration, holding the options above.
    """

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config)
        self.results: dict[str, Result] = {}
        self.comparisons: dict[str, Comparison] = {}
        self.speeds: dict[str, SpeedOf] = {}
        self.written: set[Path] = set()
        self.used = False  # by a test of this process; each worker's is its own
        self.refused = ""  # what the disk said when the report was written
        self.shared: Shared | None = None
        self.processes = Processes(self)
        self.inputs: SharedInputs | None = None
        self.store: Path | None = (self.report / "cases").absolute() if self.report is not None else None
        if self.told:
            self.shared = Shared(Path(self.told["folder"]))
            self.store = Path(self.told["store"])

    def measure(self, case: Case) -> Result:
        """The Result of a case, measured now or earlier in this session, here or by another worker."""
        if case.id not in self.results:
            with self.once("measured", case.id) as mine:
                self.results[case.id] = self._measured_now(case) if mine else self._measured_elsewhere(case.id)
        return self.results[case.id]

    def _measured_now(self, case: Case) -> Result:
        from gfpbench import run
        from gfpbench.report.progress import progress_bar

        if self.store is None:
            raise pytest.UsageError("the bench has no folder to work in")
        options = {"metrics": None, "protocols": self.protocols, **self.guarded}
        processes = self.processes.of(case.restorer, options)
        with self.measuring(), self.uncaptured(), processes as workers, progress_bar() as progress:
            return run.measure(
                case,
                store=self.store,
                device=self.device,
                protocols=self.protocols,
                **self.guarded,
                progress=progress,
                reuse=self.stopped,
                shared=self._inputs(),
                workers=workers,
            )

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """While active, names mean what they mean in the configuration, and torch has the threads of a measurement."""
        with self.in_project(), self.processes.threads():
            yield

    def uncaptured(self) -> AbstractContextManager[None]:
        """While active, what is printed is seen at once: the progress of a measurement."""
        capture: Any = self.config.pluginmanager.getplugin("capturemanager")
        return nullcontext() if capture is None else capture.global_and_fixture_disabled()  # with -p no:capture

    def _inputs(self) -> SharedInputs:
        from gfpbench.run import SharedInputs

        if self.inputs is None:
            self.inputs = SharedInputs()
        return self.inputs

    def _measured_elsewhere(self, case_id: str) -> Result:
        from gfpbench.run.key import RESULT

        assert self.store is not None
        return _read(self.store / case_id / RESULT)

    def once(self, kind: str, name: str) -> AbstractContextManager[bool]:
        return self.shared.once(kind, name) if self.shared is not None else nullcontext(True)

    def share(self) -> dict[str, Any]:
        """What every worker has to know; called in the process that starts them. No folder is made yet."""
        if self.shared is None:
            name = f"gfpbench-{os.getpid()}-{uuid.uuid4().hex}"
            self.shared = Shared(Path(tempfile.gettempdir()) / name)
        self.store = self.store or self.shared.folder / "cases"
        settings = {name: self.setting(name) for name in SETTINGS}
        settings["baselines"] = str(self.baselines)
        return {
            "folder": str(self.shared.folder),
            "store": str(self.store.absolute()),
            "settings": settings,
            "project": str(folder_of_settings(self.config)) if self.described else None,
            "stopped": self.stopped,
        }

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
    def baselines_used(self) -> bool:
        """Whether this session asked for any baseline."""
        return bool(self.comparisons or self.written)

    def baseline(self, result: Result) -> tuple[Result, str]:
        """The stored baseline of a Result and a note on it; written first where an option asks for that.

        Fails the test where there is none.

        Raises:
            BadInput: where it would be written into a folder that the case reads.
        """
        from gfpbench import baselines, run

        path = baselines.QUALITY.path_of(self.baselines, result)
        if path not in self.written and baselines.is_due(self.update, path):
            with self.in_project():
                run.refuse_inside_inputs(result.case, path)
            with self.once("baseline", str(path)) as mine, self.measuring():
                if mine:
                    baselines.create(
                        self.baselines,
                        result,
                        device=self.device,
                        max_unreadable=self.max_unreadable,
                        parts=self._guarded_parts(result.case, tuple(result.metrics)),
                    )
            self.written.add(path)  # not where the disk refused it
        found = baselines.find(self.baselines, result)
        if found is None:
            other = baselines.under_another_name(self.baselines, result)
            renamed = "" if other is None else f"that of the same images names them --faces {other.faces}; "
            again = shlex.join(["pytest", *self.config.invocation_params.args, "--baseline-update-new"])
            pytest.fail(
                f"missing: there is no baseline for {result.case.id} ({path}); {renamed}where this Result is as it "
                f"should be, make it one:\n{again}",
                pytrace=False,
            )
        return found

    def _guarded_parts(self, case: Case, metrics: tuple[str, ...]) -> Parts | None:
        """A case's parts with its restorer kept apart; None where no option asks for that."""
        from gfpbench import run

        guarded = {name: value for name, value in self.guarded.items() if value}
        return run.load(case, device=self.device, metrics=metrics, **guarded) if guarded else None

    def _again(self, result: Result) -> Result | None:
        """Some inputs restored once more, by the process that compares; the main process reads the workers' answers."""
        from gfpbench import baselines

        def make() -> Result | None:
            return baselines.restored_again(result, device=self.device, parts=self._guarded_parts(result.case, ()))

        return self._made_by_a_worker("again", result, make)

    def _along(self, result: Result, baseline: Result) -> Result | None:
        """What another path of the degradation moved, measured along the baseline's, likewise."""
        from gfpbench import baselines

        def make() -> Result | None:
            return baselines.measured_along(
                result,
                baseline,
                device=self.device,
                load=lambda: self._guarded_parts(result.case, tuple(result.metrics)),
            )

        return self._made_by_a_worker("along", result, make)

    def _made_by_a_worker(self, kind: str, result: Result, make: Callable[[], Result | None]) -> Result | None:
        from gfpbench import results

        kept = None if self.shared is None else self.shared.folder / kind / f"{result.case.id}.json"
        if kept is not None and (not self.worker or kept.exists()):
            return _read_or_none(kept)
        with self.measuring():
            made = make()
        if kept is not None and made is not None:
            results.write([made], kept)
        return made

    def compare(self, result: Result) -> Comparison:
        """A Result beside its stored baseline; compared once, and listed at the end of the run."""
        from gfpbench import baselines, results

        if result.case.id not in self.comparisons:
            baseline, note = self.baseline(result)
            comparison = baselines.compare(
                result,
                baseline,
                cases=max(1, len(self.restorers)),
                max_unreadable=self.max_unreadable,
                another_file=self.another_file,
                again=self._again(result),
                along=self._along(result, baseline),
            )
            notes = (note, *comparison.notes) if note else comparison.notes
            with self.once("compared", result.case.id):
                self.comparisons[result.case.id] = dataclasses.replace(comparison, notes=notes)
                if self.worker and result.case.id not in self.results:  # measured by a test, without the bench
                    results.write([result], self._kept_by_a_worker(result.case.id))
        return self.comparisons[result.case.id]


def _read_or_none(path: Path) -> Result | None:
    return _read(path) if path.exists() else None


def _read(path: Path) -> Result:
    from gfpbench import results

    return results.read(path)[0]


KEY: pytest.StashKey[Bench] = pytest.StashKey()
"""Where a session's Bench lies in pytest's configuration."""
