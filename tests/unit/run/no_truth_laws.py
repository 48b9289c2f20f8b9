"""What a report of inputs without a ground truth may hold, written so that a saboteur can be put to it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import gfpbench
from gfpbench import images, metrics
from gfpbench.metrics.set_measures import SET_METRICS
from gfpbench.types import ImageBatch

METRICS = ("piqe", "psnr_rgb", "ssim_rgb", "deg_dlib", "lmd_dlib", "colour_shift", "frechet_dlib_vs_truth")
"""Asked for in the tests: what needs no truth, what needs one, and what can be compared with the input instead."""
MEASURED = {"piqe", "deg_dlib_vs_input", "lmd_dlib_vs_input", "colour_shift_vs_input"}

NEEDS_TRUTH = frozenset(
    {metric.name for metric in metrics.load(tuple(metrics.METRICS)) if metric.needs_truth}
    | {name for name in SET_METRICS if name.endswith("_vs_truth")}
)


def low_quality(folder: Path, count: int = 4, size_px: int = 128, jpeg: float = 0.3) -> Path:
    """Real low-quality faces in miniature: the embedded ones, degraded and written as PNG under names of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    faces = gfpbench.load_faces("embedded", size_px=size_px, draws=count // 2)
    for name in faces.ids()[:count]:
        clean = images.to_rgb_stack(ImageBatch(faces.load(name).pixels[None], (name,)))
        degraded = gfpbench.degrade(np.asarray(clean), f"jpeg@{jpeg}", ids=[name])
        images.write_png(folder / f"{name.replace('~', '_')}.png", degraded[0])
    return folder


def no_number_needs_a_truth(report: Path, asked: Sequence[str] = METRICS) -> None:
    """Nowhere in the report is a number that needs a truth: not in results.json, not in junit.xml, not on the page."""
    stored = json.loads((report / "results.json").read_text())["results"]
    assert stored
    for one in stored:
        assert one.get("truth") is False
        assert one["case"]["restorer"] != "truth"
        assert one["case"]["degradation"] == "no-truth"
        names = {*one["metrics"], *one.get("set_scores", {}), *(name for row in one["rows"] for name in row["scores"])}
        assert names & NEEDS_TRUTH == set()
        assert not [name for name, record in one["metrics"].items() if record["needs_truth"]]
        assert all("ground truth" in one["not_measured"][name] for name in NEEDS_TRUTH & set(asked))
        against_itself = [name for name in one["metrics"] if name.endswith("_vs_input")]
        assert one["case"]["restorer"] != "input" or against_itself == []
        for row in one["rows"]:
            assert "truth" not in row.get("read", {})
    for found in ElementTree.parse(report / "junit.xml").iter("property"):
        _, _, rest = str(found.get("name")).partition(".")
        metric, _, what = rest.partition(".")
        if metric in NEEDS_TRUTH:
            assert (what, found.get("value")) == ("n", "0") or what == "not_measured", found.attrib
    page = (report / "index.html").read_text()
    shown = set(re.findall(r'data-metric="([^"]+)"', page))
    assert shown
    assert shown & NEEDS_TRUTH == set()
    assert "input (degraded)" not in page
    assert ">ground truth<" not in page
    kept = {path.name.rsplit(".", 2)[1] for path in (report / "cases").glob("*/images/*.png")}
    assert kept == {"degraded", "restored"}
