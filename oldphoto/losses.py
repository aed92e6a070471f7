"""Every loss of the method as a pure function: tensors in, one scalar tensor out.

Equation numbers are those of Wan et al., CVPR 2020; ``grep -rn "eq. 3" oldphoto`` finds the lines
that compute equation 3.

Scores and features come from the patch discriminators: one list of feature maps per scale, whose
last map holds the scores. All losses are computed in float32, because half precision overflows in
squares and loses small differences in means.
"""

from collections.abc import Iterable, Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from oldphoto.checks import InputError

Features = Sequence[Sequence[Tensor]]
"""Output of a patch discriminator: for each scale its feature maps, of which the last one is the
map of scores (B, 1, h, w)."""


def _require_same_shape(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise InputError(
            f"expected two tensors of one shape, got {tuple(a.shape)}, {tuple(b.shape)}"
        )


def total(terms: Iterable[Tensor]) -> Tensor:
    """Add tensors, one after the other. Python's ``sum`` would start with the number 0.

    >>> total([torch.tensor(1.0), torch.tensor(2.0)])
    tensor(3.)
    """
    return reduce(torch.add, terms)


def l1_loss(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference: reconstruction in equation 2, distance of latents in equation 5.

    Args:
        output, target: tensors of one shape.

    Raises:
        InputError: if the shapes differ. Broadcasting would hide the mistake.

    >>> l1_loss(torch.tensor([1.0, -2.0]), torch.tensor([0.0, 2.0]))
    tensor(2.5000)
    """
    _require_same_shape(output, target)
    # In float32: half precision would lose small differences of large latents.
    return (output.float() - target.float()).abs().mean()  # eq. 2, eq. 5: L1


def kl_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    r"""KL divergence of N(mean, exp(log_var)) from N(0, 1), averaged over all elements.

    .. math:: \tfrac12 \left( \mu^2 + \sigma^2 - 1 - \log \sigma^2 \right)

    Args:
        mean, log_var: (B, C, h, w).

    Raises:
        InputError: if the shapes differ.

    Source:
        Equation 2, first term; closed form of Kingma and Welling 2014, appendix B.

    >>> kl_standard_normal(torch.full((1, 4), 2.0), torch.zeros(1, 4))
    tensor(2.)
    """
    _require_same_shape(mean, log_var)
    mean, log_var = mean.float(), log_var.float()
    # The mean over latent positions, not the sum: the weight then does not depend on the crop.
    return 0.5 * (mean.square() + log_var.exp() - 1.0 - log_var).mean()  # eq. 2, KL


def kl_unit_variance(mean: Tensor) -> Tensor:
    r"""Mean square of the latent: the KL term when the variance is fixed at 1.

    .. math:: \operatorname{mean}(\mu^2) = 2 \, KL(N(\mu, 1) \,\|\, N(0, 1))

    Args:
        mean: (B, C, h, w).

    Source:
        Equation 2, first term, as in the authors' code, which drops the factor one half.

    >>> kl_unit_variance(torch.full((1, 4), 2.0))
    tensor(4.)
    """
    return mean.float().square().mean()  # eq. 2, KL


def _mean_square(features: Features, target: float) -> Tensor:
    """Squared distance of the scores from ``target``: mean within a scale, sum over scales."""
    # The last map of a scale is its scores; every patch counts alike.
    return total((scale[-1].float() - target).square().mean() for scale in features)


def lsgan_discriminator(real: Features, fake: Features) -> Tensor:
    r"""Least-squares loss of a discriminator: scores of real photos to 1, of generated ones to 0.

    .. math:: \tfrac12 \left( E[(D(y) - 1)^2] + E[D(\hat y)^2] \right)

    Args:
        real, fake: output of the discriminator for real and for generated photos.

    Source:
        LSGAN terms of equations 2 and 5; Mao et al. 2017 (arXiv 1611.04076), equation 9, summed
        over scales as in pix2pixHD.

    >>> undecided = [[torch.zeros(1, 1, 2, 2)]]
    >>> lsgan_discriminator(real=undecided, fake=undecided)
    tensor(0.5000)
    """
    return 0.5 * (_mean_square(real, 1.0) + _mean_square(fake, 0.0))  # eq. 2, eq. 5: max over D


def lsgan_generator(fake: Features) -> Tensor:
    r"""Least-squares loss of a generator: the discriminator should score its photos 1.

    .. math:: E[(D(\hat y) - 1)^2]

    Args:
        fake: output of the discriminator for generated photos.

    Source:
        LSGAN terms of equations 2 and 5; Mao et al. 2017, equation 9, without its factor one half,
        as in the authors' code.

    >>> lsgan_generator([[torch.zeros(1, 1, 2, 2)], [torch.full((1, 1, 1, 1), 3.0)]])
    tensor(5.)
    """
    return _mean_square(fake, 1.0)  # eq. 2, eq. 5: min over the generator


def latent_discriminator(old: Features, degraded: Features) -> Tensor:
    r"""Loss of the latent discriminator: latents of real old photos to 1, of synthetic ones to 0.

    .. math:: \tfrac12 \left( E_x[D(E(x))^2] + E_r[(1 - D(E(r)))^2] \right)

    Args:
        old, degraded: output of the latent discriminator for latents of either kind.

    Source:
        Equation 3; the factor one half is that of the authors' code.

    >>> undecided = [[torch.zeros(1, 1, 2, 2)]]
    >>> latent_discriminator(undecided, undecided)
    tensor(0.5000)
    """
    return lsgan_discriminator(real=old, fake=degraded)  # eq. 3, max over D


def latent_encoder(old: Features, degraded: Features, two_sided: bool = True) -> Tensor:
    r"""Loss of the encoder against the latent discriminator: the two labels are exchanged.

    .. math:: E_r[D(E(r))^2] + E_x[(1 - D(E(x)))^2]

    Args:
        old, degraded: output of the latent discriminator for latents of either kind.
        two_sided: in the paper both kinds of latents move. False is the released code, which moves
            the latents of real old photos alone; synthetic ones get no gradient.

    Source:
        Equations 3 and 4.

    >>> undecided = [[torch.zeros(1, 1, 2, 2)]]
    >>> latent_encoder(undecided, undecided)
    tensor(1.)
    """
    old_term = _mean_square(old, 0.0)  # 0 is the label of degraded photos
    if not two_sided:
        return old_term
    return old_term + _mean_square(degraded, 1.0)  # eq. 3, min over the encoder


def feature_matching(fake: Features, real: Features) -> Tensor:
    r"""Distance between a discriminator's features of the generated and of the real photo.

    .. math:: \sum_i \frac{1}{n_i} \| \phi_i(\hat y) - \phi_i(y) \|_1

    The sum over layers is averaged over scales. The scores, which are the last map of each scale,
    are left out. The real photo's features get no gradient.

    Args:
        fake, real: output of the discriminator for the generated and the real photo.

    Raises:
        InputError: if the numbers of scales, or the shapes of two maps, differ.

    Source:
        Equation 6, first sum; Wang et al. 2018 (pix2pixHD), equation 3.

    >>> scores = torch.zeros(1, 1, 2, 2)
    >>> feature_matching([[torch.ones(1, 8, 4, 4), scores]], [[torch.zeros(1, 8, 4, 4), scores]])
    tensor(1.)
    """
    if len(fake) != len(real):
        raise InputError(f"expected the same number of scales, got {len(fake)} and {len(real)}")
    all_layers = total(
        l1_loss(a, b.detach())  # eq. 6, discriminator
        for fake_scale, real_scale in zip(fake, real, strict=True)  # fine to coarse
        for a, b in zip(fake_scale[:-1], real_scale[:-1], strict=True)  # without the scores
    )
    return all_layers / len(fake)  # the weight then does not depend on the number of scales


def perceptual(fake: Sequence[Tensor], real: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    r"""Weighted distance between the features of a fixed, pretrained network.

    .. math:: \sum_i w_i \operatorname{mean} | \phi_i(\hat y) - \phi_i(y) |

    Args:
        fake, real: features of the generated and the real photo, layer by layer.
        weights: one factor per layer. The authors use 1/32, 1/16, 1/8, 1/4, 1 for VGG-19's
            relu1_1 to relu5_1.

    Raises:
        InputError: if the numbers of layers and weights differ.

    Source:
        Equation 6, second sum; Johnson et al. 2016.

    >>> perceptual([torch.ones(1, 8, 4, 4)], [torch.zeros(1, 8, 4, 4)], weights=[0.25])
    tensor(0.2500)
    """
    if not len(fake) == len(real) == len(weights):
        raise InputError(
            "expected one weight per layer, got "
            f"{len(fake)} and {len(real)} layers, {len(weights)} weights"
        )
    # The real photo is the target: only the generated one may move.
    layers = zip(fake, real, weights, strict=True)
    return total(weight * l1_loss(a, b.detach()) for a, b, weight in layers)  # eq. 6, VGG


def focal_loss(
    logits: Tensor, scratch_mask: Tensor, gamma: float = 2.0, alpha: float = 0.75
) -> Tensor:
    r"""Cross entropy that counts a pixel the less, the better it is already classified.

    .. math:: - \alpha_t (1 - p_t)^\gamma \log p_t

    Scratches cover little of a photo; without the focus, easy sound pixels would fill the mean.

    Args:
        logits: (B, 1, H, W), before the sigmoid.
        scratch_mask: (B, 1, H, W) in [0, 1], 1 = damaged.
        gamma: 0 gives the ordinary weighted cross entropy.
        alpha: weight of damaged pixels; sound ones get ``1 - alpha``.

    Raises:
        InputError: if the shapes differ.

    Source:
        Lin et al. 2017 (arXiv 1708.02002), equation 5; the paper's section 3.3 uses it.

    >>> focal_loss(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2), gamma=0.0, alpha=1.0)
    tensor(0.6931)
    """
    _require_same_shape(logits, scratch_mask)
    logits, scratch_mask = logits.float(), scratch_mask.float()
    # From logits, not from probabilities: the logarithm of a rounded 0 would be infinite.
    cross_entropy = F.binary_cross_entropy_with_logits(logits, scratch_mask, reduction="none")
    probability = torch.sigmoid(logits)
    # p_t and alpha_t in one formula for both classes, so that a soft mask works too.
    p_t = probability * scratch_mask + (1 - probability) * (1 - scratch_mask)
    alpha_t = alpha * scratch_mask + (1 - alpha) * (1 - scratch_mask)
    # (1 - p_t) is small where the pixel is already right, so hard pixels make up the mean.
    return (alpha_t * (1 - p_t) ** gamma * cross_entropy).mean()
