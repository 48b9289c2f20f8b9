"""What a killed run left on the disk and somebody changed: it is started over with one warning, never believed."""

from __future__ import annotations

import json
import logging
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from gfpbench.types import BadInput
from tests.unit.run import damage, laws
from tests.unit.run.damage import DAMAGE, TOY
from tests.unit.run.laws import CASE, ToyFaces, ToyWithSets


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("undisturbed")
    TOY.measure(store)
    return store / CASE.id


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    return damage.killed_run(tmp_path)


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_starts_the_case_over_with_one_warning(
    killed: Path, undisturbed: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    DAMAGE[what](killed)
    with caplog.at_level(logging.WARNING, "gfpbench"):
        TOY.measure(killed.parent)
    laws.check_same(undisturbed, killed)
    assert [record.getMessage().count("starting over") for record in caplog.records] == [1]
    assert "\n" not in caplog.text.strip()


def test_undamaged_state_is_gone_on_with(killed: Path, undisturbed: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "gfpbench"):
        TOY.measure(killed.parent)
    laws.check_same(undisturbed, killed)
    assert caplog.text == ""
    assert json.loads((killed / "timing.json").read_text())["resumed_batches"] == 4


def test_features_that_no_batch_committed_are_not_counted(killed: Path, undisturbed: Path) -> None:
    np.savez(
        killed / "features" / "000000001.npz",
        **dict.fromkeys(("restored:quarters", "truth:quarters"), cast(Any, np.ones((3, 12)))),
    )
    TOY.measure(killed.parent)
    laws.check_same(undisturbed, killed)


def test_single_bytes_changed_at_random_change_no_number(tmp_path: Path, killed: Path, undisturbed: Path) -> None:
    chance = random.Random(5)
    state = {path: path.read_bytes() for path in sorted(killed.rglob("*")) if path.suffix in (".jsonl", ".npz")}
    assert len(state) == 5
    for _ in range(40):
        for path, content in state.items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        path = chance.choice(sorted(state))
        place = chance.randrange(len(state[path]))
        damaged = bytearray(state[path])
        damaged[place] ^= chance.randrange(1, 256)
        path.write_bytes(bytes(damaged))
        TOY.measure(tmp_path)
        laws.check_same(undisturbed, killed)


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    damage.write_answers(tmp_path / "answers")
    monkeypatch.syspath_prepend(str(tmp_path / "answers"))
    yield tmp_path / "answers"
    sys.modules.pop("stale_lookup", None)


@pytest.mark.parametrize("name", ["face 0000", "face 0004", "face 0011"])
def test_a_file_that_the_restorer_read_counts_by_its_content(tmp_path: Path, answers: Path, name: str) -> None:
    damage.answer_exchanged(tmp_path, answers, name)


@pytest.mark.usefixtures("forked_processes")
def test_so_does_one_that_an_isolated_restorer_read(tmp_path: Path, answers: Path) -> None:
    damage.answer_exchanged(tmp_path, answers, "face 0004", isolated=True)


def test_files_that_did_not_change_do_not_start_it_over(
    tmp_path: Path, answers: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "gfpbench"):
        damage.answer_exchanged(tmp_path, answers, "face 0019")  # not yet read when the run was killed
    assert caplog.text == ""
    read = json.loads((tmp_path / "fresh" / CASE.id / "key.json").read_text())
    names = [Path(path).name for path in read["key"]["restorer's files"]]
    assert sorted(names) == ["face 0000.npy", "face 0001.npy", "stale_lookup.py"]
    assert len(read["read"]) == 18


@pytest.mark.parametrize("name", ["face 0001", "face 0011"])
def test_outputs_count_by_their_content(tmp_path: Path, name: str) -> None:
    damage.outputs_exchanged(tmp_path, name)


def test_an_error_of_the_run_itself_is_not_taken_for_damage(tmp_path: Path, killed: Path) -> None:
    unreadable = ToyWithSets(ToyFaces(18, unreadable=frozenset(ToyFaces(18).ids())))
    with pytest.raises(BadInput, match="not one of 18 can be read"):
        unreadable.measure(tmp_path)
