"""Predict memory and time of a training step from steps on one small photo.

What fills the memory in training are the activations: what each layer of the forward pass keeps
for the backward pass. PyTorch passes every one of them to a hook, so they can be counted on any
device without coming near its limit.
"""

import copy
import time
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from oldphoto.checks import InputError
from oldphoto.losses import total
from oldphoto.system.memory import GIB
from oldphoto.training.loop import Stage
from oldphoto.training.objectives import Batch, Outputs, PhotoObjective
from oldphoto.training.optimizer import to_device
from oldphoto.training.settings import LoopSettings, autocast, share_of_batch

_SMALLEST_SIDE = 32  # pixels; the latent discriminator cannot take a smaller latent
_BYTES = 4  # of a weight in float32
_WORKING_COPIES = 2  # of the largest activation: the gradients on both sides of one layer
_STEP_COPIES = 3  # of each trained weight: its gradient and Adam's two averages

_Module = TypeVar("_Module", bound=nn.Module)


@dataclass(frozen=True)
class Saved:
    """What a forward pass keeps for the backward pass: all of it, and its largest tensor."""

    total: int
    largest: int


@dataclass(frozen=True)
class StepCost:
    """Memory and time of one training step of a stage.

    Attributes:
        weights: bytes of all networks, gradients, Adam's averages and the moving average.
        constant: bytes of activations that do not depend on the number of photos.
        per_photo: bytes of activations of one photo (of each kind) at the stage's crop.
        seconds: time per photo in a whole step.

    >>> StepCost(weights=100, constant=10, per_photo=50, seconds=1).peak_bytes(photos=8)
    510
    """

    weights: float
    constant: float
    per_photo: float
    seconds: float

    def peak_bytes(self, photos: int) -> int:
        """Return the predicted peak, in bytes, with this many photos in the networks at once."""
        return round(self.weights + self.constant + photos * self.per_photo)


def saved_for_backward(
    objective: nn.Module, discriminators: nn.ModuleDict, batch: Batch, settings: LoopSettings
) -> tuple[Saved, Tensor, Outputs]:
    """Compute an objective and count what its forward pass keeps; weights are not counted.

    Returns:
        The count, the loss to call ``backward`` on, and the outputs for the discriminators.
    """
    modules = (objective, discriminators)
    weights = {p.untyped_storage().data_ptr() for m in modules for p in m.parameters()}
    # By address: several layers may keep the same tensor, which takes its memory once.
    sizes: dict[int, int] = {}
    kept = []  # as long as these tensors live, no other one gets their address

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
            kept.append(tensor.detach())
        return tensor

    # The hook is called for every tensor that the backward pass will need, on any device.
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        with autocast(settings):
            terms, outputs = objective(batch, discriminators)
        loss = total(terms.values())
    return Saved(sum(sizes.values()), max(sizes.values(), default=0)), loss, outputs


