"""Make the screenshots of the documentation again, of the embedded faces alone: python -m tests.site.screenshots.

Needs chromium. Writes ``page.png``, ``slider.png``, ``history.png`` and ``list.png`` into ``docs/``, or into the folder
that is named.
"""

from __future__ import annotations

import html
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image

from tests.child import BROWSER, run_group

DOCS = Path(__file__).parents[2] / "docs"
LARGEST_BYTES = 150_000
SMOOTHING = """
import cv2
from gfpbench.restorers import from_array_function

restorer = from_array_function(lambda rgb: cv2.bilateralFilter(rgb, d=5, sigmaColor={sigma}, sigmaSpace=3))
"""
SIGMAS = {"v1": 15, "v2": 60, "v3": 30}
"""Versions of one restorer that the history follows, and how much noise each takes away."""


def gfpbench(*words: str, folder: Path, columns: int = 100) -> str:
    """What the command prints. Exit code 1 is a verdict and no failure."""
    environment = {**os.environ, "COLUMNS": str(columns)}
    command = [sys.executable, "-m", "gfpbench", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
    return done.stdout


def photograph(page: Path, to: Path, size: tuple[int, int], fragment: str = "") -> None:
    """A PNG of a page as a browser of (width, height) px shows it.

    Raises:
        RuntimeError: without a browser, and for an image over ``LARGEST_BYTES``.
    """
    if BROWSER is None:
        raise RuntimeError("screenshots need chromium: install it, or put it on the PATH")
    words = [BROWSER, "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={size[0]},{size[1]}"]
    words += [f"--screenshot={to}", "--virtual-time-budget=3000", f"{page.as_uri()}{'#' if fragment else ''}{fragment}"]
    run_group(words, timeout=120).check_returncode()
    with Image.open(to) as shown:
        shown.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(to, optimize=True)
    if to.stat().st_size > LARGEST_BYTES:
        raise RuntimeError(f"{to} has {to.stat().st_size} bytes, more than {LARGEST_BYTES}")


def main(arguments: Sequence[str]) -> int:
    to = Path(arguments[0] if arguments else DOCS).resolve()
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        restorers = [word for name in ("bicubic", "classical", "nano") for word in ("--restorer", name)]
        gfpbench("run", *restorers, "--report", "page", folder=folder)
        page = folder / "page" / "index.html"
        photograph(page, to / "page.png", (1400, 1000))
        versions = {"face": "astronaut~1", "version": "nano", "mode": "slider", "with": "degraded", "at": "50"}
        photograph(page, to / "slider.png", (1100, 800), urlencode(versions))
        few = ("--metric", "psnr_rgb", "--metric", "ssim_rgb")
        for version, sigma in SIGMAS.items():
            (folder / "smoothing.py").write_text(SMOOTHING.format(sigma=sigma))
            gfpbench("run", "--restorer", "python:smoothing:restorer", *few, "--report", version, folder=folder)
        gfpbench("history", *SIGMAS, "--to", "history", folder=folder)
        photograph(next((folder / "history").glob("*.html")), to / "history.png", (1400, 1100))
        text = folder / "list.html"
        style = "background: #1e1e1e; color: #ddd; font: 14px/1.35 monospace; margin: 12px"
        lines = f"$ gfpbench list axes\n{gfpbench('list', 'axes', folder=folder)}"
        text.write_text(f"<body style='{style}'><pre>{html.escape(lines)}</pre>", encoding="utf-8")
        photograph(text, to / "list.png", (1000, 660))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
