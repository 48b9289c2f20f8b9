"""The columns of a matrix: a version of torch on a device, and the run where these alone do not tell two apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gfpbench.report.formatting import printable
from gfpbench.types import Result


@dataclass(frozen=True, slots=True)
class Column:
    """What the Results of one column have in common.

    Args:
        torch: its version.
        device, device_name: on which restorers worked.
        run: name of the run; empty where the others tell the columns apart.
    """

    torch: str
    device: str
    device_name: str
    run: str = ""

    def label(self, with_device: bool) -> str:
        """The head of the column: ``v2, torch 2.15.0, cpu AMD EPYC``."""
        label = f"{printable(self.run, 40)}, " if self.run else ""
        label += f"torch {printable(self.torch.partition('+')[0] or 'unknown', 30)}"
        return f"{label}, {printable(f'{self.device} {self.device_name}'.strip(), 50)}" if with_device else label


def columns(results: Sequence[Result], runs: Sequence[str] = ()) -> list[Column]:
    """The column of each Result.

    Args:
        runs: of each the name of its run, which belongs to the column where a case would be in one column twice.
    """
    bare = [_column(result) for result in results]
    if len({(result.case, column) for result, column in zip(results, bare, strict=True)}) == len(bare) or not runs:
        return bare
    return [replace(column, run=run) for column, run in zip(bare, runs, strict=True)]


def newest_first(found: Iterable[Column]) -> list[Column]:
    """Newer versions of torch before older ones, other devices before the CPU, later runs before earlier ones."""
    given = list(found)
    return sorted(given, key=lambda one: (_release(one.torch), one.device == "cpu", given.index(one)), reverse=True)


def _column(result: Result) -> Column:
    record = result.environment
    return Column(str(record.get("torch", "")), str(record.get("device", "cpu")), str(record.get("device_name", "")))


def _release(version: str) -> tuple[int, ...]:
    """``2.10.0+cu128`` after ``2.9.1``; what is no number counts as the oldest."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])
