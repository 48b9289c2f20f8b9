"""The settings of one pytest session, from its command line and configuration file."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gfpbench import completion
from gfpbench.plugin.command_line import project_folder
from gfpbench.plugin.options import folder_of_settings, is_address, is_configured, value_of
from gfpbench.plugin.workers import device_of

if TYPE_CHECKING:
    from gfpbench.baselines import AnotherFile, Update
    from gfpbench.run import Spread
    from gfpbench.types import Case

CASE_SETTINGS = ("faces", "degradation", "restorer")
"""Those that may hold paths, and are part of the name of a case."""

QUALITY_FOLDER = Path("baselines", "quality")
"""That of ``gfpbench.baselines.QUALITY``, which imports torch: pytest-xdist's workers are told it in every project."""


class SessionSettings:
    """The settings of one session, as it was started or as its controller told this worker of pytest-xdist.

    Args:
        config: pytest's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        worker: dict[str, Any] = getattr(config, "workerinput", {})  # what pytest-xdist hands to a worker
        self.worker = str(worker.get("workerid", ""))
        self.told: dict[str, Any] = worker.get("gfpbench", {})
        # A worker finds its configuration file by the tests it is given, and may find another than the session's.
        self._settings: dict[str, Any] | None = self.told.get("settings")
        self.stopped: bool = self.told.get("stopped", False)
        """Whether an earlier session with this report was stopped, so that its finished cases may be reused."""

    def setting(self, name: str) -> Any:
        """The value of a setting, by its name as in ``SETTINGS``.

        Raises:
            pytest.UsageError: for a value that the setting cannot have.
        """
        if self._settings is not None:
            return self._settings[name]
        value = value_of(self.config, name)
        if value is None or name not in CASE_SETTINGS or is_configured(self.config, name) or not self.described:
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
        """While active, relative paths start at the folder of the configuration file, if that is where the case is
        described: a case then has one name, wherever pytest was started."""
        here = str(folder_of_settings(self.config)) if self.described else None
        folder = self.told.get("project") if self.worker else here
        with contextlib.nullcontext() if folder is None else contextlib.chdir(folder):
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
        """Before anything is written.

        Raises:
            pytest.UsageError: for an address, for a file, and for a place in a folder that is read.
        """
        if is_address(self.setting("report") or ""):
            address = re.sub(r"//[^/@]*@|[?#].*", lambda secret: "//" * (secret[0][0] == "/"), self.setting("report"))
            raise pytest.UsageError(
                f"--report {address}: a session writes its report into a folder of this disk: give one, and put it "
                "there with `gfpbench report DIR --to ADDRESS`, or measure with `gfpbench run --report ADDRESS`"
            )
        if self.report is not None and self.report.exists() and not self.report.is_dir():
            raise pytest.UsageError(f"--report {self.report}: is a file; give a folder")
        if self.report is not None and (page := self.report / "index.html").exists():
            from gfpbench.report.formatting import refuse_foreign
            from gfpbench.types import BadInput

            try:
                refuse_foreign(page)
            except BadInput as error:
                raise pytest.UsageError(f"--report {error}") from None
        report, texts = self.report, [self.setting("faces"), self.setting("degradation"), *self.restorers]
        places = {Path(text.partition(":")[2] or text).absolute().resolve() for text in texts if text}
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
        """Mark the report as unfinished, without importing anything heavy.

        Raises:
            pytest.UsageError: where the disk refuses.
        """
        if self.report is None or self.worker:
            return
        try:
            self.stopped = completion.is_unfinished(self.report)
            completion.mark(self.report)
        except OSError as error:
            raise pytest.UsageError(f"--report {self.report}: cannot be written: {error.strerror or error}") from None

    def complete_report(self) -> None:
        """Take the mark away: all tests were run and the report is written."""
        if self.report is not None and not self.worker:
            completion.unmark(self.report)

    @property
    def restorers(self) -> tuple[str, ...]:
        """The names given with --restorer, in order, each once."""
        return tuple(dict.fromkeys(self.setting("restorer")))

    @property
    def protocols(self) -> tuple[str, ...]:
        """The names given with --protocol, in order, each once; what gfpbench recommends where none is."""
        from gfpbench.metrics.protocols import DEFAULT

        return tuple(dict.fromkeys(self.setting("protocol") or [DEFAULT]))

    @property
    def degradation(self) -> str:
        """As asked for; for faces without a ground truth nothing is degraded. Raises UsageError where both are asked
        for."""
        from gfpbench.degrade import named_for
        from gfpbench.types import BadInput

        no_truth = self.setting("no-truth")
        try:
            return named_for(self.setting("faces"), self.setting("degradation"), False if no_truth else None)
        except BadInput as error:
            raise pytest.UsageError(str(error)) from None

    def case(self, restorer: str, **changes: Any) -> Case:
        """The Case that the command line describes, for one restorer; ``changes`` replace its fields."""
        from gfpbench.types import Case

        case = Case(
            faces=self.setting("faces"),
            degradation=self.degradation,
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

    @property
    def spread(self) -> Spread:
        """Where cases are measured: --workers, --engine and their like. Raises UsageError for what cannot be, and
        within pytest-xdist."""
        from gfpbench import run
        from gfpbench.types import BadInput, PackageMissing

        count, engine = self.setting("workers"), self.setting("engine")
        if self.worker and (count is not None or engine == "ray"):
            given = "--engine ray" if count is None else f"--workers {count}"
            raise pytest.UsageError(
                f"{given}: pytest-xdist (-n) has workers of its own, a restorer each: leave one of them away"
            )
        address, gpus = self.setting("address") or "", self.setting("gpus-per-worker")
        try:
            # Where nothing asks for it, no device is looked for: a fixture may yet make what the configuration names.
            return run.spread(count, engine, address, gpus, self.device if engine == "ray" else "")
        except (BadInput, PackageMissing) as error:
            raise pytest.UsageError(str(error)) from None

    @property
    def guarded(self) -> dict[str, Any]:
        """How restorers are kept apart: the arguments of ``run.load``."""
        isolate = bool(self.setting("isolate"))
        return {"isolate": isolate, "seconds_per_image": self.setting("seconds-per-image") if isolate else None}

    @property
    def baselines(self) -> Path:
        """The folder of the stored baselines: as told, else below the folder of the project."""
        given = self.setting("baselines")
        if given:
            return Path(given).absolute()
        return project_folder(self.config) / QUALITY_FOLDER

    @property
    def update(self) -> Update:
        """Which baselines are made in this session."""
        always, new = self.setting("baseline-update"), self.setting("baseline-update-new")
        return "always" if always else "new" if new else "never"

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
