"""The objective of GFP-GAN, term by term, with the weights the paper gives them.

Wang et al., "Towards Real-World Blind Face Restoration with Generative Facial Prior", CVPR 2021, section 3.4; numbered
as in the 2021 reproduction report: reconstruction (1), adversarial (2), facial components (3), identity (4), total (5).
y is the truth and y^ the restored image, (B, 3, H, W) in [-1, 1]. Every term comes without its weight; ``total``
applies those. Expectations are means over the batch, and an L1 norm is a mean over its elements, as in the authors'
code (TencentARC/GFPGAN@7552a77), to which their weights belong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F

from gfpbench.types import BadInput

Tensor = torch.Tensor
Features = Callable[[Tensor], Sequence[Tensor]]
"""Images in [-1, 1] to feature maps (B, C, h, w) of several layers: VGG, or a discriminator where VGG is missing."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each term counts. The defaults are the paper's, except for what it does not have.

    Args:
        l1: lambda_l1 of (1).
        perceptual: lambda_per of (1).
        pyramid: of the U-Net's images at every size; 1 in the authors' training file, which takes it away halfway.
        adversarial: lambda_adv of (2).
        r1_gamma: gamma of the penalty on the discriminator's gradient; 10 in the authors' training file.
        local: lambda_local of (3).
        style: lambda_fs of (3).
        identity: lambda_id of (4).
        edge, component_l1: not of the paper: differences of neighbouring pixels, and L1 of eyes and mouth once more,
            for training without a discriminator.
        latent: not of the paper: distance of w, where the face came from the prior and its w is known.
    """

    l1: float = 0.1
    perceptual: float = 1.0
    pyramid: float = 1.0
    adversarial: float = 0.1
    r1_gamma: float = 10.0
    local: float = 1.0
    style: float = 200.0
    identity: float = 10.0
    edge: float = 0.0
    component_l1: float = 0.0
    latent: float = 0.0


def l1(restored: Tensor, truth: Tensor) -> Tensor:
    """The first half of (1): ||y^ - y||_1."""
    return (restored - truth).abs().mean()


def perceptual(restored: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """The second half of (1): ||phi(y^) - phi(y)||_1, the mean over layers. The truth's features give no gradient."""
    _same_length("feature maps", restored, truth)
    return _mean([l1(ours, theirs.detach()) for ours, theirs in zip(restored, truth, strict=True)])


def pyramid(images: Sequence[Tensor], truth: Tensor) -> Tensor:
    """Pyramid supervision: the U-Net's image at every size against the truth shrunk to it; the sum over sizes.

    Args:
        images: (B, 3, s, s), any sides that divide the truth's.
    """
    losses = []
    for image in images:
        if truth.shape[-1] % image.shape[-1] or truth.shape[-2] % image.shape[-2]:
            raise BadInput(f"a pyramid of {tuple(truth.shape[-2:])} px has no level of {tuple(image.shape[-2:])} px")
        losses.append(l1(image, F.interpolate(truth, size=image.shape[-2:], mode="area")))
    return torch.stack(losses).sum()


def adversarial(restored_logits: Tensor) -> Tensor:
    """(2) for the generator, non-saturating: E softplus(-D(y^))."""
    return F.softplus(-restored_logits).mean()


def discriminate(restored_logits: Tensor, true_logits: Tensor) -> Tensor:
    """(2) for the discriminator: E softplus(D(y^)) + E softplus(-D(y)). Logistic loss, as in StyleGAN2."""
    return F.softplus(restored_logits).mean() + F.softplus(-true_logits).mean()


def r1(true_logits: Tensor, truth: Tensor, gamma: float) -> Tensor:
    """gamma / 2 E ||grad D(y)||^2, Mescheder et al. 2018 (arXiv:1801.04406), Eq. 9. Can be differentiated again.

    Args:
        true_logits: the discriminator's answers to ``truth``, which must require a gradient.
    """
    (gradient,) = torch.autograd.grad(true_logits.sum(), truth, create_graph=True)
    return gamma / 2 * gradient.square().flatten(1).sum(1).mean()


def gram(features: Tensor) -> Tensor:
    """(B, C, h, w) to (B, C, C): inner products of channels over C h w. In float32, whatever the features are in."""
    channels, height, width = features.shape[1:]
    with torch.autocast(features.device.type, enabled=False):
        flat = features.float().flatten(2)
        return flat @ flat.transpose(1, 2) / (channels * height * width)


def style(restored: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """The second half of (3): ||Gram(psi(y^)) - Gram(psi(y))||_1, the mean over layers of a local discriminator."""
    _same_length("feature maps", restored, truth)
    return _mean([l1(gram(ours), gram(theirs.detach())) for ours, theirs in zip(restored, truth, strict=True)])


def local(restored_logits: Sequence[Tensor]) -> Tensor:
    """The first half of (3): the sum over left eye, right eye and mouth of E softplus(-D_ROI(y^_ROI)).

    The paper writes log(1 - D); its code, like this, takes the non-saturating form.
    """
    return torch.stack([adversarial(logits) for logits in restored_logits]).sum()


def identity(restored: Tensor, truth: Tensor) -> Tensor:
    """(4): ||eta(y^) - eta(y)||_1 of a face embedding's vectors, (B, D)."""
    return l1(restored, truth.detach())


def edge(restored: Tensor, truth: Tensor) -> Tensor:
    """L1 of the differences between neighbours, both ways. Not of the paper; for contours where nothing judges them."""
    across = l1(restored.diff(dim=-1), truth.diff(dim=-1))
    return across + l1(restored.diff(dim=-2), truth.diff(dim=-2))


def latent(ours: Tensor, truth: Tensor, variance: Tensor) -> Tensor:
    """Squared distance of latents over what the mean latent has on average: 1 for whoever always answers the mean.

    Args:
        ours: (B, L, style), one w for each size.
        truth: (B, style).
        variance: of w, the mean over its numbers.
    """
    return (ours - truth[:, None]).square().mean() / variance


def total(terms: Mapping[str, Tensor], weights: Weights) -> Tensor:
    """(5): the sum of the terms, each times its weight.

    Raises:
        BadInput: for a term that has no weight, and where there is none at all.
    """
    known = asdict(weights)
    strange = [name for name in terms if name not in known or name == "r1_gamma"]
    if strange or not terms:
        raise BadInput(f"the objective has no term {strange[0]!r}" if strange else "an objective without terms")
    return torch.stack([known[name] * term for name, term in terms.items()]).sum()


def _mean(losses: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(losses)).mean()


def _same_length(what: str, ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> None:
    if len(ours) != len(theirs) or not ours:
        raise BadInput(f"{len(ours)} {what} cannot be compared with {len(theirs)}")
