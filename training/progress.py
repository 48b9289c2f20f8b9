"""A progress bar of training with its losses: on a terminal it moves, in a log only what is said stays."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Shown:
    """On standard error.

    Example:
        >>> with Shown() as shown:
        ...     shown.update(0.5, 100, {"l1": 0.1})
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[terms]}"),
        )
        self.bar = Progress(*columns, console=self.console, disable=not self.console.is_terminal)
        self.task = self.bar.add_task("step 0", total=1.0, terms="")

    def __enter__(self) -> Shown:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def update(self, progress: float, step: int, terms: Mapping[str, float]) -> None:
        """Move the bar."""
        self.bar.update(self.task, completed=min(1.0, progress), description=f"step {step}", terms=_text(terms))

    def say(self, what: str, numbers: Mapping[str, float]) -> None:
        """Leave a line."""
        self.console.print(f"{what}: {_text(numbers)}", markup=False)


def _text(numbers: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
