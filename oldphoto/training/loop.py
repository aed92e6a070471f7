"""The training loop: one for all stages, from the first step or from a checkpoint."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from tqdm.auto import tqdm

from oldphoto.config import StageConfig
from oldphoto.data import PositionDataset, make_loader
from oldphoto.losses import total
from oldphoto.training.checkpoint import Stateful, load_newest, save_checkpoint
from oldphoto.training.distributed import any_process
from oldphoto.training.log import RunLog
from oldphoto.training.objectives import Batch, DiscriminatorObjective
from oldphoto.training.optimizer import (
    Side,
    detached,
    learning_rate_of,
    make_side,
    mean_terms,
    moving_average,
    override_learning_rates,
    require_finite,
    to_device,
)
from oldphoto.training.settings import LoopSettings, StopRequest, autocast, share_of_batch


@dataclass(frozen=True)
class Stage:
    """What the loop trains.

    Attributes:
        name: for messages and the folder.
        config: batch, crop, steps, learning rates.
        objective: ``objective(batch, discriminators)`` returns loss terms and outputs. It holds
            the networks; the optimizer gets those of its weights that require a gradient.
        discriminator_objective: ``discriminator_objective(outputs)`` returns loss terms. None if
            the stage has no discriminators.
        trained: the networks that are the result, by name. Their moving average is kept.
        dataset: serves the sample of a position; position p is the p-th sample of the run.
    """

    name: str
    config: StageConfig
    objective: nn.Module
    discriminator_objective: DiscriminatorObjective | None
    trained: nn.ModuleDict
    dataset: PositionDataset


def train(
    stage: Stage,
    folder: Path,
    settings: LoopSettings,
    report: Callable[[str], None] = tqdm.write,
) -> bool:
    """Train one stage and keep its state in ``folder``.

    Returns:
        True when all steps are done, False when time ran out or a stop was requested. The state is
        saved in either case, and ``resume`` continues from it bit for bit.

    Raises:
        InputError: if the state in the folder is damaged or of another configuration.
        NonFiniteLossError, LossJumpError: naming the step, when training has diverged.
        OSError: if the disk is full; the last checkpoint stays usable.
    """
    config, device = stage.config, torch.device(settings.device)
    deadline = time.monotonic() + 60 * (settings.max_minutes or float("inf"))
    is_first = settings.rank == 0  # this process writes for all
    checkpoints = folder / "checkpoints"

    # Networks with their optimizers, and the moving average that will be the result.
    generator = make_side("generator", stage.objective, config.learning_rate, config, settings)
    discriminators, discriminator, sides = nn.ModuleDict(), None, [generator]
    if stage.discriminator_objective is not None:
        objective, rate = stage.discriminator_objective, config.discriminator_learning_rate
        discriminators = objective.discriminators
        discriminator = make_side("discriminator", objective, rate, config, settings)
        sides.append(discriminator)
    average = AveragedModel(stage.trained, multi_avg_fn=moving_average(config.ema_decay))
    state = _state(sides, average)

    # Start with the first step, or after the newest checkpoint.
    step = _resume(stage, checkpoints, state, settings, report)
    override_learning_rates(sides)
    batches = _batches(stage, step, settings)
    log = RunLog(folder, stage.name, step, config.batch, settings.log_every, writes=is_first)
    saved_at = time.monotonic()

    bar = tqdm(total=config.num_steps, initial=step, desc=stage.name, disable=not is_first)
    with StopRequest() as stop, contextlib.closing(log), bar:
        is_over = step >= config.num_steps
        while not is_over:
            # 1. Generator: lower the terms of equations 2 to 6 on one batch, part by part. The
            # discriminators are frozen here; gradients only pass through them.
            parts, made = [], []
            for _ in range(settings.accumulate):
                batch = next(batches)
                with autocast(settings):
                    terms, outputs = generator.objective(batch, discriminators)
                loss = total(terms.values()) / settings.accumulate
                generator.scaler.scale(loss).backward()  # adds to the gradient of the parts before
                parts.append(detached(terms))
                made.append(outputs)
            generator.scaler.unscale_(generator.optimizer)  # so that clipping sees true lengths
            nn.utils.clip_grad_norm_(generator.weights, config.clip_norm)
            generator.scaler.step(generator.optimizer)  # no step if an fp16 gradient overflowed
            generator.scaler.update()
            generator.schedule.step()  # after the optimizer: the first step has the full rate
            generator.optimizer.zero_grad(set_to_none=True)  # frees the memory of the gradients
            logged = mean_terms(parts)

            # 2. Discriminators: the other side of equations 2, 3 and 5. They learn to tell what
            # was just made, detached, from the real thing.
            if discriminator is not None:
                parts = []
                for outputs in made:
                    with autocast(settings):
                        terms = discriminator.objective(outputs)
                    loss = total(terms.values()) / settings.accumulate
                    discriminator.scaler.scale(loss).backward()
                    parts.append(detached(terms))
                discriminator.scaler.unscale_(discriminator.optimizer)
                nn.utils.clip_grad_norm_(discriminator.weights, config.clip_norm)
                discriminator.scaler.step(discriminator.optimizer)
                discriminator.scaler.update()
                discriminator.schedule.step()
                discriminator.optimizer.zero_grad(set_to_none=True)
                logged |= mean_terms(parts)

            # 3. Moving average of the weights: the last steps of a GAN differ, their mean is calm.
            average.update_parameters(stage.trained)
            step += 1

            # 4. Log, show, save. The clocks of the processes differ, so they agree on the step in
            # which all of them stop or save.
            is_late = stop.requested or time.monotonic() >= deadline
            is_due = time.monotonic() - saved_at >= 60 * settings.save_minutes
            is_over, is_due = any_process(
                is_late or step == config.num_steps, is_due, device=device
            )
            log.add(step, logged, learning_rate_of(generator))
            bar.set_postfix(log.line(), refresh=False)
            bar.update()
            if step % settings.sample_every == 0 or step == config.num_steps:
                log.save_samples(step, made[0])
            if is_over or is_due:
                # Raises here rather than save a diverged state over a sound one.
                log.flush(learning_rate_of(generator))
                if not (is_over or log.is_calm):
                    continue  # a jump, or one hard batch: the next steps will show which
                require_finite(sides, stage.name, step)
                if is_first:
                    save_checkpoint(checkpoints, step, state)
                saved_at = time.monotonic()
                log.restart_clock()

    # The result is the average; the checkpoint has both.
    stage.trained.load_state_dict(average.module.state_dict())
    return step >= config.num_steps


def _state(sides: Sequence[Side], average: AveragedModel) -> dict[str, Stateful]:
    """Return everything a checkpoint must hold, by the names in the file."""
    state: dict[str, Stateful] = {"average": average}
    for name, side in zip(("loss", "discriminator_loss"), sides, strict=False):
        state |= {
            name: side.module,  # with the fixed networks: a resumed mapping keeps its VAEs
            f"{name}_optimizer": side.optimizer,
            f"{name}_schedule": side.schedule,
            f"{name}_scaler": side.scaler,
        }
    return state


def _batches(stage: Stage, step: int, settings: LoopSettings) -> Iterator[Batch]:
    """Yield this process's share of each batch, from a step on, on the device.

    The photos follow from the step alone, so a resumed run sees what it would have seen.
    """
    config, device = stage.config, torch.device(settings.device)
    loader = make_loader(
        stage.dataset,
        share_of_batch(config.batch, settings),
        settings.num_workers,
        start=step * config.batch,
        stop=config.num_steps * config.batch,
        rank=settings.rank,
        num_processes=settings.world_size,
    )
    return (to_device(batch, device) for batch in loader)


def _resume(
    stage: Stage,
    checkpoints: Path,
    state: Mapping[str, Stateful],
    settings: LoopSettings,
    report: Callable[[str], None],
) -> int:
    """Load the newest checkpoint, if resuming, and return the steps done."""
    # Without --resume the command has made sure that there is nothing to lose here.
    if not settings.resume:
        return 0
    found = load_newest(checkpoints, state, settings.device, report)
    if found is None:
        return 0
    step, num_steps = found[0], stage.config.num_steps
    is_done = step >= num_steps
    report(f"{stage.name}: {'finished' if is_done else 'resumed'} after step {step} of {num_steps}")
    return step
