"""Small bugs in ``outputs:`` and ``stored:`` of archives, each of which a test of the honest ones notices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from gfpbench.decode.containers import as_folder, collection, shards
from gfpbench.decode.containers.collection import Collection
from gfpbench.decode.decoded import FACE_LIMITS
from gfpbench.degrade import stored
from gfpbench.degraded import LOCK, UNFINISHED
from gfpbench.restorers import outputs
from gfpbench.restorers.outputs import Outputs
from gfpbench.types import BadInput, ImageBatch
from tests.unit.degrade import test_archived_stored as of_stored
from tests.unit.faces.test_addresses import _home, memory  # noqa: F401 - fixtures of the laws
from tests.unit.restorers import test_archived_outputs as of_outputs
from tests.unit.restorers.conftest import degraded, truth  # noqa: F401 - as above
from tests.unit.restorers.test_archived_outputs import files  # noqa: F401 - a fixture of the laws

Bug = Callable[[pytest.MonkeyPatch], None]


def _folders_inside_forgotten(patch: pytest.MonkeyPatch) -> None:
    honest = Collection.files
    patch.setattr(Collection, "files", lambda self: {PurePosixPath(k).name: v for k, v in honest(self).items()})


def _all_of_the_first(patch: pytest.MonkeyPatch) -> None:
    honest = Collection.files
    patch.setattr(Collection, "files", lambda self: dict.fromkeys(found := honest(self), min(found.values())))


def _options_lost(patch: pytest.MonkeyPatch) -> None:
    honest = as_folder.archived

    def archived(path: str, given: Mapping[str, str]) -> Any:
        found, _, other = honest(path.partition("?")[0], {})
        return found, path, {**other, **{k: v for k, v in given.items() if k not in ("column", "id")}}

    for module in (outputs, stored):
        patch.setattr(module, "archived", archived)


def _changes_unseen(patch: pytest.MonkeyPatch) -> None:
    for module in (collection, shards):
        patch.setattr(module, "stamp_of", lambda file: None)


def _no_manifest(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stored, "manifest_in", lambda *_: None)


def _first_manifest(patch: pytest.MonkeyPatch) -> None:
    honest = Collection.beside
    patch.setattr(Collection, "beside", lambda self, name: honest(self, name)[:1])


def _unfinished_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(as_folder, "UNFINISHED", LOCK)


def _both_halves(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stored, "DEGRADED_FOLDERS", ("celeba_512_validation_lq",))


def _large_ones_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stored, "LIMITS", FACE_LIMITS)


def _unhashed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stored._Archive, "sha256", lambda self, file: None)


def _hashes_of_names(patch: pytest.MonkeyPatch) -> None:
    honest = Outputs._sha256
    patch.setattr(Outputs, "_sha256", lambda self, file: honest(self, file) if self._archive is None else file)


STORED: dict[str, tuple[Bug, Callable[[Path, Any], None]]] = {
    "folders inside are forgotten": (
        _folders_inside_forgotten,
        lambda to, _: of_stored.test_an_archive_is_the_folder_that_was_packed("zip", to),
    ),
    "small images are refused": (
        _large_ones_only,
        lambda to, _: of_stored.test_an_archive_is_the_folder_that_was_packed("zip", to),
    ),
    "images have no hash": (
        _unhashed,
        lambda to, _: of_stored.test_an_archive_is_the_folder_that_was_packed("tar", to),
    ),
    "the clean half counts": (
        _both_halves,
        lambda to, _: of_stored.test_only_the_degraded_half_of_packed_pairs_counts(to),
    ),
    "a change is not seen": (
        _changes_unseen,
        lambda to, _: of_stored.test_an_archive_that_changes_while_it_is_measured_fails_its_images(to),
    ),
    "options are lost": (_options_lost, lambda to, _: of_stored.test_options_of_an_archive_stand_behind_it(to)),
    "the manifest inside is not read": (
        _no_manifest,
        lambda to, system: of_stored.test_the_manifest_is_read_inside(to, system),
    ),
    "the manifest of the first shard is taken": (
        _first_manifest,
        lambda to, _: of_stored.test_shards_with_different_manifests_are_refused(to),
    ),
    "what is not finished is taken": (
        _unfinished_taken,
        lambda to, _: of_stored.test_a_manifest_that_is_broken_is_told({UNFINISHED: b""}, "not finished", to),
    ),
}


@pytest.mark.parametrize("name", STORED)
def test_a_bug_in_stored_is_noticed(
    name: str,
    memory: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    bug, law = STORED[name]
    bug(monkeypatch)
    with pytest.raises((AssertionError, BadInput, KeyError, pytest.fail.Exception)):
        law(tmp_path, memory)


OUTPUTS: dict[str, tuple[Bug, Callable[..., None]]] = {
    "all files are the first": (
        _all_of_the_first,
        lambda *given: of_outputs.test_an_archive_is_the_folder_that_was_packed("zip", *given),
    ),
    "files are told by their names": (
        _hashes_of_names,
        lambda *given: of_outputs.test_an_archive_is_the_folder_that_was_packed("zip", *given),
    ),
    "options of the archive are lost": (
        _options_lost,
        of_outputs.test_options_of_the_archive_and_of_the_layout_stand_together,
    ),
    "a change is not seen": (
        _changes_unseen,
        of_outputs.test_an_archive_that_changes_while_it_is_measured_fails_its_images,
    ),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_bug_in_outputs_is_noticed(
    name: str,
    files: dict[str, bytes],  # noqa: F811
    degraded: ImageBatch,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    bug, law = OUTPUTS[name]
    bug(monkeypatch)
    with pytest.raises((AssertionError, BadInput, pytest.fail.Exception)):
        law(files, degraded, tmp_path)
