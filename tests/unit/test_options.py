"""Options behind a restorer's name: read, defaulted, refused."""

from __future__ import annotations

import pytest

from gfpbench.options import Options, split_options
from gfpbench.restorers import load
from gfpbench.types import BadInput


@pytest.mark.parametrize(
    ("spec", "bare", "given"),
    [
        ("nano", "nano", {}),
        ("codeformer?w=0.7&dtype=bf16", "codeformer", {"w": "0.7", "dtype": "bf16"}),
        ("checkpoint:/a/b?batch=2", "checkpoint:/a/b", {"batch": "2"}),
        ("checkpoint:what?.pth", "checkpoint:what?.pth", {}),
        ("checkpoint:what?.pth?code=shared", "checkpoint:what?.pth", {"code": "shared"}),
        ("a?b=", "a", {"b": ""}),
        ("a?", "a?", {}),
    ],
)
def test_a_name_and_its_options_are_told_apart(spec: str, bare: str, given: dict[str, str]) -> None:
    assert split_options(spec) == (bare, given)


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="'dtype' twice"):
        split_options("a?dtype=fp32&dtype=bf16")


def test_values_are_read_and_the_name_is_kept() -> None:
    options = Options("net", {"w": "0.25", "batch": "4", "dtype": "bf16"})
    assert options.number("w", 0.5, 0, 1) == 0.25
    assert options.whole("batch", 8, 1, 64) == 4
    assert options.choice("dtype", ("fp32", "bf16")) == "bf16"
    assert options.number("other", 0.5, 0, 1) == 0.5
    options.finished()
    assert options.spelled == "net?w=0.25&batch=4&dtype=bf16"


@pytest.mark.parametrize("value", ["nan", "-0.1", "1.01", "much", "", "inf"])
def test_numbers_outside_their_range_are_refused(value: str) -> None:
    with pytest.raises(BadInput, match=r"cannot be used; give w=0\.\.1"):
        Options("net", {"w": value}).number("w", 0.5, 0, 1)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "65", "", "99999999999999999999", "٣"])
def test_whole_numbers_outside_their_range_are_refused(value: str) -> None:
    with pytest.raises(BadInput, match=r"give batch=1\.\.64"):
        Options("net", {"batch": value}).whole("batch", 8, 1, 64)


def test_an_option_nobody_has_is_answered_with_those_there_are() -> None:
    options = Options("net", {"dtpye": "bf16"})
    options.choice("dtype", ("fp32", "bf16"))
    with pytest.raises(BadInput, match=r"net\?dtpye=bf16: there is no option 'dtpye'; there are: dtype=fp32\|bf16"):
        options.finished()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bicubic?dtype=bf16", "'bicubic' takes no options"),
        ("nano?dtpye=bf16", "there is no option 'dtpye'; there are: dtype="),
        ("nano?layout=contiguous&channels_last=yes", "layout and channels_last say different things"),
        ("nanno?dtype=bf16", "no restorer named 'nanno'"),
        ("gfpgan-1.4?dtype=fp16", r"dtype=fp16 is not offered: .*1e-8.*use dtype=bf16"),
        ("gfpgan-1.4?dtype=tf32", "tf32 is a mode of NVIDIA GPUs"),
        ("gfpgan-1.4?dtype=int8", r"give dtype=fp32\|tf32\|bf16"),
        ("gfpgan-1.4?batch=0", "give batch="),
        ("outputs:nowhere?x=1", r"nowhere\?x=1 is not a folder"),
    ],
)
def test_restorers_refuse_options_in_one_line(spec: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        load(spec)
    assert "\n" not in str(caught.value)
