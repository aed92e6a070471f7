"""The architecture table of the preset ``paper`` is the paper's, row by row."""

import dataclasses

import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.config import PRESETS, VAEConfig
from oldphoto.networks.architecture_table import Row, architecture_table, format_table

# The architecture table of Wan et al. 2020, for an input of 256 x 256.
PAPER_TABLE = """
| module | layer | kernel / stride | output H x W x C |
|---|---|---|---|
| Encoder E | Conv | 7x7 / 1 | 256 x 256 x 64 |
| | Conv | 4x4 / 2 | 128 x 128 x 64 |
| | Conv | 4x4 / 2 | 64 x 64 x 64 |
| | ResBlock x 4 | 3x3 / 1 | 64 x 64 x 64 |
| Generator G | ResBlock x 4 | 3x3 / 1 | 64 x 64 x 64 |
| | Deconv | 4x4 / 2 | 128 x 128 x 64 |
| | Deconv | 4x4 / 2 | 256 x 256 x 64 |
| | Conv | 7x7 / 1 | 256 x 256 x 3 |
| Mapping T | Conv | 3x3 / 1 | 64 x 64 x 128 |
| | Conv | 3x3 / 1 | 64 x 64 x 256 |
| | Conv | 3x3 / 1 | 64 x 64 x 512 |
| | Partial non-local | 1x1 / 1 | 64 x 64 x 512 |
| | ResBlock x 2 | 3x3 / 1 | 64 x 64 x 512 |
| | ResBlock x 6 | 3x3 / 1 | 64 x 64 x 512 |
| | Conv | 3x3 / 1 | 64 x 64 x 256 |
| | Conv | 3x3 / 1 | 64 x 64 x 128 |
| | Conv | 3x3 / 1 | 64 x 64 x 64 |
| | Conv | 3x3 / 1 | 64 x 64 x 64 |
"""


def test_preset_paper_is_the_table_of_the_paper():
    printed = format_table(architecture_table(PRESETS["paper"])).splitlines()
    wanted = PAPER_TABLE.strip().splitlines()
    assert len(printed) == len(wanted)
    for ours, theirs in zip(printed, wanted, strict=True):
        assert ours == theirs


def test_preset_tiny_shows_its_own_layers():
    rows = architecture_table(PRESETS["tiny"], size=(16, 32))
    encoder = [row for row in rows if row.module == "Encoder E"]
    assert encoder == [
        Row("Encoder E", "Unshuffle", 4, 4, 4, 8, 48),
        Row("Encoder E", "Conv", 3, 1, 4, 8, 32),
        Row("Encoder E", "ResBlock x 1", 3, 1, 4, 8, 32),
        Row("Encoder E", "Conv", 3, 1, 4, 8, 16),
    ]
    assert [row.layer for row in rows if row.module == "Mapping T"] == [
        "Conv",
        "Conv",
        "Partial non-local",
        "ResBlock x 1",
        "ResBlock x 2",
        "Conv",
        "Conv",
    ]


def test_equal_neighbouring_convolutions_keep_their_own_rows():
    tiny = PRESETS["tiny"]
    vae = VAEConfig("unshuffle", width=16, latent_channels=16, num_blocks=1, norm=False)
    mapping = dataclasses.replace(tiny.mapping, widths_in=(16, 16), widths_out=(16, 16))
    rows = architecture_table(dataclasses.replace(tiny, vae=vae, mapping=mapping), size=(16, 16))
    layers = [row.layer for row in rows if row.module == "Mapping T"]
    assert layers.count("Conv") == 5


def test_the_random_state_is_left_alone():
    before = torch.get_rng_state()
    architecture_table(PRESETS["tiny"], size=(8, 8))
    assert torch.equal(torch.get_rng_state(), before)


def test_refuses_a_size_that_the_vae_cannot_take():
    with pytest.raises(InputError, match="multiples of 4"):
        architecture_table(PRESETS["tiny"], size=(18, 16))
