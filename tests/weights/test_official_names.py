"""Names, shapes and counts of our tensors against those of the authors' state dicts."""

import functools
import itertools
import re

import pytest
import torch

from oldphoto.weights import official
from oldphoto.weights.official_names import official_name

FILES = {
    "vae": official.VAE_DEGRADED,
    **{variant: files[1] for variant, files in official.VAE_CLEAN_AND_MAPPING.items()},
    "detector": official.DETECTOR,
}
RESIDUAL = "conv_block.{1,5}"
# Modules with tensors in the authors' state dicts, as their code builds them.
PATTERNS = {
    "vae": [
        "encoder.{1,4,7}",
        f"encoder.{{10,11,12,13}}.{RESIDUAL}",
        f"decoder.{{0,1,2,3}}.{RESIDUAL}",
        "decoder.{4,7,11}",
    ],
    "quality": [
        "model.{0,3,6,9}",
        f"model.{{12,13,14,15,16,17}}.{RESIDUAL}",
        "model.{18,21,24,27}",
    ],
    "scratch": [
        "before_NL.{0,3,6,9}",
        "NL.{g,W,theta,phi}",
        f"NL.res_block.{{0,1,2}}.{RESIDUAL}",
        f"after_NL.{{0,1,2,3,4,5}}.{RESIDUAL}",
        "after_NL.{6,9,12,15}",
    ],
    "hr": [
        "before_NL.{0,3,6,9}",
        f"before_NL.{{12,13}}.{RESIDUAL}",
        "NL_scale_{1,2,3}.F_Combine",
        f"NL_scale_{{1,2,3}}.res_block.0.{RESIDUAL}",
        f"res_block_{{1,2}}.{{0,1}}.{RESIDUAL}",
        f"after_NL.{{0,1}}.{RESIDUAL}",
        "after_NL.{2,5,8,11}",
    ],
}
COUNTS = {  # tensors, parameters
    "vae": (44, 872_131),
    "quality": (40, 36_135_232),
    "scratch": (60, 51_344_704),
    "hr": (66, 73_904_448),
    "detector": (156, 37_626_177),
}
SHAPES = {
    "vae": {
        "encoder.1.weight": (64, 3, 7, 7),
        "encoder.7.weight": (64, 64, 4, 4),
        "decoder.4.weight": (64, 64, 4, 4),
        "decoder.11.bias": (3,),
    },
    "quality": {"model.0.weight": (128, 64, 3, 3), "model.18.weight": (512, 512, 3, 3)},
    "scratch": {"NL.W.weight": (512, 512, 1, 1), "after_NL.15.weight": (64, 128, 3, 3)},
    "hr": {"NL_scale_2.F_Combine.weight": (512, 1025, 3, 3), "after_NL.8.bias": (128,)},
    "detector": {
        "first.1.weight": (64, 1, 7, 7),
        "down_sample.3.4.filt": (512, 1, 3, 3),
        "down_path.3.block.1.weight": (1024, 512, 3, 3),
        "up_path.0.conv_block.block.1.weight": (512, 1024, 3, 3),
        "last.1.weight": (1, 64, 3, 3),
    },
}
PAIRS = {  # ours and theirs, where a mix-up would fit in shape
    "vae": {"decoder.up1.conv.weight": "decoder.4.weight"},
    "quality": {"blocks.2.conv2.weight": "model.14.conv_block.5.weight"},
    "scratch": {
        "partial_nonlocal.query.weight": "NL.theta.weight",
        "partial_nonlocal.key.weight": "NL.phi.weight",
        "partial_nonlocal.value.bias": "NL.g.bias",
        "partial_nonlocal.project.bias": "NL.W.bias",
        "partial_nonlocal.blocks.1.conv1.weight": "NL.res_block.1.conv_block.1.weight",
        "blocks.0.conv1.weight": "after_NL.0.conv_block.1.weight",
    },
    "hr": {
        "groups.0.1.conv1.weight": "before_NL.13.conv_block.1.weight",
        "attentions.0.block.conv2.bias": "NL_scale_1.res_block.0.conv_block.5.bias",
        "groups.2.0.conv1.weight": "res_block_2.0.conv_block.1.weight",
        "groups.3.1.conv2.weight": "after_NL.1.conv_block.5.weight",
    },
    "detector": {
        "down.1.blur.kernel": "down_sample.1.4.filt",
        "down.2.block2.norm.running_var": "down_path.2.block.6.running_var",
        "up.3.conv.weight": "up_path.3.up.2.weight",
    },
}


def expand(pattern):
    parts = re.split(r"\{(.*?)\}", pattern)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    return {"".join(choice) for choice in itertools.product(*choices)}


@functools.cache
def network(name):
    with torch.device("meta"):  # names and shapes without the numbers
        return FILES[name].build()


def shapes_of(name):
    return official.expected_shapes(network(name), FILES[name].modules)


@pytest.mark.parametrize("name", PATTERNS)
def test_names_are_the_authors(name):
    modules = set().union(*map(expand, PATTERNS[name]))
    assert set(shapes_of(name)) == {f"{m}.{kind}" for m in modules for kind in ("weight", "bias")}


def test_the_detector_s_names_are_the_authors():
    levels = [f"{{0,1,2,3}}{rest}" for rest in (".block.{1,5}", ".conv_block.block.{1,5}")]
    convolutions = ["first.1", "last.1", "down_sample.{0,1,2,3}.1", "up_path.{0,1,2,3}.up.2"]
    convolutions += [f"down_path.{levels[0]}", f"up_path.{levels[1]}"]
    norms = ["down_sample.{0,1,2,3}.2", "down_path.{0,1,2,3}.block.{2,6}"]
    norms += ["up_path.{0,1,2,3}.conv_block.block.{2,6}"]
    running = ("running_mean", "running_var", "num_batches_tracked")
    expected = {f"down_sample.{level}.4.filt" for level in range(4)}
    for patterns, tensors in ((convolutions, ()), (norms, running)):
        modules = set().union(*map(expand, patterns))
        expected |= {f"{m}.{tensor}" for m in modules for tensor in ("weight", "bias", *tensors)}
    assert set(shapes_of("detector")) == expected


@pytest.mark.parametrize("name", COUNTS)
def test_counts_and_shapes_are_the_authors(name):
    shapes = shapes_of(name)
    parameters = sum(p.numel() for p in network(name).parameters())
    assert (len(shapes), parameters) == COUNTS[name]
    assert {key: tuple(shapes[key]) for key in SHAPES[name]} == SHAPES[name]


@pytest.mark.parametrize("name", PAIRS)
def test_tensors_of_equal_shape_are_not_mixed_up(name):
    found = {ours: official_name(ours, FILES[name].modules) for ours in PAIRS[name]}
    assert found == PAIRS[name]


@pytest.mark.parametrize("name", FILES)
def test_no_two_of_our_tensors_share_a_name(name):
    theirs = list(FILES[name].modules.values())
    assert len(theirs) == len(set(theirs))
    ours = {key.rpartition(".")[0] for key in network(name).state_dict()}
    assert ours == set(FILES[name].modules)
