"""The batched tensors agree with the files: pixel by pixel where exact, in statistics where not."""

import numpy as np
import pytest
import torch
from torch import Tensor

from oldphoto import degradations as files
from oldphoto.checks import InputError
from oldphoto.degradations import batched
from oldphoto.degradations.batched_jpeg import jpeg, quality_tables
from oldphoto.degradations.batched_released import (
    apply_released_batch,
    degrade_batch,
    sample_released_batch,
)


def to_batch(*photos: np.ndarray) -> Tensor:
    return torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_levels(batch: Tensor) -> np.ndarray:
    return ((batch.permute(0, 2, 3, 1) + 1) * 127.5).numpy()


def two(first: float, second: float) -> Tensor:
    return torch.tensor([first, second])


EXACT = {
    "gaussian_blur": (
        lambda x: batched.gaussian_blur(x, torch.tensor([3, 7]), two(1.2, 4.0)),
        (files.GaussianBlur(3, 1.2), files.GaussianBlur(7, 4.0)),
    ),
    "box_blur": (
        lambda x: batched.box_blur(x, torch.tensor([5, 3])),
        (files.BoxBlur(5), files.BoxBlur(3)),
    ),
    "low_resolution": (
        lambda x: batched.low_resolution(
            x, two(0.55, 0.83), two(0.71, 0.97), torch.tensor([True, False])
        ),
        (files.LowResolution(0.55, 0.71, True), files.LowResolution(0.83, 0.97, False)),
    ),
    "rgb_shift": (
        lambda x: batched.rgb_shift(x, torch.tensor([[20.0, -5, 0], [-20, 7, 19]])),
        (files.RgbShift(20, -5, 0), files.RgbShift(-20, 7, 19)),
    ),
    "fading": (
        lambda x: batched.fading(x, two(10, 70), two(250, 200)),
        (files.Fading(10.0, 250.0), files.Fading(70.0, 200.0)),
    ),
    "sepia": (
        lambda x: batched.sepia(x, two(0.7, 1), two(0.2, 1)),
        (files.Sepia(0.7, 0.2), files.Sepia(1.0, 1.0)),
    ),
    "yellowing": (
        lambda x: batched.yellowing(x, two(0.3, 0.9)),
        (files.Yellowing(0.3), files.Yellowing(0.9)),
    ),
    "vignette": (
        lambda x: batched.vignette(x, two(0.3, 0.6)),
        (files.Vignette(0.3, 0.5, 0.5, False), files.Vignette(0.6, 0.5, 0.5, False)),
    ),
}


@pytest.mark.parametrize("name", list(EXACT))
def test_exact_steps_agree_to_the_rounding(photo, name):
    work, parameters = EXACT[name]
    result = to_levels(work(to_batch(photo, photo[::-1].copy())))
    for index, source in enumerate((photo, photo[::-1].copy())):
        expected = files.DAMAGES[name].apply(source, parameters[index])
        difference = np.abs(result[index] - expected)
        assert difference.mean() < 0.5 and difference.max() < 2.5


@pytest.mark.parametrize("quality", [15, 40, 75, 95])
def test_jpeg_agrees_with_the_library(photo, quality):
    ours = to_levels(jpeg(to_batch(photo), torch.tensor([quality])))[0]
    theirs = files.apply_jpeg(photo, files.Jpeg(quality)).astype(float)
    damage = np.abs(theirs - photo).mean()
    # Rounding that falls the other way now and then costs a little; the damage is the same.
    assert np.abs(ours - theirs).mean() < 0.35 * damage + 0.6
    assert np.abs(ours - photo).mean() == pytest.approx(damage, rel=0.1)


def test_jpeg_tables_follow_the_rule_of_libjpeg():
    table = ((16,) * 8,) * 8
    steps = quality_tables(table, torch.tensor([25.0, 50.0, 75.0, 100.0]))[:, 0, 0]
    assert steps.tolist() == [32, 16, 8, 1]


def test_the_cubic_of_keys():
    values = batched.cubic(torch.tensor([0.0, 0.5, 1.0, -1.5, 2.0, 9.0]))
    assert values.tolist() == [1.0, 0.5625, 0.0, -0.0625, 0.0, 0.0]


NOISES = {
    "gaussian_noise": (
        lambda x, g: batched.gaussian_noise(x, two(8, 30), g),
        (files.GaussianNoise(8.0, 1), files.GaussianNoise(30.0, 1)),
    ),
    "speckle_noise": (
        lambda x, g: batched.speckle_noise(x, two(8, 30), g),
        (files.SpeckleNoise(8.0, 1), files.SpeckleNoise(30.0, 1)),
    ),
    "salt_pepper": (
        lambda x, g: batched.salt_pepper(x, two(0.01, 0.05), two(0.3, 0.8), g),
        (files.SaltPepper(0.01, 0.3, 1), files.SaltPepper(0.05, 0.8, 1)),
    ),
    "film_grain": (
        lambda x, g: batched.film_grain(x, two(8, 20), two(0.6, 1.4), g),
        (files.FilmGrain(8.0, 0.6, 0.0, 1), files.FilmGrain(20.0, 1.4, 0.0, 1)),
    ),
}


