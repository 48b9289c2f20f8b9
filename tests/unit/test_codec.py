"""The door for JSON: a dataclass comes out as it went in, and what is wrong is one line with the field."""

from __future__ import annotations

import json
import math
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench import codec, results
from gfpbench.assets.loading import existing_file
from gfpbench.decode.containers import open_container
from gfpbench.types import BadInput

FIXED = settings(derandomize=True, deadline=None, max_examples=150, database=None)


@dataclass(frozen=True, slots=True)
class Leaf:
    name: str
    size: float | None
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, slots=True)
class Tree:
    leaves: tuple[Leaf, ...]
    pair: tuple[int, str]
    marks: Mapping[str, tuple[float, ...]]
    rest: Mapping[str, Any]
    whole: bool
    late: int = 0
    notes: tuple[str, ...] = field(default=())


numbers = st.floats(allow_nan=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
leaves = st.builds(Leaf, st.text(max_size=8), st.none() | numbers, st.sampled_from(["a", "b"]))
trees = st.builds(
    Tree,
    st.lists(leaves, max_size=3).map(tuple),
    st.tuples(st.integers(-9, 9), st.text(max_size=3)),
    st.dictionaries(st.text(max_size=5), st.lists(numbers, max_size=3).map(tuple), max_size=2),
    st.dictionaries(st.text(max_size=5), plain, max_size=3),
    st.booleans(),
    st.integers(0, 9),
    st.lists(st.text(max_size=4), max_size=2).map(tuple),
)


@FIXED
@given(trees)
def test_what_goes_out_comes_in(tree: Tree) -> None:
    text = json.dumps(codec.encode(tree, infinite=True), allow_nan=False)
    assert codec.decode(Tree, codec.parse(text), infinite=True) == tree


GOOD: dict[str, Any] = {
    "leaves": [{"name": "x", "size": 1, "kind": "b"}],
    "pair": [1, "y"],
    "marks": {"m": [0.5]},
    "rest": {"any": [{"thing": None}]},
    "whole": True,
    "late": 3,
    "notes": [],
}


def test_whole_numbers_become_floats_where_floats_are_meant() -> None:
    size = codec.decode(Tree, GOOD).leaves[0].size
    assert (size, type(size)) == (1.0, float)


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"leaves": 3}, "leaves: expected a list, not 3"),
        ({"leaves": {}}, "leaves: expected a list, not an object"),
        ({"leaves": [{"name": "x", "size": 1}]}, "leaves[0]: lacks kind"),
        ({"leaves": [{"name": 1, "size": 1, "kind": "a"}]}, "leaves[0].name: expected text, not 1"),
        ({"leaves": [{"name": "x", "size": "inf", "kind": "a"}]}, "leaves[0].size: expected a number, not 'inf'"),
        ({"leaves": [{"name": "x", "size": True, "kind": "a"}]}, "leaves[0].size: expected a number, not true"),
        ({"leaves": [{"name": "x", "size": None, "kind": "c"}]}, "leaves[0].kind: expected a or b, not 'c'"),
        ({"leaves": [{"name": "x", "size": None, "kind": []}]}, "leaves[0].kind: expected a or b, not a list"),
        ({"pair": [1]}, "pair: expected 2 values, not 1"),
        ({"pair": ["y", 1]}, "pair[0]: expected a whole number, not 'y'"),
        ({"pair": [1.0, "y"]}, "pair[0]: expected a whole number, not 1.0"),
        ({"pair": [True, "y"]}, "pair[0]: expected a whole number, not true"),
        ({"pair": [1 << 64, "y"]}, "pair[0]: the number is too large"),
        ({"pair": [10**5000, "y"]}, "pair[0]: the number is too large"),
        ({"marks": {"m": [1e999]}}, "marks.m[0]: Infinity is not JSON"),
        ({"marks": {"a b": [math.nan]}}, "marks.a b[0]: NaN is not JSON"),
        ({"marks": {"a.b": ["x"]}}, "marks.'a.b'[0]: expected a number"),
        ({"marks": None}, "marks: expected an object, not null"),
        ({"marks": []}, "marks: expected an object, not a list"),
        ({"rest": {"x": {"y": -math.inf}}}, "rest.x.y: -Infinity is not JSON"),
        ({"rest": {"x": [10**400]}}, "rest.x[0]: the number is too large"),
        ({"rest": {"x": deep(70)}}, "is nested more than 64 deep"),
        ({"whole": 1}, "whole: expected true or false, not 1"),
        ({"whole": "\x1b[2J\n" * 99}, r"whole: expected true or false, not '\x1b[2J\n\x1b[2J"),
        ({"new": 1, "a\nb": 2}, r"file: has unknown 'a\nb', new"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(change: dict[str, Any], line: str) -> None:
    import sys

    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        text = json.dumps({**GOOD, **change})
    finally:
        sys.set_int_max_str_digits(before)
    with pytest.raises(BadInput) as caught:
        codec.decode(Tree, codec.parse(text))
    said = str(caught.value)
    assert line in said
    assert said.isprintable()
    assert len(said) < 400


def test_a_number_that_json_reads_as_infinity() -> None:
    with pytest.raises(BadInput, match=r"^marks.m\[0\]: is no finite number, or too large for one"):
        codec.decode(Tree, codec.parse(json.dumps(GOOD).replace("0.5", "1e999")))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"name": "a", "name": "b", "size": 1, "kind": "a"}', "name: is there twice"),
        ('{"name": "a", "size": 1, "kind": "a", "kind": "a"}', "kind: is there twice"),
        ('{"name": "a", "size": {"x": 1, "x": 2}, "kind": "a"}', "size: expected a number, not an object"),
    ],
)
def test_a_name_is_there_once(text: str, line: str) -> None:
    with pytest.raises(BadInput, match=line):
        codec.decode(Leaf, codec.parse(text))


