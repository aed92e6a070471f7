"""The predicted cost of a training step: equal to what a step of full size really keeps."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from oldphoto.checks import InputError
from oldphoto.config import PRESETS, STAGES
from oldphoto.samples import sample_paths
from oldphoto.training import memory_estimate
from oldphoto.training.memory_estimate import (
    StepCost,
    measure_step,
    saved_for_backward,
    settings_that_fit,
)
from oldphoto.training.plan import Plan
from oldphoto.training.settings import LoopSettings
from oldphoto.training.stages import make_stage, train_stage

SETTINGS = LoopSettings()
BATCH = 8


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> Plan:
    """Preset tiny, whose VAEs exist."""
    run = tmp_path_factory.mktemp("run")
    short = Plan(PRESETS["tiny"], sample_paths("old")[:8], sample_paths("clean")[:8], run)
    plan = replace(short, preset=short.preset.with_stages(num_photos=BATCH))
    for stage in STAGES[:2]:
        train_stage(plan, stage, SETTINGS)
    return plan


def really_saved(stage) -> memory_estimate.Saved:
    """Count what a step with the whole batch at the whole crop keeps."""
    batch = memory_estimate.sample_batch(stage, BATCH, stage.config.crop, SETTINGS)
    discriminators = (
        stage.discriminator_objective.discriminators
        if stage.discriminator_objective
        else nn.ModuleDict()
    )
    return saved_for_backward(stage.objective, discriminators, batch, SETTINGS)[0]


# The tone looks at 64 x 64 pixels, whatever the crop, so its memory does not grow with it.
@pytest.mark.parametrize("stage_name", STAGES[:-1])
@pytest.mark.parametrize("crop", [64, 128])
def test_the_prediction_is_what_a_full_step_keeps(plan, stage_name, crop):
    stage = make_stage(_with_crop(plan, crop), stage_name)
    cost = measure_step(stage, SETTINGS)
    saved = really_saved(stage)
    predicted = cost.peak_bytes(BATCH) - cost.weights
    working = memory_estimate._WORKING_COPIES * saved.largest
    assert predicted == pytest.approx(saved.total + working, rel=0.08)


def _with_crop(plan: Plan, crop: int) -> Plan:
    return replace(plan, preset=plan.preset.with_stages(crop=crop))


def test_saved_bytes_of_a_sum_of_squares_by_hand():
    class Square(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, batch, discriminators):
            scaled = batch["clean"] * self.scale  # keeps the photo; the weight is not counted
            return {"square": scaled.square().mean()}, {}  # keeps what is squared

    photo = torch.ones(2, 3, 4, 4)
    saved, _, _ = saved_for_backward(Square(), nn.ModuleDict(), {"clean": photo}, SETTINGS)
    assert saved.total == 2 * photo.nbytes and saved.largest == photo.nbytes


def test_weights_gradients_adam_and_average_are_counted(plan):
    stage = make_stage(plan, "mapping")
    trained = sum(p.numel() for p in stage.trained.parameters())
    discriminator = sum(p.numel() for p in stage.discriminator_objective.parameters())
    fixed = sum(p.numel() for p in stage.objective.parameters()) - trained
    # Each trained weight: itself, gradient, two averages of Adam; the result has one more average.
    expected = 4 * (5 * trained + 4 * discriminator + fixed)
    assert measure_step(stage, SETTINGS).weights == expected


def test_measuring_leaves_the_stage_as_it_was(plan):
    stage = make_stage(plan, "detector")
    before = {name: t.clone() for name, t in stage.objective.state_dict().items()}
    random_state = torch.get_rng_state()
    measure_step(stage, SETTINGS)
    assert all(torch.equal(before[name], t) for name, t in stage.objective.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(p.grad is None for p in stage.objective.parameters())


def test_fit_takes_the_fewest_parts_that_fit(plan):
    stage = make_stage(plan, "vae-clean")
    cost = StepCost(weights=100, constant=10, per_photo=50, seconds=1)
    assert cost.peak_bytes(8) == 510
    for limit, parts in ((510, 1), (509, 2), (310, 2), (309, 4), (160, 8)):
        assert settings_that_fit(stage, cost, SETTINGS, limit).accumulate == parts
    two = replace(SETTINGS, world_size=2)
    assert settings_that_fit(stage, cost, two, 310).accumulate == 1
    with pytest.raises(InputError, match=r"vae-clean needs about .* GiB for one photo of 64 px"):
        settings_that_fit(stage, cost, SETTINGS, 159)
