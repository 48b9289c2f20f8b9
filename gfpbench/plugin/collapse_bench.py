"""Collapse points in one pytest session: each severity of each restorer is measured once and shared by its tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gfpbench.plugin.bench import Bench

if TYPE_CHECKING:
    from gfpbench.collapse import Collapse, Question


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

        with self._measuring(restorer) as how:
            return collapse_point(self.question(restorer, axis, **changes), **how)

    def margins(self, restorer: str, axis: str, severity: float, **changes: Any) -> dict[str, float]:
        """The mean margin of each criterion at one severity: useful where all are above 0."""
        from gfpbench.collapse import margins_at

        with self._measuring(restorer) as how:
            return margins_at(self.question(restorer, axis, **changes), severity, **how)

    def baseline(self, restorer: str, axis: str) -> Collapse:
        """The stored collapse point; searched for and written first where an option asks for that, else missing."""
        import gfpbench.collapse as collapse
        from gfpbench.baselines import is_due
        from gfpbench.baselines.collapse import COLLAPSE, case_of, find_baseline

        root = self.bench.baselines.parent / COLLAPSE.name
        question = self.question(restorer, axis)
        path = COLLAPSE.path(root, case_of(question), {})
        if path not in self.bench.written and is_due(self.bench.update, path):
            self.bench.written.add(path)
            with self.bench.once("collapse baseline", str(path)) as mine:
                if mine:
                    collapse.write([self(restorer, axis)], path)
        found = find_baseline(root, question)
        if found is None:
            pytest.fail(
                f"missing: there is no collapse point stored for {restorer} on {axis} ({path}); to make it: "
                "pytest tests/robustness --baseline-update-new",
                pytrace=False,
            )
        return found

    def disagreements(self, restorer: str, axis: str) -> tuple[str, ...]:
        """Where a restorer does not collapse within the stored interval; empty where it does."""
        from gfpbench.baselines.collapse import disagreements

        stored = self.baseline(restorer, axis)
        with self._measuring(restorer) as how:
            return disagreements(stored, **how)

    @contextmanager
    def _measuring(self, restorer: str) -> Iterator[dict[str, Any]]:
        """Where a restorer is measured, as the functions of ``gfpbench.collapse`` take it."""
        from gfpbench import run

        device, guarded = self.bench.device, self.bench.guarded
        with self.bench.measuring(), self.bench.processes.of(restorer, guarded) as workers:
            if restorer not in self._loaded:
                self._loaded[restorer] = run.guarded(restorer, device, **guarded)
            yield {"store": self.store, "device": device, "restorer": self._loaded[restorer], "workers": workers}
