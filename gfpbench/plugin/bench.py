"""What one pytest session measures: each case once, shared by its tests and, under pytest-xdist, by its workers."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gfpbench.plugin.command_line import project_folder
from gfpbench.plugin.options import SETTINGS, folder_of_settings, is_configured, value_of
from gfpbench.workers import Shared, device_of

if TYPE_CHECKING:
    from gfpbench.baselines import AnotherFile, Comparison
    from gfpbench.speed import SpeedOf
    from gfpbench.types import Case, Result


class Bench:
    """One session's measurements: each case is measured once and its Result shared by all tests.

    Args:
        config: pytest's configuration, holding the options above.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.results: dict[str, Result] = {}
        self.comparisons: dict[str, Comparison] = {}
        self.speeds: dict[str, SpeedOf] = {}
        self.written: set[Path] = set()
        self.refused = ""  # what the disk said when the report was written
        self.shared: Shared | None = None
        worker: dict[str, Any] = getattr(config, "workerinput", {})  # what pytest-xdist hands to a worker
        self.worker = str(worker.get("workerid", ""))
        told: dict[str, Any] = worker.get("gfpbench", {})
        self._folder: str | None = told.get("project")
        # A worker finds its configuration file by the tests it is given, and may find another than the session's.
        self._settings: dict[str, Any] | None = told.get("settings")
        self.store: Path | None = (self.report / "cases").absolute() if self.report is not None else None
        self.stopped: bool = told.get("stopped", False)
        """Whether an earlier session with this report was stopped, so that its finished cases may be reused."""
        if told:
            self.shared = Shared(Path(told["folder"]))
            self.store = Path(told["store"])

    def setting(self, name: str) -> Any:
        """The value of a setting, by its name as in ``SETTINGS``.

        Raises:
            pytest.UsageError: for a value that the setting cannot have.
        """
        if self._settings is not None:
            return self._settings[name]
        value = value_of(self.config, name)
        if name not in CASE_SETTINGS or is_configured(self.config, name) or not self.described:
            return value
        # The rest is meant from the folder of the configuration file, and this from where pytest was started.
        return tuple(map(self._from_here, value)) if isinstance(value, tuple) else self._from_here(value)

    def _from_here(self, text: str) -> str:
        """A name as it is; a path, also behind ``outputs:`` and the like, from the root of the file system."""
        head, colon, tail = text.rpartition(":")
        place = self.config.invocation_params.dir / tail.partition("?")[0]
        is_path = tail and (colon or "/" in tail) and place.exists() and place != folder_of_settings(self.config)
        return f"{head}{colon}{self.config.invocation_params.dir / tail}" if is_path else text

    @contextlib.contextmanager
    def in_project(self) -> Iterator[None]:
        """Within it relative paths are meant from the folder of the configuration file, if that is where the case is
        described: a case then has one name, wherever pytest was started."""
        folder = self._folder if self.worker else str(folder_of_settings(self.config)) if self.described else None
        with nullcontext() if folder is None else contextlib.chdir(folder):
            yield

    @property
    def described(self) -> bool:
        """Whether the configuration file says what is measured."""
        return any(is_configured(self.config, name) for name in CASE_SETTINGS)

    @property
    def report(self) -> Path | None:
        """The folder of the report; None where none was asked for."""
        given = self.setting("report")
        return Path(given) if given else None

    def refuse_bad_report_folder(self) -> None:
        """Before anything is written. Raises pytest.UsageError for a file, and for a place in a folder that is read."""
        if self.report is not None and self.report.exists() and not self.report.is_dir():
            raise pytest.UsageError(f"--report {self.report}: is a file; give a folder")
        report, texts = self.report, [self.setting("faces"), self.setting("degradation"), *self.restorers]
        places = {Path(text.partition(":")[2] or text).absolute().resolve() for text in texts}
        if report is None or places.isdisjoint({report.absolute().resolve(), *report.absolute().resolve().parents}):
            return  # told without importing anything heavy
        from gfpbench import run
        from gfpbench.types import BadInput

        try:
            for name in self.restorers:
                run.refuse_inside_inputs(self.case(name), report)
        except BadInput as error:
            raise pytest.UsageError(f"--report {error}") from None

    def begin_report(self) -> None:
        """Mark the report as unfinished, without importing anything heavy: see ``gfpbench.report.completion``.

        Raises:
            pytest.UsageError: where the disk refuses.
        """
        if self.report is None or self.worker:
            return
        try:
            self.report.mkdir(parents=True, exist_ok=True)
            self.stopped = (self.report / UNFINISHED).exists()
            (self.report / UNFINISHED).write_text(f"pytest, process {os.getpid()}\n", encoding="utf-8")
        except OSError as error:
            raise pytest.UsageError(f"--report {self.report}: cannot be written: {error.strerror or error}") from None

    def complete_report(self) -> None:
        """Take the mark away: all tests were run and the report is written."""
        if self.report is not None and not self.worker:
            (self.report / UNFINISHED).unlink(missing_ok=True)

    @property
    def restorers(self) -> tuple[str, ...]:
        """The names given with --restorer, in order, each once."""
        return tuple(dict.fromkeys(self.setting("restorer")))

    @property
    def protocols(self) -> tuple[str, ...]:
        """The names given with --protocol, in order, each once; what gfpbench recommends where none is."""
        from gfpbench.metrics.protocols import DEFAULT

        return tuple(dict.fromkeys(self.setting("protocol") or [DEFAULT]))

    def case(self, restorer: str, **changes: Any) -> Case:
        """The Case that the command line describes, for one restorer; ``changes`` replace its fields."""
        from gfpbench.types import Case

        case = Case(
            faces=self.setting("faces"),
            degradation=self.setting("degradation"),
            restorer=restorer,
            seed=self.setting("seed"),
            size_px=self.setting("size"),
            limit=self.setting("limit"),
            draws=self.setting("draws"),
        )
        return dataclasses.replace(case, **changes)

    @property
    def device(self) -> str:
        """Where restorers run in this process: with several workers (pytest -n), each has a GPU of its own."""
        from gfpbench import devices

        device = devices.resolve(self.setting("device"))
        if not self.worker or device != "cuda":
            return device
        import torch

        return device_of(self.worker, device, torch.cuda.device_count())

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
        capture = self.config.pluginmanager.getplugin("capturemanager")
        with self.in_project(), capture.global_and_fixture_disabled(), progress_bar() as progress:
            return run.measure(
                case,
                store=self.store,
                device=self.device,
                protocols=self.protocols,
                **self._guarded,
                progress=progress,
                reuse=self.stopped,
            )

    @property
    def _guarded(self) -> dict[str, Any]:
        """How restorers are kept apart: the arguments of ``run.load``."""
        isolate = bool(self.setting("isolate"))
        return {"isolate": isolate, "seconds_per_image": self.setting("seconds-per-image") if isolate else None}

    def _measured_elsewhere(self, case_id: str) -> Result:
        from gfpbench.run.finished import RESULT

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
    def baselines(self) -> Path:
        """The folder of the stored baselines: as told, else below the folder of the project."""
        given = self.setting("baselines")
        if given:
            return Path(given).absolute()
        from gfpbench.baselines.store import FOLDER

        return project_folder(self.config) / FOLDER

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

        path = baselines.baseline_path(self.baselines, result)
        missing = self.setting("baseline-update-new") and not path.exists()
        if (self.setting("baseline-update") or missing) and path not in self.written:
            with self.in_project():
                run.refuse_inside_inputs(result.case, path)
            with self.once("baseline", str(path)) as mine, self.in_project():
                if mine:
                    baselines.create(self.baselines, result, device=self.device, max_unreadable=self.max_unreadable)
            self.written.add(path)  # not where the disk refused it
        found = baselines.find(self.baselines, result)
        if found is None:
            pytest.fail(
                f"missing: there is no baseline for {result.case.id} ({path}); where this Result is as it should be, "
                f"make it one:\n{shlex.join(['pytest', *self.config.invocation_params.args, '--baseline-update-new'])}",
                pytrace=False,
            )
        return found

    @property
    def max_unreadable(self) -> float:
        """The share of the faces that may be unreadable. Raises UsageError for anything but a number from 0 to 1."""
        given = str(self.setting("max-unreadable"))
        try:
            share = float(given)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            raise pytest.UsageError(f"--max-unreadable {given}: a share from 0 to 1 is wanted")
        return share

    @property
    def another_file(self) -> AnotherFile:
        """Whether other weights under the same name may move images. Raises UsageError for an unknown word."""
        given = self.setting("another-file")
        if given not in ("fail", "judge"):
            raise pytest.UsageError(f"--another-file {given}: it is fail or judge")
        return "fail" if given == "fail" else "judge"

    def _again(self, result: Result) -> Result | None:
        """Some inputs restored once more, by the process that compares; whoever gathers reads what a worker got."""
        from gfpbench import baselines, results, run

        kept = None if self.shared is None else self.shared.folder / "again" / f"{result.case.id}.json"
        if kept is not None and (not self.worker or kept.exists()):
            return _read_or_none(kept)
        with self.in_project():
            guarded = {name: value for name, value in self._guarded.items() if value}
            parts = run.load(result.case, device=self.device, metrics=[], **guarded) if guarded else None
            again = baselines.restored_again(result, device=self.device, parts=parts)
        if kept is not None and again is not None:
            results.write([again], kept)
        return again

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


CASE_SETTINGS = ("faces", "degradation", "restorer")
"""Those that may hold paths, and are part of the name of a case."""
UNFINISHED = ".unfinished"
"""The same file as ``gfpbench.report.completion.MARK``, whose package is too heavy to import before it is needed."""
KEY: pytest.StashKey[Bench] = pytest.StashKey()
"""Where a session's Bench lies in pytest's configuration."""
