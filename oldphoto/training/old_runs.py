"""Names in the run folders of version 0.1, translated to today's, so that old runs still resume.

Version 0.1 said ``critic`` for discriminator, and named the settings of a stage ``train_mapping``
where today the preset has ``stages`` with an entry ``mapping``.
"""

from collections.abc import Mapping
from typing import Any

# Each stage had a field of its own in the preset.
_STAGE_OF = {
    "train_vae_degraded": "vae-degraded",
    "train_vae_clean": "vae-clean",
    "train_mapping": "mapping",
    "train_detector": "detector",
}


def today(name: str) -> str:
    """Return today's name of a log column, a setting, or a part or tensor of a checkpoint.

    >>> today("latent_critic"), today("critics.photo.scales.0"), today("l1")
    ('latent_discriminator', 'discriminators.photo.scales.0', 'l1')
    """
    return name.replace("critic", "discriminator")


def checkpoint_parts(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a checkpoint under today's names, and so the tensors in them.

    >>> checkpoint_parts({"critic_loss": {"critics.photo.weight": 1}, "loss": {"vae.weight": 2}})
    {'discriminator_loss': {'discriminators.photo.weight': 1}, 'loss': {'vae.weight': 2}}
    """
    parts = {today(name): part for name, part in saved.items()}
    # The other parts hold nothing named after critics: networks kept their names, and optimizers
    # number their weights.
    if "discriminator_loss" in parts:
        tensors = parts["discriminator_loss"]
        parts["discriminator_loss"] = {today(name): value for name, value in tensors.items()}
    return parts


def run_config(content: Any) -> Any:
    """Return the content of a ``config.json`` of a run or a stage under today's names.

    >>> run_config({"preset": {"train_mapping": {"critic_learning_rate": 0.1}}})
    {'preset': {'stages': {'mapping': {'discriminator_learning_rate': 0.1}}}}
    """
    # Lists and plain values hold no names of settings.
    if not isinstance(content, dict):
        return content
    renamed = {today(name): run_config(value) for name, value in content.items()}
    # Gathered into one entry, as ``Preset.stages`` has them.
    stages = {_STAGE_OF[name]: renamed.pop(name) for name in _STAGE_OF if name in renamed}
    return renamed | ({"stages": stages} if stages else {})
