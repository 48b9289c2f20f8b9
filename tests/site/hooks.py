"""Hooks of mkdocs: generated text in place of its marks, the images of the degradation axes, and the gallery."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]


def on_config(config: Any) -> None:
    """Make the checkout importable: mkdocs loads this file by its path, and other packages bring a `tests` too."""
    sys.path.insert(0, str(ROOT))


def on_files(files: Files, config: Any) -> Files:
    """Add one image for each axis beside the page that shows it, and the gallery beside its own."""
    from PIL import Image

    from gfpbench.degrade.axes import AXES
    from tests.site.axes import file_of, image
    from tests.site.gallery import gallery_page

    for name in AXES:
        held = io.BytesIO()
        Image.fromarray(image(name)).save(held, "PNG", optimize=True)
        files.append(File.generated(config, f"reference/{file_of(name)}", content=held.getvalue()))
    files.append(File.generated(config, "explanation/gallery.html", content=gallery_page()))
    return files


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that loads anything from the network."""
    loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?(?:https?:)?//[^\s\">]+", output)
    loaded += re.findall(
        r"<link[^>]*\srel=\"?(?:stylesheet|preconnect|icon)[^>]*href=\"?(?:https?:)?//[^\s\">]+", output
    )
    if loaded:
        raise ValueError(f"{page.file.src_uri} loads from the network: {loaded[0]}")
    return output


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the generated text into a page."""
    from tests.site.generated import filled

    return filled(markdown, page.file.src_uri)
