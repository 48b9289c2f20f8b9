"""Protocols of images without a ground truth: the NTIRE challenges on real faces, tables of no-reference figures."""

from __future__ import annotations

from gfpbench.metrics.protocol import Challenge, Part, Protocol, Term

_NO_SCRIPT = "the source publishes no metric script"
_NO_REFERENCE = {
    "CLIPIQA": f"{_NO_SCRIPT}: version, weights and crops of CLIPIQA are not told",
    "MANIQA": f"{_NO_SCRIPT}: version, weights and crops of MANIQA are not told",
    "MUSIQ": f"{_NO_SCRIPT}: version and weights of MUSIQ are not told",
    "NIQE": f"{_NO_SCRIPT}: luma and block size of NIQE are not told",
    "FID": f"{_NO_SCRIPT}: the reference set and the resize of FID are not told",
}

TERMS = (
    Term("CLIPIQA"),
    Term("MANIQA"),
    Term("MUSIQ", 100),
    Term("NIQE", 10, worst=10),
    Term("QALIGN", 5),
    Term("FID", 100, worst=100),
)
"""The score of the challenge in both years."""


def _ntire(year: int, source: str, wider: float, web_photo: float, note: str) -> Protocol:
    challenge = Challenge(
        score="Score",
        terms=TERMS,
        parts={
            "CelebA": Part(100, 0.5),
            "LFW-Test": Part(100, 0.6),
            "WebPhoto-Test": Part(100, web_photo),
            "CelebChild-Test": Part(50, 0.6),
            "Wider-Test": Part(100, wider),
        },
        identity="AdaFace",
        most_failing=10,
        beside="compares each output with its own low-quality input: doing nothing scores 1",
    )
    return Protocol(
        f"ntire-{year}",
        f"The NTIRE {year} challenge on real-world face restoration: no truth, one score, a bound on lost identities.",
        source,
        {
            "CLIPIQA": "pyiqa_clipiqa",
            "MANIQA": "pyiqa_maniqa",
            "MUSIQ": "pyiqa_musiq",
            "NIQE": "niqe_yiq",
            "FID": "fid_legacy_vs_ffhq50k",
            "AdaFace": "cos_adaface_vs_input",
        },
        (
            f"Score = {challenge.formula}",
            "each mean is one of a set of images, weighted by the number of images in it; FID is of all 450 outputs "
            "together, far fewer than its 2,048 dimensions",
            "AdaFace: cosine of IR-50 (MS1MV2) embeddings of the output and of its low-quality input, so that doing "
            "nothing scores 1; both are aligned by the same five points of a list",
            f"an image fails strictly below {', '.join(f'{p.threshold:g} ({n})' for n, p in challenge.parts.items())}; "
            f"an entry is valid with at most {challenge.most_failing}",
            "the script divides the means of the files that are there by 450 all the same; here a missing file leaves "
            "the score out, with the count",
            note,
        ),
        {
            "QALIGN": "needs Q-Align, a language model of 15 GB (q-future/one-align), which is not run here: the class "
            "of pyiqa 0.1.16 names that repository itself, and its network ends in an AttributeError on transformers 5 "
            "(invert_attention_mask)",
        },
        challenge,
    )


NO_TRUTH_PROTOCOLS = (
    _ntire(
        2025,
        "zhengchen1999/NTIRE2025_RealWorld_Face_Restoration: eval.py@3b1903d, fid.py@6d1b195, face_alignment@b06055c",
        wider=0.3,
        web_photo=0.3,
        note="an early version of the script reads the files of the top folder alone",
    ),
    _ntire(
        2026,
        "jkwang28/NTIRE2026_RealWorld_Face_Restoration: eval.py@7ca192d, face_alignment@d151d1d",
        wider=0.2,
        web_photo=0.25,
        note="the README still says 0.30 where the script has 0.2 and 0.25",
    ),
    Protocol(
        "osdface",
        "OSDFace's tables: no-reference figures on real faces, FID against FFHQ and against the high-quality set.",
        "Wang et al. 2025 (CVPR), Tables 1 and 2, as images of jkwang28/OSDFace@0652227",
        {},
        ("the tables are images; the repository has no metric script",),
        {
            **_NO_REFERENCE,
            "LPIPS": f"{_NO_SCRIPT}: the network of LPIPS is not told",
            "DISTS": f"{_NO_SCRIPT}: which DISTS is not told",
            "Deg": f"{_NO_SCRIPT}: the network and the crop of Deg are not told",
            "LMD": f"{_NO_SCRIPT}: the points of LMD are not told",
            "FID-FFHQ": f"{_NO_SCRIPT}: the images of FFHQ and the resize of FID are not told",
            "FID-HQ": f"{_NO_SCRIPT}: the resize of FID is not told",
        },
    ),
    Protocol(
        "spider",
        "SPIDER's table on real faces, which repeats methods that OSDFace measured.",
        "the SPIDER paper's table on LFW-Test and WIDER-Test",
        {},
        ("no metric script is published",),
        _NO_REFERENCE,
    ),
)