def sample_batch(stage: Stage, photos: int, side: int, settings: LoopSettings) -> Batch:
    """Return the first photos of a stage, cropped to a side, each with a hole.

    A hole costs the most memory: without one, the partial non-local block is not used.
    """
    batch = default_collate([stage.dataset[position] for position in range(photos)])
    # Cloned: a view would keep the whole photo in memory.
    batch = {k: v[..., :side, :side].clone() if v.ndim == 4 else v for k, v in batch.items()}
    if "scratch_mask" in batch:
        # A sixteenth of the photo is damaged.
        batch["scratch_mask"][..., : side // 4, : side // 4] = 1
    return to_device(batch, torch.device(settings.device))


def measure_step(stage: Stage, settings: LoopSettings) -> StepCost:
    """Predict memory and time of a step from steps on one photo at up to three small sizes.

    The networks are copied first, because a step changes more than weights: the averages of the
    norms, and the vectors of the spectral norm.
    """
    device = torch.device(settings.device)
    objective = _copy_to(device, stage.objective)
    discriminator_objective, discriminators = None, nn.ModuleDict()
    if stage.discriminator_objective is not None:
        discriminator_objective = _copy_to(device, stage.discriminator_objective)
        discriminators = discriminator_objective.discriminators

    sides = _small_sides(stage.config.crop)
    totals = []
    for side in sides:
        batch = sample_batch(stage, 1, side, settings)
        started = time.perf_counter()
        saved, loss, outputs = saved_for_backward(objective, discriminators, batch, settings)
        totals.append(saved.total)
    # The last and largest photo takes a whole step, to measure the time.
    loss.backward()
    if discriminator_objective is not None:
        with autocast(settings):
            terms = discriminator_objective(outputs)
        total(terms.values()).backward()
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # a GPU computes on after the call has returned
    seconds = time.perf_counter() - started

    # Time and the largest activation grow with the area.
    enlarged = (stage.config.crop / sides[-1]) ** 2
    constant, per_photo = _extrapolate(sides, totals, stage.config.crop)
    working = _WORKING_COPIES * saved.largest * enlarged
    return StepCost(_weight_bytes(stage), constant, per_photo + working, seconds * enlarged)


def _copy_to(device: torch.device, module: _Module) -> _Module:
    memory = torch.channels_last
    return copy.deepcopy(module).to(device).to(memory_format=memory)  # type: ignore[call-overload]


def _small_sides(crop: int) -> list[int]:
    """Return up to three sides, multiples of 16, from which to extrapolate to the crop."""
    base = max(_SMALLEST_SIDE, crop // 64 * 16)
    return sorted({min(crop, side) for side in (base, base * 3 // 2 // 16 * 16, base * 2)})


def _extrapolate(sides: list[int], totals: list[int], crop: int) -> tuple[float, float]:
    """Return the constant part and the part per photo of a curve through (side, bytes of a photo).

    Areas go with the square of the side, the borders of padded copies with the side itself, and
    half precision copies of the weights with neither.
    """
    powers = {1: [2], 2: [0, 2], 3: [0, 1, 2]}[len(sides)]
    table = np.array([[side**power for power in powers] for side in sides], dtype=float)
    factors = dict(
        zip(powers, np.linalg.lstsq(table, np.array(totals), rcond=None)[0], strict=True)
    )
    constant = max(0.0, factors.pop(0, 0.0))  # the fit may make a small one slightly negative
    return constant, sum(factor * crop**power for power, factor in factors.items())


def _weight_bytes(stage: Stage) -> int:
    """Return the bytes of what stays in memory from step to step."""
    modules: list[object] = [stage.objective, stage.discriminator_objective]
    if isinstance(stage.objective, PhotoObjective) and stage.objective.perceptual is not None:
        modules.append(stage.objective.perceptual.network)
    # A set: a weight that two modules share is in memory once.
    found = {p for module in modules if isinstance(module, nn.Module) for p in module.parameters()}
    trained = [p for p in found if p.requires_grad]
    values = sum(p.numel() for p in found) + _STEP_COPIES * sum(p.numel() for p in trained)
    # The moving average is a copy of the trained networks alone.
    return _BYTES * (values + sum(p.numel() for p in stage.trained.parameters()))


def settings_that_fit(
    stage: Stage, cost: StepCost, settings: LoopSettings, limit: float
) -> LoopSettings:
    """Return the settings with the batch split into as few parts as fit below a memory limit.

    The gradients of the parts are added before each step, so the effective batch stays the same.

    Args:
        limit: bytes that a step may take.

    Raises:
        InputError: if not even one photo at a time fits.
    """
    batch = stage.config.batch
    # The fewest parts that fit: each one costs the start of another forward and backward pass.
    for parts in range(settings.accumulate, batch + 1):
        if batch % (parts * settings.world_size) == 0:
            fitting = replace(settings, accumulate=parts)
            if cost.peak_bytes(share_of_batch(batch, fitting)) <= limit:
                return fitting
    raise InputError(
        f"{stage.name} needs about {cost.peak_bytes(1) / GIB:.1f} GiB for one photo of "
        f"{stage.config.crop} px at a time, but only {limit / GIB:.1f} GiB are available: choose a "
        "smaller preset"
    )
