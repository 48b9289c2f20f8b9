"""The cases of the gallery: what is wrong, by which metric it is seen, and by which it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gfpbench.gallery import defects
from gfpbench.gallery.defects import Material
from gfpbench.images import Bytes

COLUMNS = (
    "psnr_rgb",
    "ssim_rgb",
    "gmsd",
    "piqe",
    "hallucination",
    "colour_shift",
    "deg_dlib",
    "lmd_dlib",
    "eye_mismatch",
)
"""The metrics of the gallery: all that need no weights to be fetched."""


@dataclass(frozen=True, slots=True)
class GalleryCase:
    """One defect.

    Args:
        name: of its place on the page.
        title: its heading.
        defect: makes it.
        sees, blind: metrics of ``COLUMNS``: the mean moves by more than its noise, and by less.
        text: what is wrong, and what the two metrics look at.
        scene: an axis at a severity (``occlusion-mask@0.6``) that changes the face itself; none where empty.
    """

    name: str
    title: str
    defect: Callable[[Material], Bytes]
    sees: str
    blind: str
    text: str
    scene: str = ""


CASES: tuple[GalleryCase, ...] = (
    GalleryCase(
        "perfect",
        "The perfect answer",
        defects.nothing_wrong,
        sees="deg_dlib",
        blind="eye_mismatch",
        text="The ground truth stands in place of the restoration: a metric with a reference gives its best value "
        "here, and only here. The eyes of the restoration matched before, so a metric of the eyes alone has "
        "nothing to gain, and its good value says nothing of the rest of the face.",
    ),
    GalleryCase(
        "mismatched-eyes",
        "Eyes that do not match",
        defects.mismatched_eyes,
        sees="eye_mismatch",
        blind="deg_dlib",
        text="One iris has become blue, which every person notices at once, and only a comparison of the two eyes "
        "measures. It is a handful of pixels, and an identity network learns not to care for contact lenses.",
    ),
    GalleryCase(
        "invented-glasses",
        "Invented glasses",
        defects.invented_glasses,
        sees="hallucination",
        blind="piqe",
        text="The restoration has strong edges where the truth has smooth skin, which is what hallucination looks for. "
        "A metric without a reference cannot know who wears glasses: sharp rims are good image quality to it.",
    ),
    GalleryCase(
        "lost-identity",
        "Somebody else",
        defects.another_face,
        sees="deg_dlib",
        blind="piqe",
        text="Eyes, nose and mouth are those of another person, and a network that compares faces says so. A metric "
        "without a reference is shown a natural face, and does not ask whose it is.",
    ),
    GalleryCase(
        "odd-hair",
        "Hair with a grain",
        defects.odd_hair,
        sees="ssim_rgb",
        blind="deg_dlib",
        text="A regular grain lies over the hair, as upsampling layers leave it where they have no strands to show; "
        "SSIM compares structure everywhere and sees it. An identity network is given the face alone, and the "
        "hair lies outside of what it looks at.",
    ),
    GalleryCase(
        "pose",
        "A turned head",
        defects.turned_head,
        sees="lmd_dlib",
        blind="deg_dlib",
        text="The head looks a little more to the side than the truth does, and the landmarks have moved by some "
        "pixels. An identity network lays every face upright before it looks, and is made to know people from any "
        "side.",
    ),
    GalleryCase(
        "occlusion",
        "A face behind a mask",
        defects.seen_through_the_mask,
        sees="colour_shift",
        blind="piqe",
        text="The truth wears a mask, and the restoration shows nose and mouth behind it, which nobody can know: "
        "compared with the truth, the colours are wrong. A metric without a reference is shown a natural face and "
        "has no objection.",
        scene="occlusion-mask@0.6",
    ),
)
