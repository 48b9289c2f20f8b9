"""What a notebook displays of a Result: its means, and one face as a strip of images. HTML without scripts."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from gfpbench.registry import unknown
from gfpbench.report.formatting import brief, pages, plural
from gfpbench.report.strips import images_of, strip_of
from gfpbench.report.summary import problems_of, summary
from gfpbench.types import BadInput, Result

NAMED_AT_MOST = 4
"""Images or reasons that an error or a summary names; the rest is counted."""


@dataclass(frozen=True, slots=True)
class FaceStrip:
    """One face of a Result, its input, restoration and truth side by side, which a notebook displays.

    Args:
        id: of the image.
        case: ``Result.named``.
        html: a fragment of a page with the images in it, every name escaped; it loads nothing and runs nothing.
    """

    id: str
    case: str
    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.html


def summary_html(result: Result) -> str:
    """Means with their intervals, failures, and what was not measured, as a fragment of a page.

    The figures are those of the report's summary table. Every name is escaped; nothing is loaded or run.

    Raises:
        BadInput: where the Result names an image twice.
    """
    (group,) = summary([result]).groups
    (line,) = group.lines
    reasons = Counter(problem.reason for problem in problems_of(result))
    return (
        pages(brief=brief)
        .get_template("display_result.html")
        .render(
            result=result,
            group=group,
            line=line,
            reasons=reasons.most_common(NAMED_AT_MOST),
            more_reasons=max(0, len(reasons) - NAMED_AT_MOST),
        )
    )


def face_strip(result: Result, image_id: str, store: Path) -> FaceStrip:
    """One face: degraded, restored and truth side by side, with the scores and the drawn parameters.

    Args:
        image_id: one of ``result.image_ids``.
        store: where the images of the run are: the ``store`` of ``gfpbench.measure``, or the folder of a report.

    Raises:
        BadInput: for an unknown image, and for one of which the run kept no image.
    """
    known = result.image_ids
    if image_id not in known:
        near = difflib.get_close_matches(image_id, known, n=NAMED_AT_MOST) if isinstance(image_id, str) else []
        count = f"one of {plural(len(known), 'image')}: see image_ids"
        raise unknown("image", image_id, near or known[:NAMED_AT_MOST], also=count)
    case = result.case.id
    folder = next((one for one in (store, store / "cases") if images_of(one, case, image_id)), None)
    if folder is None:
        kept = [name for name in known if any(images_of(one, case, name) for one in (store, store / "cases"))]
        if not kept:
            raise BadInput(f"{image_id}: {store} holds no images of {case}: give the folder where its run kept them")
        listed = ", ".join(kept[:NAMED_AT_MOST]) + (", ..." if len(kept) > NAMED_AT_MOST else "")
        raise BadInput(
            f"{image_id}: no image of it was kept, but of {plural(len(kept), 'other')} ({listed}): a run keeps the "
            "first and the worst; `gfpbench run --keep all` keeps every one"
        )
    (group,) = summary([result]).groups
    strip = strip_of(group, image_id, folder)
    html = pages().get_template("display_face.html").render(strip=strip, columns=group.columns, case=result.named)
    return FaceStrip(image_id, result.named, html)
