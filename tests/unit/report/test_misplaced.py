"""A first run says where outputs look like their inputs turned or in other colours, or like other inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from gfpbench.images import Bytes
from gfpbench.report import terminal_lines
from gfpbench.report.misplaced import misplaced
from gfpbench.types import Result
from tests.unit.baselines import sample

Change = Callable[[Bytes], Bytes]
BROKEN: dict[str, Change] = {
    "mirrored left to right": lambda rgb: rgb[:, ::-1],
    "upside down": lambda rgb: rgb[::-1],
    "rows and columns exchanged": lambda rgb: rgb.transpose(1, 0, 2),
    "channels exchanged, RGB is now BGR": lambda rgb: rgb[..., ::-1],
    "inverted": lambda rgb: 255 - rgb,
}
SOUND: dict[str, Change] = {
    "nothing": lambda rgb: rgb,
    "much darker": lambda rgb: rgb // 3,
    "another gamma": lambda rgb: np.round(255 * (rgb / 255) ** 0.5).astype(np.uint8),
    "a cast": lambda rgb: (rgb * [1, 0.7, 0.5]).astype(np.uint8),
    "unlike anything": lambda rgb: sample.image(int(rgb[0, 0].sum()) + 5000),
    "one colour": lambda rgb: np.full_like(rgb, 100),
}


LIT: dict[str, tuple[Change, Change]] = {
    # What is restored, and what its input is: dark faces without colour, and a blue cast that sepia replaces.
    "dark and grey": (lambda rgb: grey(rgb), lambda rgb: grey(rgb) // 16),
    "cool, made sepia": (
        lambda rgb: (grey(rgb) * [1, 0.8, 0.6]).astype(np.uint8),
        lambda rgb: (grey(rgb) * [0.6, 0.8, 1]).astype(np.uint8),
    ),
}


def grey(rgb: Bytes) -> Bytes:
    return np.repeat(rgb.mean(-1, keepdims=True), 3, -1).astype(np.uint8)


def restored_by(change: Change, other: int = 0, count: int = 16) -> Result:
    """Outputs that are a little more than ``change`` of the input so many places further on."""

    def made(i: int) -> dict[str, object]:
        output = change(sample.image(2000 + (i + other) % count)).astype(int) + sample.image(i).astype(int) // 16
        return sample.fingerprint(np.clip(output, 0, 255).astype(np.uint8), sample.image(2000 + i))

    return sample.each(sample.result(count), lambda i, row: dataclasses.replace(row, fingerprint=made(i)))


@pytest.mark.parametrize("name", BROKEN)
def test_what_outputs_look_like_is_said(name: str) -> None:
    result = restored_by(BROKEN[name])
    said, names = misplaced(result)
    assert said == f"outputs look like their inputs, {name},"
    assert len(names) > 8
    (line,) = [line for line in terminal_lines([result], None) if line.startswith("warning: ")]
    assert line.startswith(f"warning: model: {said} for ")


def test_outputs_one_place_off_are_said() -> None:
    said, names = misplaced(restored_by(SOUND["nothing"], other=1))
    assert said == "outputs look like inputs other than their own,"
    assert len(names) > 8


@pytest.mark.parametrize("name", SOUND)
def test_of_others_nothing_is_said(name: str) -> None:
    assert misplaced(restored_by(SOUND[name])) == ("", ())


@pytest.mark.parametrize("name", LIT)
def test_light_and_colour_of_the_input_are_no_sign(name: str) -> None:
    restored, given = LIT[name]

    def made(i: int) -> dict[str, object]:
        return sample.fingerprint(restored(sample.image(i)), given(sample.image(i)))

    assert misplaced(sample.each(sample.result(16), lambda i, row: dataclasses.replace(row, fingerprint=made(i)))) == (
        "",
        (),
    )


def test_one_image_is_no_sign_and_the_input_itself_is_none() -> None:
    assert misplaced(restored_by(BROKEN["inverted"], count=1)) == ("", ())
    result = restored_by(BROKEN["inverted"])
    truth = dataclasses.replace(result, case=dataclasses.replace(result.case, restorer="truth"))
    assert misplaced(truth) == ("", ())
