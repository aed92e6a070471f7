"""Train a baseline with the package's one loop, and save its weights like the package's own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from oldphoto.config import DiscriminatorConfig, StageConfig
from oldphoto.data import DegradedPairs
from oldphoto.evaluation.baselines.common import require_photo_and_mask
from oldphoto.images.tensors import mask_to_tensor, to_pixels, to_tensor
from oldphoto.inference.padding import crop_to_size, pad_to_multiple
from oldphoto.samples import sample_paths
from oldphoto.system.devices import choose_device
from oldphoto.training.loop import LoopSettings, Stage, train
from oldphoto.training.run_record import require_own_weights, run_facts
from oldphoto.training.stages import Numbered
from oldphoto.weights.store import save_network

NetworkConfig = TypeVar("NetworkConfig")

# The PatchGANs of the baselines score patches of 70 pixels; the tiny one, of 34.
PAPER_PATCHGAN = DiscriminatorConfig(width=64, num_layers=3, num_scales=1)
TINY_PATCHGAN = DiscriminatorConfig(width=8, num_layers=2, num_scales=1)


@dataclass(frozen=True)
class BaselinePreset(Generic[NetworkConfig]):
    """One size of a baseline: network, training, and discriminators where it has any."""

    network: NetworkConfig
    train: StageConfig
    discriminator: DiscriminatorConfig = PAPER_PATCHGAN


@dataclass(frozen=True)
class BaselineRun:
    """The training of a baseline: folder, photos, settings.

    Attributes:
        folder: of the run. ``weights/`` gets the result, ``NAME/`` the state.
        clean: clean photo files; empty takes the shipped ones.
        old: real old photo files, used by CycleGAN; empty takes the shipped ones.
        settings: device, time limit, resuming.
        seed: of the initial weights, the order of the photos and the damage.
    """

    folder: Path
    clean: Sequence[Path] = ()
    old: Sequence[Path] = ()
    settings: LoopSettings = field(default_factory=LoopSettings)
    seed: int = 0

    @property
    def clean_paths(self) -> list[Path]:
        """Clean photo files."""
        return list(self.clean) or sample_paths("clean")

    @property
    def old_paths(self) -> list[Path]:
        """Real old photo files."""
        return list(self.old) or sample_paths("old")

    @property
    def weights(self) -> Path:
        """Folder of the result."""
        return self.folder / "weights"

    def pairs(self, config: StageConfig) -> Numbered:
        """Return degraded photos with their clean partners, the same data as for our mapping.

        A sample also holds a ``seed`` for the random numbers of a training step.
        """
        photos = DegradedPairs(
            self.clean_paths,
            config.crop,
            self.seed,
            recipe=config.recipe,
            hole_prob=config.hole_prob,
            hole_ratio=config.hole_ratio,
        )
        return Numbered(photos, self.seed)


@contextmanager
def random_seed(seed: int) -> Iterator[None]:
    """Make random numbers inside (initial weights, dropout) depend on the seed alone.

    >>> with random_seed(0):
    ...     torch.rand(2)
    tensor([0.4963, 0.7682])
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def train_and_keep(run: BaselineRun, stage: Stage, report: Callable[[str], None] = print) -> bool:
    """Train a stage in the run's folder and save its networks; return whether it is finished.

    A stopped run is saved, too. With ``resume`` in the settings it continues.

    Raises:
        InputError, NonFiniteLossError, LossJumpError, OSError: as ``oldphoto.training.loop.train``.
    """
    require_own_weights([run.folder / stage.name], run.weights, stage.trained)
    finished = train(stage, run.folder / stage.name, run.settings, report)
    card = {
        "seed": run.seed,
        "num_clean": len(run.clean_paths),
        "num_old": len(run.old_paths),
        "stage": asdict(stage.config),
        "finished": finished,
    }
    photos, log = [*run.clean_paths, *run.old_paths], run.folder / stage.name / "log.csv"
    card |= run_facts(photos, log, stage.config.batch, run.settings.device)
    for name, network in stage.trained.items():
        save_network(run.weights, name, network, network.config, card)
    return finished


class NetworkMethod:
    """A network from photo to photo as a ``Method``. Any size is padded, then cropped back.

    Args:
        network: (B, 3, H, W) in [-1, 1] in and out.
        multiple: height and width are padded to multiples of this.
        device: "cuda", "mps" or "cpu"; None chooses.
    """

    def __init__(self, network: nn.Module, multiple: int, device: str | None = None) -> None:
        self.device = choose_device(device)
        self.network = network.to(self.device).eval()
        self.multiple = multiple

    @property
    def num_parameters(self) -> int:
        """Number of learned parameters."""
        return sum(p.numel() for p in self.network.parameters())

    @torch.no_grad()
    def __call__(self, photo: np.ndarray, scratch_mask: np.ndarray | None = None) -> np.ndarray:
        mask = require_photo_and_mask(photo, scratch_mask)
        degraded = whitened(photo, mask).to(self.device)
        restored = self.restore_tensor(pad_to_multiple(degraded, self.multiple))
        return to_pixels(crop_to_size(restored, photo.shape[:2]).float().cpu().clamp(-1, 1))

    def restore_tensor(self, degraded: Tensor) -> Tensor:
        """Restore a padded batch."""
        return self.network(degraded)


def whitened(photo: np.ndarray, scratch_mask: np.ndarray) -> Tensor:
    """Return the photo as (1, 3, H, W) in [-1, 1] with its damaged pixels white."""
    return to_tensor(photo).masked_fill(mask_to_tensor(scratch_mask) > 0, 1.0)