def test_a_name_is_there_once_where_anything_may_be() -> None:
    with pytest.raises(BadInput, match=r"^top\[1\]\.a: is there twice"):
        codec.plain(codec.parse('[1, {"a": 1, "a": 1}]'), "top")


def test_what_may_be_missing_is_said_by_who_reads() -> None:
    less = {name: value for name, value in GOOD.items() if name != "late"}
    with pytest.raises(BadInput, match="lacks late"):
        codec.decode(Tree, less)
    assert codec.decode(Tree, less, optional={Tree: ("late",)}).late == 0
    assert codec.decode(Tree, {**GOOD, "said": 1}, ignored=("said",)).late == 3
    with pytest.raises(TypeError, match="have no default"):
        codec.decode(Tree, less, optional={Tree: ("whole",)})


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "is not the JSON"),
        (b"\xff\xfe{\x00}\x00", "is not the JSON"),
        (b"[" * 100_000, "is nested more than 64 deep"),
        (b'{"a": 1} x', "is not the JSON"),
        (b'{"a":\n"' + b"b" * 70, "is not the JSON that gfpbench writes: line 2, column 1: Unterminated string"),
        (b'{"a": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> mine\n]}', "line 2 is the mark of a merge conflict"),
        (b"\xef\xbb\xbf{}", "is not the JSON"),
    ],
)
def test_what_is_no_json(tmp_path: Path, data: bytes, line: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=line) as caught:
        codec.read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_large_file_is_read_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gfpbench.codec.text.MAX_BYTES", 1 << 20)
    with (tmp_path / "zeros").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BadInput, match="is longer than 1 MiB"):
        codec.read(tmp_path / "zeros")


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"a": [math.nan]}, r"^x.a\[0\]: is nan"),
        ({"a": math.inf}, r"^x.a: is inf"),
        ({3: 1}, "^x: the names of fields must be text, not 3"),
        ({"a": object()}, "^x.a: JSON cannot hold this: <object"),
    ],
)
def test_what_must_not_be_written(value: Any, line: str) -> None:
    with pytest.raises(BadInput, match=line):
        codec.encode(value, "x")


def test_a_type_that_nobody_taught_is_a_mistake_of_the_code() -> None:
    @dataclass
    class Strange:
        x: complex

    with pytest.raises((TypeError, NameError)):
        codec.decode(Strange, {"x": 1})


READERS: dict[str, Callable[[Path], object]] = {
    "JSON": codec.read,
    "results": results.read,
    "a checkpoint": existing_file,
    "an archive": lambda path: open_container(path, "zip", {}),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("which", READERS)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, which: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.open("wb").close())  # whoever opens it all the same goes on
    writer.start()
    try:
        with pytest.raises(BadInput, match="/pipe: is a pipe, not a regular file: write what it gives into a file"):
            READERS[which](pipe)
    finally:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        writer.join()
        os.close(reader)


def test_a_socket_and_a_device_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most 108 bytes
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("bound")
        for path, kind in (("bound", "a socket"), (os.devnull, "a device")):
            with pytest.raises(BadInput, match=f"{path}: is {kind}, not a regular file"):
                codec.refuse_irregular(Path(path))
    for path in ("nothing", ".", "a\0b"):
        codec.refuse_irregular(Path(path))
