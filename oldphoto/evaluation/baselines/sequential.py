"""Sequential: first remove the noise (BM3D), then fill the holes (EdgeConnect).

Each part is good at its task. But BM3D leaves everything that is not white noise, such as blur,
and EdgeConnect must draw its edges from that.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from oldphoto.config import COURSE_STAGE, TINY_STAGE, StageConfig
from oldphoto.degradations import Recipe
from oldphoto.evaluation.baselines.classical import TUNED_BM3D, Classical, fill_telea
from oldphoto.evaluation.baselines.common import GANDiscriminatorObjective, require_photo_and_mask
from oldphoto.evaluation.baselines.edgeconnect import (
    EdgeConnectConfig,
    EdgeObjective,
    EdgePhotos,
    FillingObjective,
    InpaintGenerator,
    composed,
    edge_input,
    edge_map,
    filling_input,
)
from oldphoto.evaluation.baselines.fitting import (
    PAPER_PATCHGAN,
    TINY_PATCHGAN,
    BaselinePreset,
    BaselineRun,
    random_seed,
    train_and_keep,
)
from oldphoto.images.tensors import mask_to_tensor, to_pixels, to_tensor
from oldphoto.inference.padding import crop_to_size, pad_to_multiple
from oldphoto.networks.discriminators import PatchDiscriminator
from oldphoto.system.devices import choose_device
from oldphoto.training.loop import Stage
from oldphoto.weights.store import load_network

NAME = "sequential"
EDGES, FILLING = f"{NAME}_edges", f"{NAME}_filling"
INTACT = Recipe("intact", groups=(), shuffled=())
"""No damage besides the holes, because EdgeConnect learns from clean photos."""


# The network is the edge generator: the filling one follows from it.
PAPER = BaselinePreset(
    EdgeConnectConfig(),
    StageConfig(
        batch=8,
        crop=256,
        num_photos=200 * 17_125,
        learning_rate=1e-4,
        discriminator_learning_rate=1e-5,
        betas=(0.0, 0.9),
    ),
    replace(PAPER_PATCHGAN, spectral_norm=True),
)
SMALL = BaselinePreset(
    EdgeConnectConfig(width=24, num_blocks=4),
    StageConfig(batch=8, crop=128, num_photos=80_000, learning_rate=4e-4, betas=(0.0, 0.9)),
    replace(PAPER_PATCHGAN, width=24, spectral_norm=True),
)
COURSE = BaselinePreset(
    EdgeConnectConfig(width=16, num_blocks=2),
    replace(COURSE_STAGE, betas=(0.0, 0.9)),
    replace(TINY_PATCHGAN, width=16, spectral_norm=True),
)
TINY = BaselinePreset(
    EdgeConnectConfig(width=8, num_blocks=2),
    replace(TINY_STAGE, betas=(0.0, 0.9)),
    replace(TINY_PATCHGAN, spectral_norm=True),
)


class Sequential:
    """BM3D, then EdgeConnect, as a ``Method``.

    Args:
        edges: generator of edges.
        filling: generator of the pixels in the holes.
        device: "cuda", "mps" or "cpu"; None chooses.

    Source:
        Dabov et al. 2007; Nazeri et al. 2019 (arXiv 1901.00212); combined as in Wan et al. 2020,
        section 4.2.
    """

    def __init__(
        self, edges: InpaintGenerator, filling: InpaintGenerator, device: str | None = None
    ) -> None:
        self.device = choose_device(device)
        self.networks = nn.ModuleDict({EDGES: edges, FILLING: filling}).to(self.device).eval()
        self.denoiser = Classical(TUNED_BM3D)

    @property
    def num_parameters(self) -> int:
        """Number of learned parameters of both generators."""
        return sum(p.numel() for p in self.networks.parameters())

    def __call__(self, photo: np.ndarray, scratch_mask: np.ndarray | None = None) -> np.ndarray:
        mask = require_photo_and_mask(photo, scratch_mask)
        denoised = self.denoiser.denoise(fill_telea(photo, mask))
        return self.fill(denoised, mask) if mask.any() else denoised

    @torch.no_grad()
    def fill(self, photo: np.ndarray, scratch_mask: np.ndarray) -> np.ndarray:
        """Fill the masked pixels of uint8 (H, W, 3); the others do not change.

        Args:
            photo: without noise.
            scratch_mask: (H, W) bool.
        """
        given = torch.from_numpy(edge_map(photo, scratch_mask)).float()[None, None]
        tensors = (to_tensor(photo), given, mask_to_tensor(scratch_mask))
        clean, edges, mask = (pad_to_multiple(t, 16).to(self.device) for t in tensors)
        guessed = self.networks[EDGES](edge_input(clean, edges, mask))
        edges = composed(guessed, edges, mask)
        made = self.networks[FILLING](filling_input(clean, edges, mask))
        pixels = to_pixels(crop_to_size(composed(made, clean, mask), photo.shape[:2]))
        return np.where(scratch_mask[..., None], pixels, photo)

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Sequential":
        """Load what ``fit`` wrote into ``folder / "weights"``."""
        edges, filling = (
            load_network(folder, name, lambda c: InpaintGenerator(EdgeConnectConfig(**c)))
            for name in (EDGES, FILLING)
        )
        return cls(edges, filling, device)


def sequential_stages(
    run: BaselineRun, preset: BaselinePreset[EdgeConnectConfig] = TINY
) -> tuple[Stage, Stage]:
    """Return the stages of the edge and of the filling generator, which are independent."""
    return (
        _stage(run, preset, EDGES, preset.network, EdgeObjective, 2),
        _stage(
            run, preset, FILLING, preset.network.filling, FillingObjective, seen_by_discriminator=4
        ),
    )


def _stage(
    run: BaselineRun,
    preset: BaselinePreset[EdgeConnectConfig],
    name: str,
    config: EdgeConnectConfig,
    objective: type[EdgeObjective] | type[FillingObjective],
    seen_by_discriminator: int,
) -> Stage:
    """Return network, losses and data of one generator."""
    photos = EdgePhotos(
        run.clean_paths,
        preset.train.crop,
        run.seed,
        recipe=INTACT,
        hole_prob=1.0,
        hole_ratio=preset.train.hole_ratio,
    )
    with random_seed(run.seed):
        generator = InpaintGenerator(config)
    with random_seed(run.seed):
        discriminator = PatchDiscriminator(preset.discriminator, seen_by_discriminator)
    return Stage(
        name=name,
        config=preset.train,
        objective=objective(generator),
        discriminator_objective=GANDiscriminatorObjective(nn.ModuleDict({"photo": discriminator})),
        trained=nn.ModuleDict({name: generator.train()}),
        dataset=photos,
    )


def fit(run: BaselineRun, preset: BaselinePreset[EdgeConnectConfig] = TINY) -> bool:
    """Train and save both generators in the run's weights; return whether both are finished."""
    finished = [train_and_keep(run, stage) for stage in sequential_stages(run, preset)]
    return all(finished)
