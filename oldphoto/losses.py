"""Every loss of the method as a pure function: tensors in, one scalar tensor out.

Scores and features come from the patch discriminators: one list of feature maps per scale, whose
last map holds the scores. Equation numbers are those of Wan et al., CVPR 2020.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from oldphoto.checks import InputError

Features = Sequence[Sequence[Tensor]]
"""What a discriminator returns: for each scale, its feature maps; the last one is the scores."""


def _require_same_shape(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise InputError(
            f"expected two tensors of one shape, got {tuple(a.shape)}, {tuple(b.shape)}"
        )


def l1_loss(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference; the reconstruction term of equation 2, and of 5 on latents.

    Raises:
        InputError: if the shapes differ (broadcasting would hide a mistake).
    """
    _require_same_shape(output, target)
    return (output.float() - target.float()).abs().mean()


def kl_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    r"""KL divergence of N(mean, exp(log_var)) from N(0, 1), averaged over all elements.

    .. math:: \tfrac12 \left( \mu^2 + \sigma^2 - 1 - \log \sigma^2 \right)

    Source: equation 2, first term; closed form of Kingma and Welling 2014, appendix B. The sum over
    latent positions is replaced by the mean, so that the weight does not depend on the crop size.
    """
    _require_same_shape(mean, log_var)
    mean, log_var = mean.float(), log_var.float()
    return 0.5 * (mean.square() + log_var.exp() - 1.0 - log_var).mean()


def kl_unit_variance(mean: Tensor) -> Tensor:
    r"""Mean square of the code: the KL term when the variance is fixed at 1.

    .. math:: \operatorname{mean}(\mu^2) = 2 \, KL(N(\mu, 1) \,\|\, N(0, 1))

    Source: the authors' released code, which leaves out the factor one half.
    """
    return mean.float().square().mean()


def _mean_square(features: Features, target: float) -> Tensor:
    """Squared distance of the scores from ``target``: mean within a scale, sum over scales."""
    return sum((scale[-1].float() - target).square().mean() for scale in features)


def lsgan_discriminator(real: Features, fake: Features) -> Tensor:
    r"""Least-squares loss of a discriminator: real photos to 1, generated ones to 0.

    .. math:: \tfrac12 \left( E[(D(y) - 1)^2] + E[D(\hat y)^2] \right)

    Source: Mao et al. 2017 (arXiv 1611.04076), equation 9; summed over scales as in pix2pixHD.
    """
    return 0.5 * (_mean_square(real, 1.0) + _mean_square(fake, 0.0))


def lsgan_generator(fake: Features) -> Tensor:
    r"""Least-squares loss of a generator: its photos should be scored 1.

    .. math:: E[(D(\hat y) - 1)^2]

    Source: Mao et al. 2017, equation 9, without its factor one half, as in the authors' code.
    """
    return _mean_square(fake, 1.0)


def latent_discriminator(old: Features, degraded: Features) -> Tensor:
    r"""Loss of the latent discriminator: codes of real old photos to 1, of synthetic ones to 0.

    .. math:: \tfrac12 \left( E_x[D(E(x))^2] + E_r[(1 - D(E(r)))^2] \right)

    Source: equation 3; the factor one half is the authors' code.
    """
    return lsgan_discriminator(real=old, fake=degraded)


def latent_encoder(old: Features, degraded: Features, two_sided: bool = True) -> Tensor:
    r"""Loss of the encoder against the latent discriminator: exchange the two labels.

    .. math:: E_r[D(E(r))^2] + E_x[(1 - D(E(x)))^2]

    Args:
        two_sided: the paper lets both kinds of code move. False is the released code, in which
            only the codes of real old photos are pushed and synthetic ones get no gradient.

    Source: equations 3 and 4.
    """
    old_term = _mean_square(old, 0.0)
    if not two_sided:
        return old_term
    return old_term + _mean_square(degraded, 1.0)


def feature_matching(fake: Features, real: Features) -> Tensor:
    r"""Distance between a discriminator's features of the generated and of the real photo.

    .. math:: \sum_i \frac{1}{n_i} \| \phi_i(\hat y) - \phi_i(y) \|_1

    The scores (the last map of each scale) are left out, the real photo's features get no
    gradient, and the sum over layers is averaged over scales.

    Source: equation 6, first sum; Wang et al. 2018 (pix2pixHD), equation 3.
    """
    if len(fake) != len(real):
        raise InputError(f"expected the same number of scales, got {len(fake)} and {len(real)}")
    total = sum(
        l1_loss(a, b.detach())
        for fake_scale, real_scale in zip(fake, real, strict=True)
        for a, b in zip(fake_scale[:-1], real_scale[:-1], strict=True)
    )
    return total / len(fake)


def perceptual(fake: Sequence[Tensor], real: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    r"""Weighted distance between the features of a fixed, pretrained network.

    .. math:: \sum_i w_i \operatorname{mean} | \phi_i(\hat y) - \phi_i(y) |

    Args:
        weights: one factor per layer; the authors use 1/32, 1/16, 1/8, 1/4, 1 for VGG19's
            relu1_1 to relu5_1.

    Source: equation 6, second sum; Johnson et al. 2016.
    """
    if not len(fake) == len(real) == len(weights):
        raise InputError(
            "expected one weight per layer, got "
            f"{len(fake)} and {len(real)} layers, {len(weights)} weights"
        )
    pairs = zip(fake, real, weights, strict=True)
    return sum(weight * l1_loss(a, b.detach()) for a, b, weight in pairs)


def focal_loss(
    logits: Tensor, scratch_mask: Tensor, gamma: float = 2.0, alpha: float = 0.75
) -> Tensor:
    r"""Cross entropy that counts pixels less the better they are already classified.

    .. math:: - \alpha_t (1 - p_t)^\gamma \log p_t

    Args:
        logits: (B, 1, H, W), before the sigmoid.
        scratch_mask: (B, 1, H, W) in [0, 1], 1 = damaged.
        gamma: 0 gives the ordinary weighted cross entropy.
        alpha: weight of damaged pixels; sound ones get ``1 - alpha``.

    Source: Lin et al. 2017 (arXiv 1708.02002), equation 5. Scratches cover little of a photo.
    """
    _require_same_shape(logits, scratch_mask)
    logits, scratch_mask = logits.float(), scratch_mask.float()
    cross_entropy = F.binary_cross_entropy_with_logits(logits, scratch_mask, reduction="none")
    probability = torch.sigmoid(logits)
    p_t = probability * scratch_mask + (1 - probability) * (1 - scratch_mask)
    alpha_t = alpha * scratch_mask + (1 - alpha) * (1 - scratch_mask)
    return (alpha_t * (1 - p_t) ** gamma * cross_entropy).mean()
