"""Parity in one pytest session: a candidate beside its reference, on the faces that the session's options name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gfpbench.plugin.bench import Bench

if TYPE_CHECKING:
    from gfpbench.parity import Compared

LIMIT = 16
"""Images where --limit does not say."""


class ParityBench:
    """One session's comparisons: ``parity("nano", "onnx:nano.onnx")`` gives a ``gfpbench.parity.Compared``.

    With --report each pair has a page in ``parity/`` of that folder.

    Args:
        bench: for the device and the options.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._found: dict[tuple[str, str], Compared] = {}

    def __call__(self, reference: str, candidate: str) -> Compared:
        """The verdict on a candidate, measured once a session; ``.safety`` is safe, look or unsafe.

        Raises:
            BadInput: for unknown names, one file under two names, a provider that did not run.
            GfpbenchError: where a control fails.
        """
        from gfpbench.parity import measure_parity
        from gfpbench.report.parity import write_parity

        if (reference, candidate) not in self._found:
            case = self.bench.case(reference)
            case = case if case.limit is not None else replace(case, limit=LIMIT)
            with self.bench.in_project(), self.bench.uncaptured():
                measured = measure_parity(case, [candidate], device=self.bench.device)
            (self._found[reference, candidate],) = measured.parity.candidates
            if self.bench.report is not None:
                pair = replace(case, restorer=f"{reference} {candidate}").id
                write_parity(measured, Path(self.bench.report).absolute() / "parity" / pair)
        return self._found[reference, candidate]
