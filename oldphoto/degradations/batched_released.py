"""The released recipe for whole batches: drawn by a torch generator, each photo by itself."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from oldphoto.checks import require_features
from oldphoto.degradations import batched
from oldphoto.degradations.batched_jpeg import jpeg

STEP_PROB = 0.7
NUM_STEPS = 4


@dataclass(frozen=True)
class BatchedParameters:
    """What each photo of a batch gets; all tensors are (B,) but ``order`` and ``happens``.

    Attributes:
        order: (B, 4), the step (0 blur, 1 noise, 2 low resolution, 3 JPEG) in each place.
        happens: (B, 4), whether a step happens, by step.
        noise_kind: 0 Gaussian, 1 speckle, 2 salt and pepper.
    """

    order: Tensor
    happens: Tensor
    kernel_size: Tensor
    blur_sigma: Tensor
    noise_kind: Tensor
    noise_sigma: Tensor
    amount: Tensor
    salt_share: Tensor
    scale_y: Tensor
    scale_x: Tensor
    smooth: Tensor
    quality: Tensor


def sample_released_batch(generator: torch.Generator, num_photos: int) -> BatchedParameters:
    """Draw the parameters of a batch on the generator's device; ranges as in ``released``."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        draws = torch.rand((num_photos, *shape), generator=generator, device=generator.device)
        return low + (high - low) * draws

    return BatchedParameters(
        order=uniform(0, 1, NUM_STEPS).argsort(dim=1),
        happens=uniform(0, 1, NUM_STEPS) < STEP_PROB,
        kernel_size=3 + 2 * uniform(0, 3).long(),
        blur_sigma=uniform(1, 5),
        noise_kind=uniform(0, 3).long(),
        noise_sigma=uniform(5, 50),
        amount=uniform(0, 0.01),
        salt_share=uniform(0.3, 0.8),
        scale_y=uniform(0.5, 1),
        scale_x=uniform(0.5, 1),
        smooth=uniform(0, 1) < 0.5,
        quality=40 + uniform(0, 61).long(),
    )


def apply_released_batch(
    photo: Tensor, parameters: BatchedParameters, generator: torch.Generator
) -> Tensor:
    """Degrade a batch; the generator makes the noise.

    Shape:
        photo and result: (B, 3, H, W) in [-1, 1], H and W at least 4.
    """
    require_features(photo, 3, min_size=4)
    p = parameters
    noises = (
        lambda x, i: batched.gaussian_noise(x, p.noise_sigma[i], generator),
        lambda x, i: batched.speckle_noise(x, p.noise_sigma[i], generator),
        lambda x, i: batched.salt_pepper(x, p.amount[i], p.salt_share[i], generator),
    )
    steps = (
        (lambda x, i: batched.gaussian_blur(x, p.kernel_size[i], p.blur_sigma[i]), None, 0),
        *((noise, kind, 1) for kind, noise in enumerate(noises)),
        (lambda x, i: batched.low_resolution(x, p.scale_y[i], p.scale_x[i], p.smooth[i]), None, 2),
        (lambda x, i: jpeg(x, p.quality[i]), None, 3),
    )
    for place in range(NUM_STEPS):
        now = photo
        for work, kind, step in steps:
            chosen = (p.order[:, place] == step) & p.happens[:, step]
            if kind is not None:
                chosen &= p.noise_kind == kind
            now = _apply_to(now, chosen, work)
        photo = now
    return photo


def _apply_to(photo: Tensor, chosen: Tensor, work: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Replace the chosen photos (B,) by their processed selves."""
    index = chosen.nonzero().squeeze(1)
    if len(index) == 0:
        return photo
    return photo.index_copy(0, index, work(photo[index], index))


def degrade_batch(clean: Tensor, generator: torch.Generator) -> Tensor:
    """Degrade a batch by the released recipe.

    Args:
        clean: (B, 3, H, W) in [-1, 1].
        generator: on the device of clean; seed it with (seed, epoch, step) for repeatable runs.

    Returns:
        degraded, (B, 3, H, W) in [-1, 1].
    """
    return apply_released_batch(clean, sample_released_batch(generator, len(clean)), generator)
