"""The VAE: the paper's sizes and counts, noise only in training, both stems, refusals."""

import pytest
import torch
import torch.nn.functional as F

from oldphoto.checks import InputError
from oldphoto.config import PRESETS, VAEConfig
from oldphoto.networks.vae import VAE

LIGHT = VAEConfig(stem="unshuffle", width=8, latent_channels=6, num_blocks=1, norm=False)
CONV = VAEConfig(width=8, latent_channels=8, num_blocks=1)


def _photo(height=16, width=24, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, height, width, generator=generator) * 2 - 1


def _count(vae):
    return len(vae.state_dict()), sum(p.numel() for p in vae.parameters())


def test_paper_vae_has_the_tensors_of_the_released_checkpoint():
    vae = VAE(VAEConfig())
    assert _count(vae) == (44, 872_131)
    shapes = {name: tuple(tensor.shape) for name, tensor in vae.state_dict().items()}
    assert shapes["encoder.stem.conv.weight"] == (64, 3, 7, 7)
    assert shapes["encoder.down2.conv.weight"] == (64, 64, 4, 4)
    assert shapes["encoder.blocks.3.conv2.bias"] == (64,)
    assert shapes["decoder.blocks.0.conv1.weight"] == (64, 64, 3, 3)
    assert shapes["decoder.up1.conv.weight"] == (64, 64, 4, 4)
    assert shapes["decoder.head.weight"] == (3, 64, 7, 7)
    assert not any(part.isdigit() for name in shapes for part in name.split(".")[:2])


def test_paper_vae_starts_as_the_authors_do():
    torch.manual_seed(0)
    vae = VAE(VAEConfig())
    for name, tensor in vae.named_parameters():
        if name.endswith("weight"):
            assert tensor.std().item() == pytest.approx(0.02, rel=0.05), name


def test_conv_vae_is_the_table_written_out():
    torch.manual_seed(1)
    vae = VAE(CONV).double().eval()
    photo = _photo(12, 16).double()
    weights = vae.state_dict()

    def step(x, name, norm=True, **options):
        layer = F.conv_transpose2d if ".up" in name else F.conv2d
        x = layer(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)
        return F.instance_norm(x) if norm else x

    def mirrored(x, pad):
        return F.pad(x, (pad,) * 4, mode="reflect")

    def block(x, name):
        inner = step(mirrored(x, 1), f"{name}.conv1").relu()
        return x + step(mirrored(inner, 1), f"{name}.conv2")

    x = step(mirrored(photo, 3), "encoder.stem.conv").relu()
    x = step(x, "encoder.down1.conv", stride=2, padding=1).relu()
    x = step(x, "encoder.down2.conv", stride=2, padding=1).relu()
    latent = block(x, "encoder.blocks.0")
    torch.testing.assert_close(vae.encode(photo), latent, rtol=0, atol=1e-10)

    x = block(latent, "decoder.blocks.0")
    x = step(x, "decoder.up1.conv", stride=2, padding=1).relu()
    x = step(x, "decoder.up2.conv", stride=2, padding=1).relu()
    expected = step(mirrored(x, 3), "decoder.head", norm=False).tanh()
    torch.testing.assert_close(vae.decode(latent), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("config", [LIGHT, CONV, PRESETS["tiny"].vae])
def test_sizes_and_range(config):
    vae = VAE(config).eval()
    photo = _photo()
    latent = vae.encode(photo)
    assert latent.shape == (2, config.latent_channels, 4, 6)
    restored = vae.decode(latent * 50)  # a wild code still decodes to pixels that can be shown
    assert restored.shape == photo.shape
    assert restored.min() >= -1 and restored.max() <= 1


@pytest.mark.parametrize("noise", ["unit", "learned"])
def test_no_noise_outside_training(noise):
    vae = VAE(VAEConfig("unshuffle", 8, 6, 1, norm=False, noise=noise)).eval()
    photo = _photo()
    recon, mean, log_var = vae(photo)
    assert torch.equal(mean, vae.encode(photo))
    assert torch.equal(recon, vae.decode(mean))
    assert log_var.shape == mean.shape
    if noise == "unit":
        assert torch.equal(log_var, torch.zeros_like(mean))


@pytest.mark.parametrize("noise", ["unit", "learned"])
def test_training_noise_has_the_announced_variance(noise):
    torch.manual_seed(2)
    vae = VAE(VAEConfig("unshuffle", 8, 6, 1, norm=False, noise=noise)).train()
    seen = {}
    vae.decoder.register_forward_pre_hook(lambda module, args: seen.update(latent=args[0]))
    with torch.no_grad():
        _, mean, log_var = vae(_photo(64, 64, batch=8), torch.Generator().manual_seed(3))
    noise_drawn = (seen["latent"] - mean) / (0.5 * log_var).exp()
    assert noise_drawn.mean().item() == pytest.approx(0, abs=0.03)
    assert noise_drawn.std().item() == pytest.approx(1, abs=0.03)
    if noise == "learned":
        assert (0.5 * log_var).exp().unique().item() == pytest.approx(0.1)  # the small start


def test_noise_comes_from_the_generator_alone():
    vae = VAE(LIGHT).train()
    photo = _photo()
    first = vae(photo, torch.Generator().manual_seed(7))[0]
    second = vae(photo, torch.Generator().manual_seed(7))[0]
    other = vae(photo, torch.Generator().manual_seed(8))[0]
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_learned_log_variance_depends_on_the_photo_after_a_step():
    torch.manual_seed(4)
    vae = VAE(VAEConfig("unshuffle", 8, 6, 1, norm=False, noise="learned")).train()
    recon, _, log_var = vae(_photo())
    ((recon - _photo()).abs().mean() + log_var.mean()).backward()
    torch.optim.SGD(vae.parameters(), lr=0.1).step()
    assert vae(_photo())[2].std() > 0


def test_light_vae_learns_to_rebuild():
    torch.manual_seed(5)
    vae = VAE(LIGHT).train()
    optimizer = torch.optim.Adam(vae.parameters(), lr=5e-3)
    rows = torch.linspace(-1, 1, 32)
    photo = torch.stack(
        [rows[:, None] * rows, rows[:, None].sin().expand(32, 32), -rows.expand(32, 32)]
    )
    photo = photo[None]
    losses = []
    for _ in range(60):
        loss = (vae(photo)[0] - photo).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3


def test_gradient_reaches_every_tensor():
    for config in (LIGHT, CONV, VAEConfig("unshuffle", 8, 6, 1, norm=False, noise="learned")):
        vae = VAE(config).train()
        recon, mean, log_var = vae(_photo())
        (recon.square().mean() + mean.square().mean() + log_var.exp().mean()).backward()
        assert all(p.grad is not None for p in vae.parameters())


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 18, 16), "multiples of 4"),
        ((1, 3, 4, 16), "at least 8"),
        ((1, 1, 16, 16), r"\(B, 3, H, W\)"),
        ((3, 16, 16), r"\(B, 3, H, W\)"),
    ],
)
def test_encode_refuses(shape, message):
    with pytest.raises(InputError, match=message):
        VAE(LIGHT).encode(torch.zeros(shape))


def test_decode_refuses_a_code_of_other_channels():
    with pytest.raises(InputError, match=r"\(B, 6, H, W\)"):
        VAE(LIGHT).decode(torch.zeros(1, 5, 4, 4))
