"""Answers of somebody in a hurry that once got "Right", or a reply that did not help."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from oldphoto.course.exercises import (
    notebook_00,
    notebook_01,
    notebook_04,
    notebook_05,
    notebook_06,
    notebook_07,
    notebook_08,
    notebook_09,
    notebook_10,
    notebook_11,
    notebook_12,
    notebook_15,
    steps,
)
from oldphoto.course.exercises.engine import Exercise

CUT_OFF = "something on the way is detached"


def mse(output: np.ndarray, clean: np.ndarray) -> float:
    return float(((output.astype(float) - clean) ** 2).mean())


def matched(fake: list, real: list) -> Any:
    return sum((a.detach() - b).abs().mean() for a, b in zip(fake[:-1], real[:-1], strict=True))


WRONG: list[tuple[Exercise, Callable, str]] = [
    # These got "Right".
    (
        notebook_01.psnr,
        lambda o, c: 10 * np.log10(float(c.max()) ** 2 / mse(o, c)),
        "of this photo",
    ),
    (
        notebook_01.psnr,
        lambda o, c: 10 * np.log10(float(o.max()) ** 2 / mse(o, c)),
        "of the output",
    ),
    (notebook_04.kl, lambda m, v: 0.5 * (m.detach() ** 2 + v.exp() - 1 - v).mean(), CUT_OFF),
    (notebook_04.kl, lambda m, v: 0.5 * (m**2 + (v.exp() - 1 - v).detach()).mean(), CUT_OFF),
    (notebook_04.reparameterise, lambda m, v, n: (m + (v / 2).exp() * n).detach(), CUT_OFF),
    (notebook_04.reparameterise, lambda m, v, n: m + (v / 2).exp().detach() * n, "of log_var is 0"),
    (notebook_05.feature_matching, lambda f, r: sum(map(matched, f, r)) / 2, CUT_OFF),
    (
        notebook_06.push_both,
        lambda o, d: o.square().mean() + (d.detach() - 1).square().mean(),
        CUT_OFF,
    ),
    (notebook_07.latent_l1, lambda m, c, w: w * (m.detach() - c).abs().mean(), CUT_OFF),
    (
        notebook_07.fool_the_discriminator,
        lambda scores: sum((s.detach() - 1).square().mean() for s in scores),
        CUT_OFF,
    ),
    (notebook_07.match_features, matched, CUT_OFF),
    (notebook_08.fuse, lambda a, b, v: v * a + ((1 - v) * b).detach(), "of borrowed is 0"),
    (notebook_09.focal, lambda p, g: -((1 - p).detach() ** g) * p.log(), "factor is detached"),
    (notebook_09.strictest, 0.5, "often cut"),
    (
        notebook_11.layer_distance,
        lambda a, b, f: notebook_11._layer_distance(a.detach(), b, f),
        CUT_OFF,
    ),
    (
        notebook_12.energy,
        lambda o, d, m: (o.detach() - d).square()[(m == 0).expand_as(o)].mean(),
        CUT_OFF,
    ),
    (notebook_12.shares, lambda s: s.softmax(2).detach(), CUT_OFF),
    (notebook_15.weights_to_keep, lambda t, r: int(np.argmax(np.diff(r) < 0)), "first fall"),
    # These got a percentage, or nothing but a size.
    (notebook_00.to_tensor, lambda p: torch.from_numpy(p).permute(2, 1, 0)[None] / 127.5, "order"),
    (notebook_04.bits, lambda s: math.log(1 + s**2), "Nats"),
    (notebook_06.mean_kernel, lambda a, b, h: torch.cdist(a, b).exp().sum(), "should lie in"),
    (notebook_11.grey_levels, lambda d: 128 * 10 ** (-d / 20), "same factor in every trial"),
]


@pytest.mark.parametrize(
    ("exercise", "answer", "told"), [pytest.param(*row, id=row[0].title) for row in WRONG]
)
def test_a_wrong_answer_is_told_what_is_wrong(exercise, answer, told):
    verdict = exercise.check(answer)
    assert not verdict.right and told in verdict.message and "%" not in verdict.message


def test_the_gradient_may_be_cleared_after_the_step():
    def vae_step(vae, optimizer, clean, kl_of, weight, draw):
        recon, mean, log_var = vae(clean, draw)
        l1, kl = (recon - clean).abs().mean(), kl_of(mean, log_var)
        (l1 + weight * kl).backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), max_norm=1.0)
        optimizer.step()
        optimizer.zero_grad()
        return l1, kl

    def generator_step(generator, discriminator, optimizer, noise, loss_of):
        loss_of(discriminator(generator(noise))).backward()
        optimizer.step()
        optimizer.zero_grad()

    assert notebook_04.vae_step.check(vae_step).right
    assert notebook_05.generator_step.check(generator_step).right


def test_a_step_of_the_whole_batch_at_once_takes_the_memory_that_parts_save():
    def step(network, optimizer, parts, loss_of, clip):
        optimizer.zero_grad()
        loss_of(network(torch.cat(parts))).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()

    assert "memory" in notebook_10.training_step.check(step).message


def test_the_watched_optimizer_tells_the_gradient_that_its_step_used():
    network = steps.with_weights(torch.nn.Linear(2, 1, bias=False))
    optimizer, gradient = steps.watched_sgd(network)
    assert gradient().tolist() == [0.0, 0.0]
    network(torch.tensor([[3.0, 5.0]])).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    assert gradient().tolist() == [3.0, 5.0]
