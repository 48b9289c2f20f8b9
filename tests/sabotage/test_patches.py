"""The bugs of the table can be put into today's source: a move of code would leave one of them out unseen."""

from __future__ import annotations

import pytest

from tests.sabotage import patches


@pytest.mark.parametrize("patch", patches.PATCHES, ids=lambda patch: patch.name)
def test_it_can_be_put_in(patch: patches.Patch) -> None:
    compile(patches.with_the_bug(patch), patch.file, "exec")
