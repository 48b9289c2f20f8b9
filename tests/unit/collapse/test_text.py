"""What is said about a collapse point, and the command that repeats its worst faces."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import typer

from gfpbench import collapse
from gfpbench.cli import app
from tests.unit.collapse.sample import FOUND


def test_words() -> None:
    text = "\n".join(collapse.collapse_lines(FOUND, report="my report"))
    assert "collapses at 78 grey levels (95 % interval 60 to 90" in text
    assert "  GFP-GAN's paper trains on 0 to 15 grey levels" in text.splitlines()  # whatever the restorer is
    assert "96 restorations" in text
    assert "5.4 times" in text
    assert "under a quarter" in text
    words = shlex.split(collapse.worst_faces_command(FOUND, report="my report"))
    assert words[:2] == ["gfpbench", "collapse"]
    options = dict(zip(words[2::2], words[3::2], strict=True))
    assert options["--at"] == "78"
    assert options["--axis"] == "noise+middle"
    assert options["--report"] == "my report"
    assert options["--draws"] == "4"
    group: Any = typer.main.get_command(app)
    known = {name for given in group.commands["collapse"].params for name in given.opts}
    assert set(options) <= known
    assert {"--restorer", "--metric", "--faces"} < set(options)
    other = replace(FOUND, question=replace(FOUND.question, seed=3, limit=5, draws=None, size_px=256))
    more = collapse.worst_faces_command(other)
    assert "--seed 3" in more
    assert "--limit 5" in more
    assert "--size 256" in more
    assert "--draws" not in more
    at_once = replace(FOUND, kind="at once", severity=None, value=None, interval=(0.0, 0.0), value_interval=(0.0, 0.0))
    assert "at once" in collapse.collapse_lines(at_once)[0]
    never = replace(at_once, kind="never", interval=(0.8, None), value_interval=(96.0, None))
    assert (
        "does not collapse up to 120 grey levels (for other images perhaps from 96)"
        in collapse.collapse_lines(never)[0]
    )
    wave = replace(FOUND, kind="not monotone", recovers=0.875, interval=(0.5, None), value_interval=(60.0, None))
    assert "not monotone" in collapse.collapse_lines(wave)[0]
    assert "beyond 120" in collapse.collapse_lines(wave)[0]
    assert at_once.order < FOUND.order < never.order
