"""The training loop: exact resume for every stage, shared batches, stopping, what a run writes."""

import csv
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from oldphoto.checks import InputError
from oldphoto.config import PRESETS, STAGES
from oldphoto.images.files import read_photo
from oldphoto.samples import sample_paths
from oldphoto.training import loop, optimizer
from oldphoto.training.checkpoint import load_newest
from oldphoto.training.log import LossJumpError, NonFiniteLossError, RunLog
from oldphoto.training.plan import Plan
from oldphoto.training.settings import LoopSettings, StopRequest, share_of_batch
from oldphoto.training.stages import make_stage, train_stage
from oldphoto.weights.store import load_weights

NUM_STEPS = 6
QUICK = LoopSettings(log_every=2, sample_every=1000, save_minutes=1000.0)


def make_plan(run: Path, num_steps: int = NUM_STEPS, **changes) -> Plan:
    preset = PRESETS["tiny"].with_stages(batch=2, crop=32, num_photos=2 * num_steps)
    return Plan(preset, sample_paths("old")[:4], sample_paths("clean")[:4], run, **changes)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Plan:
    """A run of all stages without a break."""
    plan = make_plan(tmp_path_factory.mktemp("undisturbed"))
    for stage in STAGES:
        assert train_stage(plan, stage, QUICK)
    return plan


def weights_of(plan: Plan) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in plan.weights.glob("*.safetensors")}


class StopAfter:
    """Stands in for Ctrl-C after a number of steps."""

    def __init__(self, num_steps: int) -> None:
        self.left = num_steps

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @property
    def requested(self) -> bool:
        self.left -= 1
        return self.left <= 0


@pytest.mark.parametrize("num_workers", [0, 1])
def test_three_steps_and_three_more_equal_six_in_every_stage(
    undisturbed, tmp_path, monkeypatch, num_workers
):
    plan = make_plan(tmp_path)
    settings = replace(QUICK, num_workers=num_workers)
    for stage in STAGES if num_workers == 0 else STAGES[:1]:
        with monkeypatch.context() as patch:
            patch.setattr(loop, "StopRequest", lambda: StopAfter(3))
            assert not train_stage(plan, stage, settings)
        said = []
        assert train_stage(plan, stage, replace(settings, resume=True), report=said.append)
        assert said == [f"{make_stage(plan, stage).name}: resumed after step 3 of 6"]
        log = (plan.folder(stage) / "log.csv").read_text(encoding="utf-8")
        assert [row["step"] for row in csv.DictReader(log.splitlines())] == ["2", "3", "5", "6"]
    expected = weights_of(undisturbed)
    assert {name: expected[name] for name in weights_of(plan)} == weights_of(plan)


@pytest.mark.parametrize("variant", ["quality", "hr"])
def test_the_other_forms_of_the_mapping_train_too(undisturbed, tmp_path, variant):
    plan = make_plan(tmp_path, variant=variant)
    shutil.copytree(undisturbed.weights, plan.weights)
    assert train_stage(plan, "mapping", QUICK)
    assert load_weights(plan.weights, variant).mapping.config.num_blocks in (2, 4)


def test_a_finished_stage_that_is_resumed_stays_as_it_is(undisturbed):
    before, said = weights_of(undisturbed), []
    assert train_stage(undisturbed, "vae-clean", replace(QUICK, resume=True), report=said.append)
    assert weights_of(undisturbed) == before
    assert said == ["vae-clean: finished after step 6 of 6"]


def test_a_run_may_go_on_with_another_precision():
    fp16, fp32 = optimizer.Scaler("cpu", init_scale=4.0), optimizer.Scaler("cpu", enabled=False)
    fp32.load_state_dict(fp16.state_dict())
    fp16.load_state_dict(fp32.state_dict())  # PyTorch's own scaler refuses the empty state
    assert fp16.get_scale() == 4.0
    other = optimizer.Scaler("cpu")
    other.load_state_dict(fp16.state_dict())
    assert other.get_scale() == 4.0


