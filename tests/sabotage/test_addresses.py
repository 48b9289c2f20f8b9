"""Small bugs in what fetches faces from addresses, each of which a test of the honest one notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gfpbench.assets import remote, remote_cache
from gfpbench.assets.remote_cache import RemoteFile
from gfpbench.types import BadInput
from tests.unit.faces import test_addresses as laws
from tests.unit.faces.test_addresses import _home, memory  # noqa: F401 - fixtures of the laws


def _never_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RemoteFile, "is_unchanged", lambda self, other: True)


def _always_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RemoteFile, "is_unchanged", lambda self, other: False)


def _any_part_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "asdict", lambda file: {})


def _kept_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(range(100))
    honest = remote_cache._content
    monkeypatch.setattr(remote_cache, "_content", lambda sha256, suffix: honest(f"{next(names):064}", suffix))


def _begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = remote.Remote._receive

    def receive(self: remote.Remote, file: RemoteFile, part: Path, at_most: int, *, once: bool) -> None:
        part.unlink(missing_ok=True)
        honest(self, file, part, at_most, once=once)

    monkeypatch.setattr(remote.Remote, "_receive", receive)


def _raw_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def untold(url: str) -> Iterator[None]:
        del url
        try:
            yield
        except FileNotFoundError as error:
            raise BadInput("no") from error

    monkeypatch.setattr(remote, "_told", untold)


BUGS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[Any, Path, pytest.MonkeyPatch], None]]] = {
    "what changed is taken from the cache": (
        _never_asked_again,
        laws.test_what_was_fetched_is_not_fetched_again_until_it_changes,
    ),
    "everything is fetched again": (
        _always_fetched,
        laws.test_what_was_fetched_is_not_fetched_again_until_it_changes,
    ),
    "a part of another version is continued": (
        _any_part_continued,
        laws.test_a_part_of_another_version_is_not_continued,
    ),
    "a part is thrown away": (_begun_anew, laws.test_a_transfer_that_breaks_off_goes_on_where_it_stopped),
    "the address is not told": (_raw_errors, laws.test_what_fails_is_told_in_one_line),
    "the same content is kept twice": (
        _kept_by_address,
        lambda system, to, _: laws.test_the_same_content_at_two_addresses_is_kept_once(system, to),
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_reader_of_addresses_with_a_bug_is_seen(
    bug: str,
    memory: Any,  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sabotage, law = BUGS[bug]
    sabotage(monkeypatch)
    with pytest.raises((AssertionError, BadInput, pytest.fail.Exception)):
        law(memory, tmp_path, monkeypatch)
