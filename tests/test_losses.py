"""Each loss: a value computed by hand, its gradient's direction, and what it refuses."""

import math

import pytest
import torch

from oldphoto import losses
from oldphoto.checks import InputError


def scores(*values: float) -> list[list[torch.Tensor]]:
    """Features of a discriminator with one scale per value: a feature map of 7s, then scores."""
    return [[torch.full((2, 3, 4, 4), 7.0), torch.full((2, 1, 2, 2), value)] for value in values]


def test_l1_is_the_mean_absolute_difference():
    assert losses.l1_loss(torch.tensor([1.0, -2.0]), torch.tensor([0.0, 2.0])).item() == 2.5


def test_l1_refuses_shapes_that_would_broadcast():
    with pytest.raises(InputError, match=r"one shape, got \(2, 1\), \(2,\)"):
        losses.l1_loss(torch.zeros(2, 1), torch.zeros(2))


@pytest.mark.parametrize(
    ("mean", "log_var", "expected"),
    [(0.0, 0.0, 0.0), (2.0, 0.0, 2.0), (0.0, math.log(4.0), 0.5 * (4 - 1 - math.log(4.0)))],
)
def test_kl_known_values(mean, log_var, expected):
    value = losses.kl_standard_normal(torch.full((3,), mean), torch.full((3,), log_var))
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_kl_equals_torch_distributions():
    generator = torch.Generator().manual_seed(0)
    mean, log_var = torch.randn(2, 50, generator=generator)
    own = losses.kl_standard_normal(mean, log_var)
    normal = torch.distributions.Normal
    reference = torch.distributions.kl_divergence(
        normal(mean, (0.5 * log_var).exp()), normal(0.0, 1.0)
    )
    torch.testing.assert_close(own, reference.mean())


def test_unit_variance_kl_is_twice_the_closed_form():
    mean = torch.linspace(-2, 2, 9)
    closed = losses.kl_standard_normal(mean, torch.zeros_like(mean))
    torch.testing.assert_close(losses.kl_unit_variance(mean), 2 * closed)


def test_lsgan_discriminator_is_zero_when_it_is_right_and_one_when_it_is_wrong():
    assert losses.lsgan_discriminator(real=scores(1.0), fake=scores(0.0)).item() == 0.0
    assert losses.lsgan_discriminator(real=scores(0.0), fake=scores(1.0)).item() == 1.0
    assert losses.lsgan_discriminator(real=scores(0.0), fake=scores(0.0)).item() == 0.5


def test_lsgan_generator_wants_scores_of_one_and_sums_over_scales():
    assert losses.lsgan_generator(scores(1.0, 1.0)).item() == 0.0
    assert losses.lsgan_generator(scores(0.0, 3.0)).item() == 1.0 + 4.0


def test_latent_discriminator_calls_old_codes_one():
    assert losses.latent_discriminator(old=scores(1.0), degraded=scores(0.0)).item() == 0.0
    assert losses.latent_discriminator(old=scores(0.0), degraded=scores(1.0)).item() == 1.0


def test_latent_encoder_exchanges_the_labels():
    assert losses.latent_encoder(old=scores(0.0), degraded=scores(1.0)).item() == 0.0
    assert losses.latent_encoder(old=scores(1.0), degraded=scores(0.0)).item() == 2.0


def test_released_latent_term_gives_synthetic_codes_no_gradient():
    old = [[torch.ones(1, 1, 2, 2, requires_grad=True)]]
    degraded = [[torch.zeros(1, 1, 2, 2, requires_grad=True)]]
    losses.latent_encoder(old, degraded, two_sided=False).backward()
    assert old[0][0].grad.abs().sum() > 0
    assert degraded[0][0].grad is None
    losses.latent_encoder(old, degraded, two_sided=True).backward()
    assert degraded[0][0].grad.abs().sum() > 0


def test_feature_matching_averages_scales_and_leaves_the_scores_out():
    def features(value: float, score: float) -> list[list[torch.Tensor]]:
        return [
            [torch.full((1, 2), value), torch.full((1, 2), 2 * value), torch.full((1,), score)]
        ] * 2

    assert losses.feature_matching(features(1.0, 5.0), features(3.0, -9.0)).item() == 2.0 + 4.0


def test_feature_matching_gives_the_real_photo_no_gradient():
    fake = [[torch.zeros(2, requires_grad=True), torch.zeros(1)]]
    real = [[torch.ones(2, requires_grad=True), torch.zeros(1)]]
    losses.feature_matching(fake, real).backward()
    assert real[0][0].grad is None
    assert fake[0][0].grad.tolist() == [-0.5, -0.5]


def test_feature_matching_refuses_another_number_of_scales():
    with pytest.raises(InputError, match="got 1 and 2"):
        losses.feature_matching(scores(1.0), scores(1.0, 1.0))


def test_perceptual_weighs_each_layer():
    fake = [torch.zeros(2), torch.zeros(3)]
    real = [torch.ones(2), torch.full((3,), 4.0)]
    assert losses.perceptual(fake, real, (0.5, 0.25)).item() == 0.5 + 1.0
    with pytest.raises(InputError, match="one weight per layer"):
        losses.perceptual(fake, real, (1.0,))


def test_focal_loss_without_focus_is_weighted_cross_entropy():
    logits, mask = torch.tensor([[[[0.0, 0.0]]]]), torch.tensor([[[[1.0, 0.0]]]])
    value = losses.focal_loss(logits, mask, gamma=0.0, alpha=0.75)
    assert value.item() == pytest.approx(0.5 * (0.75 + 0.25) * math.log(2.0))


def test_focal_loss_known_value_and_order():
    mask = torch.ones(1, 1, 1, 1)
    logits = torch.full((1, 1, 1, 1), math.log(3.0))  # p = 3/4
    value = losses.focal_loss(logits, mask, gamma=2.0, alpha=1.0)
    assert value.item() == pytest.approx((1 / 4) ** 2 * math.log(4 / 3), rel=1e-5)
    worse = losses.focal_loss(-logits, mask, gamma=2.0, alpha=1.0)
    assert worse > 20 * value


def test_focal_loss_stays_finite_for_huge_logits():
    logits = torch.tensor([[[[1e4, -1e4]]]], requires_grad=True)
    value = losses.focal_loss(logits, torch.tensor([[[[0.0, 1.0]]]]))
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(logits.grad).all()
