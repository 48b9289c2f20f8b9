"""Reads JSON files into dataclasses by their annotations; errors are one line with file and field.

Written by hand because no library refuses what has to be refused here (a name that stands twice, nesting without end,
NaN) and reads the text "inf" for infinity, and because the start of a command cannot wait for one: this is the standard
library's parser, and functions made once for each type.
"""

from __future__ import annotations

from gfpbench.codec.decode import decode, plain
from gfpbench.codec.encode import encode
from gfpbench.codec.text import MAX_BYTES, MAX_DEPTH, check_schema, name_in_path, parse, read, refuse_irregular, shown

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "check_schema",
    "decode",
    "encode",
    "name_in_path",
    "parse",
    "plain",
    "read",
    "refuse_irregular",
    "shown",
]
