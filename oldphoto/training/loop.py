"""The training loop: one for all stages, from the first step or from where a run stopped."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from oldphoto.config import StageConfig
from oldphoto.data import make_loader
from oldphoto.training.checkpoint import Stateful, load_newest, save_checkpoint
from oldphoto.training.distributed import any_says_yes
from oldphoto.training.log import RunLog
from oldphoto.training.optimizer import Player, mean_terms, moving_average, to_device
from oldphoto.training.settings import LoopSettings, StopRequest, share_of_batch


@dataclass(frozen=True)
class Stage:
    """What one stage of training consists of.

    Attributes:
        name: for messages and the folder.
        config: batch, crop, steps, rates.
        loss: holds the networks to train; ``loss(batch, discriminators)`` returns terms and
        samples. discriminator_loss: holds the discriminators; ``discriminator_loss(samples)``
        returns terms. None
            where the stage has none.
        trained: the networks that are the result, by name; their moving average is kept.
        dataset: serves the photo of a position; position p is the p-th photo of the run.
    """

    name: str
    config: StageConfig
    loss: nn.Module
    discriminator_loss: nn.Module | None
    trained: nn.ModuleDict
    dataset: Dataset


def train(
    stage: Stage,
    folder: Path,
    settings: LoopSettings,
    report: Callable[[str], None] = tqdm.write,
) -> bool:
    """Train one stage and keep its state in ``folder``.

    Returns:
        True when all steps are done, False when time ran out or somebody asked to stop; either
        way the state is saved, and ``resume`` goes on from it as if nothing had happened.

    Raises:
        InputError: if the state in the folder is damaged or of another configuration.
        NonFiniteLossError, LossJumpError: naming the step, when training has diverged.
        OSError: if the disk is full; the last checkpoint stays usable.
    """
    config, device = stage.config, torch.device(settings.device)
    deadline = time.monotonic() + 60 * (settings.max_minutes or float("inf"))
    is_first = settings.rank == 0
    checkpoints = folder / "checkpoints"

    # Networks, optimizers, schedules, and the moving average that will be the result.
    loss = stage.loss.to(device, memory_format=torch.channels_last)
    players = [Player("loss", loss, config.learning_rate, config, settings)]
    discriminators = nn.ModuleDict()
    if stage.discriminator_loss is not None:
        discriminator_loss = stage.discriminator_loss.to(device, memory_format=torch.channels_last)
        discriminators = discriminator_loss.discriminators
        rate = config.discriminator_learning_rate
        players.append(Player("discriminator_loss", discriminator_loss, rate, config, settings))
    average = AveragedModel(stage.trained, multi_avg_fn=moving_average(config.ema_decay))
    parts = {"average": average}
    for player in players:
        parts |= player.parts()

    # Where to start.
    step = _go_on(stage, checkpoints, parts, device, report) if settings.resume else 0
    for player in players:
        player.keep_rate()
    loader = make_loader(
        stage.dataset,
        share_of_batch(config.batch, settings),
        settings.num_workers,
        start=step * config.batch,
        stop=config.num_steps * config.batch,
        rank=settings.rank,
        num_processes=settings.world_size,
    )
    batches = (to_device(batch, device) for batch in loader)
    log = RunLog(folder, stage.name, step, config.batch, settings.log_every, writes=is_first)
    saved_at = time.monotonic()

    bar = tqdm(total=config.num_steps, initial=step, desc=stage.name, disable=not is_first)
    with StopRequest() as stop, contextlib.closing(log), bar:
        is_over = step >= config.num_steps
        while not is_over:
            # 1. The networks: lower the sum of their terms on one batch, part by part.
            results = [
                players[0].backward(next(batches), discriminators)
                for _ in range(settings.accumulate)
            ]
            players[0].step()
            terms = mean_terms([terms for terms, _ in results])

            # 2. The discriminators: tell what was just made from real photos.
            for discriminator in players[1:]:
                discriminator_results = [discriminator.backward(samples) for _, samples in results]
                discriminator.step()
                terms |= mean_terms([terms for terms, _ in discriminator_results])

            average.update_parameters(stage.trained)
            step += 1

            # 3. Tell, show, save.
            is_late = stop.asked or time.monotonic() >= deadline
            is_due = time.monotonic() - saved_at >= 60 * settings.save_minutes
            is_over, is_due = any_says_yes(
                is_late or step == config.num_steps, is_due, device=device
            )
            log.add(step, terms, players[0].rate)
            bar.set_postfix(log.line(), refresh=False)
            bar.update()
            if step % settings.sample_every == 0 or step == config.num_steps:
                log.save_samples(step, results[0][1])
            if is_over or is_due:
                log.flush(players[0].rate)  # stops here rather than save a diverged state
                if not (is_over or log.is_calm):
                    continue  # a jump, or a hard batch: the next steps will tell
                _require_finite(players, stage.name, step)
                if is_first:
                    save_checkpoint(checkpoints, step, parts)
                saved_at = time.monotonic()
                log.restart_clock()

    stage.trained.load_state_dict(average.module.state_dict())
    return step >= config.num_steps


def _require_finite(players: list[Player], stage: str, step: int) -> None:
    """Refuse to save weights that are not finite: the losses of the last step came before them."""
    for player in players:
        player.require_finite(stage, step)


def _go_on(
    stage: Stage,
    checkpoints: Path,
    parts: Mapping[str, Stateful],
    device: torch.device,
    report: Callable[[str], None],
) -> int:
    """Restore the newest checkpoint, say so, and return the steps done; 0 if there is none."""
    found = load_newest(checkpoints, parts, device, report)
    if found is None:
        return 0
    step, num_steps = found[0], stage.config.num_steps
    is_done = step >= num_steps
    report(f"{stage.name}: {'finished' if is_done else 'goes on'} after step {step} of {num_steps}")
    return step
