"""The pipeline map: which module calls which, in order, with shapes, parameters and time."""

import xml.etree.ElementTree as ET

import pytest
import torch
from torch import nn

import oldphoto.course
from oldphoto.checks import InputError
from oldphoto.config import PRESETS
from oldphoto.course.trace import trace
from oldphoto.networks.mapping import scratch_mapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE


class Twice(nn.Module):
    """Calls one layer two times, and another inside a group."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.group = nn.Sequential(nn.Linear(4, 2), nn.ReLU())

    def forward(self, x):
        return self.group(self.layer(self.layer(x)))


def test_order_nesting_shapes_and_parameters():
    network = Twice()
    found = trace(network, torch.zeros(3, 4))
    assert found.result.shape == (3, 2)
    assert [(level, call.name) for level, call in found.rows()] == [
        (0, "Twice"),
        (1, "layer"),
        (1, "layer"),
        (1, "group"),
        (2, "group.0"),
        (2, "group.1"),
    ]
    root = found.calls[0]
    assert root.num_parameters == 4 * 4 + 4 + 4 * 2 + 2
    assert root.shapes_in == [(3, 4)] and root.shapes_out == [(3, 2)]
    assert root.seconds >= sum(call.seconds for call in root.calls) > 0
    assert len(list(found.rows(depth=1))) == 1


def test_any_function_and_names_of_several_networks():
    one, two = nn.Linear(4, 4), nn.Linear(4, 1)
    found = trace(lambda x: two(one(x)), torch.zeros(1, 4), modules={"one": one, "two": two})
    assert [call.name for call in found.calls] == ["one", "two"]
    unnamed = trace(lambda x: two(one(x)), torch.zeros(1, 4))
    assert [call.name for call in unnamed.calls] == ["Linear", "Linear"]


def test_the_restoration_network_as_text_and_drawing():
    tiny = PRESETS["tiny"]
    vaes = VAE(tiny.vae), VAE(tiny.vae)
    network = RestorationNetwork(*vaes, scratch_mapping(tiny.mapping)).eval()
    found = oldphoto.course.trace(network, torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32))
    text = found.text(depth=2)
    names = ["vae_degraded.encoder", "mapping", "vae_clean.decoder"]
    positions = [text.index(f"  {name} (") for name in names]
    assert positions == sorted(positions)
    assert "1x3x32x32, 1x1x32x32 -> 1x3x32x32" in text
    drawing = ET.fromstring(found.svg(depth=2))
    assert len(drawing.findall("{*}rect")) == 1 + 4  # the ground, and a bar for each call
    assert found.describe(depth=2).startswith("Map of 4 module calls in ")


def test_the_figure_has_a_description(monkeypatch):
    shown = []
    monkeypatch.setattr("oldphoto.course.figures.display", shown.append)
    trace(Twice(), torch.zeros(1, 4)).show()
    assert 'alt="Map of 6 module calls' in shown[0].data


def test_hooks_are_gone_afterwards_also_after_an_error():
    with pytest.raises(RuntimeError):
        trace(Twice(), torch.zeros(1, 5))
    assert not nn.modules.module._global_forward_pre_hooks
    assert not nn.modules.module._global_forward_hooks


def test_a_function_without_modules_is_refused():
    with pytest.raises(InputError, match="expected a function that calls modules"):
        trace(torch.zeros, 1)
