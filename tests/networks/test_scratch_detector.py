"""The scratch detector: the released counts, a written-out reference, gradients, refusals."""

import pytest
import torch
import torch.nn.functional as F

from oldphoto.checks import InputError
from oldphoto.config import PRESETS, DetectorConfig
from oldphoto.networks.scratch_detector import ScratchUNet


def test_paper_detector_has_the_tensors_of_the_released_checkpoint():
    with torch.device("meta"):  # shapes alone are compared: no need to fill 150 MB
        net = ScratchUNet(DetectorConfig())
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert len(shapes) == 156
    assert sum(p.numel() for p in net.parameters()) == 37_626_177
    assert shapes["stem.weight"] == (64, 1, 7, 7)
    assert shapes["down.3.before_blur.conv.weight"] == (512, 512, 3, 3)
    assert shapes["down.3.blur.kernel"] == (512, 1, 3, 3)
    assert shapes["down.3.block2.conv.weight"] == (1024, 1024, 3, 3)
    assert shapes["up.0.conv.weight"] == (512, 1024, 3, 3)
    assert shapes["up.0.block1.conv.weight"] == (512, 1024, 3, 3)
    assert shapes["head.weight"] == (1, 64, 3, 3)
    assert sum(name.endswith("num_batches_tracked") for name in shapes) == 20


def test_detector_is_the_written_out_formula():
    torch.manual_seed(0)
    net = ScratchUNet(DetectorConfig(width=3, depth=2)).double()
    for name, tensor in net.state_dict().items():  # batch norms that do something
        if "norm" in name and tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    net.eval()
    weights = net.state_dict()

    def conv(x, name, pad=1):
        x = F.pad(x, (pad,) * 4, mode="reflect")
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def leaky(x):
        return torch.where(x > 0, x, 0.2 * x)

    def block(x, name):
        x = conv(x, f"{name}.conv")
        mean, var, scale, shift = (
            weights[f"{name}.norm.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return leaky((x - mean) / (var + 1e-5).sqrt() * scale + shift)

    def halve(x):
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        x = (x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) / 4
        x = (x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]) / 4
        return x[..., ::2, ::2]

    grey = torch.rand(2, 1, 8, 12, dtype=torch.float64) * 2 - 1
    level0 = leaky(conv(grey, "stem", pad=3))
    level1 = halve(block(level0, "down.0.before_blur"))
    level1 = block(block(level1, "down.0.block1"), "down.0.block2")
    x = halve(block(level1, "down.1.before_blur"))
    x = block(block(x, "down.1.block1"), "down.1.block2")
    for number, skip in enumerate((level1, level0)):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = torch.cat([conv(x, f"up.{number}.conv"), skip], dim=1)
        x = block(block(x, f"up.{number}.block1"), f"up.{number}.block2")
    torch.testing.assert_close(net(grey), conv(x, "head"), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_presets_give_one_score_per_pixel(name):
    net = ScratchUNet(PRESETS[name].detector).train()
    side = 2 * net.size_multiple
    logits = net(torch.rand(2, 1, side, 2 * side) * 2 - 1)
    assert logits.shape == (2, 1, side, 2 * side)
    logits.mean().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_detector_learns_bright_lines():
    torch.manual_seed(1)
    net = ScratchUNet(DetectorConfig(width=4, depth=2)).train()
    grey = torch.rand(4, 1, 32, 32) - 0.8
    damaged = torch.zeros_like(grey)
    for number, column in enumerate((5, 12, 20, 27)):
        damaged[number, :, :, column] = 1
    grey = torch.where(damaged == 1, torch.ones_like(grey), grey)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(30):
        loss = F.binary_cross_entropy_with_logits(net(grey), damaged)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = net(grey).detach() > 0
    assert (found == damaged.bool()).float().mean() > 0.99


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 1, 36, 34), "multiples of 4"),
        ((1, 1, 4, 32), "at least 8"),
        ((1, 3, 32, 32), r"\(B, 1, H, W\)"),
        ((32, 32), r"\(B, 1, H, W\)"),
    ],
)
def test_detector_refuses(shape, message):
    with pytest.raises(InputError, match=message):
        ScratchUNet(DetectorConfig(width=2, depth=2))(torch.zeros(shape))
