"""Ways of fetching, unpacking and loading that are broken on purpose: the laws in ``unit/assets`` must catch each."""

from __future__ import annotations

import functools
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench import assets
from gfpbench.assets import archive, download, fetching, store
from tests.unit.assets import laws


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[laws.Server]:
    laws.fresh_cache(tmp_path, monkeypatch)
    with laws.Server() as running:
        yield running


def caught(law: Callable[..., None], *arguments: Any) -> None:
    """The law notices: it fails, and does so as a failed check, not by an accident of its own."""
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        law(*arguments)


def test_no_failed_comparison_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """difflib would take more than ten minutes for these two."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(AssertionError) as caught:
        assert laws.CONTENT == laws.OTHER
    assert "diff" not in str(caught.value)


def test_the_hash_is_not_checked(server: laws.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "mismatch", lambda *_: None)
    caught(laws.law_wrong_content_is_refused, server, monkeypatch, assets.fetch)


def test_the_pinned_hash_is_forgotten(server: laws.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "expected_sha256", lambda asset: asset.sha256)
    caught(laws.law_a_pin_is_held, server, monkeypatch, assets.fetch)


def test_only_the_length_is_remembered(server: laws.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    real = store.status

    def lazy(name: str, full: bool = False) -> store.Status:
        found = real(name, full)
        known = store.stamps().get(name)
        if found.state == "unverified" and known is not None:
            return store.Status(found.asset, "present", found.path, found.size_bytes, str(known["sha256"]))
        return found

    monkeypatch.setattr(store, "status", lazy)
    caught(laws.law_later_damage_is_seen, monkeypatch, assets.path)


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_part_is_continued_whatever_the_server_has_now(
    server: laws.Server, monkeypatch: pytest.MonkeyPatch, heeds_if_range: bool
) -> None:
    monkeypatch.setattr(download, "_strong_validator", lambda marks: None)
    monkeypatch.setattr(download, "_continues_at", lambda response, marks, have: have)
    caught(laws.law_changed_file_is_not_appended, server, monkeypatch, assets.fetch, heeds_if_range)


def test_the_file_gets_its_name_before_it_is_verified(server: laws.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    real = download.ResumingDownloader.fill

    def hasty(self: download.ResumingDownloader, url: str) -> bool:
        resumed = real(self, url)
        shutil.copy(self.part, laws.final())
        return resumed

    monkeypatch.setattr(download.ResumingDownloader, "fill", hasty)
    caught(laws.law_name_comes_last, server, monkeypatch, assets.fetch)


def test_the_lock_is_ignored(server: laws.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "exclusive", lambda *_: nullcontext())
    caught(laws.law_one_download_at_a_time, server, monkeypatch, assets.fetch)


def test_torch_is_allowed_to_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.load
    monkeypatch.setattr(torch, "load", lambda path, **options: real(path, **(options | {"weights_only": False})))
    caught(laws.law_code_never_runs, tmp_path, assets.load_weights, {"params_ema": {"a": torch.ones(2)}})


def test_statistics_are_read_by_a_trusting_unpickler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets.loading._ArrayUnpickler, "find_class", pickle.Unpickler.find_class)
    caught(laws.law_code_never_runs, tmp_path, assets.load_arrays, {"mean": torch.ones(2).numpy()})


@pytest.mark.parametrize("evil", ["../evil", "faces/../../evil"])
def test_members_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evil: str) -> None:
    (tmp_path / "inner").mkdir()
    with zipfile.ZipFile(tmp_path / "inner" / "a.zip", "w") as made:
        made.writestr("faces/good.txt", "good")
        made.writestr(evil, "evil")
    monkeypatch.setattr(archive, "_safe_target", lambda _, member, folder: folder / member.name)
    caught(laws.law_nothing_is_written_outside, tmp_path, assets.extract, tmp_path / "inner" / "a.zip")


def test_a_bad_member_is_noticed_only_when_its_turn_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacking straight into the target, and stopping at the bad member, leaves half of the archive there."""

    def straight(source: Path, to: Path) -> None:
        with zipfile.ZipFile(source) as opened:
            for member in archive._zip_members(opened):
                archive._write(source, [member], to / member.name.replace("/", "_"), 10**9)

    (tmp_path / "inner").mkdir()
    with zipfile.ZipFile(tmp_path / "inner" / "a.zip", "w") as made:
        made.writestr("good.txt", "good")
        made.writestr("../evil", "evil")
    caught(laws.law_nothing_is_written_outside, tmp_path, straight, tmp_path / "inner" / "a.zip")


@pytest.mark.parametrize("law", ["law_wrong_content_is_refused", "law_name_comes_last", "law_one_download_at_a_time"])
def test_the_laws_hold_for_the_real_thing(server: laws.Server, monkeypatch: pytest.MonkeyPatch, law: str) -> None:
    """A law that always fails would catch every saboteur and prove nothing."""
    getattr(laws, law)(server, monkeypatch, functools.partial(assets.fetch))
