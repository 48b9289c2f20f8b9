"""What the pictures themselves tell, beyond their scores: from fingerprints, without the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gfpbench.baselines.likely import likely_change
from gfpbench.baselines.looks import FEATURES, Looks, apart, looks, same_bytes
from gfpbench.baselines.setting import SAFETY, Setting
from gfpbench.types import Json, Row, Verdict

ENOUGH = 8
"""Of fewer pictures a share says little."""


def same_pictures(setting: Setting) -> NDArray[np.bool_]:
    """(n,) whether the restored picture is the baseline's, byte for byte; False where nobody knows."""
    before, now = (looks(setting.rows(side), "restored") for side in (0, 1))
    if before is None or now is None:
        return np.zeros(len(setting.pairs), dtype=np.bool_)
    return same_bytes(before, now)


def pictures(setting: Setting, judged: Sequence[Verdict]) -> tuple[list[Verdict], str]:
    """What the restored pictures tell beyond their scores, and the likely kind of change."""
    whole = [pair for pair in setting.pairs if pair[0].failure is None and pair[1].failure is None]
    before, now = (looks([pair[side] for pair in whole], "restored") for side in (0, 1))
    if before is None or now is None:
        return [], ""
    ids = [pair[1].id for pair in whole]
    verdicts = _given_away(setting, whole, before, now)
    moved, feature = beyond(before, now, setting.envelope.get("restored", {}))
    visible = moved if moved.any() else ~same_bytes(before, now)
    if setting.same_model:
        said = f"differ in {feature.removesuffix('_levels').removesuffix('_rgb')} by more than numerical noise"
        if setting.same_machine and setting.envelope.get("exact") is True and not moved.any():
            moved, said = ~same_bytes(before, now), "are other bytes, and this restorer gives the same ones every time"
        elif setting.same_machine and not moved.any() and _too_many(setting, other := ~same_bytes(before, now)):
            moved, said = other, "are other bytes, where numerical noise moves far fewer pictures"
        # An improvement is a change of the pictures too: where the scores have said so, nothing is added.
        if moved.any() and not any(verdict.kind in ("better", "worse") for verdict in judged):
            reason = f"the restored pictures changed: {int(moved.sum())} of {len(ids)} {said}"
            verdicts.append(setting.verdict("pictures", "changed", reason, ids[int(np.flatnonzero(moved)[0])]))
    if any("the metric changed" in verdict.reason for verdict in judged):
        return verdicts, "metric: the same pictures score differently"
    different = [verdict for verdict in (*verdicts, *judged) if verdict.kind != "same"]
    if not different or not visible.any():
        return verdicts, ""
    return verdicts, likely_change(before.only(visible), now.only(visible), min(whole[0][1].size_px))


def _too_many(setting: Setting, other: NDArray[np.bool_]) -> bool:
    """Whether more pictures have other bytes than noise explains: a drift too small for any metric, but everywhere.

    Another order of sums tips a byte in a few small pictures; a layer in half precision tips some in all of them. At
    512 px noise alone does so, and then this says nothing.
    """
    share = setting.envelope.get("bytes_moved")
    return share is not None and len(other) >= ENOUGH and float(other.mean()) > max(0.5, 3 * float(share))


def _given_away(setting: Setting, whole: Sequence[tuple[Row, Row]], before: Looks, now: Looks) -> list[Verdict]:
    """Restored pictures that are the truth, or their own input, where the baseline's were not: no restoration."""
    found = []
    given = [looks([pair[side] for pair in whole], "degraded") for side in (0, 1)]

    def is_own_input(side: int, restored: Looks, place: int) -> bool:
        known = given[side]
        return known is not None and known.sha256[place] == restored.sha256[place]

    for said, places in (
        (
            "is the ground truth itself: the restorer has seen it",
            [
                i
                for i, (old, new) in enumerate(whole)
                if new.face_sha256.startswith(now.sha256[i]) and not old.face_sha256.startswith(before.sha256[i])
            ],
        ),
        (
            "is its own input: nothing was restored",
            [i for i in range(len(whole)) if is_own_input(1, now, i) and not is_own_input(0, before, i)],
        ),
    ):
        if places:
            image = whole[places[0]][1].id
            reason = f"the restored picture of {image} {said} ({len(places)} of {len(whole)} images)"
            found.append(setting.verdict("pictures", "worse", reason, image))
    return found


def beyond(before: Looks, now: Looks, envelope: Mapping[str, Json]) -> tuple[NDArray[np.bool_], str]:
    """(n,) whether a picture differs by more than noise in any feature, and the feature that differs most."""
    moved = np.zeros(len(now.sha256), dtype=np.bool_)
    most, feature = 0.0, "thumbnail_rgb"
    for name, distance in apart(before, now).items():
        slack = max(FEATURES[name], SAFETY * float(envelope.get(name, 0.0)))
        moved |= distance > slack
        share = float(distance.max()) / slack
        if share > most:
            most, feature = share, name
    return moved, feature
