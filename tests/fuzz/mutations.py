"""Good documents and files made bad: a few places of one changed, as damage, age, hand or malice would."""

from __future__ import annotations

import copy
import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 0.5, -0.5, 2**63, 10**30, -(10**30), 1e308, -1e308, 5e-324, float("nan"), float("inf"),
    "", "x", "inf", "-inf", "nan", "0", "\x1b[2J\n", "\ud800", "../../etc/passwd", "a" * 3000, "__class__",
    [], {}, [1], ["x"], {"a": 1}, [[[[]]]], {"id": None},
)  # fmt: skip


def places(document: Any, at: Path = ()) -> Iterator[Path]:
    """Every place of a document but its root."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, item in items:
        yield (*at, key)
        if isinstance(item, dict | list):
            yield from places(item, (*at, key))


def _at(document: Any, path: Path) -> Any:
    for key in path:
        document = document[key]
    return document


@st.composite
def documents(draw: st.DrawFn, good: Sequence[Any]) -> Any:
    """One of the good documents with one to three places changed; every depth is as likely as any other."""
    document = copy.deepcopy(draw(st.sampled_from(good)))
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(document))
        if not found:
            break
        depth = draw(st.sampled_from(sorted({len(path) for path in found})))
        path = draw(st.sampled_from([path for path in found if len(path) == depth]))
        parent, key = _at(document, path[:-1]), path[-1]
        how = draw(st.sampled_from(["strange", "near", "gone", "new", "again", "another", "deep"]))
        if how == "strange":
            parent[key] = copy.deepcopy(draw(st.sampled_from(STRANGE)))
        elif how == "near":
            parent[key] = draw(_near(parent[key]))
        elif how == "gone":
            del parent[key]
        elif how == "new" and isinstance(parent, dict):
            name = draw(st.sampled_from(["new", "id", "kind", "\n", "", "schema"]))
            parent[name] = copy.deepcopy(draw(st.sampled_from(STRANGE)))
        elif how == "again" and isinstance(parent, list) and isinstance(key, int):
            parent.insert(draw(st.integers(0, len(parent))), copy.deepcopy(parent[key]))
        elif how == "another":
            parent[key] = copy.deepcopy(_at(document, draw(st.sampled_from(found))))
        elif how == "deep":
            for _ in range(draw(st.sampled_from([3, 70, 200]))):
                parent[key] = [parent[key]]
    return document


def _near(value: Any) -> st.SearchStrategy[Any]:
    if isinstance(value, bool) or value is None:
        return st.sampled_from([True, False, None, "true", 0])
    if isinstance(value, int | float):
        return st.sampled_from([-value, value + 1, value * 1e6, 0, value / 3, str(value), float(value)])
    if isinstance(value, str):
        return st.sampled_from([value + "x", value[: len(value) // 2], value * 40, value.upper(), "0"])
    return st.sampled_from([list(value), dict.fromkeys(map(str, value)), [value], {"x": value}])


@st.composite
def texts(draw: st.DrawFn, good: Sequence[Any]) -> bytes:
    """A mutated document as JSON, now and then a name twice in it or its bytes damaged too."""
    document = draw(documents(good))
    text = json.dumps(document).encode("utf-8", "surrogatepass")
    how = draw(st.sampled_from(["as it is"] * 6 + ["twice", "damaged"]))
    if how == "twice":
        place = draw(st.integers(0, max(0, len(text) - 1)))
        start = text.find(b'"', place)
        end = text.find(b", ", start)
        if 0 <= start < end:
            text = text[:end] + b", " + text[start:end] + text[end:]
    return draw(damaged([text])) if how == "damaged" else text


@st.composite
def damaged(draw: st.DrawFn, good: Sequence[bytes]) -> bytes:
    """A good file with one to four pieces of it flipped, cut, doubled, moved or replaced."""
    data = draw(st.sampled_from(good))
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        # Heads matter more than bodies, so half of the places lie in the first hundred bytes.
        top = draw(st.sampled_from([min(len(data), 100), len(data)]))
        start = draw(st.integers(0, top - 1))
        length = draw(st.sampled_from([1, 1, 2, 4, 8, 64, len(data)]))
        piece = data[start : start + length]
        how = draw(st.sampled_from(["flip", "set", "cut", "double", "insert", "truncate", "big"]))
        if how == "flip":
            data = data[:start] + bytes([data[start] ^ (1 << draw(st.integers(0, 7)))]) + data[start + 1 :]
        elif how == "set":
            data = data[:start] + draw(st.binary(min_size=1, max_size=8)) + data[start + len(piece) :]
        elif how == "cut":
            data = data[:start] + data[start + len(piece) :]
        elif how == "double":
            data = data[:start] + piece + data[start:]
        elif how == "insert":
            data = data[:start] + draw(st.binary(min_size=1, max_size=16)) + data[start:]
        elif how == "truncate":
            data = data[:start]
        else:
            data = data[:start] + b"\xff" * min(8, len(piece)) + data[start + min(8, len(piece)) :]
    return data


@st.composite
def archives(draw: st.DrawFn, good: Sequence[bytes]) -> bytes:
    """A good archive with one or two of its members damaged, gone, renamed or there twice; its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(draw(st.sampled_from(good)))) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    for _ in range(draw(st.integers(1, 2))):
        if not members:
            break
        place = draw(st.integers(0, len(members) - 1))
        name, data = members[place]
        how = draw(st.sampled_from([*["damaged"] * 5, "text", "gone", "renamed", "twice", "moved"]))
        if how == "damaged":
            members[place] = (name, draw(damaged([data])))
        elif how == "text":  # a word of it in place of another, as in programs and JSON
            words = re.findall(rb"[A-Za-z_0-9.]+", data[:20_000]) or [b"x"]
            old, new = draw(st.sampled_from(words)), draw(st.sampled_from([*words, b"-1", b"99999999999", b"None"]))
            members[place] = (name, data.replace(old, new, 1))
        elif how == "gone":
            del members[place]
        elif how == "renamed":
            members[place] = (draw(st.sampled_from([name + "x", name[:-1], "../" + name, name.upper()])), data)
        elif how == "twice":
            members.append((name, draw(damaged([data]))))
        else:
            members[place] = (draw(st.sampled_from([other for other, _ in members])), data)
    written = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(written, "w") as archive:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, data in members:
            archive.writestr(name, data)
    return written.getvalue()
