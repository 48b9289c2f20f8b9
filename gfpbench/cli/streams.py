"""Standard output and error that accept any text: limited encodings, a closed pipe, a full disk."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

SPELT = {
    "↑": "^",
    "↓": "v",
    "∞": "inf",
    "−": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "·": "-",
    "×": "x",
    "±": "+-",
    "→": "->",
}
"""What stands for our own signs where an encoding has none; any other character is written as its escape."""

ERRORS = "gfpbench_spelt"
"""The name under which Python's codecs know ``spelt``."""


def spelt(error: UnicodeError) -> tuple[str, int]:
    """What an encoding writes in place of characters that it lacks: our signs in ASCII, others escaped (``\\u4e2d``).

    A lone surrogate, which stands for a byte of a file name that is no UTF-8, is escaped in every encoding.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    written = (SPELT.get(char) or char.encode("ascii", "backslashreplace").decode("ascii") for char in wrong)
    return "".join(written), error.end


codecs.register_error(ERRORS, spelt)


class _Text(io.TextIOWrapper):
    """A stream that a model may close, as it may its own: what comes after it is still written."""

    def close(self) -> None:
        self.flush()


class _Output(io.FileIO):
    """Standard output. Where its reader has left (``| head``) the rest is dropped and the work goes on: the exit code
    then still says what was found, while dying of a closed pipe would say nothing, or that a gate failed."""

    dropping = False

    def write(self, data: Any, /) -> int:
        if not self.dropping:
            try:
                return super().write(data)
            except BrokenPipeError:
                self.dropping = True
            except OSError as error:
                from gfpbench.types import GfpbenchError  # imports torch, and `gfpbench --version` needs none

                self.dropping = error.errno != errno.EBADF  # closed by a model: it is opened again behind its call
                raise GfpbenchError(f"standard output: cannot be written: {error.strerror or error}") from error
        return memoryview(data).nbytes


class _Diagnostics(io.FileIO):
    """Standard error: a line of progress that cannot be written must not end a measurement, whatever the reason."""

    def write(self, data: Any, /) -> int:
        try:
            return io.FileIO.write(self, data)
        except OSError:
            return memoryview(data).nbytes


@contextmanager
def forgiving_streams() -> Iterator[None]:
    """While active, ``sys.stdout`` and ``sys.stderr`` accept any text, whatever their encoding and destination.

    A write to ``sys.stdout`` that the disk refuses raises GfpbenchError, at the latest when it is flushed; do that
    within.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _taking_all(sys.stdout, _Output), _taking_all(sys.stderr, _Diagnostics)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if not stream.closed:  # by a model
                stream.flush()
        sys.stdout, sys.stderr = before


def _taking_all(stream: TextIO | None, kind: type[io.FileIO]) -> TextIO:
    """The same file with other ways. A Windows console, which takes all of Unicode, and streams of tests stay."""
    if stream is None:  # closed by who started us (``>&-``)
        return Path(os.devnull).open("w", encoding="utf-8")
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # unbuffered (python -u), the buffer is the file itself
    if not isinstance(stream, io.TextIOWrapper) or type(raw) is not io.FileIO:
        return stream
    stream.flush()
    return _Text(
        io.BufferedWriter(kind(raw.fileno(), "wb", closefd=False)),
        encoding=stream.encoding,
        errors=ERRORS,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
