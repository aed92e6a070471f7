"""Training a baseline: a run that stopped goes on as if nothing had happened."""

from dataclasses import replace

import pytest

from oldphoto.config import DiscriminatorConfig
from oldphoto.evaluation.baselines import pix2pix
from oldphoto.evaluation.baselines.fitting import BaselineRun
from oldphoto.training import loop

SMALLEST = replace(
    pix2pix.TINY,
    network=pix2pix.Pix2PixConfig(width=4, depth=6),
    discriminator=DiscriminatorConfig(width=4, num_layers=2, num_scales=1),
)


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


def test_two_steps_and_two_more_equal_four_dropout_included(lesson, tmp_path, monkeypatch):
    short = lesson(SMALLEST, num_steps=4)
    whole, cut = (replace(short.run, folder=tmp_path / name) for name in ("whole", "cut"))
    assert pix2pix.fit(whole, short.preset)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "StopRequest", lambda: StopAfter(2))
        assert not pix2pix.fit(cut, short.preset)
    assert (cut.weights / "pix2pix.safetensors").is_file()  # cut short, but there
    resumed = replace(cut, settings=replace(cut.settings, resume=True))
    assert pix2pix.fit(resumed, short.preset)
    files = [run.weights / "pix2pix.safetensors" for run in (whole, cut)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_job_without_photos_takes_the_embedded_ones(tmp_path):
    run = BaselineRun(tmp_path)
    assert len(run.clean_paths) == 28 and len(run.old_paths) == 19
    assert not any("held_out" in str(path) for path in run.clean_paths)


@pytest.mark.parametrize("seed", [0, 1])
def test_first_weights_depend_on_the_seed_alone(tmp_path, seed):
    stages = [pix2pix.pix2pix_stage(BaselineRun(tmp_path, seed=s), SMALLEST) for s in (0, seed)]
    first, second = (stage.trained["pix2pix"].downs[0].conv.weight for stage in stages)
    assert first.equal(second) == (seed == 0)
