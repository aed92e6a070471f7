"""A short training that every learning baseline must survive, and gain from."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from oldphoto.evaluation.baselines.fitting import BaselineRun
from oldphoto.samples import sample_paths
from oldphoto.training.loop import Stage
from oldphoto.training.settings import LoopSettings

QUICK = LoopSettings(log_every=1000, sample_every=1000)


@dataclass(frozen=True)
class Lesson:
    """A preset cut short, and a fixed batch to judge by."""

    preset: Any
    run: BaselineRun

    def batch(self, stage: Stage, start: int = 100) -> dict[str, torch.Tensor]:
        """Return a batch that the short training never comes to."""
        samples = [stage.dataset[start + i] for i in range(stage.config.batch)]
        return {key: torch.stack([s[key] for s in samples]) for key in samples[0]}


@pytest.fixture
def lesson(tmp_path):
    """Return ``lesson(preset, num_steps, ...)``: a run on four photos, with tiny batches."""

    def make(preset: Any, num_steps: int, batch: int = 2, **changes: Any) -> Lesson:
        train = replace(preset.train, batch=batch, num_photos=batch * num_steps, **changes)
        paths = {"clean": sample_paths("clean")[:4], "old": sample_paths("old")[:4]}
        return Lesson(replace(preset, train=train), BaselineRun(tmp_path, settings=QUICK, **paths))

    return make


@pytest.fixture
def damaged() -> tuple[np.ndarray, np.ndarray]:
    """Return a photo of odd sides and a mask with a hole."""
    rng = np.random.default_rng(0)
    mask = np.zeros((67, 85), bool)
    mask[20:31, 40:58] = True
    return rng.integers(0, 256, (67, 85, 3), dtype=np.uint8), mask
