"""Tensor names of the authors' checkpoints, mapped to ours.

Theirs are numbered by place in an ``nn.Sequential``, paddings, norms and activations counted:
``model.12.conv_block.5.weight`` is our ``blocks.0.conv2.weight``. Each table here maps one of our
modules that has tensors to theirs; the tensors inside keep their names, but for the blur kernel.
"""

from collections.abc import Iterable

Modules = dict[str, str]
"""Path of our module to the path of theirs."""

_TENSORS = {"kernel": "filt"}  # the fixed kernel of the detector's blur
_WITH_NORM_AND_RELU = 3  # indices that convolution, norm and ReLU take together


def official_name(ours: str, modules: Modules) -> str:
    """Return the authors' name of one of our tensors.

    Raises:
        KeyError: if the table has no such module; then table and network do not belong together.

    >>> official_name("blocks.0.conv2.weight", plain_modules())
    'model.12.conv_block.5.weight'
    """
    module, _, tensor = ours.rpartition(".")
    return f"{modules[module]}.{_TENSORS.get(tensor, tensor)}"


def vae_modules() -> Modules:
    """Return the table of ``GlobalGenerator_DCDCv2`` with 4 residual blocks on either side."""
    return (
        _in_a_row(("encoder.stem", "encoder.down1", "encoder.down2"), "encoder", first=1)
        | _residual_blocks("encoder.blocks", "encoder", first=10, count=4)
        | _residual_blocks("decoder.blocks", "decoder", first=0, count=4)
        | _in_a_row(("decoder.up1", "decoder.up2"), "decoder", first=4)
        | {"decoder.head": "decoder.11"}
    )


def plain_modules() -> Modules:
    """Return the table of ``Mapping_Model``."""
    blocks = _residual_blocks("blocks", "model", first=12, count=6)
    return _widen("model") | blocks | _narrow("model", first=18)


def scratch_modules() -> Modules:
    """Return the table of ``Mapping_Model_with_mask``."""
    block = "partial_nonlocal"
    convolutions = {"query": "theta", "key": "phi", "value": "g", "project": "W"}
    return (
        _widen("before_NL")
        | {f"{block}.{ours}": f"NL.{theirs}" for ours, theirs in convolutions.items()}
        | _residual_blocks(f"{block}.blocks", "NL.res_block", first=0, count=3)
        | _residual_blocks("blocks", "after_NL", first=0, count=6)
        | _narrow("after_NL", first=6)
    )


def patch_attention_modules() -> Modules:
    """Return the table of ``Mapping_Model_with_mask_2``."""
    modules = _widen("before_NL")
    groups = (("before_NL", 12), ("res_block_1", 0), ("res_block_2", 0), ("after_NL", 0))
    for number, (theirs, first) in enumerate(groups):
        modules |= _residual_blocks(f"groups.{number}", theirs, first, count=2)
    for number in range(3):
        ours, theirs = f"attentions.{number}", f"NL_scale_{number + 1}"
        modules |= _residual_block(f"{ours}.block", f"{theirs}.res_block.0")
        modules[f"{ours}.combine"] = f"{theirs}.F_Combine"
    return modules | _narrow("after_NL", first=2)


def detector_modules() -> Modules:
    """Return the table of the detection ``UNet`` of depth 4."""
    modules = {"stem": "first.1", "head": "last.1"}
    for level in range(4):
        modules |= _conv_and_norm(f"down.{level}.before_blur", f"down_sample.{level}", first=1)
        modules[f"down.{level}.blur"] = f"down_sample.{level}.4"
        modules |= _two_convolutions(f"down.{level}", f"down_path.{level}.block")
        modules[f"up.{level}.conv"] = f"up_path.{level}.up.2"
        modules |= _two_convolutions(f"up.{level}", f"up_path.{level}.conv_block.block")
    return modules


def _in_a_row(ours: Iterable[str], theirs: str, first: int) -> Modules:
    """Name convolutions that each have a norm and a ReLU behind them."""
    return {
        f"{module}.conv": f"{theirs}.{first + _WITH_NORM_AND_RELU * number}"
        for number, module in enumerate(ours)
    }


def _widen(theirs: str) -> Modules:
    return _in_a_row((f"widen.{number}" for number in range(4)), theirs, first=0)


def _narrow(theirs: str, first: int) -> Modules:
    last = first + 3 * _WITH_NORM_AND_RELU
    convolutions = _in_a_row((f"narrow.{number}" for number in range(3)), theirs, first)
    return convolutions | {"to_latent": f"{theirs}.{last}"}


def _residual_block(ours: str, theirs: str) -> Modules:
    """Padding, convolution, norm, ReLU, padding, convolution, norm: the numbers 1 and 5."""
    return {f"{ours}.conv1": f"{theirs}.conv_block.1", f"{ours}.conv2": f"{theirs}.conv_block.5"}


def _residual_blocks(ours: str, theirs: str, first: int, count: int) -> Modules:
    modules: Modules = {}
    for number in range(count):
        modules |= _residual_block(f"{ours}.{number}", f"{theirs}.{first + number}")
    return modules


def _conv_and_norm(ours: str, theirs: str, first: int) -> Modules:
    return {f"{ours}.conv": f"{theirs}.{first}", f"{ours}.norm": f"{theirs}.{first + 1}"}


def _two_convolutions(ours: str, theirs: str) -> Modules:
    """Twice: padding, convolution, norm, LeakyReLU."""
    return _conv_and_norm(f"{ours}.block1", theirs, first=1) | _conv_and_norm(
        f"{ours}.block2", theirs, first=5
    )
