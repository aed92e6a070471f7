"""What a training step will take, predicted from steps on one small photo: memory and time.

What fills the memory in training are the activations: what each layer of the forward pass keeps
for the backward pass. PyTorch tells every one of them to a hook, so they can be counted, on any
device, without being near its limit.
"""

import copy
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from oldphoto.checks import InputError
from oldphoto.system.memory import GIB
from oldphoto.training.loop import Stage
from oldphoto.training.optimizer import to_device
from oldphoto.training.settings import LoopSettings, mixed_precision, share_of_batch

_SMALLEST_SIDE = 32
_BYTES = 4  # of a weight in float32
_WORKING_COPIES = 2  # of the largest activation: the gradients on both sides of one layer
_STEP_COPIES = 3  # bytes of gradient and Adam's two averages for each byte of a trained weight


@dataclass(frozen=True)
class Saved:
    """What a forward pass keeps for the backward pass: all of it, and its largest tensor."""

    total: int
    largest: int


@dataclass(frozen=True)
class StepCost:
    """What a step of one stage takes.

    Attributes:
        weights: bytes of all networks, gradients, Adam's averages and the moving average.
        constant: bytes of activations that do not depend on the number of photos.
        per_photo: bytes of activations of one photo (of each kind) at the stage's crop.
        seconds: time of one photo in a whole step.
    """

    weights: float
    constant: float
    per_photo: float
    seconds: float

    def peak_bytes(self, photos: int) -> int:
        """Return the predicted peak with so many photos in the networks at once."""
        return round(self.weights + self.constant + photos * self.per_photo)


def saved_for_backward(
    loss: nn.Module, discriminators: nn.ModuleDict, batch: dict[str, Tensor], settings: LoopSettings
) -> tuple[Saved, Tensor, dict[str, Tensor]]:
    """Compute a loss and count what its forward pass keeps; weights are not counted.

    Returns:
        The count, the loss to go backward from, and the samples for the discriminators.
    """
    weights = {
        p.untyped_storage().data_ptr() for m in (loss, discriminators) for p in m.parameters()
    }
    sizes: dict[int, int] = {}
    kept = []  # as long as they live, no other tensor gets their address

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
            kept.append(tensor.detach())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        with mixed_precision(settings):
            terms, samples = loss(batch, discriminators)
        total = sum(terms.values())
    return Saved(sum(sizes.values()), max(sizes.values(), default=0)), total, samples


def sample_batch(stage: Stage, photos: int, side: int, settings: LoopSettings) -> dict[str, Tensor]:
    """Return the first photos of a stage, cut to a side; each has a hole, which costs most."""
    batch = default_collate([stage.dataset[position] for position in range(photos)])
    batch = {k: v[..., :side, :side].clone() if v.ndim == 4 else v for k, v in batch.items()}
    if "scratch_mask" in batch:
        batch["scratch_mask"][..., : side // 4, : side // 4] = 1
    return to_device(batch, torch.device(settings.device))


def measure_step(stage: Stage, settings: LoopSettings) -> StepCost:
    """Predict what a step takes from steps on one photo at up to three small sizes.

    The networks of the stage are copied for it, because a step changes more than weights: the
    norms' averages and the spectral norm's vectors.
    """
    device = torch.device(settings.device)
    kept_out = getattr(stage.loss, "feature_network", None)  # fixed: needs no copy
    memo = {id(kept_out): kept_out}
    loss = copy.deepcopy(stage.loss, memo).to(device, memory_format=torch.channels_last)
    discriminator_loss = copy.deepcopy(stage.discriminator_loss)
    discriminators = nn.ModuleDict()
    if discriminator_loss is not None:
        discriminators = discriminator_loss.to(
            device, memory_format=torch.channels_last
        ).discriminators

    sides = _small_sides(stage.config.crop)
    totals = []
    for side in sides:
        batch = sample_batch(stage, 1, side, settings)
        started = time.perf_counter()
        saved, total, samples = saved_for_backward(loss, discriminators, batch, settings)
        totals.append(saved.total)
    # The largest one goes all the way, for the time that it takes.
    total.backward()
    if discriminator_loss is not None:
        with mixed_precision(settings):
            terms, _ = discriminator_loss(samples)
        sum(terms.values()).backward()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - started

    enlarged = (stage.config.crop / sides[-1]) ** 2
    constant, per_photo = _extrapolate(sides, totals, stage.config.crop)
    working = _WORKING_COPIES * saved.largest * enlarged
    return StepCost(_weight_bytes(stage), constant, per_photo + working, seconds * enlarged)


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
    constant = max(0.0, factors.pop(0, 0.0))
    return constant, sum(factor * crop**power for power, factor in factors.items())


def _weight_bytes(stage: Stage) -> int:
    """Return the bytes of what stays in memory from step to step."""
    networks = [stage.loss, stage.discriminator_loss, getattr(stage.loss, "feature_network", None)]
    found = {p: p for n in networks if isinstance(n, nn.Module) for p in n.parameters()}
    trained = [p for p in found if p.requires_grad]
    values = sum(p.numel() for p in found) + _STEP_COPIES * sum(p.numel() for p in trained)
    return _BYTES * (values + sum(p.numel() for p in stage.trained.parameters()))


def settings_that_fit(
    stage: Stage, cost: StepCost, settings: LoopSettings, limit: float
) -> LoopSettings:
    """Return the settings with the batch in as many parts as it takes to stay below a limit.

    The parts' gradients are added up before each step, so the batch stays what it was.

    Args:
        limit: bytes that a step may take.

    Raises:
        InputError: if not even one photo at a time fits.
    """
    batch = stage.config.batch
    for parts in range(settings.accumulate, batch + 1):
        if batch % (parts * settings.world_size) == 0:
            fitting = replace(settings, accumulate=parts)
            if cost.peak_bytes(share_of_batch(batch, fitting)) <= limit:
                return fitting
    raise InputError(
        f"{stage.name} needs about {cost.peak_bytes(1) / GIB:.1f} GiB for one photo of "
        f"{stage.config.crop} px at a time, but only {limit / GIB:.1f} GiB may be used: choose a "
        "smaller preset"
    )
