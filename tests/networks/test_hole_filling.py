"""The smooth first guess for holes: known values, a slow reference, and where it is used."""

from dataclasses import replace

import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.config import SMALL, TINY, LossWeights
from oldphoto.networks.hole_filling import fill_holes
from oldphoto.networks.mapping import PlainMapping, scratch_mapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE
from oldphoto.training.objectives import MappingObjective


def photo_and_mask(height=37, width=52, batch=2):
    generator = torch.Generator().manual_seed(0)
    photo = torch.rand(batch, 3, height, width, generator=generator) * 2 - 1
    mask = torch.zeros(batch, 1, height, width)
    mask[0, :, 5:30, 8:11] = mask[0, :, 0:9, 40:] = 1
    mask[1, :, 12:33, 3:29] = 1
    return photo, mask


def test_sound_pixels_stay_and_what_was_in_the_hole_has_no_influence():
    photo, mask = photo_and_mask()
    filled = fill_holes(photo, mask)
    sound = (mask == 0).expand_as(photo)
    assert torch.equal(filled[sound], photo[sound])
    assert torch.equal(fill_holes(photo.masked_fill(mask > 0, 1.0), mask), filled)
    assert filled[~sound].abs().max() <= photo[sound].abs().max()


def test_a_hole_in_one_colour_gets_that_colour():
    mask = photo_and_mask()[1]
    plain = torch.tensor([0.3, -0.8, 1.0])[:, None, None].expand(2, 3, 37, 52)
    torch.testing.assert_close(fill_holes(plain.masked_fill(mask > 0, 1.0), mask), plain)


def test_a_hole_in_a_ramp_gets_nearly_the_ramp():
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20:29, 20:29] = 1
    error = (fill_holes(ramp, mask) - ramp).abs().max()
    assert error < 0.12  # the ramp climbs by 0.29 across the hole; white paint is off by up to 1.4


def test_known_value():
    photo = torch.tensor([[1.0, 2.0], [6.0, 99.0]]).expand(1, 3, 2, 2)
    mask = torch.tensor([[0.0, 0.0], [0.0, 1.0]]).expand(1, 1, 2, 2)
    assert fill_holes(photo, mask)[0, 0, 1, 1] == pytest.approx(3)


def slow_fill(photo, sound):
    """Pull and push in loops over the pixels of one channel."""
    height, width = photo.shape
    if height == width == 1:
        return photo * sound
    half, half_sound = torch.zeros(2, (height + 1) // 2, (width + 1) // 2)
    for row in range(half.shape[0]):
        for column in range(half.shape[1]):
            place = slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2)
            if sound[place].sum() > 0:
                half[row, column] = (photo[place] * sound[place]).sum() / sound[place].sum()
                half_sound[row, column] = 1
    guess = slow_fill(half, half_sound)
    filled = photo.clone()
    for row in range(height):
        for column in range(width):
            if sound[row, column] == 0:
                filled[row, column] = between(guess, row / 2 - 0.25, column / 2 - 0.25)
    return filled


def between(guess, y, x):
    """Bilinear value of ``guess`` at (y, x), the border repeated outside."""
    y, x = max(y, 0.0), max(x, 0.0)
    top, left = int(y), int(x)
    bottom, right = (min(i + 1, n - 1) for i, n in zip((top, left), guess.shape, strict=True))
    upper = guess[top, left] * (1 - x + left) + guess[top, right] * (x - left)
    lower = guess[bottom, left] * (1 - x + left) + guess[bottom, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)


def test_equals_the_slow_reference():
    photo, mask = photo_and_mask()
    filled = fill_holes(photo, mask)
    for sample in range(2):
        expected = slow_fill(photo[sample, 1], 1 - mask[sample, 0])
        torch.testing.assert_close(filled[sample, 1], expected)


def test_each_photo_for_itself():
    photo, mask = photo_and_mask()
    torch.testing.assert_close(fill_holes(photo[1:], mask[1:]), fill_holes(photo, mask)[1:])


def test_without_any_sound_pixel_it_is_grey():
    photo, mask = photo_and_mask()
    assert fill_holes(photo, torch.ones_like(mask)).eq(0).all()


def test_refusals():
    photo, mask = photo_and_mask()
    with pytest.raises(InputError, match=r"\(B, 3, H, W\)"):
        fill_holes(photo[:, :2], mask)
    with pytest.raises(InputError, match="mask"):
        fill_holes(photo, mask[:1])


def networks(mapping, **changes):
    torch.manual_seed(0)
    config = replace(TINY.mapping, **changes)
    return VAE(TINY.vae).eval(), VAE(TINY.vae).eval(), mapping(config).eval()


@pytest.mark.parametrize("mapping", [PlainMapping, scratch_mapping])
def test_the_network_sees_filled_holes_where_the_mapping_asks_for_it(mapping):
    photo, mask = photo_and_mask(36, 52)
    white, black = photo.masked_fill(mask > 0, 1.0), photo.masked_fill(mask > 0, -1.0)
    with torch.no_grad():
        filling = RestorationNetwork(*networks(mapping, form="ours"))
        assert torch.equal(filling(white, mask), filling(black, mask))
        assert torch.equal(filling(white, mask), filling(fill_holes(photo, mask), mask))
        assert not torch.equal(filling(white), filling(black)), "without a mask nothing is filled"
        seeing = RestorationNetwork(*networks(mapping))
        assert not torch.equal(seeing(white, mask), seeing(black, mask))


def test_training_sees_what_the_network_sees():
    photo, mask = photo_and_mask(36, 52)
    vae_degraded, vae_clean, mapping = networks(scratch_mapping, form="ours")
    weights = LossWeights(adversarial_weight=0, feature_matching_weight=0, perceptual_weight=0)
    loss = MappingObjective(mapping, vae_degraded, vae_clean, weights)
    batch = {"degraded": photo.masked_fill(mask > 0, 1.0), "clean": photo, "scratch_mask": mask}
    with torch.no_grad():
        samples = loss(batch, torch.nn.ModuleDict())[1]
        network = RestorationNetwork(vae_degraded, vae_clean, mapping)
        torch.testing.assert_close(samples["output"], network(batch["degraded"], mask))
    assert torch.equal(samples["input"], batch["degraded"]), "what is shown keeps its holes"


def test_presets():
    assert SMALL.mapping.form == "ours" and TINY.mapping.form == "serial"
