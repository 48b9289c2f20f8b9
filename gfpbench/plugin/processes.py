"""``--workers N`` and ``--engine ray``: what measures the cases of a session, in the same bytes as its own process."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gfpbench.plugin.session_settings import SessionSettings

if TYPE_CHECKING:
    from gfpbench.run import Spread, Workers


class Processes:
    """The worker processes of one session: started with the first batch to measure, ended by ``close``.

    They load what a case names as this process does, and are started anew where its folder, search path or environment
    have changed since the last case.

    Args:
        settings: of the session.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self.settings = settings
        self.left_here: dict[str, None] = {}
        """The restorers that were measured in this process, because no other one can import them."""
        self._pool: Workers | None = None
        self._started_in: object = None

    @contextmanager
    def threads(self) -> Iterator[None]:
        """While active, and where there are workers, torch has as many threads here as in each of them."""
        spread = self.settings.spread
        if not spread.pins_threads:
            yield
            return
        import torch

        before = torch.get_num_threads()
        spread.pin_threads()
        try:
            yield
        finally:
            torch.set_num_threads(before)

    @contextmanager
    def of(self, restorer: str, options: Mapping[str, Any]) -> Iterator[Workers | None]:
        """The workers for one restorer; None where this process measures it.

        Args:
            restorer: its name.
            options: what they load with, as ``run.Workers`` takes it.

        Raises:
            pytest.UsageError: for settings of which there can be no workers.
        """
        spread = self.settings.spread
        here = not spread.is_here and is_only_here(restorer)
        if here:
            self.left_here[restorer] = None
        if spread.is_here or here:
            yield None
            return
        if self._pool is None or self._started_in != _surroundings(options):
            self.close()
            self._pool = self._started(spread, options)
        try:
            yield self._pool
        except BaseException:  # also Ctrl-C: nobody waits for what they are measuring
            self.close()
            raise
        self._started_in = _surroundings(options)  # a restorer that was loaded may have changed them

    def _started(self, spread: Spread, options: Mapping[str, Any]) -> Workers:
        """The workers. Where there can be none, the session ends: every other test would wait for them in vain."""
        from gfpbench.types import BadInput

        try:
            return spread.started(options)
        except BadInput as error:
            pytest.exit(f"gfpbench: {error}", returncode=pytest.ExitCode.USAGE_ERROR)

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def is_only_here(restorer: str) -> bool:
    """Whether a restorer names a module that a test or fixture has made in this process, and nobody can import.

    Args:
        restorer: its name; ``python:MODULE:ATTRIBUTE`` alone, or as a part of it.
    """
    named = re.search(r"\bpython:([^:]+):", restorer)
    if named is None or named[1] not in sys.modules:
        return False
    top = named[1].partition(".")[0]
    importlib.invalidate_caches()
    here = PathFinder.find_spec(top, [str(Path.cwd())])  # which is added to the search path when it is loaded
    return here is None and not any(finder.find_spec(top, None) for finder in sys.meta_path)


def _surroundings(options: Mapping[str, Any]) -> object:
    """What a process has from the one that starts it, as far as a restorer may depend on it, and its options."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return dict(options), Path.cwd(), list(sys.path), environment