def test_another_seed_gives_other_weights(undisturbed, tmp_path):
    plan = make_plan(tmp_path, seed=1)
    train_stage(plan, "vae-clean", QUICK)
    name = "vae_clean.safetensors"
    assert weights_of(plan)[name] != weights_of(undisturbed)[name]


def test_a_batch_in_two_parts_gives_the_same_losses(tmp_path):
    rows = []
    for parts in (1, 2):
        plan = make_plan(tmp_path / str(parts))
        # Spectral norm takes one step of its power iteration a part, so with it they differ a bit.
        discriminator = replace(plan.preset.discriminator, spectral_norm=False)
        plan = replace(plan, preset=replace(plan.preset, discriminator=discriminator))
        train_stage(plan, "vae-clean", replace(QUICK, accumulate=parts))
        text = (plan.folder("vae-clean") / "log.csv").read_text(encoding="utf-8")
        rows.append([float(row["l1"]) for row in csv.DictReader(text.splitlines())])
    assert rows[0] == pytest.approx(rows[1], rel=1e-3)


def test_what_a_run_writes(undisturbed):
    names = {path.name for path in undisturbed.weights.iterdir()}
    stems = ("vae_degraded", "vae_clean", "mapping_scratch", "detector", "tone")
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("json", "safetensors")}
    folder = undisturbed.folder("mapping")
    assert (folder / "samples" / "step-00000006.jpg").is_file()
    assert sorted(p.name for p in (folder / "checkpoints").iterdir()) == [
        "step-00000006.json",
        "step-00000006.pt",
    ]
    header = (folder / "log.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.startswith("step,photos_per_second,rate,") and "latent_l1" in header


def test_the_picture_of_a_step_shows_photos_from_all_over_the_batch(tmp_path):
    levels = torch.linspace(-1, 1, 12)  # a batch of the first stage: old photos, then synthetic
    photos = levels[:, None, None, None].expand(12, 3, 32, 32)
    log = RunLog(tmp_path, "vae-degraded", step=0, photos_per_step=12, every=1)
    log.save_samples(1, {"input": photos, "output": photos, "target": photos})
    log.close()
    rows = read_photo(tmp_path / "samples" / "step-00000001.jpg").pixels[16::32, 48, 0]
    assert len(rows) == 6
    assert rows[0] == 0 and rows[-1] == 255 and (np.diff(rows.astype(int)) > 0).all()


def test_the_mapping_needs_the_stages_before_it(tmp_path):
    with pytest.raises(InputError, match="train vae-degraded and vae-clean first"):
        make_stage(make_plan(tmp_path), "mapping")


def test_ctrl_c_stops_after_the_step_and_twice_at_once():
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_max_minutes_ends_with_a_checkpoint(tmp_path):
    plan = make_plan(tmp_path)
    assert not train_stage(plan, "vae-clean", replace(QUICK, max_minutes=1e-9))
    assert list((plan.folder("vae-clean") / "checkpoints").glob("step-00000001.pt"))
    assert (plan.weights / "vae_clean.safetensors").is_file()


@pytest.mark.parametrize(
    ("step", "factor"), [(0, 1.0), (4, 1.0), (5, 1.0), (6, 0.8), (9, 0.2), (10, 0.0), (11, 0.0)]
)
def test_the_rate_falls_linearly_in_the_second_half(step, factor):
    assert optimizer.linear_decay(step, 10, 0.5) == pytest.approx(factor)


def test_a_batch_that_cannot_be_shared_is_refused():
    settings = LoopSettings(world_size=2, accumulate=2)
    assert share_of_batch(8, settings) == 2
    with pytest.raises(InputError, match="batch of 6 cannot be shared evenly among 2 processes"):
        share_of_batch(6, settings)


def test_unknown_precision_is_refused():
    with pytest.raises(InputError, match="precision must be one of fp32, bf16, fp16"):
        LoopSettings(precision="fp8")


def test_a_loss_that_is_not_finite_names_step_and_term(tmp_path):
    log = RunLog(tmp_path, "vae-clean", step=4, photos_per_step=2, every=3)
    log.add(5, {"l1": torch.tensor(1.0), "kl": torch.tensor(1.0)}, rate=0.1)
    log.add(6, {"l1": torch.tensor(1.0), "kl": torch.tensor(float("nan"))}, rate=0.1)
    with pytest.raises(NonFiniteLossError, match="the loss term kl is nan at step 6"):
        log.flush(rate=0.1)
    assert not (tmp_path / "log.csv").is_file()


def test_a_loss_that_jumps_up_stops_the_run(tmp_path):
    log = RunLog(tmp_path, "mapping", step=0, photos_per_step=2, every=10)
    for step in range(1, 61):  # single steps are free to jump: an empty sky, then a crowd
        log.add(step, {"l1": torch.tensor(9.0 if step % 4 == 0 else 0.1)}, rate=0.1)
    with pytest.raises(
        LossJumpError, match=r"mapping: training diverged, the loss rose from 2.* by step 69; "
    ):
        for step in range(61, 81):
            log.add(step, {"l1": torch.tensor(50.0)}, rate=0.1)
    assert log.last["l1"] < 5, "no row tells of the jump as if it were progress"


class JumpsAt(nn.Module):
    """A loss whose terms are a hundred times as large from some step on."""

    def __init__(self, loss: nn.Module, step: int) -> None:
        super().__init__()
        self.loss = loss
        self.left = step

    def forward(self, batch, discriminators):
        terms, samples = self.loss(batch, discriminators)
        self.left -= 1
        factor = 100 if self.left <= 0 else 1
        return {name: factor * term for name, term in terms.items()}, samples


def test_no_state_of_a_jump_is_saved_while_it_is_not_yet_called_one(tmp_path):
    stage = make_stage(make_plan(tmp_path, num_steps=60), "detector")
    stage = replace(stage, objective=JumpsAt(stage.objective, step=31))
    with pytest.raises(LossJumpError):
        loop.train(stage, tmp_path / "run", replace(QUICK, save_minutes=0.0))
    saved = sorted((tmp_path / "run" / "checkpoints").glob("step-*.pt"))
    assert saved[-1].stem.endswith("30")


def test_one_hard_batch_puts_a_save_off_by_one_step(tmp_path):
    log = RunLog(tmp_path, "mapping", step=0, photos_per_step=2, every=1)
    assert log.is_calm
    for step in range(1, 40):
        log.add(step, {"l1": torch.tensor(60.0 if step == 38 else 1.0)}, rate=0.1)
        assert log.is_calm == (step != 38)


def test_a_loss_may_fall_and_grow_again(tmp_path):
    log = RunLog(tmp_path, "vae-clean", step=0, photos_per_step=2, every=7)
    for step in range(1, 300):
        total = max(100 * 0.9**step, 1.0) if step < 150 else 8.0
        log.add(step, {"l1": torch.tensor(total), "discriminator": torch.tensor(0.0)}, rate=0.1)


def test_a_diverged_state_is_not_saved(tmp_path, monkeypatch):
    plan = make_plan(tmp_path)
    stage = make_stage(plan, "vae-clean")
    with torch.no_grad():
        next(stage.trained.parameters()).fill_(float("inf"))
    with pytest.raises(NonFiniteLossError, match="at step 1"):
        loop.train(stage, plan.folder("vae-clean"), QUICK)
    assert load_newest(plan.folder("vae-clean") / "checkpoints", {"x": nn.Linear(1, 1)}) is None


def test_weights_that_are_not_finite_are_not_saved_though_the_losses_were(tmp_path, monkeypatch):
    plan = make_plan(tmp_path)
    stage = make_stage(plan, "vae-clean")
    weight = next(stage.trained.parameters())
    weight.register_hook(lambda gradient: torch.full_like(gradient, float("nan")))
    settings = replace(QUICK, save_minutes=0.0)
    with pytest.raises(
        NonFiniteLossError,
        match="vae-clean: a trained weight of the generator is not finite after step 1",
    ):
        loop.train(stage, plan.folder("vae-clean"), settings)
    assert not list(tmp_path.glob("**/step-*.pt"))


def test_the_bar_tells_photos_a_second_and_each_term(tmp_path):
    log = RunLog(tmp_path, "s", step=0, photos_per_step=2, every=1)
    assert log.line() == {}
    log.add(1, {"l1": torch.tensor(0.25), "kl": torch.tensor(2.0)}, rate=0.1)
    assert list(log.line()) == ["photos/s", "l1", "kl"] and log.line()["l1"] == "0.25"


def test_another_rate_is_kept_where_a_checkpoint_has_its_own():
    config = replace(PRESETS["tiny"].stages["vae-clean"], batch=1, num_photos=10)
    first, second = (
        optimizer.make_side("generator", nn.Linear(1, 1), rate, config, QUICK)
        for rate in (0.5, 0.1)
    )
    for _ in range(7):
        first.optimizer.step()
        first.schedule.step()
    second.schedule.load_state_dict(first.schedule.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert optimizer.learning_rate_of(second) == 0.5 * 0.6
    optimizer.override_learning_rates([second])
    assert optimizer.learning_rate_of(second) == 0.1 * 0.6
    second.optimizer.step()
    second.schedule.step()
    assert optimizer.learning_rate_of(second) == pytest.approx(0.1 * 0.4)


@pytest.mark.parametrize("variant", ["quality", "scratch", "hr"])
def test_the_mapping_has_spectral_norm_where_the_authors_have_it(undisturbed, tmp_path, variant):
    preset = undisturbed.preset
    bare = replace(preset, discriminator=replace(preset.discriminator, spectral_norm=False))
    plan = replace(undisturbed, preset=bare, variant=variant)
    for stage, expected in (("vae-clean", False), ("mapping", variant != "quality")):
        names = make_stage(plan, stage).discriminator_objective.state_dict()
        assert any("parametrizations" in name for name in names) is expected


def test_rows_after_the_checkpoint_are_dropped_on_resume(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,rate,l1\n2,0.1,0.5\n4,0.1,0.4\n6,0.1,0.3\n8,0.1,", encoding="utf-8")
    RunLog(tmp_path, "s", step=4, photos_per_step=1, every=1).close()
    assert path.read_text(encoding="utf-8").split() == ["step,rate,l1", "2,0.1,0.5", "4,0.1,0.4"]


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\0no text", b"step,l1\nmany,1\n", b"a,b\n1,2\n", b"step,l1\n1,2,3\n"]
)
def test_a_damaged_log_is_named_and_kept(tmp_path, content):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged .*: move it away"):
        RunLog(tmp_path, "s", step=4, photos_per_step=1, every=1)
    assert path.read_bytes() == content


def test_the_moving_average_warms_up_and_then_keeps_its_decay():
    update = optimizer.moving_average(0.9)
    average = [torch.zeros(2)]
    update(average, [torch.ones(2)], torch.tensor(1))
    torch.testing.assert_close(average[0], torch.full((2,), 1 - 2 / 11))
    average = [torch.zeros(2)]
    update(average, [torch.ones(2)], torch.tensor(1000))
    torch.testing.assert_close(average[0], torch.full((2,), 0.1))


def test_the_average_of_a_short_run_forgets_the_first_weights():
    update = optimizer.moving_average(0.999)
    average = [torch.ones(1)]
    for step in range(1, 600):
        update(average, [torch.zeros(1)], torch.tensor(step))
    assert average[0].item() < 1e-6
