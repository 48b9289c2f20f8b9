"""Small bugs in how a report is put at an address, each of which a test of the honest one notices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gfpbench.assets import remote_report
from gfpbench.assets.remote import RemoteFailed
from gfpbench.assets.remote_report import RemoteReport
from gfpbench.types import BadInput
from tests.unit import test_remote_report as laws
from tests.unit.test_remote_report import _home, local, memory, there  # noqa: F401 - fixtures of the laws


def _no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = RemoteReport._put

    def put(self: RemoteReport, write: Callable[[str], object], name: str) -> None:
        if name != remote_report.MARK:
            honest(self, write, name)

    monkeypatch.setattr(RemoteReport, "_put", put)


def _kept_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RemoteReport, "withdraw", lambda self: None)


def _all_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RemoteReport, "_record", lambda self: remote_report._Uploaded())


def _any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_report, "LAST", ("junit.xml",))


def _nothing_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = RemoteReport._listed
    monkeypatch.setattr(
        RemoteReport, "_listed", lambda self: ((name, info) for name, info in honest(self) if "/images/" not in name)
    )


def _no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = remote_report._is_wanted
    monkeypatch.setattr(remote_report, "_is_wanted", lambda name, images: honest(name, False))


FAILS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[Any, pytest.MonkeyPatch, Path], None]]] = {
    "no mark": (_no_mark, lambda system, patch, _: laws.test_what_ends_a_run_leaves_the_mark(system, patch)),
    "a mark where nothing began": (_kept_mark, lambda system, patch, _: laws.test_what_never_began_leaves_none(system)),
    "everything is put there again": (
        _all_again,
        lambda system, patch, _: laws.test_an_upload_that_fails_keeps_the_report_and_goes_on(system, patch),
    ),
    "results.json comes before its images": (
        _any_order,
        lambda system, patch, _: laws.test_an_upload_that_fails_keeps_the_report_and_goes_on(system, patch),
    ),
}


@pytest.mark.parametrize("bug", FAILS)
def test_a_bug_is_noticed(
    bug: str,
    memory: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    sabotage, law = FAILS[bug]
    sabotage(monkeypatch)
    with pytest.raises((AssertionError, BadInput, FileNotFoundError, RemoteFailed)):
        law(memory, monkeypatch, tmp_path)


def test_a_bug_with_what_was_there_is_noticed(
    there: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with monkeypatch.context() as patch:
        _no_images(patch)
        with pytest.raises((AssertionError, StopIteration)):
            laws.test_what_goes_there_goes_here(there, tmp_path)
    _nothing_goes(monkeypatch)
    with pytest.raises(AssertionError):
        laws.test_what_the_next_run_does_not_write_goes(there)