def spectrum(noise: np.ndarray) -> np.ndarray:
    """Return the power of noise (H, W) in four rings of frequency."""
    power = np.abs(np.fft.fft2(noise)) ** 2
    rows, cols = (np.fft.fftfreq(side)[:, None] for side in noise.shape)
    ring = np.hypot(rows, cols.T)
    return np.array(
        [power[(ring >= f) & (ring < f + 0.12)].mean() for f in (0.02, 0.14, 0.26, 0.38)]
    )


@pytest.mark.parametrize("level", [60, 190])
@pytest.mark.parametrize("name", list(NOISES))
def test_noise_agrees_in_mean_deviation_and_spectrum(name, level):
    even = np.full((192, 192, 3), level, np.uint8)
    work, parameters = NOISES[name]
    result = to_levels(work(to_batch(even, even), torch.Generator().manual_seed(0)))
    for index in range(2):
        expected = files.DAMAGES[name].apply(even, parameters[index]).astype(float)
        # Clumped grain has fewer independent values: its mean wanders more.
        wander = 2.0 if name == "film_grain" else 0.3
        assert result[index].mean() == pytest.approx(expected.mean(), abs=wander)
        assert result[index].std() == pytest.approx(expected.std(), rel=0.08)
        ours, theirs = (spectrum(n[..., 0] - n[..., 0].mean()) for n in (result[index], expected))
        assert ours == pytest.approx(theirs, rel=0.3)


def test_the_batch_matches_the_recipe_in_distribution(photo):
    """Errors of 1,500 photos made by each: means and quantiles agree."""
    small = photo[20:52, 30:62].copy()
    generator = torch.Generator().manual_seed(0)
    batch = to_levels(degrade_batch(to_batch(*[small] * 1500), generator))
    singles = np.stack([files.degrade(small, s, "released")[0] for s in range(1500)])
    ours, theirs = (
        np.log(1 + ((result - small.astype(float)) ** 2).mean((1, 2, 3)))
        for result in (batch, singles)
    )
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert np.quantile(ours, share) == pytest.approx(np.quantile(theirs, share), abs=0.25)
    assert batch.mean() == pytest.approx(singles.mean(), abs=0.5)


def test_batch_parameters_are_in_the_released_ranges():
    p = sample_released_batch(torch.Generator().manual_seed(1), 4000)
    assert set(p.kernel_size.tolist()) == {3, 5, 7} and set(p.noise_kind.tolist()) == {0, 1, 2}
    assert (p.quality.min(), p.quality.max()) == (40, 100)
    assert p.happens.float().mean(0).tolist() == pytest.approx([0.7] * 4, abs=0.03)
    assert (p.order.sort(1).values == torch.arange(4)).all()
    assert torch.bincount(p.order[:, 0]).tolist() == pytest.approx([1000] * 4, rel=0.15)
    for values, low, high in (
        (p.blur_sigma, 1, 5),
        (p.noise_sigma, 5, 50),
        (p.amount, 0, 0.01),
        (p.salt_share, 0.3, 0.8),
        (p.scale_y, 0.5, 1),
        (p.scale_x, 0.5, 1),
    ):
        assert low <= values.min() and values.max() <= high


def test_a_batch_repeats_by_its_seed(photo):
    batch = to_batch(photo, photo)
    first, again, other = (
        degrade_batch(batch, torch.Generator().manual_seed(s)) for s in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


def test_gradients_pass_through_every_step(photo):
    batch = to_batch(photo[:32, :48].copy(), photo[-32:, :48].copy()).requires_grad_()
    generator = torch.Generator().manual_seed(0)
    for work in [work for work, _ in EXACT.values()] + [lambda x: jpeg(x, two(50, 90))]:
        (gradient,) = torch.autograd.grad(work(batch).square().sum(), batch)
        assert gradient.isfinite().all() and gradient.abs().sum() > 0
    for work, _ in NOISES.values():
        (gradient,) = torch.autograd.grad(work(batch, generator).square().sum(), batch)
        assert gradient.isfinite().all() and gradient.abs().sum() > 0


def test_colours_are_needed():
    generator = torch.Generator()
    with pytest.raises(InputError, match=r"expected a tensor of shape \(B, 3, H, W\)"):
        degrade_batch(torch.zeros(1, 1, 16, 16), generator)
    with pytest.raises(InputError, match="height and width must be at least 4"):
        apply_released_batch(
            torch.zeros(1, 3, 2, 2), sample_released_batch(generator, 1), generator
        )
