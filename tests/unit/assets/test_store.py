"""What is here: states, hashes that were pinned, and licences that were agreed to."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pooch
import pytest

from gfpbench import assets
from gfpbench.assets import licences
from gfpbench.types import AssetMissing, BadInput
from tests.unit.assets.laws import (
    CONTENT,
    OTHER,
    Page,
    Server,
    final,
    law_a_pin_is_held,
    law_later_damage_is_seen,
    part,
    toy,
)

RIGHT = hashlib.sha256(CONTENT).hexdigest()


def placed(content: bytes = CONTENT) -> Path:
    final().parent.mkdir(parents=True, exist_ok=True)
    final().write_bytes(content)
    return final()


def pin_of(name: str) -> Any:
    return json.loads((assets.home() / "assets.lock").read_text())[name]


def test_the_cache_is_where_it_is_asked_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "elsewhere"))
    assert assets.home() == tmp_path / "elsewhere"
    assert not assets.home().exists(), "asking must not make folders"
    monkeypatch.setenv("GFPBENCH_HOME", "~/faces")
    assert assets.home() == Path.home() / "faces"
    monkeypatch.setenv("GFPBENCH_HOME", "")
    assert assets.home().name == "gfpbench"


def test_a_missing_file_names_who_needs_it_and_what_to_do(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch)
    with pytest.raises(AssetMissing, match=r"gfpgan-toy needs the asset 'toy'.*`gfpbench fetch toy`"):
        assets.path("toy")
    with pytest.raises(AssetMissing, match=r"^my test needs"):
        assets.path("toy", needed_by="my test")
    assert assets.status("toy").state == "missing"


def test_a_file_put_there_by_hand_is_hashed_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch)
    placed()
    assert assets.status("toy").state == "unverified"
    assert assets.path("toy") == final()
    monkeypatch.setattr(pooch, "file_hash", None)  # from here on reading it all would be a waste
    assert assets.path("toy") == final()
    assert assets.status("toy").state == "present"
    assert assets.status("toy").sha256 == RIGHT


@pytest.mark.parametrize("content", [OTHER, CONTENT[:-1], b""])
def test_a_damaged_file_is_never_handed_out(server: Server, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    toy(monkeypatch)
    placed(content)
    with pytest.raises(BadInput, match=r"is not toy: .* `gfpbench fetch toy`"):
        assets.path("toy")
    assert assets.status("toy", full=True).state == "damaged"


def test_damage_after_the_check_is_seen(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    law_later_damage_is_seen(monkeypatch, assets.path)


def test_the_full_check_reads_the_file_whatever_is_remembered(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch)
    placed()
    assets.path("toy")
    before = final().stat()
    placed(OTHER)
    os.utime(final(), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert assets.status("toy").state == "present", "the cheap check trusts size and time"
    assert assets.status("toy", full=True).state == "damaged"


def test_a_lost_or_broken_memory_costs_only_a_new_check(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch)
    placed()
    assets.path("toy")
    (assets.home() / ".verified.json").write_text("{half")
    assert assets.path("toy") == final()


def test_an_unpublished_hash_is_pinned_visibly_on_first_use(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page()), sha256=None)
    lines: list[str] = []
    assets.fetch("toy", say=lines.append)
    assert lines == [f"toy: its hash was never published; sha256 {RIGHT} is now pinned in {assets.home()}/assets.lock"]
    assert pin_of("toy")["sha256"] == RIGHT
    assert pin_of("toy")["from"] == server.url("/file")


def test_a_pinned_hash_is_held_against_later_files(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    law_a_pin_is_held(server, monkeypatch, assets.fetch)
    assert pin_of("toy")["sha256"] == RIGHT


def test_a_published_beginning_is_checked_and_the_rest_pinned(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page()), sha256=RIGHT[:8])
    lines: list[str] = []
    assets.fetch("toy", say=lines.append)
    assert pin_of("toy")["sha256"] == RIGHT
    assert f"only {RIGHT[:8]}…" in lines[0]


def test_a_file_without_the_published_beginning_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page(content=OTHER)), sha256=RIGHT[:8])
    with pytest.raises(assets.FetchFailed, match=rf"expected {RIGHT[:8]}…"):
        assets.fetch("toy", say=print)
    assert not (assets.home() / "assets.lock").exists()


def test_an_unpublished_file_put_there_by_hand_is_pinned_only_on_request(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy(monkeypatch, sha256=None)
    placed()
    with pytest.raises(BadInput, match="`gfpbench fetch toy` to pin it"):
        assets.path("toy")
    assert assets.fetch("toy", say=print) == assets.path("toy")


@pytest.mark.parametrize("text", ["{half", "[]", '{"toy": {"sha256": "abc"}}', '{"toy": 3}'])
def test_a_damaged_lock_file_is_an_error_and_never_a_fresh_start(
    server: Server, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    toy(monkeypatch, server.url("/file", Page()), sha256=None)
    assets.home().mkdir(parents=True)
    (assets.home() / "assets.lock").write_text(text)
    with pytest.raises(BadInput, match=r"assets\.lock"):
        assets.fetch("toy", say=print)
    assert not final().exists()


def test_rows_describe_everything_and_are_json(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page(cut_after=99, ranges=False)))
    with pytest.raises(assets.FetchFailed):
        assets.fetch("toy", say=print)
    rows = {row["name"]: row for row in assets.describe()}
    assert set(rows) == set(assets.ASSETS)
    json.dumps(list(rows.values()), allow_nan=False)
    row = rows["toy"]
    assert (row["state"], row["bytes_here"], row["bytes_expected"]) == ("partial", 99, len(CONTENT))
    assert rows["toy"]["path"] == str(part())
    assert rows["gfpgan-1"]["hash"] == "pinned on first use"
    assert rows["ffhq-inception-stats-512"]["hash"] == "beginning published"
    assert rows["codeformer"]["noncommercial"] is True


def nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)


def test_without_a_terminal_a_non_commercial_licence_is_one_line(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy(monkeypatch, server.url("/file", Page()), noncommercial=True, licence="CC-BY-NC-4.0")
    nobody_to_ask(monkeypatch)
    with pytest.raises(assets.LicenceNotAccepted, match=r"CC-BY-NC-4\.0.*`--accept-licence`") as caught:
        assets.fetch("toy", say=print)
    assert "\n" not in str(caught.value)
    assert server.requests == []


def test_an_accepted_licence_is_remembered_until_it_changes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = toy(monkeypatch, server.url("/file", Page()), noncommercial=True, licence="CC-BY-NC-4.0")
    nobody_to_ask(monkeypatch)
    assets.fetch("toy", accept_licence=True, say=print)
    assert assets.is_accepted(asset)
    final().unlink()
    assets.fetch("toy", say=print)
    changed = toy(monkeypatch, server.url("/file"), noncommercial=True, licence="CC-BY-NC-5.0")
    assert not assets.is_accepted(changed)


def test_a_person_is_asked_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page()), noncommercial=True)
    asked: list[str] = []

    def ask(asset: assets.Asset) -> bool:
        asked.append(asset.name)
        return len(asked) > 1

    with pytest.raises(assets.LicenceNotAccepted):
        assets.fetch("toy", ask=ask, say=print)
    assets.fetch("toy", ask=ask, say=print)
    final().unlink()
    assets.fetch("toy", ask=ask, say=print)
    assert asked == ["toy", "toy"]


@pytest.mark.parametrize(("answer", "agreed"), [("y", True), (" YES ", True), ("n", False), ("", False), (None, False)])
def test_only_yes_is_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str | None, agreed: bool
) -> None:
    def reply() -> str:
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", reply)
    assert licences.ask_on_terminal(assets.find("codeformer")) is agreed
    assert "S-Lab License 1.0" in capsys.readouterr().err
