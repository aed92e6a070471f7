"""Exercises of notebook 06: their solutions agree with the package and with SciPy."""

import pytest
import torch
from scipy.stats import wasserstein_distance

from oldphoto import losses
from oldphoto.course.exercises import notebook_06 as exercises


def test_solutions_are_those_of_others():
    first, second = torch.randn(2, 30, generator=torch.Generator().manual_seed(0))
    by_hand = exercises.sorted_distance.solution(first, second).item()
    assert by_hand == pytest.approx(wasserstein_distance(first.numpy(), second.numpy()), rel=1e-5)
    old, degraded = [[first]], [[second]]
    assert exercises.push_both.solution(first, second) == losses.latent_encoder(old, degraded)


def test_step_has_the_loss_of_the_package():
    latents = torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(1))
    discriminator = torch.nn.Conv2d(4, 1, kernel_size=1)
    with torch.no_grad():
        old, degraded = ([[discriminator(latent)]] for latent in latents)
        expected = losses.latent_discriminator(old=old, degraded=degraded)
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    loss = exercises.discriminator_step.solution(discriminator, optimizer, *latents)
    torch.testing.assert_close(loss, expected)


def test_step_may_return_the_loss_with_its_graph():
    def step(discriminator, optimizer, latent_old, latent_degraded):
        on_old = discriminator(latent_old.detach())
        on_degraded = discriminator(latent_degraded.detach())
        loss = ((1 - on_old) ** 2).mean() / 2 + (on_degraded**2).mean() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    assert exercises.discriminator_step.check(step).right


def test_scores_computed_without_gradient_stop_the_step():
    def step(discriminator, optimizer, latent_old, latent_degraded):
        on_old, on_degraded = discriminator(latent_old), discriminator(latent_degraded)
        loss = 0.5 * ((on_old - 1).square().mean() + on_degraded.square().mean()).detach()
        optimizer.zero_grad()
        loss.backward()
        return loss

    verdict = exercises.discriminator_step.check(step)
    assert not verdict.right and "RuntimeError" in verdict.message
