"""Descriptions of the conversions applied to a file's values, and of how two files differ in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gfpbench.types import Json

if TYPE_CHECKING:
    from gfpbench.decode.decoded import Profile

COMPOSITED = "alpha composited on white"
TURNED = "turned upright"
_NOT_APPLIED = "colour profile not applied: "
_REDUCED = " to 8"


def first_of(frames: int) -> str:
    """Of a file that holds several images, of which only the first is the photograph."""
    return f"the first of {frames} images"


def not_applied(profile: Profile) -> str:
    """Of a file whose profile is not sRGB: its numbers are kept."""
    return f"{_NOT_APPLIED}{profile.name}"


def reduced(bits: int, *, floating: bool) -> str:
    """Of samples with more than 8 bits."""
    return f"{bits}-bit floating point rounded{_REDUCED}" if floating else f"{bits} bits rounded{_REDUCED}"


def unlike(truth: Mapping[str, Json], output: Mapping[str, Json]) -> tuple[str, ...]:
    """What was done to one of two files and not to the other, so that their values may not mean the same.

    Left aside are what every restoration goes through (rounding to 8 bits) and what leaves both upright. A profile
    counts where the output names another than the truth: tools that write none have kept the numbers, as this does.

    Args:
        truth, output: as ``Decoded.record`` gives them.

    Returns:
        A phrase each, saying which of the two it is true of.
    """
    one, other = (_phrases(record) for record in (truth, output))
    found = [f"{phrase} (the truth only)" for phrase in one if phrase not in other]
    found += [f"{phrase} (the output only)" for phrase in other if phrase not in one]
    names = [_profile(record) for record in (truth, output)]
    if names[1] is not None and names[1] != (names[0] or "sRGB"):
        found.append(f"colour profile {names[0] or 'none'} in the truth, {names[1]} in the output")
    return tuple(found)


def phrases_of(record: Mapping[str, Json]) -> list[str]:
    """What a record says was done; nothing where it has another shape, because it may come from a foreign file."""
    phrases = record.get("treatment")
    return [phrase for phrase in phrases if isinstance(phrase, str)] if isinstance(phrases, list) else []


def _phrases(record: Mapping[str, Json]) -> list[str]:
    return [
        phrase
        for phrase in phrases_of(record)
        if phrase != TURNED and not phrase.startswith(_NOT_APPLIED) and not phrase.endswith(_REDUCED)
    ]


def _profile(record: Mapping[str, Json]) -> str | None:
    name = record.get("colour_profile")
    if name is None:
        return None
    kept = any(phrase.startswith(_NOT_APPLIED) for phrase in phrases_of(record))
    return str(name) if kept else "sRGB"
